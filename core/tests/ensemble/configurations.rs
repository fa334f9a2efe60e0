//! Servers with different words about who votes, where a Java leader has reconfigured the ensemble.

use crate::support::{create, get};
use crate::world::{Server, World, voters};
use bytes::Bytes;
use quorate_core::contract::{ExitCode, Input, QuorumMessage};
use quorate_core::jute::QuorumPacket;
use quorate_core::peer::Mode;
use quorate_core::quorum::Membership;
use quorate_core::vocabulary::{Epoch, SessionId, Zxid};

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

#[test]
fn a_configuration_that_cannot_be_read_is_followed_by_nobody() {
    let mut world = World::new(&voters(3));
    (0..2).for_each(|at| world.start(at));
    world.until("two serve", |world| world.servers[..2].iter().all(Server::is_serving));
    let leader = world.leader();
    // What it says from now on is said by this test.
    world.mute_quorum_port = Some(leader);
    world.start(2);
    world.until("it is elected there", |world| world.find_quorum_link(2, leader).is_some());
    let link = world.quorum_link(2, leader);
    let (epoch, zxid) = (Epoch(9), Zxid(9 << 32));
    let config = Some(Bytes::from_static(b"server.1=a:1:2:participant\nserver.300=b:1:2\nversion=5"));
    for packet in [
        QuorumPacket::LeaderInfo { epoch },
        QuorumPacket::Diff { zxid: Zxid::ZERO },
        QuorumPacket::NewLeader { zxid, config },
    ] {
        world.handle(2, Input::Quorum { link, message: QuorumMessage::Packet(packet) });
        world.run(20);
    }
    let (code, reason) = world.servers[2].exit.clone().expect("it has ended");
    assert_eq!(code, ExitCode::UnexpectedError);
    assert!(
        reason.contains("(300 can't be the top byte") && reason.contains("server.300=b:1:2 version=5"),
        "{reason}"
    );
}
