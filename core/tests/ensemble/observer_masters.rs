//! Observers behind followers: they hear, ask and are touched like any, and their leader does not know them.

use crate::replication::assert_answers_keep_their_order;
use crate::support::{children, create, create_as, get, set, sync};
use crate::world::{Server, World, voters};
use quorate_core::jute::{CreateFlag, Request};
use quorate_core::peer::Mode;
use quorate_core::quorum::Role;
use quorate_core::vocabulary::{ServerId, SessionId};

/// Three voters, and so many observers behind the followers among them.
fn started(observers: usize) -> World {
    let mut world = World::new(&[voters(3), vec![Role::Observer; observers]].concat());
    world.observer_masters = true;
    (0..3).for_each(|at| world.start(at));
    world.until("the voters serve", |world| (0..3).all(|at| world.servers[at].is_serving()));
    (3..3 + observers).for_each(|at| world.start(at));
    world.until("everybody serves", |world| world.servers.iter().all(Server::is_serving));
    world
}

/// Whom a server learns from.
fn learns_from(world: &World, at: usize) -> usize {
    let ServerId(id) =
        world.servers[at].status().expect("it runs").learns_from().expect("it learns from somebody");
    usize::from(id) - 1
}

fn served_at(world: &World, at: usize) -> usize {
    let status = world.servers[at].status().expect("it runs");
    let master = status.observer_master();
    master.map_or(0, |master| master.learners().filter(|learner| learner.is_synced).count())
}

fn served_by_the_leader(world: &World) -> usize {
    let status = world.servers[world.leader()].status().expect("it runs");
    status.leader().expect("it leads").learners().count()
}

#[test]
fn an_observer_behind_a_follower_hears_what_is_committed() {
    let mut world = started(1);
    assert_eq!(world.servers[3].mode(), Some(Mode::Observer));
    let (leader, master) = (world.leader(), learns_from(&world, 3));
    assert_ne!(master, leader);
    assert_eq!((served_at(&world, master), served_by_the_leader(&world)), (1, 2));
    let (writer, reader) = (world.client(leader, SessionId::NONE), world.client(3, SessionId::NONE));
    world.call(writer, create("/a"));
    world.call(writer, set("/a", "at the leader"));
    assert_eq!(world.call(reader, sync()), "Sync");
    assert_eq!(world.call(reader, get("/a")), "at the leader");
    world.agree();
}

#[test]
fn what_is_asked_of_an_observer_behind_a_follower_is_done_and_answered_in_order() {
    let mut world = started(1);
    let client = world.client(3, SessionId::NONE);
    assert_answers_keep_their_order(&mut world, client);
    assert_eq!(world.call(client, Request::CloseSession), "Empty");
    world.agree();
}

#[test]
fn observers_spread_over_the_followers() {
    let world = started(4);
    let leader = world.leader();
    let served: Vec<usize> = (0..3).filter(|at| *at != leader).map(|at| served_at(&world, at)).collect();
    assert!(served.iter().all(|count| *count > 0), "{served:?}");
    assert_eq!(served.iter().sum::<usize>(), 4);
}

#[test]
fn a_session_behind_a_follower_lives_as_long_as_its_observer_is_heard() {
    let mut world = started(1);
    let leader = world.leader();
    let gone = world.client(3, SessionId::NONE);
    world.call(gone, create_as("/e", CreateFlag::Ephemeral));
    let alive = world.client(3, SessionId::NONE);
    world.call(alive, create_as("/f", CreateFlag::Ephemeral));
    world.hang_up(gone);
    for _ in 0..12 {
        world.run(500);
        world.call(alive, Request::Ping);
    }
    let client = world.client(leader, SessionId::NONE);
    assert_eq!(world.call(client, children("/")), "f zookeeper", "the leader hears of who is alive");
}

#[test]
fn a_session_moves_to_an_observer_behind_a_follower_and_away_again() {
    let mut world = started(2);
    let (leader, master) = (world.leader(), learns_from(&world, 3));
    let first = world.client(master, SessionId::NONE);
    let session = world.clients[first].session;
    world.call(first, create_as("/e", CreateFlag::Ephemeral));
    for server in [3, 4, master, 4, leader, 3, 4] {
        let client = world.client(server, session);
        assert_eq!(world.clients[client].heard, ["connected for 4000 ms"], "at server {}", server + 1);
        assert_eq!(world.call(client, get("/e")), "new");
    }
    assert!(world.clients[first].is_closed);
    let nobody = world.connect(3, SessionId(77));
    world.until("an answer", |world| world.clients[nobody].is_closed);
    assert_eq!(world.clients[nobody].heard, ["connected for 0 ms"]);
}

#[test]
fn what_an_observer_that_its_client_has_left_still_sends_goes_no_further() {
    // One follower for two observers: to the leader both are that follower.
    let mut world = World::new(&[voters(3), vec![Role::Observer; 2]].concat());
    world.observer_masters = true;
    (0..2).for_each(|at| world.start(at));
    world.until("two voters serve", |world| (0..2).all(|at| world.servers[at].is_serving()));
    (3..5).for_each(|at| world.start(at));
    world.until("the observers serve", |world| (3..5).all(|at| world.servers[at].is_serving()));
    assert_eq!(learns_from(&world, 3), learns_from(&world, 4));
    let old = world.client(3, SessionId::NONE);
    let session = world.clients[old].session;
    let new = world.client(4, session);
    world.ask(old, create("/late"));
    world.run(200);
    assert_eq!(world.call(new, sync()), "Sync");
    assert_eq!(world.call(new, children("/")), "zookeeper");
}

#[test]
fn an_observer_whose_follower_falls_finds_another() {
    let mut world = started(1);
    let (leader, first) = (world.leader(), learns_from(&world, 3));
    world.crash(first);
    world.until("another serves it", |world| world.servers[3].is_serving() && learns_from(world, 3) != first);
    assert_ne!(learns_from(&world, 3), leader);
    world.agree();
}

#[test]
fn an_observer_that_no_follower_serves_is_served_by_the_leader() {
    let mut world = World::new(&[voters(3), vec![Role::Observer]].concat());
    (0..3).for_each(|at| world.start(at));
    world.until("the voters serve", |world| (0..3).all(|at| world.servers[at].is_serving()));
    world.observer_masters = true;
    world.start(3);
    let began = world.now;
    world.until("it serves", |world| world.servers[3].is_serving());
    let tried = (world.now - began) / 1_000_000;
    assert_eq!(learns_from(&world, 3), world.leader());
    assert!((800..2000).contains(&tried), "each follower is called five times in half a second: {tried} ms");
}

#[test]
fn observers_leave_a_follower_that_has_lost_its_leader() {
    let mut world = started(2);
    let old = world.leader();
    let client = world.client(3, SessionId::NONE);
    world.call(client, create("/a"));
    world.crash(old);
    world.until("they are behind another leader", |world| {
        (0..5).all(|at| at == old || world.servers[at].is_serving()) && world.clients[client].is_closed
    });
    let leader = world.leader();
    let client = world.client(leader, SessionId::NONE);
    world.call(client, create("/b"));
    world.agree();
    let reader = world.client(3, SessionId::NONE);
    world.call(reader, sync());
    assert_eq!(world.call(reader, children("/")), "a b zookeeper");
}

#[test]
fn an_observer_that_was_away_gets_a_difference_or_a_database_from_its_follower() {
    for writes in [3, 40] {
        let mut world = started(1);
        let leader = world.leader();
        world.crash(3);
        let client = world.client(leader, SessionId::NONE);
        for number in 0..writes {
            world.call(client, create(&format!("/n{number}")));
        }
        world.start(3);
        world.until("it is back", |world| world.servers[3].is_serving());
        assert_ne!(learns_from(&world, 3), leader);
        world.agree();
    }
}

#[test]
fn a_leader_alone_serves_its_observer_itself() {
    let mut world = World::new(&[voters(1), vec![Role::Observer]].concat());
    world.observer_masters = true;
    (0..2).for_each(|at| world.start(at));
    world.until("both serve", |world| world.servers.iter().all(Server::is_serving));
    assert_eq!(learns_from(&world, 1), 0);
}
