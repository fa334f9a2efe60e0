//! Recipes where sessions and runtimes end.

use super::super::{OnExpiry, Resync, SessionState, WatchEvent, WatchMode};
use super::{World, now, poll};
use crate::jute::{Request, Stat};
use crate::recipe::{Lifetime, PersistentNode, service_names};
use std::pin::pin;

/// The writes that the server was asked for, in short.
fn writes(world: &World) -> Vec<&'static str> {
    let short = |request: &Request| match request {
        Request::Create(_) => Some("create"),
        Request::SetData { .. } => Some("set"),
        Request::Delete { .. } => Some("delete"),
        _ => None,
    };
    world.asked().iter().filter_map(short).collect()
}

/// From now on the server has these nodes, whoever made them.
fn set_nodes(world: &World, paths: &[&str]) {
    let nodes = paths.iter().map(|path| ((*path).to_owned(), Stat::default()));
    world.with(|state| state.nodes = Some(nodes.collect()));
}

fn has_node(world: &World, path: &str) -> bool {
    world.with(|state| state.nodes.as_ref().is_some_and(|nodes| nodes.contains_key(path)))
}

#[test]
fn a_client_whose_runtime_has_ended_is_closed_for_those_who_still_ask() {
    for policy in [OnExpiry::Stop, OnExpiry::Replace] {
        let world = World::new();
        let client = world.connected(world.builder().on_expiry(policy));
        let watch = client.watch("/a", WatchMode::Persistent);
        world.run();
        let mut watch = now(watch).expect("it stands");
        world.mute(true);
        let waits = client.get("/a");
        let mut names = pin!(service_names(&client, "/services"));
        assert!(poll(&mut names).is_pending());
        world.run();
        world.end();
        assert_eq!(client.session().latest().state, SessionState::Closed);
        assert!(now(waits).expect_err("nobody answers").is_session_over());
        assert!(now(names).expect_err("nobody answers").is_session_over());
        assert!(now(service_names(&client, "/services")).expect_err("nobody answers").is_session_over());
        now(client.close());
        assert_eq!(now(watch.next()), Some(WatchEvent::Resync(Resync::Over)));
        assert_eq!(now(watch.next()), None);
    }
}

#[test]
fn a_persistent_node_that_comes_of_a_session_that_was_replaced_is_taken_away_too() {
    let world = World::new();
    let client = world.connected(world.builder().on_expiry(OnExpiry::Replace));
    set_nodes(&world, &[]);
    let node = PersistentNode::start(&client, "/a", "", Lifetime::Persistent, None);
    world.with(|state| state.is_mute = true);
    world.run();
    world.mute(true);
    assert_eq!(writes(&world), ["create"]);
    // It is under way when the node is closed, and for longer than its session.
    set_nodes(&world, &[]);
    let mut closed = Box::pin(node.close());
    assert!(poll(&mut closed).is_pending());
    world.run();
    world.with(|state| {
        state.is_mute = false;
        state.kept.clear();
    });
    world.expire();
    assert!(poll(&mut closed).is_pending());
    set_nodes(&world, &["/a"]);
    world.pass(7000);
    now(closed).expect("it is gone");
    assert!(!has_node(&world, "/a"));
    assert_eq!(writes(&world), ["delete"]);
}
