//! The two clocks of the process, read together.

use quorate_core::vocabulary::{Millis, Mono, Now, Wall};
use std::time::{Duration, Instant, SystemTime};

/// A monotonic clock that started when it was made, and the system's wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that shows 0 now.
    pub(crate) fn start() -> Self {
        Clock { start: Instant::now() }
    }

    /// What both clocks show.
    pub(crate) fn now(&self) -> Now {
        Now { mono: self.mono(), wall: wall() }
    }

    /// What the monotonic clock shows.
    pub(crate) fn mono(&self) -> Mono {
        Mono(u64::try_from(self.start.elapsed().as_nanos()).expect("a process does not live for 584 years"))
    }

    /// When the monotonic clock will show `mono`.
    pub(crate) fn instant(&self, mono: Mono) -> Instant {
        self.start + Duration::from_nanos(mono.0)
    }

    /// How long ago the clock was started.
    pub(crate) fn uptime(&self) -> Millis {
        Millis(self.mono().as_millis())
    }
}

/// What the wall clock shows; a time before 1970 is shown as 1970.
fn wall() -> Wall {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
