//! A modest sweep, and determinism: the same seed is the same run.

use quorate_sim::{Checks, Counters, Plan, Scenario, Seeded, run, run_with};

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
fn an_ensemble_that_has_much_to_do_holds() {
    let outcome = run(&Plan::expand(Scenario::R2, 1), None);
    assert_eq!(outcome.violation, None, "replay: quorate-sim run --scenario r2 --seed 1 --trace");
    let counters = outcome.counters;
    assert!(counters.operations > 20_000, "only {} operations", counters.operations);
    assert!(counters.commits_before_liveness > 2000, "only {} commits", counters.commits_before_liveness);
}

/// Nobody looks on: disks are kept, and all else goes as far as with the oracle.
#[test]
fn ensembles_hold_without_the_oracle() {
    let mut counters = Counters::default();
    for seed in 100..112 {
        let plan = Plan::expand(Scenario::R1, seed);
        let outcome = run_with(&plan, Box::new(Seeded { seed }), Checks::Invariants, None);
        assert_eq!(
            outcome.violation, None,
            "replay: quorate-sim run --scenario r1 --seed {seed} --checks invariants"
        );
        counters.merge(&outcome.counters);
    }
    assert!(counters.commits_before_liveness > 2000, "only {} commits", counters.commits_before_liveness);
    assert!(counters.replies.is_empty(), "somebody looks on");
}

#[test]
fn learners_hold_under_leaders_of_java_and_leaders_over_learners_of_java() {
    let mut counters = Counters::default();
    for seed in 0..60 {
        let outcome = run(&Plan::expand(Scenario::Rj, seed), None);
        assert_eq!(outcome.violation, None, "replay: quorate-sim run --scenario rj --seed {seed} --trace");
        counters.merge(&outcome.counters);
    }
    assert!(counters.probes["java_fuzzy_snap"] > 100, "too few: {:?}", counters.probes);
    assert!(counters.probes["java_crash_during_sync"] > 100, "too few: {:?}", counters.probes);
    assert!(counters.probes["java_learner_loses_its_tail"] > 100, "too few: {:?}", counters.probes);
    assert!(counters.probes["java_learners_alike"] > 500, "too few: {:?}", counters.probes);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for (scenario, seed) in
        [(Scenario::R0, 1), (Scenario::R0, 2), (Scenario::R1, 100), (Scenario::R1, 101), (Scenario::Rj, 5)]
    {
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
