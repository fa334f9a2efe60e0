//! What every request costs in the state it touches: its session, its permissions, and the watches that a change may find.
//!
//! `cargo bench -p quorate-core --bench state`

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use quorate_core::auth::{AuthConfig, Identities, check_acl};
use quorate_core::jute::{Acl, Permissions};
use quorate_core::metrics::{Advanced, Counter, Metrics};
use quorate_core::session::SessionTracker;
use quorate_core::vocabulary::{ConnId, Entropy, LookupSeed, Millis, Mono, PeerConfig, ServerId, SessionId};
use quorate_core::watch::{Notice, WatchMode, Watches};
use std::hint::black_box;

fn hear(notice: Notice<'_>) {
    black_box(notice);
}

/// A request's touch, of ten thousand sessions in turn. Nearly all touches stay in their bucket; in the second bench every
/// one moves, as when each session is heard of once a tick.
fn sessions(criterion: &mut Criterion) {
    const SESSIONS: u64 = 10_000;
    for (name, touches_a_tick) in
        [("session/touch", 100 * SESSIONS), ("session/touch_into_another_bucket", SESSIONS)]
    {
        let mut tracker = SessionTracker::new(ServerId(1), Millis(2000), Entropy::new(1, ServerId(1), 1));
        for session in 1..=SESSIONS {
            tracker.create(SessionId(session as i64), Millis(30_000), Mono(0));
        }
        let mut turn = 0;
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                turn += 1;
                let session = SessionId((turn % SESSIONS + 1) as i64);
                black_box(tracker.touch(session, Mono::from_millis(turn * 2000 / touches_a_tick)))
            });
        });
    }
}

fn permissions(criterion: &mut Criterion) {
    let config = AuthConfig::from(&PeerConfig::standalone(Millis(2000)));
    let identities = Identities::new([10, 0, 0, 1].into());
    let open = Acl::open();
    criterion.bench_function("auth/check_open_acl", |bencher| {
        bencher.iter(|| check_acl(&config, black_box(&identities), black_box(&open), Permissions::READ));
    });
}

fn watches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("watch");
    let acl = Acl::open();
    let path = "/services/orders/instances/0000000042";
    let mut none = Watches::new(LookupSeed(1));
    group.bench_function("change_with_no_watch_at_all", |bencher| {
        bencher.iter(|| none.data_changed(black_box(path), &acl, &mut hear));
    });
    let mut others = Watches::new(LookupSeed(1));
    for conn in 0..10_000 {
        others.add(ConnId(conn), &format!("/elsewhere/{conn}"), WatchMode::Data);
    }
    group.bench_function("change_that_nobody_watches_among_10000", |bencher| {
        bencher.iter(|| others.data_changed(black_box(path), &acl, &mut hear));
    });
    others.add(ConnId(1), "/", WatchMode::PersistentRecursive);
    group.bench_function("change_with_a_recursive_watch_on_the_root", |bencher| {
        bencher.iter(|| others.data_changed(black_box(path), &acl, &mut hear));
    });
    group.bench_function("add_and_fire_one", |bencher| {
        bencher.iter(|| {
            others.add(ConnId(7), path, WatchMode::Data);
            others.data_changed(black_box(path), &acl, &mut hear)
        });
    });
    group.throughput(Throughput::Elements(1000));
    group.bench_function("herd_of_1000", |bencher| {
        bencher.iter_batched_ref(
            || {
                let mut herd = Watches::new(LookupSeed(1));
                (0..1000).for_each(|conn| herd.add(ConnId(conn), path, WatchMode::Data));
                herd
            },
            |herd| herd.data_changed(path, &acl, &mut hear),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn metrics(criterion: &mut Criterion) {
    let mut metrics = Metrics::new();
    criterion.bench_function("metrics/count", |bencher| bencher.iter(|| metrics.count(Counter::CommitCount)));
    let mut value = 0;
    criterion.bench_function("metrics/add_advanced", |bencher| {
        bencher.iter(|| {
            value += 1;
            metrics.add_advanced(Advanced::ReadLatency, value & 0xff);
        });
    });
}

criterion_group!(benches, sessions, permissions, watches, metrics);
criterion_main!(benches);
