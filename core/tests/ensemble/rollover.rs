//! An epoch's zxids are used up: its leader's part ends, and the ensemble goes on in the next (ZOOKEEPER-1277; L7 of
//! `zab-invariants.md`).

use crate::support::{children, create, create_as, get, sync};
use crate::world::{Server, World, voters};
use quorate_core::contract::PeerEvent;
use quorate_core::jute::CreateFlag;
use quorate_core::vocabulary::{Epoch, SessionId};

const USED_UP: &str = "the zxids of this epoch are used up";

fn started(last_counter: u32) -> World {
    let mut world = World::new(&voters(3));
    world.last_counter = last_counter;
    (0..3).for_each(|at| world.start(at));
    everybody_serves(&mut world);
    world
}

fn everybody_serves(world: &mut World) {
    world.until("everybody serves", |world| world.servers.iter().all(Server::is_serving));
}

fn epoch(world: &World) -> Epoch {
    let status = world.servers[0].status().expect("it runs");
    status.epochs().expect("a member has epochs").current
}

/// How often a leader's part has ended like this.
fn used_up(world: &World) -> usize {
    let events = world.servers.iter().flat_map(|server| &server.events);
    events.filter(|event| matches!(event, PeerEvent::RoleEnded { reason, .. } if reason == USED_UP)).count()
}

#[test]
fn an_ensemble_goes_on_in_the_next_epoch_with_all_that_was_acknowledged_and_every_session() {
    let mut world = started(20);
    let mut writer = world.client(world.follower(), SessionId::NONE);
    let session = world.clients[writer].session;
    assert_eq!(world.call(writer, create_as("/e", CreateFlag::Ephemeral)), "/e");
    let mut created = Vec::new();
    let mut number = 0;
    while used_up(&world) < 5 {
        number += 1;
        let path = format!("/n{number:04}");
        if world.call(writer, create(&path)) == path {
            created.push(path[1..].to_owned());
        }
        if world.clients[writer].is_closed {
            everybody_serves(&mut world);
            writer = world.client(world.follower(), session);
            assert_eq!(world.clients[writer].session, session, "the session lives on");
        }
    }
    everybody_serves(&mut world);
    assert_eq!(created.len(), 5 * 20 - 2, "but for the session and its ephemeral each zxid was answered for");
    assert_eq!(epoch(&world), Epoch(6), "nobody else's part has ended");
    let reader = world.client(world.follower(), SessionId::NONE);
    assert_eq!(world.call(reader, sync()), "Sync");
    let names = world.call(reader, children("/"));
    let names: Vec<&str> = names.split(' ').collect();
    assert!(created.iter().all(|name| names.contains(&name.as_str())), "{created:?} of {names:?}");
    assert_eq!(world.call(reader, get("/e")), "new", "its session is alive");
    world.agree();
}

#[test]
fn nothing_is_prepared_while_the_last_zxid_of_an_epoch_waits_for_its_commit() {
    let mut world = World::new(&voters(3));
    (world.last_counter, world.timeout) = (12, 400);
    (0..3).for_each(|at| world.start(at));
    everybody_serves(&mut world);
    let leader = world.leader();
    let idle = world.client(leader, SessionId::NONE);
    let expiring = world.clients[idle].session;
    world.hang_up(idle);
    let writer = world.client(leader, SessionId::NONE);
    // Nothing commits any more.
    (0..3).filter(|at| *at != leader).for_each(|at| world.servers[at].disk_hangs = true);
    for number in 0..20 {
        world.ask(writer, create(&format!("/n{number}")));
    }
    world.ask(writer, get("/"));
    let late = world.connect(leader, SessionId::NONE);
    world.run(700);
    assert!(world.clients[late].is_closed, "it had better ask elsewhere");
    assert_eq!(
        world.clients[writer].heard.len(),
        1,
        "a read does not overtake writes that nobody will answer"
    );
    let last = world.servers[leader].status().expect("it runs").last_zxid();
    assert!(last.counter() < 12, "{last} is not the last one yet");
    (0..3).filter(|at| *at != leader).for_each(|at| world.mend_disk(at));
    world.until("the epoch is over", |world| used_up(world) == 1);
    everybody_serves(&mut world);
    assert_eq!(epoch(&world), Epoch(2));
    world.until("it expires in the next epoch", |world| {
        let status = world.servers[leader].status().expect("it runs");
        !status.database().sessions().contains_key(&expiring)
    });
    world.agree();
}

#[test]
fn what_is_committed_at_once_is_answered_before_its_epoch_ends() {
    let mut world = World::new(&voters(3));
    world.last_counter = 1000;
    (0..3).for_each(|at| world.start(at));
    everybody_serves(&mut world);
    let (leader, follower) = (world.leader(), world.follower());
    let writers: Vec<usize> = (0..20).map(|_| world.client(leader, SessionId::NONE)).collect();
    // One follower acknowledges everything before the leader's own disk does.
    let third = (0..3).find(|at| *at != leader && *at != follower).unwrap();
    [leader, third].into_iter().for_each(|at| world.servers[at].disk_hangs = true);
    for number in 0..980 {
        world.ask(writers[number % 20], create(&format!("/n{number}")));
    }
    world.run(50);
    [leader, third].into_iter().for_each(|at| world.mend_disk_at_once(at));
    world.until("the epoch is over", |world| used_up(world) == 1);
    let answers: usize = writers.iter().map(|writer| world.clients[*writer].heard.len() - 1).sum();
    assert_eq!(answers, 980);
    everybody_serves(&mut world);
    world.agree();
}
