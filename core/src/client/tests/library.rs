//! What becomes of watches, requests and sessions.

use super::super::{Cause, CreateOptions, OnExpiry, Outcome, Resync, Watch, WatchEvent, WatchMode};
use super::{World, now, poll};
use crate::jute::{EventType, Request};
use crate::vocabulary::{ErrorCode, SessionId, Version, Zxid};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// The requests that leave or take watches, in short.
fn watching(asked: &[Request]) -> Vec<String> {
    let short = |request: &Request| match request {
        Request::AddWatch { path, .. } => Some(format!("add {}", path.as_deref()?)),
        Request::RemoveWatches { path, kind } => Some(format!("remove {kind} {}", path.as_deref()?)),
        Request::SetWatches(lists) | Request::SetWatches2(lists) => {
            let paths = lists.data.iter().chain(&lists.child).chain(&lists.persistent);
            Some(format!("set {:?}", paths.flatten().collect::<Vec<_>>()))
        }
        Request::GetData { path, watch: true } => Some(format!("get {}", path.as_deref()?)),
        _ => None,
    };
    asked.iter().filter_map(short).collect()
}

/// What a watch says by now.
fn told(watch: &mut Watch) -> Option<Option<WatchEvent>> {
    match pin!(watch.next()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(event) => Some(event),
        Poll::Pending => None,
    }
}

fn resync(why: Resync) -> Option<Option<WatchEvent>> {
    Some(Some(WatchEvent::Resync(why)))
}

#[test]
fn a_watch_that_nobody_waits_for_any_more_is_removed_when_it_stands() {
    let world = World::new();
    let client = world.connected(world.builder());
    world.mute(true);
    drop(client.watch("/a", WatchMode::Persistent));
    let (mut polled, mut other) = (client.get_watched("/b"), client.get_watched("/b"));
    assert!(poll(&mut polled).is_pending() && poll(&mut other).is_pending());
    world.run();
    drop(polled);
    world.mute(false);
    assert_eq!(watching(&world.asked()), ["add /a", "get /b", "get /b", "remove 3 /a"]);
    drop(other);
    world.run();
    assert_eq!(watching(&world.asked()), ["remove 3 /b"]);
}

#[test]
fn a_watch_is_removed_though_the_connection_is_lost_meanwhile() {
    for is_hasty in [false, true] {
        let world = World::new();
        let client = world.connected(world.builder().fail_fast(is_hasty));
        let watch = client.watch("/a", WatchMode::Persistent);
        let other = client.watch("/b", WatchMode::Persistent);
        world.run();
        let (watch, other) = (now(watch).expect("it stands"), now(other).expect("it stands"));
        // The removal is sent, and its answer is lost.
        world.mute(true);
        drop(watch);
        world.run();
        world.cut();
        // This one is dropped while there is no connection.
        drop(other);
        world.run();
        world.mute(false);
        world.pass(1000);
        let asked = watching(&world.asked());
        assert_eq!(asked[..3], ["add /a", "add /b", "remove 3 /a"], "{asked:?}");
        assert_eq!(asked[3..], ["set [\"/a\", \"/b\"]", "remove 3 /a", "remove 3 /b"], "{asked:?}");
    }
}

#[test]
fn what_no_request_has_removed_goes_with_the_last_of_its_path() {
    let world = World::new();
    let client = world.connected(world.builder());
    let watches = (client.watch("/a", WatchMode::Persistent), client.get_watched("/a"));
    world.run();
    let (all, (_, mut once)) = (now(watches.0).expect("it stands"), now(watches.1).expect("it stands"));
    // Servers before 3.9 do not know how to take one kind away.
    world.refuse("/a", ErrorCode::BadArguments);
    drop(all);
    world.run();
    world.event(EventType::NodeDataChanged, "/a");
    assert!(matches!(told(&mut once), Some(Some(WatchEvent::Node { .. }))));
    assert_eq!(watching(&world.asked()), ["add /a", "get /a", "remove 4 /a", "remove 3 /a"]);
    // While another is asked for, nothing is taken away; it fails.
    let all = client.watch("/a", WatchMode::Persistent);
    world.run();
    let all = now(all).expect("it stands");
    world.refuse("/a", ErrorCode::NoNode);
    world.mute(true);
    let fails = client.get_watched("/a");
    drop(all);
    world.run();
    world.mute(false);
    assert_eq!(now(fails).expect_err("there is no node").code(), Some(ErrorCode::NoNode));
    world.run();
    assert_eq!(watching(&world.asked()), ["add /a", "get /a", "remove 3 /a"]);
}

#[test]
fn persistent_watches_stand_again_in_the_next_session_and_in_the_one_behind_it() {
    for is_hasty in [false, true] {
        let world = World::new();
        let builder = world.builder().fail_fast(is_hasty).on_expiry(OnExpiry::Replace);
        let client = world.connected(builder);
        let watch = client.watch("/a", WatchMode::Persistent);
        world.run();
        let mut watch = now(watch).expect("it stands");
        world.expire();
        assert_eq!(told(&mut watch), resync(Resync::NewSession), "fail fast: {is_hasty}");
        // It is asked for in the next one, which is over before that is answered.
        world.mute(true);
        world.expire();
        world.expire();
        assert_eq!(told(&mut watch), None);
        world.cut();
        world.mute(false);
        world.pass(1000);
        assert_eq!(told(&mut watch), resync(Resync::NewSession), "fail fast: {is_hasty}");
        assert_eq!(told(&mut watch), None);
    }
}

#[test]
fn a_reader_that_is_too_slow_hears_that_it_has_missed_something_in_the_next_session_too() {
    let world = World::new();
    let client = world.connected(world.builder().on_expiry(OnExpiry::Replace));
    let watch = client.watch("/a", WatchMode::Persistent);
    world.run();
    let mut watch = now(watch).expect("it stands");
    for _ in 0..2000 {
        world.event(EventType::NodeDataChanged, "/a");
    }
    world.expire();
    let mut events = 0;
    loop {
        world.run();
        match told(&mut watch) {
            Some(Some(WatchEvent::Node { .. })) => events += 1,
            Some(Some(WatchEvent::Resync(_))) => break,
            other => panic!("{other:?} behind {events} events"),
        }
    }
    assert!(events < 2000);
}

#[test]
fn a_parent_that_may_not_be_made_is_no_hindrance_where_it_is_there() {
    let world = World::new();
    let client = world.connected(world.builder());
    let options = CreateOptions::persistent().parents();
    world.refuse("/a/b/c", ErrorCode::NoNode);
    world.refuse("/a", ErrorCode::NoAuth);
    let mut made = client.create("/a/b/c", "", &options);
    assert!(poll(&mut made).is_pending());
    world.run();
    assert!(poll(&mut made).is_pending());
    world.run();
    assert_eq!(now(made).expect("it was made").path, "/a/b/c");
    // It is missing: that is why nothing was made.
    for (path, code) in [("/a/b", ErrorCode::NoNode), ("/a", ErrorCode::NoAuth), ("/a/b", ErrorCode::NoNode)]
    {
        world.refuse(path, code);
    }
    let mut refused = client.create("/a/b", "", &options);
    world.run();
    assert!(poll(&mut refused).is_pending());
    world.run();
    let error = now(refused).expect_err("it was not made");
    assert_eq!((error.code(), error.path()), (Some(ErrorCode::NoAuth), "/a"));
    assert_eq!(error.outcome(), Outcome::Refused);
}

#[test]
fn a_container_with_a_sequence_is_refused_wherever_it_is_asked_for() {
    let world = World::new();
    let client = world.connected(world.builder());
    let options = CreateOptions::container().sequential();
    let alone = now(client.create("/c-", "", &options)).expect_err("there is none");
    let transaction = client.transaction().check("/", Version::ANY).create("/c-", "", &options);
    let together = now(transaction.commit()).expect_err("there is none");
    for error in [alone, together] {
        assert_eq!((error.cause(), error.outcome()), (&Cause::Kind, Outcome::NotApplied), "{error}");
    }
    world.run();
    assert_eq!(world.asked(), []);
}

#[test]
fn requests_that_were_taken_back_are_in_nobodys_way() {
    let world = World::new();
    let client = world.connected(world.builder().max_outstanding(5));
    world.with(|state| state.is_down = true);
    world.cut();
    let waits = client.get("/waits");
    for _ in 0..20 {
        drop(client.get("/taken-back"));
        world.run();
    }
    let also_waits = client.get("/also");
    world.with(|state| state.is_down = false);
    world.pass(1000);
    assert!(now(waits).is_ok() && now(also_waits).is_ok());
    assert_eq!(world.asked().len(), 2);
}

#[test]
fn the_next_session_does_not_go_back_behind_what_the_last_has_seen() {
    let world = World::new();
    let client = world.connected(world.builder().on_expiry(OnExpiry::Replace));
    let read = client.get("/a");
    world.run();
    assert!(now(read).is_ok());
    let seen = Zxid(world.with(|state| state.zxid));
    // The server that it finds next is behind.
    world.with(|state| state.behind = Some(Zxid(seen.0 - 1)));
    world.expire();
    world.with(|state| state.forgets = false);
    world.pass(11_000);
    let asked = world.with(|state| state.handshakes.clone());
    let (_, later) = asked.split_first().expect("it has shaken hands");
    assert!(later.iter().all(|request| request.last_zxid_seen == seen), "{asked:?}");
    assert!(later.iter().any(|request| request.session_id == SessionId::NONE), "{asked:?}");
    assert!(!client.session().latest().state.is_connected());
    // They are all behind: the ensemble was set back to an older state.
    world.pass(10_000);
    assert!(client.session().latest().state.is_connected());
    assert_eq!(
        world.with(|state| state.handshakes.last().map(|request| request.last_zxid_seen)),
        Some(Zxid::ZERO)
    );
}

#[test]
fn a_builder_does_not_show_its_credentials() {
    let world = World::new();
    let shown = format!("{:?}", world.builder().auth("digest", "joe:secret"));
    assert!(shown.contains("digest") && !shown.contains("secret") && !shown.contains("joe"), "{shown}");
}
