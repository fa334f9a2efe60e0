//! What a run costs: its beginning, which a sweep pays for each seed, and whole runs of each kind.
//!
//! `cargo bench -p quorate-sim --bench runs`

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use quorate_sim::{Checks, Plan, Scenario, Seeded, run_until, run_with};
use std::hint::black_box;

/// Runs are of one of so many seeds in turn.
const SEEDS: u64 = 50;

fn chooser(plan: &Plan) -> Box<Seeded> {
    Box::new(Seeded { seed: plan.seed })
}

/// From the seed to the first event.
fn start(criterion: &mut Criterion) {
    for (name, scenario) in
        [("start/r0", Scenario::R0), ("start/r1", Scenario::R1), ("start/rr", Scenario::Rr(None))]
    {
        let mut seed = 0;
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                seed = (seed + 1) % SEEDS;
                let plan = Plan::expand(scenario, seed);
                black_box(run_until(&plan, chooser(&plan), Checks::All, 0))
            });
        });
    }
}

/// Seeds a second, with everything looked at and with invariants only.
fn whole(criterion: &mut Criterion) {
    let runs = [
        ("run/r0", Scenario::R0, Checks::All),
        ("run/r1", Scenario::R1, Checks::All),
        ("run/r1_invariants", Scenario::R1, Checks::Invariants),
        ("run/rr", Scenario::Rr(None), Checks::All),
    ];
    let mut group = criterion.benchmark_group("seeds");
    group.sample_size(10).throughput(Throughput::Elements(SEEDS));
    for (name, scenario, checks) in runs {
        let plans: Vec<Plan> = (0..SEEDS).map(|seed| Plan::expand(scenario, seed)).collect();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for plan in &plans {
                    let outcome = run_with(plan, chooser(plan), checks, None);
                    assert_eq!(outcome.violation, None, "{}", plan.summary());
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, start, whole);
criterion_main!(benches);
