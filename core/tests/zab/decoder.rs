//! What a quorum port reads: packets and databases in arbitrary pieces, Java's among them, and nonsense.

use bytes::{Bytes, BytesMut};
use quorate_core::contract::{QuorumDecoder, QuorumMessage, QuorumViolation};
use quorate_core::jute::{
    Acl, CreateTxn, DecodeError, Encode as _, FieldLimit, Id, OpCode, Permissions, QuorumPacket, Txn,
    TxnHeader, TxnRecord, Writer,
};
use quorate_core::tree::{Database, SnapshotError, SnapshotImage, TreeOptions, Unobserved};
use quorate_core::vocabulary::{LookupSeed, SessionId, Wall, Xid, Zxid};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const LIMIT: FieldLimit = FieldLimit(100_000);

fn learner() -> QuorumDecoder {
    QuorumDecoder::dialled(LookupSeed(1), TreeOptions::default(), LIMIT)
}

/// Everything that comes out when the bytes go in by pieces of these lengths.
fn read(
    mut decoder: QuorumDecoder,
    bytes: &[u8],
    mut piece: impl FnMut() -> usize,
) -> (Vec<QuorumMessage>, Result<(), QuorumViolation>) {
    let (mut rest, mut messages) = (bytes, Vec::new());
    while !rest.is_empty() {
        let (now, later) = rest.split_at(piece().clamp(1, rest.len()));
        rest = later;
        decoder.push(now);
        loop {
            match decoder.poll() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(violation) => return (messages, Err(violation)),
            }
        }
    }
    (messages, Ok(()))
}

fn file(image: SnapshotImage) -> Bytes {
    let (mut encoder, mut bytes) = (image.encoder(), BytesMut::new());
    while encoder.next_chunk(&mut bytes) {}
    bytes.freeze()
}

fn stream(image: SnapshotImage) -> Bytes {
    let (mut encoder, mut bytes) = (image.stream(), BytesMut::new());
    while encoder.next_chunk(&mut bytes) {}
    bytes.freeze()
}

fn database(nodes: i64) -> Database {
    let mut database = Database::new(LookupSeed(1), TreeOptions::default());
    for zxid in 1..=nodes {
        let opcode = if zxid == 1 { OpCode::CreateSession } else { OpCode::Create };
        let (session, cxid) = (SessionId(77), Xid(zxid as i32));
        let header = TxnHeader { session, cxid, zxid: Zxid(zxid), time: Wall(zxid), opcode };
        let node = CreateTxn {
            path: format!("/node-{zxid}"),
            data: Some(vec![zxid as u8; zxid as usize * 10].into()),
            acl: vec![Acl { perms: Permissions((zxid % 31) as i32), id: Id::new("ip", "10.0.0.1") }],
            ephemeral: zxid % 3 == 0,
            parent_cversion: zxid as i32,
            ttl: 0,
        };
        let record = match zxid {
            1 => TxnRecord::CreateSession { timeout: 4000 },
            _ => TxnRecord::Create(node),
        };
        database.apply(&Txn { header, record, digest: None }, &mut Unobserved).unwrap();
    }
    database
}

/// A synchronisation by SNAP: the database between packets.
fn conversation(database: &Database) -> (Vec<u8>, Vec<QuorumPacket>) {
    let zxid = database.last_zxid();
    let proposal = QuorumPacket::Proposal { zxid: zxid.next(), txn: Bytes::from_static(b"txn") };
    let packets = [
        QuorumPacket::LeaderInfo { epoch: quorate_core::vocabulary::Epoch(1) },
        QuorumPacket::Snap { zxid },
        proposal,
        QuorumPacket::Commit { zxid: zxid.next() },
        QuorumPacket::NewLeader { zxid: Zxid(1 << 32), config: Some(Bytes::from_static(b"version=0")) },
    ];
    let mut bytes = Vec::new();
    for packet in &packets {
        bytes.extend_from_slice(&packet.to_bytes());
        if matches!(packet, QuorumPacket::Snap { .. }) {
            bytes.extend_from_slice(&stream(database.image()));
        }
    }
    let packets = packets.into_iter().filter(|packet| !matches!(packet, QuorumPacket::Snap { .. }));
    (bytes, packets.collect())
}

#[test]
fn a_database_between_packets_comes_back_however_the_bytes_are_cut() {
    let database = database(200);
    let (bytes, packets) = conversation(&database);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for longest in [1, 7, 100, 5_000, 1 << 20] {
        let (messages, end) = read(learner(), &bytes, || rng.random_range(1..=longest));
        assert_eq!(end, Ok(()));
        let mut heard = Vec::new();
        for message in messages {
            match message {
                QuorumMessage::Packet(packet) => heard.push(packet),
                QuorumMessage::SnapshotUnderWay => {}
                QuorumMessage::Snapshot(read) => {
                    assert_eq!(heard.len(), 1, "it keeps its place among the packets");
                    assert_eq!(read.last_zxid(), database.last_zxid());
                    read.check_full().unwrap();
                    assert_eq!(file(read.image()), file(database.image()));
                }
            }
        }
        assert_eq!(heard, packets);
    }
}

#[test]
fn a_long_snapshot_gives_signs_of_life() {
    let mut big = Database::new(LookupSeed(1), TreeOptions::default());
    for zxid in 1..=60 {
        let header = TxnHeader {
            session: SessionId(0),
            cxid: Xid(0),
            zxid: Zxid(zxid),
            time: Wall(1),
            opcode: OpCode::Create,
        };
        let record = TxnRecord::Create(CreateTxn {
            path: format!("/n{zxid}"),
            data: Some(vec![0; 90_000].into()),
            acl: Acl::open(),
            ephemeral: false,
            parent_cversion: zxid as i32,
            ttl: 0,
        });
        big.apply(&Txn { header, record, digest: None }, &mut Unobserved).unwrap();
    }
    let (bytes, _) = conversation(&big);
    let (messages, _) = read(learner(), &bytes, || 60_000);
    let signs = messages.iter().filter(|message| matches!(message, QuorumMessage::SnapshotUnderWay)).count();
    assert!((4..=6).contains(&signs), "one a MiB of 5.4 million bytes: {signs}");
}

/// What a Java leader writes behind SNAP, by hand: sessions, the ACL cache as a map, nodes with their parents first.
fn java_stream() -> Bytes {
    let mut bytes = BytesMut::new();
    let mut out = Writer::new(&mut bytes);
    out.int(2);
    for (session, timeout) in [(0x0100_0000_0000_0001_i64, 30_000), (0x0200_0000_0000_0007, 4_000)] {
        out.long(session);
        out.int(timeout);
    }
    out.int(2);
    for (id, perms, scheme, name) in [(2_i64, 31, "world", "anyone"), (1, 1, "digest", "user:hash")] {
        out.long(id);
        out.int(1);
        out.int(perms);
        out.string(scheme);
        out.string(name);
    }
    let mut node = |path: &str, data: Option<&[u8]>, acl: i64, owner: i64| {
        out.string(path);
        out.buffer(data);
        out.long(acl);
        [5, 6, 1_700_000_000_000_i64, 1_700_000_000_001].iter().for_each(|long| out.long(*long));
        [1, 2, 3].iter().for_each(|int| out.int(*int));
        out.long(owner);
        out.long(9);
    };
    node("", Some(b""), -1, 0);
    node("/zookeeper", Some(b""), -1, 0);
    node("/zookeeper/config", Some(b"version=0"), 2, 0);
    node("/zookeeper/quota", Some(b""), -1, 0);
    node("/lock", None, 1, 0x0200_0000_0000_0007);
    out.string("/");
    out.string("BenWasHere");
    bytes.freeze()
}

#[test]
fn a_database_as_java_sends_it_is_read() {
    let mut bytes = QuorumPacket::Snap { zxid: Zxid(0x5_0000_0000) }.to_bytes().to_vec();
    bytes.extend_from_slice(&java_stream());
    bytes.extend_from_slice(&QuorumPacket::UpToDate.to_bytes());
    for piece in [1, 13, 10_000] {
        let (mut messages, end) = read(learner(), &bytes, || piece);
        assert_eq!(end, Ok(()));
        assert!(matches!(messages.pop(), Some(QuorumMessage::Packet(QuorumPacket::UpToDate))));
        let Some(QuorumMessage::Snapshot(database)) = messages.pop() else { panic!("no database") };
        assert_eq!(database.last_zxid(), Zxid(0x5_0000_0000), "the packet's, whatever the nodes say");
        assert_eq!(database.sessions()[&SessionId(0x0200_0000_0000_0007)], 4_000);
        assert_eq!(database.tree.ephemerals(SessionId(0x0200_0000_0000_0007)), ["/lock"]);
        let lock = database.tree.node("/lock").unwrap();
        assert_eq!(lock.data(), None);
        assert_eq!(lock.acl(), [Acl { perms: Permissions(1), id: Id::new("digest", "user:hash") }]);
        assert_eq!(lock.stored().cversion, 2);
        database.check_full().unwrap();
    }
}

#[test]
fn whatever_is_damaged_is_told_and_never_ends_the_process() {
    let (bytes, _) = conversation(&database(30));
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut refused = 0;
    for _ in 0..3_000 {
        let mut bytes = bytes.clone();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.random();
        }
        let (_, end) = read(learner(), &bytes, || rng.random_range(1..3_000));
        refused += u32::from(end.is_err());
        let _ = read(QuorumDecoder::accepted(LIMIT), &bytes, || 1_000);
    }
    assert!(refused > 300, "{refused}");
}

fn violation(decoder: QuorumDecoder, bytes: &[u8]) -> QuorumViolation {
    read(decoder, bytes, || 1_000).1.unwrap_err()
}

#[test]
fn each_kind_of_nonsense_is_told_apart() {
    let packet = |write: &dyn Fn(&mut Writer<'_>)| {
        let mut bytes = BytesMut::new();
        let mut out = Writer::new(&mut bytes);
        out.int(2);
        out.long(1);
        write(&mut out);
        bytes.freeze()
    };
    let long = packet(&|out| out.int(100_001));
    assert_eq!(violation(learner(), &long), DecodeError::UnreasonableLength(100_001).into());
    let negative = packet(&|out| out.int(-2));
    assert_eq!(violation(learner(), &negative), DecodeError::UnreasonableLength(-2).into());
    // A list of identities that never ends: each is two nulls.
    let endless = packet(&|out| {
        out.int(-1);
        out.int(i32::MAX);
        (0..100_000).for_each(|_| out.int(-1));
    });
    assert_eq!(violation(learner(), &endless), QuorumViolation::TooLong(201_024));
    let snap = QuorumPacket::Snap { zxid: Zxid(7) }.to_bytes().to_vec();
    assert_eq!(violation(QuorumDecoder::accepted(LIMIT), &snap), QuorumViolation::SnapFromLearner);

    let mut unsigned = snap.clone();
    unsigned.extend_from_slice(&java_stream());
    let end = unsigned.len();
    unsigned[end - 1] = b'E';
    assert_eq!(violation(learner(), &unsigned), SnapshotError::Signature.into());
    // A list of ACLs that never ends.
    let mut endless = snap.clone();
    [0, 1, 0, 1, i32::MAX].iter().for_each(|int| endless.extend_from_slice(&int.to_be_bytes()));
    endless.extend_from_slice(&vec![0; 300_000]);
    assert_eq!(violation(learner(), &endless), SnapshotError::ItemTooLong(201_024).into());
    // No node at all.
    let mut empty = snap;
    [0, 0].iter().for_each(|int: &i32| empty.extend_from_slice(&int.to_be_bytes()));
    let mut tail = BytesMut::new();
    Writer::new(&mut tail).string("/");
    Writer::new(&mut tail).string("BenWasHere");
    empty.extend_from_slice(&tail);
    assert_eq!(violation(learner(), &empty), SnapshotError::Truncated.into());
}

#[test]
fn nothing_comes_out_behind_a_violation_and_nothing_is_kept() {
    let mut decoder = learner();
    decoder.push(&[0xfe; 40]);
    assert!(decoder.poll().is_err());
    decoder.push(&QuorumPacket::UpToDate.to_bytes());
    assert!(matches!(decoder.poll(), Ok(None)));
    assert_eq!(decoder.buffered(), 0);
}
