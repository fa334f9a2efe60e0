//! Servers fall and come back: what was acknowledged is there, what was not is everywhere or nowhere.

use crate::support::{children, create, create_as, get, set, sync};
use crate::world::{Server, World, voters};
use quorate_core::jute::{CreateFlag, Request};
use quorate_core::peer::Mode;
use quorate_core::quorum::Role;
use quorate_core::vocabulary::{SessionId, Zxid};

/// Creates `/n0`, `/n1`, … at a server, each acknowledged.
fn fill(world: &mut World, server: usize, count: usize) {
    let client = world.client(server, SessionId::NONE);
    for at in 0..count {
        assert_eq!(world.call(client, create(&format!("/n{at}"))), format!("/n{at}"));
    }
}

fn others(world: &World, than: usize) -> Vec<usize> {
    (0..world.servers.len()).filter(|at| *at != than).collect()
}

/// Waits until another server leads all that are left.
fn lead_again(world: &mut World, than: usize) {
    let left = others(world, than);
    world.until("another leads", |world| {
        let leads = |at: &usize| world.servers[*at].mode() == Some(Mode::Leader);
        left.iter().all(|at| world.servers[*at].is_serving()) && left.iter().any(leads)
    });
}

#[test]
fn what_was_acknowledged_survives_the_leader() {
    let mut world = World::started(&voters(3));
    let leader = world.leader();
    fill(&mut world, leader, 20);
    world.crash(leader);
    let left = others(&world, leader);
    lead_again(&mut world, leader);
    let client = world.client(left[0], SessionId::NONE);
    assert_eq!(world.call(client, get("/n19")), "new");
    assert_eq!(world.call(client, create("/after")), "/after");
    world.start(leader);
    world.until("it is back", |world| world.servers[leader].is_serving());
    world.agree();
}

#[test]
fn sessions_and_ephemerals_survive_the_leader() {
    let mut world = World::started(&voters(3));
    let (leader, follower) = (world.leader(), world.follower());
    let client = world.client(leader, SessionId::NONE);
    let session = world.clients[client].session;
    world.call(client, create_as("/e", CreateFlag::Ephemeral));
    world.crash(leader);
    lead_again(&mut world, leader);
    let back = world.client(follower, session);
    assert_eq!(world.clients[back].heard, ["connected for 4000 ms"]);
    assert_eq!(world.call(back, get("/e")), "new");
    assert_eq!(world.call(back, Request::CloseSession), "Empty");
    world.agree();
}

#[test]
fn everything_survives_the_loss_of_all_power() {
    let mut world = World::started(&voters(5));
    let follower = world.follower();
    fill(&mut world, follower, 20);
    (0..5).for_each(|at| world.crash(at));
    (0..5).for_each(|at| world.start(at));
    world.until("everybody serves", |world| (0..5).all(|at| world.servers[at].is_serving()));
    let client = world.client(0, SessionId::NONE);
    assert_eq!(world.call(client, get("/n19")), "new");
    world.agree();
}

#[test]
fn a_follower_that_missed_a_little_is_sent_the_difference() {
    let mut world = World::started(&voters(3));
    let (leader, follower) = (world.leader(), world.follower());
    world.crash(follower);
    fill(&mut world, leader, 3);
    world.start(follower);
    world.until("it is back", |world| world.servers[follower].is_serving());
    world.agree();
    assert_eq!(world.servers[follower].disk.replaced, 0);
}

#[test]
fn a_follower_that_missed_a_lot_is_sent_everything() {
    let mut world = World::started(&voters(3));
    let (leader, follower) = (world.leader(), world.follower());
    world.crash(follower);
    world.servers[follower].disk = Default::default();
    world.servers[leader].disk.forgets = true;
    fill(&mut world, leader, 30);
    world.start(follower);
    world.until("it is back", |world| world.servers[follower].is_serving());
    world.agree();
    assert_eq!(world.servers[follower].disk.replaced, 1);
    // What is on its disk is all of it.
    world.crash(follower);
    world.start(follower);
    world.until("it is back", |world| world.servers[follower].is_serving());
    world.agree();
}

/// A leader that logs what nobody else hears of, and dies.
fn with_a_lonely_txn() -> (World, usize, Zxid) {
    let mut world = World::started(&voters(3));
    let leader = world.leader();
    fill(&mut world, leader, 3);
    let client = world.client(leader, SessionId::NONE);
    let agreed = world.agree();
    // Nobody hears of it, but the links stand until it is logged.
    world.mute = Some(leader);
    world.ask(client, create("/lonely"));
    world.until("it is logged", |world| world.servers[leader].disk.last_zxid() > agreed);
    world.crash(leader);
    world.heal();
    lead_again(&mut world, leader);
    (world, leader, agreed)
}

#[test]
fn a_leader_that_logged_a_proposal_nobody_else_has_is_truncated() {
    let (mut world, old, agreed) = with_a_lonely_txn();
    let leader = world.leader();
    let client = world.client(leader, SessionId::NONE);
    assert_eq!(world.call(client, create("/new")), "/new");
    world.start(old);
    world.until("it is back", |world| world.servers[old].is_serving());
    assert!(world.agree() > agreed);
    let client = world.client(old, SessionId::NONE);
    assert_eq!(world.call(client, children("/")), "n0 n1 n2 new zookeeper");
    assert!(world.servers[old].disk.truncated + world.servers[old].disk.replaced > 0);
    assert!(
        world.servers[old].disk.log.iter().all(|(zxid, _)| *zxid <= agreed || zxid.epoch() > agreed.epoch())
    );
}

#[test]
fn a_proposal_that_only_a_later_leader_has_becomes_everybodys() {
    let mut world = World::started(&voters(3));
    let leader = world.leader();
    let client = world.client(leader, SessionId::NONE);
    let agreed = world.agree();
    world.mute = Some(leader);
    world.ask(client, create("/lonely"));
    world.until("it is logged", |world| world.servers[leader].disk.last_zxid() > agreed);
    (0..3).for_each(|at| world.crash(at));
    world.heal();
    (0..3).for_each(|at| world.start(at));
    world.until("everybody serves", |world| (0..3).all(|at| world.servers[at].is_serving()));
    let client = world.client(0, SessionId::NONE);
    assert_eq!(world.call(client, get("/lonely")), "new", "its server has the longest history, and leads");
    world.agree();
}

#[test]
fn a_leader_without_its_followers_stops_serving_and_loses_nothing_when_they_are_back() {
    let mut world = World::started(&voters(3));
    let leader = world.leader();
    fill(&mut world, leader, 2);
    world.isolate(leader);
    world.until("it gives up", |world| !world.servers[leader].is_serving());
    let left = others(&world, leader);
    lead_again(&mut world, leader);
    let client = world.client(left[0], SessionId::NONE);
    assert_eq!(world.call(client, set("/n0", "1")), "Stat");
    world.heal();
    world.until("it is back", |world| world.servers[leader].is_serving());
    let client = world.client(leader, SessionId::NONE);
    world.call(client, sync());
    assert_eq!(world.call(client, get("/n0")), "1");
    world.agree();
}

#[test]
fn a_leader_whose_disk_hangs_makes_room_for_another() {
    let mut world = World::started(&voters(3));
    let leader = world.leader();
    let client = world.client(leader, SessionId::NONE);
    world.servers[leader].disk_hangs = true;
    world.ask(client, create("/a"));
    world.until("it gives up", |world| !world.servers[leader].is_serving());
    lead_again(&mut world, leader);
    world.mend_disk(leader);
    world.until("it is back", |world| world.servers[leader].is_serving());
    world.agree();
}

#[test]
fn a_follower_whose_disk_hangs_does_not_stop_the_others() {
    let mut world = World::started(&voters(3));
    let (leader, follower) = (world.leader(), world.follower());
    world.servers[follower].disk_hangs = true;
    fill(&mut world, leader, 5);
    world.mend_disk(follower);
    world.until("it is back", |world| world.servers[follower].is_serving());
    world.agree();
}

#[test]
fn a_planned_stop_of_the_leader_hands_over_at_once() {
    let mut world = World::started(&voters(3));
    let leader = world.leader();
    let before = world.now;
    world.handle(leader, quorate_core::contract::Input::Shutdown);
    assert!(world.servers[leader].peer.is_none(), "nothing was under way");
    lead_again(&mut world, leader);
    let took = (world.now - before) / 1_000_000;
    assert!(took <= 300, "it took {took} ms");
}

#[test]
fn a_leader_that_is_stopped_under_load_answers_what_it_has_accepted_and_hands_over_at_once() {
    let mut world = World::started(&voters(3));
    let leader = world.leader();
    let at_leader = world.client(leader, SessionId::NONE);
    let follower = world.follower();
    let at_follower = world.client(follower, SessionId::NONE);
    let (heard, before) = (world.clients[at_leader].heard.len(), world.now);
    world.ask(at_leader, create("/accepted"));
    world.ask(at_follower, create("/elsewhere"));
    world.handle(leader, quorate_core::contract::Input::Shutdown);
    // The last acknowledgement is what it waits for, and no time-out.
    world.until("it has ended", |world| world.servers[leader].peer.is_none());
    assert!(world.clients[at_leader].heard.len() > heard, "it had accepted that");
    lead_again(&mut world, leader);
    let took = (world.now - before) / 1_000_000;
    assert!(took <= 350, "it took {took} ms");
}

#[test]
fn a_leader_that_is_stopped_together_with_its_followers_ends_with_the_last_of_them() {
    let mut world = World::started(&voters(3));
    let leader = world.leader();
    let client = world.client(leader, SessionId::NONE);
    let (heard, before) = (world.clients[client].heard.len(), world.now);
    world.ask(client, create("/never-committed"));
    for server in [leader, (leader + 1) % 3, (leader + 2) % 3] {
        world.handle(server, quorate_core::contract::Input::Shutdown);
    }
    world.until("all have ended", |world| world.servers.iter().all(|server| server.peer.is_none()));
    let took = (world.now - before) / 1_000_000;
    assert!(took <= 20, "it took {took} ms");
    assert!(world.clients[client].is_closed);
    assert_eq!(world.clients[client].heard.len(), heard, "nobody knows what becomes of that");
}

#[test]
fn a_leader_that_accepts_followers_and_is_silent_is_left_out_until_another_is_established() {
    let mut world = World::started(&voters(3));
    let mute = world.leader();
    let client = world.client(mute, SessionId::NONE);
    assert_eq!(world.call(client, create("/before")), "/before");
    world.mute_quorum_port = Some(mute);
    // syncLimit, initLimit under a leader that says nothing, and an election behind each.
    let patience = world.now + (1_000 + 2_000 + 2_000) * 1_000_000;
    world.until("another leads", |world| {
        assert!(world.now < patience, "nobody else is elected\n{}", world.story());
        let leads =
            |at: usize| world.servers[at].mode() == Some(Mode::Leader) && world.servers[at].is_serving();
        others(world, mute).into_iter().any(leads)
    });
    let leader = world.leader();
    let other = (0..3).find(|at| ![mute, leader].contains(at)).unwrap();
    let client = world.client(leader, SessionId::NONE);
    assert_eq!(world.call(client, create("/without")), "/without");
    // It hears of that, and has the best vote again; who leads now is gone for good.
    world.mute_quorum_port = None;
    world.until("all serve", |world| world.servers.iter().all(Server::is_serving));
    world.crash(leader);
    let patience = world.now + (1_000 + 1_000) * 1_000_000;
    world.until("the two serve", |world| {
        assert!(
            world.now < patience,
            "a leader has been established since: nobody is left out\n{}",
            world.story()
        );
        [mute, other].iter().all(|at| world.servers[*at].is_serving())
    });
}

#[test]
fn an_observer_catches_up_like_anybody() {
    let mut world =
        World::started(&[Role::Participant, Role::Participant, Role::Participant, Role::Observer]);
    let leader = world.leader();
    world.crash(3);
    fill(&mut world, leader, 3);
    world.start(3);
    world.until("it is back", |world| world.servers[3].is_serving());
    world.agree();
}

#[test]
fn a_server_alone_in_its_ensemble_leads_itself() {
    let mut world = World::started(&voters(1));
    fill(&mut world, 0, 3);
    world.crash(0);
    world.start(0);
    world.until("it serves", |world| world.servers[0].is_serving());
    let client = world.client(0, SessionId::NONE);
    assert_eq!(world.call(client, get("/n2")), "new");
}

#[test]
fn a_fuzzy_database_whose_txns_were_not_logged_is_completed_by_whoever_leads() {
    for roles in [voters(3), vec![Role::Participant, Role::Participant, Role::Observer]] {
        let mut world = World::started(&roles);
        let leader = world.leader();
        let learner = others(&world, leader)[1];
        fill(&mut world, leader, 1);
        world.agree();
        world.crash(learner);
        let client = world.client(leader, SessionId::NONE);
        world.call(client, create("/gone"));
        world.call(client, Request::Delete { path: Some("/gone".to_owned()), version: -1 });
        world.call(client, create("/kept"));
        let ahead = world.servers[leader].status().expect("it runs").database().image();
        world.servers[learner].disk.keep_only_a_fuzzy_database(ahead);
        world.start(learner);
        world.until("it is back", |world| world.servers[learner].is_serving());
        world.agree();
        world.call(client, create("/after"));
        world.agree();
        let status = world.servers[learner].status().expect("it runs");
        assert_eq!(status.database().digest_mismatches(), 0);
        world.servers[learner].peer.as_ref().expect("it runs").check_full().expect("it is as any other");
    }
}
