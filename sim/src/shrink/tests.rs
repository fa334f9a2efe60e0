//! Made-up rules, so that it is known what has to be left.

use super::{Budget, Ending, Shrunk, shrink};
use crate::checkers::Violation;
use crate::counters::Counters;
use crate::plan::{Operation, Plan, Scenario};
use crate::world::Outcome;

/// Shrinks a plan under a rule that takes no run to be judged, and is broken at this time.
fn under(plan: &Plan, broken_at_ms: u64, budget: Budget, breaks: impl Fn(&Plan) -> bool) -> Option<Shrunk> {
    let mut trial = |plan: &Plan, _: Option<u64>| {
        let violation = breaks(plan).then(|| Violation { checker: "made_up", detail: String::new() });
        let simulated_ns = broken_at_ms * 1_000_000;
        let counters = Counters { events: 1, simulated_ns, ..Counters::default() };
        Outcome { violation, trace_hash: 0, counters, last_events: Vec::new() }
    };
    shrink(plan, budget, &mut trial)
}

#[test]
fn exactly_the_pair_that_matters_is_left() {
    let plan = Plan::expand(Scenario::R1, 30);
    let (operation, fault) = (plan.operations[200].clone(), plan.faults[plan.faults.len() / 2].clone());
    let has_both = |plan: &Plan| {
        plan.operations
            .iter()
            .any(|planned| planned.operation == operation.operation && planned.at_us == operation.at_us)
            && plan.faults.iter().any(|planned| planned.at_us == fault.at_us)
    };
    let shrunk = under(&plan, 59_000, Budget::default(), has_both).expect("both are there");
    assert_eq!((shrunk.after.operations, shrunk.after.faults), (1, 1));
    assert_eq!(shrunk.after.events(), 2);
    assert_eq!(shrunk.plan.duration_ms, 59_001);
    assert!(shrunk.after.clients <= 2 && shrunk.settings.is_empty(), "{shrunk:?}");
    assert_eq!(shrunk.ending, Ending::Smallest);
    let again = under(&plan, 59_000, Budget::default(), has_both).expect("both are there still");
    assert_eq!((again.plan, again.runs), (shrunk.plan, shrunk.runs));
}

#[test]
fn of_a_multi_only_what_matters_is_left() {
    let is_delete = |part: &Operation| matches!(part, Operation::Delete { .. });
    let breaks = |plan: &Plan| {
        plan.operations.iter().any(
            |planned| matches!(&planned.operation, Operation::Multi(parts) if parts.iter().any(is_delete)),
        )
    };
    let plan = (0..).map(|seed| Plan::expand(Scenario::R0, seed)).find(breaks).expect("there are such plans");
    let shrunk = under(&plan, 59_000, Budget::default(), breaks).expect("it breaks");
    let [planned] = &shrunk.plan.operations[..] else {
        panic!("one is enough: {:?}", shrunk.plan.operations)
    };
    assert!(matches!(&planned.operation, Operation::Multi(parts) if parts.len() == 1), "{planned:?}");
}

#[test]
fn of_a_story_only_what_matters_is_left() {
    let plan = Plan::expand(Scenario::Rj, 4);
    let breaks = |plan: &Plan| {
        plan.accent
            .as_ref()
            .is_some_and(|accent| accent.crashes >= 2 && accent.reigns.iter().any(|reign| reign.live > 0))
    };
    let shrunk = under(&plan, 0, Budget::default(), breaks).expect("it breaks");
    let accent = shrunk.plan.accent.expect("it is a story still");
    assert_eq!((accent.crashes, accent.reigns.len(), accent.reigns[0].live), (2, 1, 1));
    assert!(accent.led.learners.len() == 2 && accent.led.ends.is_empty(), "{accent:?}");
}

#[test]
fn what_holds_is_not_shrunk_and_a_budget_ends_it() {
    let plan = Plan::expand(Scenario::R0, 1);
    assert!(under(&plan, 1, Budget::default(), |_| false).is_none());
    let few = Budget { runs: 5, events: 1000 };
    let shrunk = under(&plan, 59_000, few, |plan| !plan.operations.is_empty()).expect("it breaks");
    assert_eq!((shrunk.runs, shrunk.ending), (5, Ending::Runs));
}
