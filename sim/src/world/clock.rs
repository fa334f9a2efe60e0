//! A server's clocks: each may run fast, slow or not at all, and the wall clock, or with a machine that was held up both, may jump.
//!
//! Invariant: the monotonic clock never goes back while a process lives. Durations of the world, such as those of disk calls, do
//! not follow them.

use crate::plan::ClockKind;
use quorate_core::vocabulary::{Mono, Now, Wall};

const MS: i64 = 1_000_000;
/// The wall clock when the world begins, ns since 1970.
const WALL_START: i64 = 1_700_000_000_000 * MS;
/// The monotonic clock when the machine is switched on, ns: never 0 in life either.
const MONO_START: i64 = 7_000_000_000;
/// A clock that is right shows so much more in so much time.
const TRUE_PERMILLE: u64 = 1000;

/// What a clock showed at a time of the world, and how fast it has run since.
#[derive(Clone, Copy, Debug)]
struct Clock {
    shown: i64,
    at: u64,
    permille: u64,
}

impl Clock {
    fn at(&self, time: u64) -> i64 {
        self.shown + ((time - self.at) * self.permille / TRUE_PERMILLE) as i64
    }

    /// The first time at which it shows this; none while it stands still before that.
    fn time_of(&self, shown: i64) -> Option<u64> {
        let ahead = u64::try_from(shown - self.shown).unwrap_or(0);
        match (ahead, self.permille) {
            (0, _) => Some(self.at),
            (_, 0) => None,
            (_, permille) => {
                Some(ahead.saturating_mul(TRUE_PERMILLE).div_ceil(permille).saturating_add(self.at))
            }
        }
    }

    /// From now on it is so far ahead of where it was, and as fast as this.
    fn set(&mut self, time: u64, by: i64, permille: u64) {
        *self = Clock { shown: self.at(time) + by, at: time, permille };
    }
}

/// See the module's words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks {
    mono: Clock,
    wall: Clock,
}

impl Clocks {
    pub(super) fn new() -> Self {
        let clock = |shown| Clock { shown, at: 0, permille: TRUE_PERMILLE };
        Clocks { mono: clock(MONO_START), wall: clock(WALL_START) }
    }

    /// The process begins.
    pub(super) fn begin(&mut self, time: u64) {
        self.mono = Clock { shown: MONO_START, at: time, ..self.mono };
    }

    /// What both show.
    pub(super) fn show(&self, time: u64) -> Now {
        Now { mono: Mono(self.mono.at(time) as u64), wall: Wall(self.wall.at(time).div_euclid(MS)) }
    }

    /// The world's time at which the monotonic clock shows `mono`; none while it stands still.
    pub(super) fn time_of(&self, mono: Mono) -> Option<u64> {
        self.mono.time_of(i64::try_from(mono.0).unwrap_or(i64::MAX))
    }

    /// One of them jumps.
    pub(super) fn jump(&mut self, time: u64, kind: ClockKind, ms: i64) {
        let clock = self.clock(kind);
        clock.set(time, ms * MS, clock.permille);
    }

    /// One of them is as fast as this from now on, in a thousand; none is right again.
    pub(super) fn run_at(&mut self, time: u64, kind: ClockKind, permille: Option<u64>) {
        self.clock(kind).set(time, 0, permille.unwrap_or(TRUE_PERMILLE));
    }

    fn clock(&mut self, kind: ClockKind) -> &mut Clock {
        match kind {
            ClockKind::Monotonic => &mut self.mono,
            ClockKind::Wall => &mut self.wall,
        }
    }
}
