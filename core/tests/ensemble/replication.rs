//! A leader, its followers and observers, and clients at each of them.

use crate::support::{children, create, create_as, get, set, sync, watch};
use crate::world::{World, voters};
use quorate_core::contract::Input;
use quorate_core::jute::{CreateFlag, CreateKind, CreateRequest, MultiOp, Request};
use quorate_core::peer::Mode;
use quorate_core::quorum::Role;
use quorate_core::vocabulary::SessionId;

#[test]
fn a_write_through_a_follower_is_read_everywhere() {
    let mut world = World::started(&voters(3));
    let follower = world.follower();
    let writer = world.client(follower, SessionId::NONE);
    assert_eq!(world.call(writer, create("/a")), "/a");
    assert_eq!(world.call(writer, set("/a", "through a follower")), "Stat");
    assert_eq!(world.call(writer, get("/a")), "through a follower", "it reads what it wrote");
    for server in 0..3 {
        let reader = world.client(server, SessionId::NONE);
        assert_eq!(world.call(reader, sync()), "Sync");
        assert_eq!(world.call(reader, get("/a")), "through a follower", "at server {}", server + 1);
    }
    world.agree();
}

#[test]
fn answers_keep_the_order_of_requests_on_a_follower() {
    let mut world = World::started(&voters(3));
    let follower = world.follower();
    let client = world.client(follower, SessionId::NONE);
    assert_answers_keep_their_order(&mut world, client);
}

/// Asks, without waiting, for what is answered from here and for what the leader is asked for.
pub(crate) fn assert_answers_keep_their_order(world: &mut World, client: usize) {
    for request in [create("/a"), get("/a"), set("/a", "1"), get("/a"), sync(), get("/b"), create("/a")] {
        world.ask(client, request);
    }
    world.until("all answers", |world| world.clients[client].heard.len() == 8);
    assert_eq!(
        world.clients[client].heard[1..],
        ["/a", "new", "Stat", "1", "Sync", "error -101", "error -110"]
    );
}

#[test]
fn nothing_overtakes_a_sync() {
    let mut world = World::started(&voters(3));
    for server in [world.leader(), world.follower()] {
        let client = world.client(server, SessionId::NONE);
        for request in [sync(), set("/", "1"), get("/"), sync(), sync(), set("/", "2")] {
            world.ask(client, request);
        }
        world.until("all answers", |world| world.clients[client].heard.len() == 7);
        assert_eq!(world.clients[client].heard[1..], ["Sync", "Stat", "1", "Sync", "Sync", "Stat"]);
    }
}

#[test]
fn a_multi_through_a_follower_answers_each_op_as_it_was_asked() {
    let mut world = World::started(&voters(3));
    let follower = world.follower();
    let client = world.client(follower, SessionId::NONE);
    let create = |path: &str, kind| match create(path) {
        Request::Create(create) => MultiOp::Create(CreateRequest { kind, ..create }),
        _ => unreachable!(),
    };
    let ops = vec![
        create("/a", CreateKind::Create),
        create("/b", CreateKind::Create2),
        create("/c", CreateKind::Create),
    ];
    assert_eq!(world.call(client, Request::Multi(ops)), "Create Create2 Create");
}

#[test]
fn watches_at_followers_fire_for_what_others_write() {
    let mut world = World::started(&voters(3));
    let (leader, follower) = (world.leader(), world.follower());
    let writer = world.client(leader, SessionId::NONE);
    world.call(writer, create("/a"));
    let watcher = world.client(follower, SessionId::NONE);
    world.call(watcher, sync());
    world.call(watcher, watch("/a"));
    world.call(writer, set("/a", "1"));
    world.until("the event", |world| world.clients[watcher].heard.last().unwrap() == "NodeDataChanged /a");
}

#[test]
fn an_observer_serves_and_has_no_vote() {
    let mut world =
        World::started(&[Role::Participant, Role::Participant, Role::Participant, Role::Observer]);
    assert_eq!(world.servers[3].mode(), Some(Mode::Observer));
    let client = world.client(3, SessionId::NONE);
    assert_eq!(world.call(client, create("/a")), "/a");
    assert_eq!(world.call(client, get("/a")), "new");
    let leader = world.leader();
    let other = (0..3).find(|at| *at != leader).unwrap();
    world.crash(other);
    assert_eq!(world.call(client, set("/a", "1")), "Stat", "two voters are a quorum");
    let third = (0..3).find(|at| *at != leader && *at != other).unwrap();
    world.crash(third);
    world.until("the leader gives up", |world| !world.servers[leader].is_serving());
}

#[test]
fn a_session_moves_between_servers_and_keeps_its_ephemerals() {
    let mut world = World::started(&voters(3));
    let (leader, follower) = (world.leader(), world.follower());
    let other = (0..3).find(|at| *at != leader && *at != follower).unwrap();
    let first = world.client(follower, SessionId::NONE);
    let session = world.clients[first].session;
    assert_eq!(world.call(first, create_as("/e", CreateFlag::Ephemeral)), "/e");
    world.hang_up(first);
    let second = world.client(other, session);
    assert_eq!(world.clients[second].heard, ["connected for 4000 ms"]);
    assert_eq!(world.call(second, get("/e")), "new");
    world.hang_up(second);
    let third = world.client(leader, session);
    assert_eq!(world.call(third, get("/e")), "new");
    assert_eq!(world.call(third, Request::CloseSession), "Empty");
    let client = world.client(follower, SessionId::NONE);
    world.call(client, sync());
    assert_eq!(world.call(client, children("/")), "zookeeper");
}

#[test]
fn a_session_moves_to_an_observer_while_the_leader_has_committed_more_than_it_has_applied() {
    let mut world = World::started(&[voters(2), vec![Role::Observer]].concat());
    let (leader, follower) = (world.leader(), world.follower());
    let writer = world.client(follower, SessionId::NONE);
    let old = world.client(follower, SessionId::NONE);
    world.servers[leader].disk_hangs = true;
    for number in 0..300 {
        world.ask(writer, create(&format!("/n{number}")));
    }
    world.run(100);
    // What asks about the session arrives right behind what confirms them all.
    world.mend_disk_at_once(leader);
    let new = world.connect(2, world.clients[old].session);
    let asked = world.now;
    world.until("an answer", |world| !world.clients[new].heard.is_empty());
    assert_eq!(world.clients[new].heard, ["connected for 4000 ms"]);
    assert!(world.now - asked < 10_000_000, "nothing more has to be committed for it");
    world.agree();
}

#[test]
fn the_old_connection_of_a_session_that_moved_can_do_nothing() {
    let mut world = World::started(&voters(3));
    let (leader, follower) = (world.leader(), world.follower());
    let old = world.client(follower, SessionId::NONE);
    let session = world.clients[old].session;
    world.client(leader, session);
    world.call(old, create("/late"));
    assert!(world.clients[old].is_closed);
    let client = world.client(leader, SessionId::NONE);
    assert_eq!(world.call(client, children("/")), "zookeeper");
}

#[test]
fn a_session_that_nobody_hears_of_expires_everywhere() {
    let mut world = World::started(&voters(3));
    let (leader, follower) = (world.leader(), world.follower());
    let gone = world.client(follower, SessionId::NONE);
    let session = world.clients[gone].session;
    world.call(gone, create_as("/e", CreateFlag::Ephemeral));
    let alive = world.client(follower, SessionId::NONE);
    world.call(alive, create_as("/f", CreateFlag::Ephemeral));
    world.hang_up(gone);
    for _ in 0..12 {
        world.run(500);
        world.call(alive, Request::Ping);
    }
    assert_eq!(world.call(alive, children("/")), "f zookeeper", "the leader hears of who is alive");
    let back = world.connect(leader, session);
    world.until("an answer", |world| world.clients[back].is_closed);
    assert_eq!(world.clients[back].heard, ["connected for 0 ms"]);
}

#[test]
fn packets_in_pieces_are_the_same() {
    let mut world = World::new(&voters(3));
    world.piece = 3;
    (0..3).for_each(|at| world.start(at));
    world.until("everybody serves", |world| (0..3).all(|at| world.servers[at].is_serving()));
    let follower = world.follower();
    let client = world.client(follower, SessionId::NONE);
    assert_eq!(world.call(client, create("/a")), "/a");
}

#[test]
fn a_nearly_full_disk_of_the_leader_refuses_what_grows_wherever_it_is_asked() {
    let mut world = World::started(&[voters(3), vec![Role::Observer]].concat());
    let leader = world.leader();
    let clients = [leader, world.follower(), 3].map(|at| world.client(at, SessionId::NONE));
    world.call(clients[0], create("/a"));
    world.handle(leader, Input::FreeSpace { bytes: 0 });
    for client in clients {
        let multi = Request::Multi(vec![MultiOp::Delete { path: Some("/a".to_owned()), version: -1 }]);
        for (request, answer) in [
            (create("/b"), "error -125"),
            (set("/a", "1"), "error -125"),
            (sync(), "Sync"),
            (get("/a"), "new"),
            (Request::Delete { path: Some("/b".to_owned()), version: -1 }, "error -101"),
        ] {
            assert_eq!(world.call(client, request), answer);
        }
        if client == clients[2] {
            assert_eq!(world.call(client, multi), "Delete");
        }
    }
    // Sessions begin and end.
    let late = world.client(3, SessionId::NONE);
    world.ask(late, Request::CloseSession);
    world.until("its end", |world| world.clients[late].is_closed);
    world.handle(leader, Input::FreeSpace { bytes: 1 << 40 });
    assert_eq!(world.call(clients[1], create("/b")), "/b");
    world.agree();
}
