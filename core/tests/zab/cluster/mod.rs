//! Thousands of schedules of three and five servers: links lose their ends, servers crash and forget what was not stored, anybody may
//! be elected. Safety holds at every event, and when everything is healed everybody agrees.

mod disk;
mod ghost;
mod history;
mod network;
mod server;
mod world;

use quorate_core::vocabulary::{Millis, ServerId};
use rand::RngExt as _;
use std::collections::BTreeMap;
use world::{HEALED_AT, World};

/// How many are run; each is good for some hundred commits.
const SCHEDULES: u64 = 250;

/// One schedule; returns what happened in it.
fn schedule(seed: u64) -> World {
    let voters = if seed % 4 == 3 { 5 } else { 3 };
    let mut world = World::new(seed, voters, u8::from(seed.is_multiple_of(5)));
    let ids: Vec<ServerId> = world.servers.keys().copied().collect();
    // In some schedules hardly anything goes wrong, so that long histories come about.
    let trouble = [4, 15, 40][(seed / 3) as usize % 3];
    while !world.is_healed() {
        let pause = Millis(world.rng.random_range(1..120));
        world.run(world.now + pause);
        world.check_followers();
        let id = ids[world.rng.random_range(0..ids.len())];
        match world.rng.random_range(0..100) {
            roll if roll < trouble => match world.rng.random_range(0..3) {
                0 => world.crash(id),
                _ => world.break_some_link(),
            },
            0..50 => world.elect(),
            50..85 => world.write(id),
            85..93 => world.sync(id),
            93..96 => world.take_snapshot(id),
            _ => {}
        }
    }
    let deadline = HEALED_AT + world.is_quiet_for();
    let mut last_write = false;
    while !(last_write && world.has_converged()) {
        assert!(world.now < deadline, "the cluster does not converge: {:?}", world.ghost.endings);
        world.elect();
        world.run(world.now + Millis(100));
        world.check_followers();
        if world.has_converged() && !last_write {
            last_write = true;
            ids.iter().for_each(|id| world.write(*id));
            ids.iter().for_each(|id| world.sync(*id));
            world.run(world.now + Millis(300));
        }
    }
    world
}

#[test]
fn histories_agree_whatever_happens_and_everybody_serves_when_it_is_over() {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..SCHEDULES {
        let result = std::panic::catch_unwind(|| schedule(seed));
        let Ok(world) = result else { panic!("in the schedule of seed {seed}") };
        world.ghost.counts.iter().for_each(|(what, count)| *counts.entry(what).or_default() += count);
    }
    // Against vacuity: each of these happened, and not just once.
    let floors = [
        ("SNAP", 100),
        ("TRUNC", 15),
        ("broken links", 1_000),
        ("commits", 10_000),
        ("crashes", 1_000),
        ("established", 500),
        ("follows", 1_500),
        ("loads", 200),
        ("refused TRUNC", 3),
        ("syncs", 1_000),
    ];
    for (what, floor) in floors {
        let count = counts.get(what).copied().unwrap_or(0);
        assert!(count >= floor, "{what} only {count} times: {counts:#?}");
    }
}
