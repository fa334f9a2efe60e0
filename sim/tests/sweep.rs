//! A modest sweep, and determinism: the same seed is the same run.

use quorate_sim::{Counters, Plan, Scenario, run};

#[test]
fn two_hundred_seeds_hold() {
    let mut counters = Counters::default();
    for seed in 0..200 {
        let outcome = run(&Plan::expand(Scenario::R0, seed), None);
        assert_eq!(outcome.violation, None, "replay: quorate-sim run --seed {seed} --trace");
        counters.merge(&outcome.counters);
    }
    assert!(counters.commits > 100_000, "only {} commits", counters.commits);
    assert!(counters.faults.len() == 14, "not every fault fired: {:?}", counters.faults);
}

#[test]
fn ensembles_hold() {
    let mut counters = Counters::default();
    for seed in 100..112 {
        let outcome = run(&Plan::expand(Scenario::R1, seed), None);
        assert_eq!(outcome.violation, None, "replay: quorate-sim run --scenario r1 --seed {seed} --trace");
        counters.merge(&outcome.counters);
    }
    assert!(counters.commits_before_liveness > 2000, "only {} commits", counters.commits_before_liveness);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for (scenario, seed) in [(Scenario::R0, 1), (Scenario::R0, 2), (Scenario::R1, 100), (Scenario::R1, 101)] {
        let plan = Plan::expand(scenario, seed);
        let (first, second) = (run(&plan, None), run(&plan, Some(30)));
        assert_eq!(first.trace_hash, second.trace_hash, "seed {seed}");
        assert_eq!(first.counters.events, second.counters.events, "seed {seed}");
    }
}

#[test]
fn a_plan_survives_being_written_down() {
    let plan = Plan::expand(Scenario::R0, 9);
    let json = serde_json::to_string(&plan).expect("a plan is plain data");
    assert_eq!(serde_json::from_str::<Plan>(&json).expect("and comes back"), plan);
}
