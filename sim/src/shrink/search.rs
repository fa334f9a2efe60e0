//! Candidates: each is run once, and becomes the best plan if it breaks the rule that the first one broke.
//!
//! Where nothing more can go, what could not is tried again under other seeds: what is left of a plan is often enough for the rule to be
//! broken, and only its free choices are not those that break it any more. Large pieces go first, since runs of what is left are short.

use super::{Budget, Ending, Trial};
use crate::checkers::Violation;
use crate::plan::Plan;
use crate::trace::Trace;
use crate::world::Outcome;
use std::collections::BTreeSet;

/// A candidate may break the rule so much later, in virtual time, than the best plan does.
const SLACK_NS: u64 = 5_000_000_000;
/// How hard it is tried, one after the other.
const EFFORTS: [Effort; 4] = [
    Effort { other_seeds: 0, is_fine: false },
    Effort { other_seeds: 8, is_fine: false },
    Effort { other_seeds: 8, is_fine: true },
    Effort { other_seeds: 64, is_fine: true },
];
/// A list is cut into about so many pieces, if it is not to be fine.
const PIECES: usize = 12;

/// See [`EFFORTS`].
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// The seeds that are tried beside the best plan's own.
    other_seeds: u64,
    /// Whether the parts of a list are tried one by one at last.
    is_fine: bool,
}

/// See the module's words.
pub(super) struct Search<'t> {
    trial: &'t mut dyn Trial,
    budget: Budget,
    /// The smallest plan so far that breaks the rule.
    pub(super) best: Plan,
    /// What came of it.
    pub(super) outcome: Outcome,
    /// The same, in short.
    pub(super) violation: Violation,
    /// Hashes of all plans that were tried.
    tried: BTreeSet<u64>,
    /// The seed of the plan that is shrunk.
    seed: u64,
    effort: Effort,
    pub(super) runs: u64,
    pub(super) events: u64,
    pub(super) ending: Ending,
}

impl<'t> Search<'t> {
    /// Runs the plan to its end; nothing, if it breaks no rule.
    pub(super) fn new(plan: &Plan, budget: Budget, trial: &'t mut dyn Trial) -> Option<Self> {
        let outcome = trial.run(plan, None);
        let violation = outcome.violation.clone()?;
        let events = outcome.counters.events;
        Some(Search {
            trial,
            budget,
            best: plan.clone(),
            outcome,
            violation,
            tried: BTreeSet::from([fingerprint(plan)]),
            seed: plan.seed,
            effort: EFFORTS[0],
            runs: 1,
            events,
            ending: Ending::Smallest,
        })
    }

    /// When the best plan breaks the rule, ns; nothing, if nobody says so.
    pub(super) fn broken_at(&self) -> Option<u64> {
        Some(self.outcome.counters.simulated_ns).filter(|at| *at > 0)
    }

    fn may_go_on(&mut self) -> bool {
        if self.ending == Ending::Smallest {
            self.ending = match () {
                () if self.runs >= self.budget.runs => Ending::Runs,
                () if self.events >= self.budget.events => Ending::Events,
                () if self.trial.is_late() => Ending::Time,
                () => Ending::Smallest,
            };
        }
        self.ending == Ending::Smallest
    }

    /// Does it again and again until that leaves nothing out any more, and then the same with more effort.
    pub(super) fn exhaust(&mut self, round: impl Fn(&mut Self)) {
        for effort in EFFORTS {
            self.effort = effort;
            let mut before = None;
            while before.as_ref() != Some(&self.best) {
                before = Some(self.best.clone());
                round(self);
            }
        }
    }

    /// Whether this one breaks the same rule, and is the best from now on. What was tried before does not.
    pub(super) fn attempt(&mut self, mut candidate: Plan) -> bool {
        candidate.seed = self.best.seed;
        if !self.may_go_on() || candidate == self.best {
            return false;
        }
        let (first, others) = (self.seed, 0..self.effort.other_seeds);
        let seeds = std::iter::once(candidate.seed).chain(others.map(|number| first ^ (number + 1)));
        seeds.into_iter().any(|seed| self.attempt_one(Plan { seed, ..candidate.clone() }))
    }

    fn attempt_one(&mut self, candidate: Plan) -> bool {
        if !self.may_go_on() || !self.tried.insert(fingerprint(&candidate)) {
            return false;
        }
        let outcome = self.trial.run(&candidate, self.broken_at().map(|at| at + SLACK_NS));
        self.runs += 1;
        self.events += outcome.counters.events;
        let Some(violation) = outcome.violation.clone() else { return false };
        if violation.checker != self.violation.checker {
            return false;
        }
        (self.best, self.outcome, self.violation) = (candidate, outcome, violation);
        true
    }

    /// Leaves out what can go of a list: first all of it, then ever smaller pieces, the smallest again and again until none can go. `with`
    /// makes a plan with so much of it.
    pub(super) fn thin<T: Clone>(&mut self, mut kept: Vec<T>, with: impl Fn(&Plan, &[T]) -> Plan) {
        let base = self.best.clone();
        let mut piece = kept.len();
        while !kept.is_empty() {
            let (mut start, mut has_gone) = (0, false);
            while start < kept.len() {
                let end = (start + piece).min(kept.len());
                let rest = [&kept[..start], &kept[end..]].concat();
                if self.attempt(with(&base, &rest)) {
                    (kept, has_gone) = (rest, true);
                } else {
                    start = end;
                }
            }
            let finest = if self.effort.is_fine { 1 } else { kept.len().div_ceil(PIECES).max(1) };
            if piece <= finest && !has_gone {
                break;
            }
            piece = piece.div_ceil(2).max(finest);
        }
    }

    /// Makes a number as small as it can be by halves and ones: `with` makes a plan with this number in it.
    pub(super) fn lower(&mut self, mut number: u64, with: impl Fn(&Plan, u64) -> Plan) {
        let mut step = number;
        while step > 0 {
            let candidate = with(&self.best, number - step);
            if self.attempt(candidate) {
                number -= step;
                step = step.min(number);
            } else {
                step /= 2;
            }
        }
    }
}

fn fingerprint(plan: &Plan) -> u64 {
    let mut trace = Trace::new(0, None);
    // What can't be written down is tried again and again.
    serde_json::to_vec(plan).into_iter().for_each(|json| trace.bytes(&json));
    trace.hash()
}
