//! Ensembles in which groups of servers decide, by weight.

use crate::support::{create, get, sync};
use crate::world::{Server, World, voters};
use quorate_core::peer::Mode;
use quorate_core::vocabulary::SessionId;

const THREE_OF_THREE: [&str; 3] = ["group.1=1:2:3", "group.2=4:5:6", "group.3=7:8:9"];

fn start(world: &mut World, servers: &[usize]) {
    servers.iter().for_each(|at| world.start(*at));
}

fn are_served(world: &World, servers: &[usize]) -> bool {
    servers.iter().all(|at| world.servers[*at].is_serving())
}

#[test]
fn two_groups_agree_without_the_third() {
    let mut world = World::with_rule(&voters(9), &THREE_OF_THREE);
    let two_of_two = [0, 1, 3, 4];
    start(&mut world, &two_of_two);
    world.until("two of each of two groups serve", |world| are_served(world, &two_of_two));
    let client = world.client(0, SessionId::NONE);
    assert_eq!(world.call(client, create("/a")), "/a", "four of nine are enough");
    start(&mut world, &[2, 5, 6, 7, 8]);
    world.until("everybody serves", |world| world.servers.iter().all(Server::is_serving));
    let client = world.client(8, SessionId::NONE);
    assert_eq!(world.call(client, sync()), "Sync");
    assert_eq!(world.call(client, get("/a")), "new");
    world.agree();
}

#[test]
fn a_majority_that_wins_one_group_elects_nobody() {
    let mut world = World::with_rule(&voters(9), &THREE_OF_THREE);
    let five = [0, 1, 2, 3, 6];
    start(&mut world, &five);
    world.run(20_000);
    for at in five {
        assert_ne!(world.servers[at].mode(), Some(Mode::Leader), "{}", world.story());
        assert!(!world.servers[at].is_serving());
    }
    world.start(7);
    world.until("a second group is won", |world| are_served(world, &[0, 1, 2, 3, 6, 7]));
}

#[test]
fn a_leader_whose_second_group_is_lost_leads_no_more() {
    let mut world = World::with_rule(&voters(9), &THREE_OF_THREE);
    start(&mut world, &[0, 1, 2, 3, 4, 6]);
    world.until("six serve", |world| are_served(world, &[0, 1, 2, 3, 4, 6]));
    let lost = if world.leader() == 4 { 3 } else { 4 };
    world.crash(lost);
    world.until("five of nine serve nobody", |world| world.servers.iter().all(|server| !server.is_serving()));
}

#[test]
fn a_server_of_weight_zero_never_leads() {
    let mut world = World::with_rule(&voters(3), &["group.1=1:2:3", "weight.3=0"]);
    start(&mut world, &[0, 1, 2]);
    world.until("everybody serves", |world| world.servers.iter().all(Server::is_serving));
    assert_eq!(world.leader(), 1, "of equals the largest id leads whose word weighs anything");
    let client = world.client(2, SessionId::NONE);
    assert_eq!(world.call(client, create("/a")), "/a", "it serves clients like any follower");
    // It has the longest history, and is left alone with one that has a say and with one that has none.
    world.agree();
    world.crash(1);
    world.until("one of two that count is none", |world| !world.servers[0].is_serving());
    world.run(5000);
    assert!(world.servers.iter().all(|server| !server.is_serving()), "{}", world.story());
    world.start(1);
    world.until("everybody serves again", |world| world.servers.iter().all(Server::is_serving));
    assert_ne!(world.leader(), 2);
}

#[test]
fn a_server_that_outweighs_its_group_decides_without_the_others() {
    let mut world = World::with_rule(&voters(3), &["group.1=1:2:3", "weight.1=3"]);
    world.start(0);
    world.until("it serves alone", |world| world.servers[0].is_serving());
    let client = world.client(0, SessionId::NONE);
    assert_eq!(world.call(client, create("/a")), "/a");
    start(&mut world, &[1, 2]);
    world.until("the others follow", |world| world.servers.iter().all(Server::is_serving));
    world.crash(0);
    world.until("without it nobody serves", |world| world.servers.iter().all(|server| !server.is_serving()));
}
