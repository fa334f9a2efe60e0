//! What is done with one seed, and what came of it.

use super::super::report;
use quorate_sim::{
    Checks, Choice, Chooser, Counters, Demand, Key, Outcome, Plan, Scenario, Seeded, run_twice,
};
use serde::{Deserialize, Serialize};

/// A rule above all others, which no checker of a run can see broken.
const SAME: &str = "same_seed_same_run";

/// How each seed is run.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) scenario: Scenario,
    /// What is asked of each plan; the scenario can give it.
    pub(super) demand: Demand,
    /// The same as options, each behind a space.
    pub(super) options: String,
    pub(super) checks: Checks,
    /// Of a hundred runs so many are run again, to see whether the second is the same.
    pub(super) twice_percent: u64,
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) checker: String,
    pub(super) detail: String,
}

/// What came of a seed.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) seed: u64,
    pub(super) counters: Counters,
    pub(super) trace_hash: u64,
    pub(super) cpu_ns: u64,
    pub(super) is_twice: bool,
    pub(super) found: Option<Found>,
}

impl Task {
    /// The command that runs a seed again.
    pub(super) fn replay(&self, seed: u64) -> String {
        format!("quorate-sim {}{} --trace", report::run(self.scenario, seed, self.checks), self.options)
    }

    /// The scenario, and what is asked of it.
    pub(super) fn name(&self) -> String {
        format!("{}{}", self.scenario, self.options)
    }

    /// Whether what is to happen in many seeds is known, and watched.
    pub(super) fn has_floors(&self) -> bool {
        self.checks == Checks::All && self.demand == Demand::default()
    }

    fn is_twice(&self, seed: u64) -> bool {
        Seeded { seed }.pick(Choice::Plan, Key(u64::MAX, 0, 0), 100) < self.twice_percent
    }

    pub(super) fn run(&self, seed: u64) -> Done {
        self.run_by(seed, || Box::new(Seeded { seed }))
    }

    /// The same with free choices that somebody else makes.
    fn run_by(&self, seed: u64, chooser: impl FnMut() -> Box<dyn Chooser>) -> Done {
        let cpu = report::cpu_nanos();
        let plan = Plan::expand_to(self.scenario, seed, &self.demand);
        let plan = plan.expect("whether the scenario can give it does not depend on the seed");
        let is_twice = self.is_twice(seed);
        let (outcome, difference) = self.outcome(&plan, is_twice, chooser);
        let found = match difference {
            Some(detail) => Some(Found { checker: SAME.to_string(), detail }),
            None => outcome
                .violation
                .map(|violation| Found { checker: violation.checker.to_string(), detail: violation.detail }),
        };
        Done {
            seed,
            counters: outcome.counters,
            trace_hash: outcome.trace_hash,
            cpu_ns: report::cpu_nanos() - cpu,
            is_twice,
            found,
        }
    }

    fn outcome(
        &self,
        plan: &Plan,
        is_twice: bool,
        mut chooser: impl FnMut() -> Box<dyn Chooser>,
    ) -> (Outcome, Option<String>) {
        if is_twice {
            let (outcome, difference) = run_twice(plan, chooser, self.checks);
            return (outcome, difference.map(|difference| difference.to_string()));
        }
        (quorate_sim::run_with(plan, chooser(), self.checks, None), None)
    }

    /// A seed whose run ended in a panic that says this.
    pub(super) fn panicked(seed: u64, detail: String) -> Done {
        let found = Some(Found { checker: "no_panic".to_string(), detail });
        Done { seed, counters: Counters::default(), trace_hash: 0, cpu_ns: 0, is_twice: false, found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(twice_percent: u64) -> Task {
        let (demand, options) = (Demand::default(), String::new());
        Task { scenario: Scenario::Rj, demand, options, checks: Checks::All, twice_percent }
    }

    #[test]
    fn about_one_seed_in_twenty_is_run_twice() {
        let count = (0..10_000).filter(|seed| task(5).is_twice(*seed)).count();
        assert!((400..600).contains(&count), "{count}");
        assert!((0..100).all(|seed| task(100).is_twice(seed) && !task(0).is_twice(seed)));
    }

    #[test]
    fn a_run_that_is_not_the_same_again_is_a_broken_rule() {
        assert_eq!(task(100).run(4).found, None);
        let mut runs = 0;
        let done = task(100).run_by(4, || {
            runs += 1;
            Box::new(Seeded { seed: runs })
        });
        let found = done.found.expect("another seed is another run");
        assert_eq!(found.checker, SAME);
        assert!(found.detail.starts_with("two runs of the same plan differ from event "), "{}", found.detail);
    }
}
