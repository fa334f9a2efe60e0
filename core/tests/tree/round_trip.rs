//! Freezing, writing and reading: an image is what the database was, whatever happens meanwhile.

use crate::random_history::Leader;
use crate::support::{OPTIONS, SEED, create, decode, dump, encode, first_difference, txn};
use bytes::BytesMut;
use quorate_core::jute::{OpCode, TxnRecord};
use quorate_core::tree::{Database, FrozenTree, SnapshotImage, Unobserved};
use quorate_core::vocabulary::Zxid;

fn is_send<T: Send + 'static>() {}

#[test]
fn a_frozen_view_can_go_to_another_thread() {
    is_send::<SnapshotImage>();
    is_send::<FrozenTree>();
    is_send::<Database>();
}

#[test]
fn an_image_stays_as_it_was_while_the_tree_goes_on() {
    for seed in 0..20 {
        let mut leader = Leader::new(seed + 5_000);
        let mut images = Vec::new();
        for _ in 0..100 {
            leader.next_txn();
            images.push((leader.database.image(), dump(&leader.database)));
        }
        for (image, expected) in images {
            let zxid = image.zxid().0;
            let read = decode(&encode(image), zxid, &[333]).unwrap();
            read.check_full().unwrap();
            assert_eq!(first_difference(&expected, &dump(&read)), None, "seed {seed} at {zxid}");
        }
    }
}

#[test]
fn an_image_is_written_in_pieces_while_the_tree_goes_on() {
    let mut database = Database::new(SEED, OPTIONS);
    let add = |database: &mut Database, at: i64, length: usize| {
        let record = TxnRecord::Create(create(&format!("/n{at}"), &vec![at as u8; length], -1));
        database.apply(&txn(0, at, OpCode::Create, record), &mut Unobserved).unwrap();
    };
    for at in 1..=3_000 {
        add(&mut database, at, if at == 1_000 { 1_000_000 } else { 100 });
    }
    let expected = dump(&database);
    let mut encoder = database.image().encoder();
    let (mut bytes, mut piece, mut pieces) = (Vec::new(), BytesMut::new(), Vec::new());
    while encoder.next_chunk(&mut piece) {
        pieces.push(piece.len());
        bytes.extend_from_slice(&piece.split());
        let at = database.last_zxid().0 + 1;
        add(&mut database, at, 10);
        let record = TxnRecord::Delete { path: format!("/n{}", at - 2_990) };
        database.apply(&txn(0, at + 1, OpCode::Delete, record), &mut Unobserved).unwrap();
    }
    assert!(piece.is_empty(), "the last call adds nothing");
    let long = pieces.iter().filter(|length| **length > 70_000).count();
    assert_eq!(long, 1, "only the node of a million bytes makes a long piece: {pieces:?}");
    let read = decode(&bytes, 3_000, &[8_192]).unwrap();
    assert_eq!(first_difference(&expected, &dump(&read)), None);
    database.check_full().unwrap();
}

#[test]
fn a_snapshot_read_and_written_again_is_the_same_bytes() {
    let mut leader = Leader::new(77);
    for _ in 0..300 {
        leader.next_txn();
    }
    let once = encode(leader.database.image());
    let read = decode(&once, leader.database.last_zxid().0, &[1 << 16]).unwrap();
    let twice = encode(read.image());
    let thrice = encode(decode(&twice, read.last_zxid().0, &[1 << 16]).unwrap().image());
    // ACL ids are given anew in the order of the file, so the first rewrite may renumber them.
    assert_eq!(once.len(), twice.len());
    assert_eq!(twice, thrice);
}

#[test]
fn the_last_zxid_never_falls_and_rises_with_every_txn() {
    let mut database = Database::new(SEED, OPTIONS);
    let mut last = 0;
    for zxid in [5, 3, 7, 7, 6, 128, 256] {
        // An error, a txn that meets nothing, a session: all of them move it (`disk-format.md` §4.2).
        let record = TxnRecord::Delete { path: "/nothing".into() };
        assert!(database.apply(&txn(0, zxid, OpCode::Delete, record), &mut Unobserved).is_err());
        last = last.max(zxid);
        assert_eq!(database.last_zxid(), Zxid(last));
    }
    let logged: Vec<i64> = database.digest_log().map(|(zxid, _)| zxid.0).collect();
    assert_eq!(logged, [128, 256], "digests are kept where servers can be compared");
}
