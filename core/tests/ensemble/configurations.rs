//! Servers with different words about who votes, where a Java leader has reconfigured the ensemble.

use crate::support::{create, get};
use crate::world::{Server, World, voters};
use quorate_core::contract::ExitCode;
use quorate_core::quorum::Membership;
use quorate_core::vocabulary::SessionId;

const RECONFIGURED: &str = "version=100000005";

/// Without these lines.
fn without(membership: &Membership, starts: &[&str]) -> Membership {
    let text = membership.to_string();
    let kept = text.lines().filter(|line| !starts.iter().any(|start| line.starts_with(start)));
    Membership::parse(&kept.collect::<Vec<_>>().join("\n")).expect("lines that can be read")
}

#[test]
fn a_server_that_knows_other_voters_than_a_reconfigured_leader_ends_before_it_follows() {
    let mut world = World::with_rule(&voters(4), &[RECONFIGURED]);
    (0..3).for_each(|at| world.start(at));
    world.until("three serve", |world| (0..3).all(|at| world.servers[at].is_serving()));
    let client = world.client(0, SessionId::NONE);
    assert_eq!(world.call(client, create("/a")), "/a");
    let now = world.membership.clone();
    world.membership = without(&now, &["server.1=", "version="]);
    world.start(3);
    world.until("it ends", |world| world.servers[3].exit.is_some());
    let (code, reason) = world.servers[3].exit.clone().expect("it has ended");
    assert_eq!(code, ExitCode::UnexpectedError);
    assert_eq!(
        reason,
        "the leader's configuration, version 100000005, has other voters than this server's: start it again with that"
    );
    world.crash(3);
    world.membership = without(&now, &["version="]);
    world.start(3);
    world.until("it serves with the same voters", |world| world.servers.iter().all(Server::is_serving));
    let client = world.client(3, SessionId::NONE);
    assert_eq!(world.call(client, get("/a")), "new");
    world.agree();
}

#[test]
fn other_words_out_of_files_alone_end_nobody() {
    let mut world = World::new(&voters(4));
    (0..3).for_each(|at| world.start(at));
    world.until("three serve", |world| (0..3).all(|at| world.servers[at].is_serving()));
    world.membership = without(&world.membership, &["server.1="]);
    world.start(3);
    world.until("it serves", |world| world.servers.iter().all(Server::is_serving));
}
