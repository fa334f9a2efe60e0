//! What no server would ask for or commit, over the links between servers: nobody ends of it, and no session that it is not about.

use crate::local_sessions::{parts, sessions, started, txns_since};
use crate::support::{create, get, set};
use crate::world::{World, voters};
use bytes::{Bytes, BytesMut};
use quorate_core::contract::{Input, PeerEvent, QuorumMessage};
use quorate_core::jute::{
    Acl, CreateKind, CreateRequest, CreateTxn, Encode, ForwardedRequest, OpCode, QuorumPacket, Request, Txn,
    TxnHeader, TxnRecord, Writer,
};
use quorate_core::peer::Mode;
use quorate_core::vocabulary::{LinkId, SessionId, Wall, Xid, Zxid};

fn packet(world: &mut World, at: usize, link: LinkId, packet: QuorumPacket) {
    world.handle(at, Input::Quorum { link, message: QuorumMessage::Packet(packet) });
}

/// What a learner forwards, as if by mistake.
fn forwarded(world: &mut World, by: usize, session: SessionId, (opcode, body): (OpCode, &'static [u8])) {
    let leader = world.leader();
    let link = world.quorum_link(leader, by);
    let (opcode, body) = (opcode.code(), Bytes::from_static(body));
    let request = ForwardedRequest { session, cxid: Xid(7), opcode, body, identities: Vec::new() };
    packet(world, leader, link, QuorumPacket::Request(request));
}

#[test]
fn no_learner_has_a_say_in_a_leaders_own_session() {
    let mut world = started(true);
    let [leader, follower, _] = parts(&world);
    for forged in [(OpCode::CreateSession, &[0, 0, 4, 0][..]), (OpCode::CloseSession, &[])] {
        let before = world.agree();
        let client = world.client(leader, SessionId::NONE);
        let session = world.clients[client].session;
        world.ask(client, set("/", "1"));
        world.ask(client, Request::CloseSession);
        forwarded(&mut world, follower, session, forged);
        world.until("its end", |world| world.clients[client].is_closed);
        assert_eq!(world.clients[client].heard[1..], ["Stat", "Empty"]);
        assert_eq!(sessions(&world, leader), (0, 0));
        let other = world.client(leader, SessionId::NONE);
        let session = world.clients[other].session;
        forwarded(&mut world, follower, session, forged);
        assert_eq!(world.call(other, set("/", "2")), "Stat");
        assert_eq!(sessions(&world, leader), (0, 1));
        assert_eq!(txns_since(&mut world, before), 4, "what is refused is an error txn");
        world.call(other, Request::CloseSession);
    }
}

#[test]
fn nobody_is_session_0() {
    for has_local in [false, true] {
        let mut world = World::new(&voters(3));
        world.switches.local_sessions = has_local;
        (0..3).for_each(|at| world.start(at));
        world.until("everybody serves", |world| world.servers.iter().all(|server| server.is_serving()));
        let (leader, follower) = (world.leader(), world.follower());
        let before = world.agree();
        for forged in [(OpCode::CreateSession, &[0, 0, 4, 0][..]), (OpCode::CloseSession, &[])] {
            forwarded(&mut world, follower, SessionId::NONE, forged);
        }
        world.run(20);
        assert_eq!(txns_since(&mut world, before), 2, "both are refused");
        assert_eq!(sessions(&world, leader), (0, 0));
    }
}

/// What a leader has proposed, as if by mistake.
fn proposed(world: &mut World, at: usize, (header, record): (TxnHeader, TxnRecord)) {
    let zxid = header.zxid;
    let mut txn = BytesMut::new();
    Txn { header, record, digest: None }.encode(&mut Writer::new(&mut txn));
    let link = world.quorum_link(at, world.leader());
    packet(world, at, link, QuorumPacket::Proposal { zxid, txn: txn.freeze() });
}

/// What it has committed.
fn committed(world: &mut World, at: usize, (header, record): (TxnHeader, TxnRecord)) {
    let zxid = header.zxid;
    proposed(world, at, (header, record));
    let link = world.quorum_link(at, world.leader());
    packet(world, at, link, QuorumPacket::Commit { zxid });
}

#[test]
fn a_createsession_that_no_leader_would_make_ends_no_learner() {
    for is_own in [true, false] {
        let mut world = started(true);
        let follower = world.follower();
        let client = world.client(follower, SessionId::NONE);
        world.call(client, create("/a"));
        let zxid = world.agree().next();
        let own = world.clients[client].session;
        let session = if is_own { own } else { SessionId::NONE };
        // The leader hears nothing of it.
        world.mute = Some(follower);
        world.ask(client, set("/", "1"));
        world.ask(client, Request::CloseSession);
        let create = TxnHeader { session, cxid: Xid(0), zxid, time: Wall(1), opcode: OpCode::CreateSession };
        committed(&mut world, follower, (create, TxnRecord::CreateSession { timeout: 4000 }));
        let zxid = zxid.next();
        let answer = TxnHeader { session: own, cxid: Xid(2), zxid, opcode: OpCode::Error, ..create };
        committed(&mut world, follower, (answer, TxnRecord::Error { err: -101 }));
        world.until("its end", |world| world.clients[client].is_closed);
        assert!(world.servers[follower].is_serving());
        assert_eq!(sessions(&world, follower), (1, 0));
        let heard = &world.clients[client].heard[2..];
        assert_eq!(heard[0], "error -101");
        assert_eq!(heard.len(), if is_own { 1 } else { 2 }, "an ensemble's session ends by a txn only");
    }
}

/// A create of a node with this data, and the number that it gives its parent.
fn creation(path: &str, ttl: i64) -> TxnRecord {
    TxnRecord::Create(CreateTxn {
        path: path.to_owned(),
        data: Some(Bytes::from_static(b"other")),
        acl: Acl::open(),
        ephemeral: false,
        parent_cversion: 9,
        ttl,
    })
}

/// The txns whose tree a server has told not to be its leader's.
fn mismatches(world: &World, at: usize) -> Vec<Zxid> {
    let mismatch = |event: &PeerEvent| match event {
        PeerEvent::DigestMismatch { zxid } => Some(*zxid),
        _ => None,
    };
    world.servers[at].events.iter().filter_map(mismatch).collect()
}

/// Java's leader makes such a createTTL of a client's request, and can't apply it either. A create of what is there comes of its
/// deletion of ephemerals whose session nobody knows, which is no txn.
#[test]
fn a_txn_that_the_tree_can_not_take_ends_no_follower_and_is_told() {
    for (kind, path, error) in
        [(CreateKind::CreateTtl, "/b", "error -8"), (CreateKind::Create, "/a", "error -110")]
    {
        let mut world = World::started(&voters(3));
        let follower = world.follower();
        let client = world.client(follower, SessionId::NONE);
        world.call(client, create("/a"));
        let zxid = world.agree().next();
        (world.mute, world.estranged) = (Some(follower), Some(follower));
        let acl = Some(Acl::open());
        let asked = CreateRequest { kind, path: Some(path.to_owned()), data: None, acl, flags: 0, ttl: -1 };
        let cxid = world.ask(client, Request::Create(asked));
        world.ask(client, get("/a"));
        let session = world.clients[client].session;
        let header = TxnHeader { session, cxid, zxid, time: Wall(1), opcode: kind.opcode() };
        committed(&mut world, follower, (header, creation(path, -1)));
        world.until("both answers", |world| world.clients[client].heard.len() == 4);
        assert_eq!(world.clients[client].heard[2..], [error, "new"]);
        // What is proposed behind it is applied.
        let answer = TxnHeader { zxid: zxid.next(), opcode: OpCode::Error, cxid: Xid(9), ..header };
        committed(&mut world, follower, (answer, TxnRecord::Error { err: -101 }));
        assert!(world.servers[follower].is_serving());
        assert_eq!(mismatches(&world, follower), [zxid]);
        let status = world.servers[follower].status().expect("it runs");
        assert_eq!((status.last_zxid(), status.database().digest_mismatches()), (answer.zxid, 1));
    }
}

#[test]
fn a_multi_of_which_something_can_not_be_done_is_told() {
    let mut world = World::started(&voters(3));
    let follower = world.follower();
    let client = world.client(follower, SessionId::NONE);
    world.call(client, create("/a"));
    let zxid = world.agree().next();
    (world.mute, world.estranged) = (Some(follower), Some(follower));
    let ops = ["/a", "/b"].map(|path| (OpCode::Create, creation(path, 0)));
    let header =
        TxnHeader { session: SessionId(9), cxid: Xid(0), zxid, time: Wall(1), opcode: OpCode::Multi };
    committed(&mut world, follower, (header, TxnRecord::Multi(ops.into())));
    assert_eq!(world.call(client, get("/a")), "new");
    assert_eq!(world.call(client, get("/b")), "other");
    // One that has failed where it was prepared does nothing anywhere.
    let header = TxnHeader { zxid: zxid.next(), ..header };
    let ops = [(OpCode::Error, TxnRecord::Error { err: -101 })];
    committed(&mut world, follower, (header, TxnRecord::Multi(ops.into())));
    assert_eq!(mismatches(&world, follower), [zxid]);
}

#[test]
fn what_can_not_be_done_of_a_history_before_an_election_is_told() {
    let mut world = World::started(&voters(3));
    let follower = world.follower();
    let client = world.client(follower, SessionId::NONE);
    world.call(client, create("/a"));
    let zxid = world.agree().next();
    (world.mute, world.estranged) = (Some(follower), Some(follower));
    let header =
        TxnHeader { session: SessionId(9), cxid: Xid(0), zxid, time: Wall(1), opcode: OpCode::CreateTtl };
    proposed(&mut world, follower, (header, creation("/b", -1)));
    world.run(10);
    assert_eq!(mismatches(&world, follower), []);
    let leader = world.leader();
    world.crash(leader);
    world.until("an election", |world| world.servers[follower].mode() == Some(Mode::Looking));
    assert_eq!(mismatches(&world, follower), [zxid]);
}
