//! Programs of one's own in a simulated ensemble.

use quorate_core::client::CreateOptions;
use quorate_sim::{Faults, Sim};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

fn counting(seed: u64, made: &Arc<AtomicU64>) -> Sim {
    let made = Arc::clone(made);
    Sim::new(seed).servers(3).seconds(8).clients(3, move |scene| {
        let made = Arc::clone(&made);
        async move {
            while !scene.is_over() {
                scene.pause(400).await;
                if scene.client.create("/n-", "", &CreateOptions::persistent().sequential()).await.is_ok() {
                    made.fetch_add(1, Ordering::Relaxed);
                }
            }
            scene.client.close().await;
        }
    })
}

#[test]
fn programs_run_and_the_same_seed_is_the_same_run() {
    let (first, second) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let mut hashes = BTreeSet::new();
    for seed in 0..10 {
        let runs = [&first, &second].map(|made| counting(seed, made).run().expect("it is possible"));
        assert!(runs.iter().all(|report| report.held()), "{}", runs[0]);
        assert_eq!(runs[0].outcome.trace_hash, runs[1].outcome.trace_hash);
        assert_eq!(first.load(Ordering::Relaxed), second.load(Ordering::Relaxed));
        hashes.insert(runs[0].outcome.trace_hash);
    }
    assert_eq!(hashes.len(), 10);
    assert!(first.load(Ordering::Relaxed) > 100, "{first:?} nodes made");
}

#[test]
fn what_is_chosen_to_break_breaks_and_nothing_else() {
    let mut killed = 0;
    for seed in 0..20 {
        let sim = counting(seed, &Arc::default()).faults(Faults::only(&["kill"]).expect("it is a fault"));
        let report = sim.run().expect("it is possible");
        assert!(report.held(), "{report}");
        assert!(report.outcome.counters.faults.keys().all(|name| *name == "kill"), "{report}");
        killed += report.outcome.counters.faults.get("kill").copied().unwrap_or(0);
    }
    assert!(killed > 0);
    let calm = counting(1, &Arc::default()).faults(Faults::none()).run().expect("it is possible");
    assert!(calm.held() && calm.outcome.counters.faults.is_empty(), "{calm}");
    assert!(Faults::only(&["no such thing"]).is_err());
}

#[test]
fn rules_of_ones_own_are_told_by_their_names() {
    let at_once = Sim::new(1).clients(1, |scene| async move { scene.violate("my_rule", "broken") });
    let report = at_once.run().expect("it is possible");
    assert_eq!(report.outcome.violation.as_ref().map(|violation| violation.checker), Some("my_rule"));
    assert!(report.to_string().contains("my_rule") && report.to_string().lines().count() < 60);
    let at_the_end = counting(1, &Arc::default()).check("my_count", || Err("too few".to_owned()));
    let report = at_the_end.run().expect("it is possible");
    assert_eq!(report.outcome.violation.map(|violation| violation.detail), Some("too few".to_owned()));
}

#[test]
fn a_program_that_never_ends_is_told() {
    let report = Sim::new(1).seconds(3).faults(Faults::none()).client(|scene| async move {
        loop {
            scene.pause(1000).await;
        }
    });
    let report = report.run().expect("it is possible");
    assert_eq!(report.outcome.violation.map(|violation| violation.checker), Some("liveness"));
}

#[test]
fn what_is_not_possible_is_refused() {
    assert!(Sim::new(1).run().is_err(), "nobody is there");
    assert!(Sim::new(1).servers(10).client(|_| async {}).run().is_err());
}

#[test]
fn a_plan_can_be_run_again() {
    let sim = counting(4, &Arc::default());
    let mut plan = sim.plan().expect("it is possible");
    assert_eq!(
        sim.replay(plan.clone()).outcome.trace_hash,
        sim.run().expect("it is possible").outcome.trace_hash
    );
    plan.faults.clear();
    let report = sim.replay(plan);
    assert!(report.held() && !report.outcome.counters.faults.contains_key("kill"), "{report}");
}
