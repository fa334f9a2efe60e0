//! A member without a leader serves reads to those who accept that, promises nothing, and sends them away when there is a leader.

use crate::support::{children, create, create_as, get, set, sync, watch};
use crate::world::{World, voters};
use quorate_core::contract::PeerEvent;
use quorate_core::jute::{CreateFlag, Request};
use quorate_core::peer::Mode;
use quorate_core::vocabulary::{SessionId, Zxid};

/// An ensemble of which only a follower is left, and the session that had an ephemeral node there.
fn alone() -> (World, usize, SessionId) {
    let mut world = World::new(&voters(3));
    world.switches.read_only_mode = true;
    (0..3).for_each(|at| world.start(at));
    world.until("everybody serves", |world| world.servers.iter().all(|server| server.is_serving()));
    let left = world.follower();
    let client = world.client(left, SessionId::NONE);
    let session = world.clients[client].session;
    world.call(client, create("/n"));
    world.call(client, create_as("/e", CreateFlag::Ephemeral));
    world.agree();
    (0..3).filter(|at| *at != left).for_each(|at| world.crash(at));
    world.until("it looks", |world| world.servers[left].mode() == Some(Mode::Looking));
    (world, left, session)
}

fn read_only(world: &mut World, at: usize) {
    world.until("reads are served", |world| world.servers[at].mode() == Some(Mode::ReadOnly));
}

/// A client that accepts a read-only server, and what it was told.
fn reader(world: &mut World, at: usize, session: SessionId) -> (usize, Vec<String>) {
    let client = world.connect_as(at, session, true);
    (client, world.clients[client].heard.clone())
}

fn last_zxid(world: &World, at: usize) -> Zxid {
    world.servers[at].status().expect("it runs").last_zxid()
}

#[test]
fn reads_are_served_two_seconds_after_the_leader_is_gone() {
    let (mut world, left, _) = alone();
    let since = world.now;
    read_only(&mut world, left);
    let waited = (world.now - since) / 1_000_000;
    assert!((1_990..=2_000).contains(&waited), "{waited} ms");
}

#[test]
fn without_the_setting_nobody_is_served() {
    let mut world = World::started(&voters(3));
    let left = world.follower();
    (0..3).filter(|at| *at != left).for_each(|at| world.crash(at));
    world.until("it looks", |world| world.servers[left].mode() == Some(Mode::Looking));
    world.run(10_000);
    assert_eq!(world.servers[left].mode(), Some(Mode::Looking));
    let (client, heard) = reader(&mut world, left, SessionId::NONE);
    assert!(heard.is_empty() && world.clients[client].is_closed);
}

#[test]
fn reads_and_watches_are_answered_and_writes_refused() {
    let (mut world, left, _) = alone();
    read_only(&mut world, left);
    let before = last_zxid(&world, left);
    let (client, heard) = reader(&mut world, left, SessionId::NONE);
    assert_eq!(heard, ["connected for 4000 ms read-only"]);
    assert_eq!(world.call(client, watch("/n")), "new");
    assert_eq!(world.call(client, children("/")), "e n zookeeper");
    let writes = [
        create("/x"),
        create_as("/x", CreateFlag::Ephemeral),
        set("/n", "other"),
        sync(),
        Request::Delete { path: Some("/n".to_owned()), version: -1 },
        Request::SetAcl { path: Some("/n".to_owned()), acl: None, version: -1 },
        Request::Multi(Vec::new()),
    ];
    for write in writes {
        assert_eq!(world.call(client, write.clone()), "error -119", "{write:?}");
    }
    assert_eq!(world.call(client, get("/n")), "new");
    assert_eq!(world.call(client, Request::CloseSession), "Empty");
    assert!(world.clients[client].is_closed);
    assert_eq!(last_zxid(&world, left), before);
}

#[test]
fn whoever_wants_to_write_and_whoever_has_a_session_of_the_ensemble_is_left_without_an_answer() {
    let (mut world, left, session) = alone();
    read_only(&mut world, left);
    for (wanted, accepts) in [(SessionId::NONE, false), (session, false), (session, true)] {
        let client = world.connect_as(left, wanted, accepts);
        let client = &world.clients[client];
        assert!(client.heard.is_empty() && client.is_closed, "{wanted} {accepts}: {:?}", client.heard);
    }
    let (_, heard) = reader(&mut world, left, SessionId(77));
    assert_eq!(heard, ["connected for 0 ms read-only"], "of a session that nobody knows");
}

#[test]
fn sessions_come_back_while_it_lasts_and_silent_ones_end_without_a_txn() {
    let (mut world, left, _) = alone();
    read_only(&mut world, left);
    let before = last_zxid(&world, left);
    let (client, _) = reader(&mut world, left, SessionId::NONE);
    let session = world.clients[client].session;
    let (again, heard) = reader(&mut world, left, session);
    assert_eq!(heard, ["connected for 4000 ms read-only"]);
    assert!(world.clients[client].is_closed, "it came back on another connection");
    world.run(30_000);
    assert!(world.clients[again].is_closed);
    let (_, heard) = reader(&mut world, left, session);
    assert_eq!(heard, ["connected for 0 ms read-only"]);
    let ended = |event: &PeerEvent| matches!(event, PeerEvent::SessionExpired { .. });
    assert_eq!(
        world.servers[left].events.iter().filter(|event| ended(event)).count(),
        1,
        "the ensemble's live"
    );
    assert_eq!(last_zxid(&world, left), before);
}

#[test]
fn when_a_leader_is_found_everybody_is_sent_away_and_the_ensemble_goes_on() {
    let (mut world, left, session) = alone();
    read_only(&mut world, left);
    let (client, _) = reader(&mut world, left, SessionId::NONE);
    let local = world.clients[client].session;
    world.run(1_000);
    (0..3).filter(|at| *at != left).for_each(|at| world.start(at));
    world.until("the election is over", |world| world.servers[left].mode() != Some(Mode::ReadOnly));
    assert!(world.clients[client].is_closed);
    world.until("everybody serves", |world| world.servers.iter().all(|server| server.is_serving()));
    let old = world.client(left, local);
    assert_eq!(world.clients[old].heard, ["connected for 0 ms"], "nobody knows it");
    let back = world.client(left, session);
    assert_eq!(world.clients[back].heard, ["connected for 4000 ms"], "its ephemeral is there");
    assert_eq!(world.call(back, get("/e")), "new");
    let (accepting, heard) = reader(&mut world, left, SessionId::NONE);
    assert!(!world.clients[accepting].is_closed && !heard.iter().any(|line| line.contains("read-only")));
    world.agree();
}
