//! Sessions that one server alone knows of, and how they become the ensemble's (`client-protocol.md` §20).

use crate::support::{children, create, create_as, get, set, sync, watch};
use crate::world::{World, voters};
use quorate_core::contract::PeerEvent;
use quorate_core::jute::{CreateFlag, CreateKind, CreateRequest, MultiOp, Request};
use quorate_core::peer::Mode;
use quorate_core::quorum::Role;
use quorate_core::vocabulary::{Millis, SessionId, Zxid};

/// Three voters and an observer with local sessions.
pub(crate) fn started(upgrading: bool) -> World {
    let mut world = World::new(&[voters(3), vec![Role::Observer]].concat());
    (world.switches.local_sessions, world.switches.local_sessions_upgrading) = (true, upgrading);
    (0..4).for_each(|at| world.start(at));
    world.until("everybody serves", |world| world.servers.iter().all(|server| server.is_serving()));
    world
}

/// The leader, a follower, the observer.
pub(crate) fn parts(world: &World) -> [usize; 3] {
    [world.leader(), world.follower(), 3]
}

fn ephemeral(path: &str) -> Request {
    create_as(path, CreateFlag::Ephemeral)
}

fn multi(creates: &[Request]) -> Request {
    let op = |request: &Request| match request {
        Request::Create(create) => MultiOp::Create(create.clone()),
        other => panic!("no op of a multi: {other:?}"),
    };
    Request::Multi(creates.iter().map(op).collect())
}

fn container_with_the_ephemeral_flag(path: &str) -> Request {
    match ephemeral(path) {
        Request::Create(create) => {
            Request::Create(CreateRequest { kind: CreateKind::CreateContainer, ..create })
        }
        other => other,
    }
}

/// The ensemble's sessions, and those that the server alone knows of.
pub(crate) fn sessions(world: &World, at: usize) -> (usize, usize) {
    let status = world.servers[at].status().expect("it runs");
    (status.database().sessions().len(), status.sessions().local_len())
}

/// What is at the root, at a server that has everything.
fn root(world: &mut World, at: usize) -> String {
    let reader = world.client(at, SessionId::NONE);
    world.call(reader, sync());
    let names = world.call(reader, children("/"));
    world.call(reader, Request::CloseSession);
    names
}

pub(crate) fn txns_since(world: &mut World, zxid: Zxid) -> u32 {
    world.agree().counter() - zxid.counter()
}

#[test]
fn a_local_session_begins_and_ends_without_a_txn() {
    let mut world = started(true);
    for at in parts(&world) {
        let before = world.agree();
        let client = world.client(at, SessionId::NONE);
        assert_eq!(world.clients[client].heard, ["connected for 4000 ms"]);
        assert_eq!(sessions(&world, at), (0, 1));
        assert_eq!(world.call(client, watch("/")), "");
        assert_eq!(world.call(client, sync()), "Sync");
        assert_eq!(world.call(client, Request::Ping), "Empty");
        assert_eq!(world.call(client, Request::CloseSession), "Empty");
        assert!(world.clients[client].is_closed);
        assert_eq!(sessions(&world, at), (0, 0));
        assert_eq!(txns_since(&mut world, before), 0);
    }
}

#[test]
fn a_local_session_writes_what_stays() {
    let mut world = started(true);
    for at in parts(&world) {
        let before = world.agree();
        let client = world.client(at, SessionId::NONE);
        for request in [create("/a"), set("/a", "1"), get("/a"), multi(&[create("/b"), create("/c")])] {
            world.ask(client, request);
        }
        world.ask(client, Request::Delete { path: Some("/none".to_owned()), version: -1 });
        world.ask(client, Request::CloseSession);
        world.until("its end", |world| world.clients[client].is_closed);
        let heard = &world.clients[client].heard[1..];
        assert_eq!(heard, ["/a", "Stat", "1", "Create Create", "error -101", "Empty"]);
        assert_eq!(sessions(&world, at), (0, 0));
        assert_eq!(txns_since(&mut world, before), 4);
        let janitor = world.client(at, SessionId::NONE);
        for path in ["/a", "/b", "/c"] {
            world.call(janitor, Request::Delete { path: Some(path.to_owned()), version: -1 });
        }
        world.call(janitor, Request::CloseSession);
    }
}

#[test]
fn an_ephemeral_upgrades_a_local_session_which_keeps_its_id() {
    for request in
        [ephemeral("/e"), create_as("/e", CreateFlag::EphemeralSequential), multi(&[ephemeral("/e")])]
    {
        let mut world = started(true);
        for at in parts(&world) {
            let before = world.agree();
            let client = world.client(at, SessionId::NONE);
            let session = world.clients[client].session;
            let answer = world.call(client, request.clone());
            assert!(answer == "Create" || answer.starts_with("/e"), "{answer}");
            world.agree();
            assert_eq!(sessions(&world, at), (1, 0));
            let database = world.servers[3].status().expect("it runs").database();
            assert_eq!(database.sessions().get(&session), Some(&4000), "everybody knows it now");
            assert_eq!(database.tree.ephemerals(session).len(), 1, "and it owns the node");
            assert_eq!(world.call(client, Request::CloseSession), "Empty");
            assert_eq!(txns_since(&mut world, before), 3, "createSession, the request, closeSession");
            assert_eq!(root(&mut world, 3), "zookeeper");
        }
    }
}

#[test]
fn an_upgraded_session_moves_and_a_local_one_is_unknown_elsewhere() {
    let mut world = started(true);
    let [leader, follower, observer] = parts(&world);
    for (at, other) in [(leader, follower), (follower, observer), (observer, leader)] {
        let client = world.client(at, SessionId::NONE);
        let session = world.clients[client].session;
        let there = world.client(other, session);
        assert_eq!(world.clients[there].heard, ["connected for 0 ms"]);
        assert!(!world.clients[client].is_closed, "nobody told its own server");
        world.hang_up(client);
        let again = world.client(at, session);
        assert_eq!(world.clients[again].heard, ["connected for 4000 ms"]);
        world.call(again, ephemeral("/e"));
        let there = world.client(other, session);
        assert_eq!(world.clients[there].heard, ["connected for 4000 ms"]);
        assert_eq!(world.call(there, get("/e")), "new");
        world.call(there, Request::CloseSession);
    }
}

#[test]
fn without_upgrading_an_ephemeral_is_refused() {
    let mut world = started(false);
    for at in parts(&world) {
        let before = world.agree();
        let client = world.client(at, SessionId::NONE);
        assert_eq!(world.call(client, ephemeral("/e")), "error -120");
        assert_eq!(world.call(client, create_as("/e", CreateFlag::EphemeralSequential)), "error -120");
        assert_eq!(
            world.call(client, ephemeral("/none/e")),
            "error -120",
            "before anything else is looked at"
        );
        assert_eq!(world.call(client, container_with_the_ephemeral_flag("/c")), "error -112");
        assert_eq!(world.call(client, create("/p")), "/p", "and it goes on");
        assert_eq!(world.call(client, create("/p")), "error -110");
        assert_eq!(sessions(&world, at), (0, 1));
        assert_eq!(txns_since(&mut world, before), 6, "errors are txns");
        world.call(client, Request::Delete { path: Some("/p".to_owned()), version: -1 });
    }
}

#[test]
fn without_upgrading_the_op_of_a_multi_says_what_its_server_knows() {
    let mut world = started(false);
    for (at, code) in parts(&world).into_iter().zip(["error -120", "error -112", "error -112"]) {
        let client = world.client(at, SessionId::NONE);
        let answer = world.call(client, multi(&[create("/a"), ephemeral("/e"), create("/b")]));
        assert_eq!(answer, format!("error 0 {code} error -2"));
    }
}

#[test]
fn only_create_create2_and_multi_upgrade() {
    let mut world = started(true);
    for at in parts(&world) {
        let client = world.client(at, SessionId::NONE);
        assert_eq!(world.call(client, container_with_the_ephemeral_flag("/c")), "error -112");
        assert_eq!(sessions(&world, at), (0, 1));
        world.call(client, Request::CloseSession);
    }
}

#[test]
fn an_ephemeral_that_fails_upgrades_all_the_same() {
    let mut world = started(true);
    for at in parts(&world) {
        let client = world.client(at, SessionId::NONE);
        assert_eq!(world.call(client, ephemeral("/none/e")), "error -101");
        assert_eq!(sessions(&world, at), (1, 0));
        world.call(client, Request::CloseSession);
        assert_eq!(sessions(&world, at), (0, 0));
    }
}

#[test]
fn a_close_during_the_upgrade_leaves_no_ephemeral() {
    for piece in [0, 7] {
        let mut world = started(true);
        world.piece = piece;
        for at in parts(&world) {
            let before = world.agree();
            let client = world.client(at, SessionId::NONE);
            world.ask(client, ephemeral("/e"));
            world.ask(client, Request::CloseSession);
            world.until("its end", |world| world.clients[client].is_closed);
            assert_eq!(world.clients[client].heard[1..], ["/e", "Empty"]);
            assert_eq!(txns_since(&mut world, before), 3);
            assert_eq!(sessions(&world, at), (0, 0));
            assert_eq!(root(&mut world, at), "zookeeper");
        }
    }
}

#[test]
fn a_client_that_goes_during_the_upgrade_leaves_an_ephemeral_until_it_expires() {
    let mut world = started(true);
    for at in parts(&world) {
        let client = world.client(at, SessionId::NONE);
        world.ask(client, ephemeral("/e"));
        world.hang_up(client);
        world.run(100);
        assert_eq!(root(&mut world, at), "e zookeeper");
        world.run(4_500);
        assert_eq!(root(&mut world, at), "zookeeper");
        assert_eq!(sessions(&world, at).0, 0);
    }
}

#[test]
fn a_client_that_comes_back_during_the_upgrade_is_greeted_when_it_is_committed() {
    let mut world = started(true);
    for at in parts(&world) {
        for back_at in [at, world.follower(), world.leader()] {
            let client = world.client(at, SessionId::NONE);
            let session = world.clients[client].session;
            world.ask(client, ephemeral("/e"));
            // The leader has heard of it, and nothing is committed.
            world.run(1);
            world.hang_up(client);
            let again = world.client(back_at, session);
            assert_eq!(world.clients[again].heard, ["connected for 4000 ms"]);
            assert_eq!(world.call(again, sync()), "Sync");
            assert_eq!(world.call(again, get("/e")), "new");
            assert_eq!(world.call(again, Request::CloseSession), "Empty");
            assert_eq!(root(&mut world, back_at), "zookeeper");
        }
    }
}

#[test]
fn a_local_session_expires_at_its_server_and_writes_nothing() {
    let mut world = started(true);
    for at in parts(&world) {
        let before = world.agree();
        let silent = world.client(at, SessionId::NONE);
        let loud = world.client(at, SessionId::NONE);
        for _ in 0..10 {
            world.run(450);
            assert_eq!(world.call(loud, Request::Ping), "Empty");
        }
        assert!(world.clients[silent].is_closed && !world.clients[loud].is_closed);
        let session = world.clients[silent].session;
        let told = |event: &PeerEvent| matches!(event, PeerEvent::SessionExpired { session: it, .. } if *it == session);
        assert!(world.servers[at].events.iter().any(told));
        let again = world.client(at, session);
        assert_eq!(world.clients[again].heard, ["connected for 0 ms"]);
        assert_eq!(txns_since(&mut world, before), 0);
        world.call(loud, Request::CloseSession);
    }
}

#[test]
fn an_upgraded_session_lives_while_its_server_hears_of_it_and_expires_by_the_leader() {
    let mut world = started(true);
    for at in parts(&world) {
        let client = world.client(at, SessionId::NONE);
        world.call(client, ephemeral("/e"));
        for _ in 0..12 {
            world.run(450);
            assert_eq!(world.call(client, Request::Ping), "Empty");
        }
        assert_eq!(root(&mut world, at), "e zookeeper");
        world.run(4_800);
        assert_eq!(root(&mut world, at), "zookeeper");
        assert!(world.clients[client].is_closed);
    }
}

#[test]
fn a_local_session_does_not_outlive_its_servers_part() {
    let mut world = started(true);
    let follower = world.follower();
    let client = world.client(follower, SessionId::NONE);
    let session = world.clients[client].session;
    let leader = world.leader();
    world.crash(leader);
    world.until("it looks", |world| world.servers[follower].mode() == Some(Mode::Looking));
    assert!(world.clients[client].is_closed);
    world.until("it serves", |world| world.servers[follower].is_serving());
    assert_eq!(sessions(&world, follower), (0, 0));
    let again = world.client(follower, session);
    assert_eq!(world.clients[again].heard, ["connected for 0 ms"]);
}

#[test]
fn a_leader_that_made_a_local_session_takes_nothing_of_it_from_others() {
    let mut world = started(true);
    let [leader, follower, _] = parts(&world);
    let client = world.client(leader, SessionId::NONE);
    let session = world.clients[client].session;
    let there = world.client(follower, session);
    assert_eq!(world.clients[there].heard, ["connected for 0 ms"]);
    assert_eq!(world.call(client, create("/a")), "/a", "it lives on where it is");
}

#[test]
fn nobody_has_local_sessions_without_the_setting() {
    let mut world = World::started(&voters(3));
    let before = world.agree();
    let follower = world.follower();
    let client = world.client(follower, SessionId::NONE);
    assert_eq!(txns_since(&mut world, before), 1);
    assert_eq!(sessions(&world, follower), (1, 0));
    world.call(client, Request::CloseSession);
}

#[test]
fn a_local_session_that_comes_back_is_not_told_the_result_of_what_it_asked_before() {
    let mut world = started(true);
    for at in parts(&world) {
        for is_known_to_be_gone in [true, false] {
            let janitor = world.client(at, SessionId::NONE);
            world.call(janitor, create("/a"));
            let client = world.client(at, SessionId::NONE);
            let session = world.clients[client].session;
            world.ask(client, set("/a", "old"));
            world.ask(client, set("/none", "old"));
            if is_known_to_be_gone {
                world.hang_up(client);
            }
            // Its numbers begin anew.
            let again = world.client(at, session);
            assert_eq!(world.clients[again].heard, ["connected for 4000 ms"]);
            world.ask(again, get("/a"));
            world.ask(again, Request::SetData { path: Some("/a".to_owned()), data: None, version: 7 });
            world.ask(again, set("/a", "new"));
            world.ask(again, get("/a"));
            world.until("all answers", |world| world.clients[again].heard.len() == 5);
            assert_eq!(world.clients[again].heard[1..], ["old", "error -103", "Stat", "new"], "at {at}");
            assert_eq!(sessions(&world, at).1, 2, "it is local still");
            world.call(again, Request::CloseSession);
            world.call(janitor, Request::Delete { path: Some("/a".to_owned()), version: -1 });
            world.call(janitor, Request::CloseSession);
        }
    }
}

#[test]
fn a_local_session_ends_though_its_client_does_not_wait_for_that() {
    let mut world = started(true);
    for at in parts(&world) {
        for comes_back_first in [false, true] {
            let mut client = world.client(at, SessionId::NONE);
            let session = world.clients[client].session;
            if comes_back_first {
                client = world.client(at, session);
            }
            world.ask(client, set("/", "1"));
            world.ask(client, Request::CloseSession);
            world.hang_up(client);
            assert_eq!(sessions(&world, at), (0, 0));
            let again = world.client(at, session);
            assert_eq!(world.clients[again].heard, ["connected for 0 ms"]);
        }
    }
}

#[test]
fn a_local_session_that_waits_for_its_end_does_not_come_back() {
    let mut world = started(true);
    for at in parts(&world) {
        let client = world.client(at, SessionId::NONE);
        let session = world.clients[client].session;
        world.ask(client, set("/", "1"));
        world.ask(client, Request::CloseSession);
        let again = world.client(at, session);
        assert_eq!(world.clients[again].heard, ["connected for 0 ms"]);
        assert!(world.clients[client].is_closed);
        assert_eq!(sessions(&world, at), (0, 0));
    }
}

#[test]
fn a_session_that_comes_back_during_its_upgrade_keeps_the_timeout_that_it_asked_for_then() {
    let mut world = started(true);
    for at in parts(&world) {
        for back_at in [at, world.follower(), world.leader(), 3] {
            world.timeout = 4_000;
            let client = world.client(at, SessionId::NONE);
            let session = world.clients[client].session;
            world.ask(client, ephemeral("/e"));
            // The leader has heard of it, and nothing is committed.
            world.run(1);
            world.hang_up(client);
            world.timeout = 2_000;
            let again = world.client(back_at, session);
            assert_eq!(world.clients[again].heard, ["connected for 2000 ms"]);
            let status = world.servers[back_at].status().expect("it runs");
            assert_eq!(status.sessions().timeout(session), Some(Millis(2_000)), "{at} {back_at}");
            assert_eq!(world.call(again, Request::CloseSession), "Empty");
            world.agree();
        }
    }
}
