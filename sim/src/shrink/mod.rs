//! The smallest plan that still breaks the same rule: parts are left out, one after the other and many at once, and what still breaks it
//! without them goes on without them, until nothing more can go.
//!
//! The same rule is the same checker's name; what it saw may differ. A candidate is run a little beyond the time at which the rule was
//! broken before, and not to its end: what would break it later still is given up, which costs no more than a part that stays.
//! What is spent is counted in runs and events, so that the same plan shrinks to the same plan on every machine; a [`Trial`] may
//! stop it earlier by a clock of its own, and then [`Ending::Time`] says so.
//!
//! | file | |
//! |---|---|
//! | `search.rs` | candidates, and which parts of a list can go |
//! | `parts.rs` | the parts: clients, operations, faults, machines, servers, the image, time |
//! | `settings.rs` | the settings, and which values are plain |
//! | `accent.rs` | the parts of a Java accent's story |
//! | `size.rs` | how much there is in a plan |
//!
//! Free choices stay as they were where their keys do. Keys of connections and of clients are their places: without a client those behind it
//! move up, and what they draw is different. That is why what is left may have another seed than the plan had.
//!
//! Absent: times that move, and fewer choices within a run.

mod accent;
mod parts;
mod search;
mod settings;
mod size;

use crate::checkers::Violation;
use crate::plan::Plan;
use crate::world::Outcome;
use search::Search;
use serde::Serialize;
pub use size::Size;

/// What runs candidates.
pub trait Trial {
    /// Runs `plan`, up to `until_ns` of its virtual time at most.
    fn run(&mut self, plan: &Plan, until_ns: Option<u64>) -> Outcome;

    /// Whether there is no more time, whatever is left of the budget.
    fn is_late(&mut self) -> bool {
        false
    }
}

impl<F: FnMut(&Plan, Option<u64>) -> Outcome> Trial for F {
    fn run(&mut self, plan: &Plan, until_ns: Option<u64>) -> Outcome {
        self(plan, until_ns)
    }
}

/// How much may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Candidates that are run.
    pub runs: u64,
    /// Events of all of them.
    pub events: u64,
}

impl Default for Budget {
    /// Less than a minute of a processor.
    fn default() -> Self {
        Budget { runs: 10_000, events: 20_000_000 }
    }
}

/// Why it went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Nothing more can go.
    Smallest,
    /// The budget's runs are used up.
    Runs,
    /// The budget's events are.
    Events,
    /// The trial was late: on another machine the result may be another.
    Time,
}

/// What is left of a plan.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest one that was found.
    pub plan: Plan,
    /// What it breaks.
    pub violation: Violation,
    /// The hash of its trace.
    pub trace_hash: u64,
    /// How much there was.
    pub before: Size,
    /// How much is left.
    pub after: Size,
    /// The settings that are not plain, since it does not break without them.
    pub settings: Vec<&'static str>,
    /// How many candidates were run.
    pub runs: u64,
    /// How many events they had.
    pub events: u64,
    /// Why it is not smaller.
    pub ending: Ending,
}

/// Shrinks a plan; nothing, if it breaks no rule.
pub fn shrink(plan: &Plan, budget: Budget, trial: &mut dyn Trial) -> Option<Shrunk> {
    let mut search = Search::new(plan, budget, trial)?;
    match &plan.accent {
        Some(_) => accent::shrink(&mut search),
        None => parts::shrink(&mut search),
    }
    Some(Shrunk {
        before: Size::of(plan),
        after: Size::of(&search.best),
        settings: settings::odd(&search.best),
        trace_hash: search.outcome.trace_hash,
        violation: search.violation,
        runs: search.runs,
        events: search.events,
        ending: search.ending,
        plan: search.best,
    })
}

#[cfg(test)]
mod tests;
