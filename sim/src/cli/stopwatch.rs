//! Real time, for progress and budgets: no run sees it.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this is about how long the program has been at it, not about what it simulates"
)]

use std::time::{Duration, Instant};

/// How long ago it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    pub(super) fn start() -> Self {
        Stopwatch(Instant::now())
    }

    pub(super) fn passed(self) -> Duration {
        self.0.elapsed()
    }
}
