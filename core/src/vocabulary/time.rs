//! Time as an input: a monotonic clock for decisions, a wall clock for stamps, and never one for the other.

use std::ops::Add;

/// A span in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub u64);

impl Millis {
    /// What records hold as an int; a negative one is none.
    pub fn from_int(millis: i32) -> Self {
        Millis(u64::try_from(millis).unwrap_or(0))
    }

    /// As records hold it; what is longer than any int is the longest.
    pub fn to_int(self) -> i32 {
        i32::try_from(self.0).unwrap_or(i32::MAX)
    }
}

/// A point on the process's monotonic clock, nanoseconds since an arbitrary start. Timeouts and expiry use only this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(pub u64);

impl Mono {
    /// Whole milliseconds since the clock's start.
    pub fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The point `ms` milliseconds after the clock's start.
    pub fn from_millis(ms: u64) -> Self {
        Mono(ms.saturating_mul(1_000_000))
    }

    /// Whole milliseconds from `earlier` to `self`, 0 when `earlier` is later.
    pub fn millis_since(self, earlier: Mono) -> Millis {
        Millis(self.nanos_since(earlier) / 1_000_000)
    }

    /// Nanoseconds from `earlier` to `self`, 0 when `earlier` is later.
    pub fn nanos_since(self, earlier: Mono) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Millis> for Mono {
    type Output = Mono;
    fn add(self, span: Millis) -> Mono {
        Mono(self.0.saturating_add(span.0.saturating_mul(1_000_000)))
    }
}

/// A wall-clock time, milliseconds since the Unix epoch. It may jump; it only stamps txns (ctime, mtime) and reaps TTL nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall(pub i64);

/// Both clocks, read together, passed with every input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// The monotonic clock.
    pub mono: Mono,
    /// The wall clock.
    pub wall: Wall,
}
