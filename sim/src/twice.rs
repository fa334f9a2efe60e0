//! The same plan, run twice: whether both runs are the same, and where they part if they are not.
//!
//! A run is a function of its plan and its chooser, and everything that this simulator promises rests on that. What breaks it — a clock, the
//! order of a hash table, a number that outlives a run, a chooser that looks at more than the question — shows here, in one process. What
//! differs only between builds or machines does not: for that, compare the hashes of the same seeds.

use crate::chooser::{Choice, Chooser, Key};
use crate::oracle::Checks;
use crate::plan::Plan;
use crate::trace::{Parting, Trace};
use crate::world::{Outcome, run_traced};
use std::fmt;

/// How two runs of one plan differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference(What);

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// From this event on.
    Event(Parting),
    /// The same happened, and was judged or counted in another way.
    Verdict(String),
}

impl Difference {
    /// The number of the first event that differs, from 0, if one does.
    pub fn event(&self) -> Option<usize> {
        match &self.0 {
            What::Event(parting) => Some(parting.event),
            What::Verdict(_) => None,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            What::Event(Parting { event, first, second }) => {
                let over = || "it is over".to_string();
                let (first, second) =
                    (first.clone().unwrap_or_else(over), second.clone().unwrap_or_else(over));
                write!(
                    f,
                    "two runs of the same plan differ from event {event} on; the first: {}; the second: {}",
                    first.trim_start(),
                    second.trim_start()
                )
            }
            What::Verdict(words) => {
                write!(f, "in two runs of the same plan the same happened, but {words}")
            }
        }
    }
}

/// Asks each question twice: who answers by anything but the question answers otherwise then.
struct Doubtful(Box<dyn Chooser>);

impl Chooser for Doubtful {
    fn pick(&mut self, kind: Choice, key: Key, n: u64) -> u64 {
        self.0.pick(kind, key, n);
        self.0.pick(kind, key, n)
    }
}

/// Runs a plan twice, each time with a chooser of its own. The outcome is the first run's.
pub fn run_twice(
    plan: &Plan,
    mut chooser: impl FnMut() -> Box<dyn Chooser>,
    checks: Checks,
) -> (Outcome, Option<Difference>) {
    let (first, trace) = run_traced(plan, chooser(), checks, Trace::kept(plan.seed));
    let (second, trace) =
        run_traced(plan, Box::new(Doubtful(chooser())), checks, Trace::against(plan.seed, trace));
    let difference = match trace.parting(first.trace_hash) {
        Some(parting) => Some(What::Event(parting)),
        None => verdicts(&first, &second).map(What::Verdict),
    };
    (first, difference.map(Difference))
}

fn verdicts(first: &Outcome, second: &Outcome) -> Option<String> {
    if first.violation != second.violation {
        return Some(format!("once it came to {:?} and once to {:?}", first.violation, second.violation));
    }
    (first.counters != second.counters)
        .then(|| format!("once {:?} was counted and once {:?}", first.counters, second.counters))
}
