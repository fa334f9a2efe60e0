//! Servers with different words about who votes, where a Java leader has reconfigured the ensemble.

use crate::support::{create, get};
use crate::world::{Server, World, voters};
use quorate_core::contract::ExitCode;
use quorate_core::peer::Mode;
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
    let (what, lines) = reason.split_once(": start it again with ").expect("what to do");
    assert_eq!(what, "the leader's configuration has other voters, groups or weights than this server's");
    assert!(lines.contains("server.1=") && lines.ends_with("version=100000005"), "{lines}");
    world.crash(3);
    world.membership = without(&now, &["version="]);
    world.start(3);
    world.until("it serves with the same voters", |world| world.servers.iter().all(Server::is_serving));
    let client = world.client(3, SessionId::NONE);
    assert_eq!(world.call(client, get("/a")), "new");
    // It has learned the version, without which nobody would follow it.
    world.crash(world.leader());
    world.until("it leads", |world| {
        world.servers[3].mode() == Some(Mode::Leader) && world.servers[..2].iter().all(Server::is_serving)
    });
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
