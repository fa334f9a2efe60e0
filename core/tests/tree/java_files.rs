//! Files that ZooKeeper 3.8.0 and 3.9.5 wrote (`tests/data/README.md`): every digest they name must be ours, and replaying a log
//! must end where the snapshot that follows it starts.

use crate::support::{OPTIONS, SEED, decode, decode_with, dump, encode, first_difference};
use bytes::Bytes;
use quorate_core::jute::{OpCode, Reader, Txn};
use quorate_core::tree::{Database, TreeOptions, Unobserved};
use quorate_core::vocabulary::{SessionId, Zxid};

struct JavaFiles {
    snapshot_0: &'static [u8],
    log_1: &'static [u8],
    snapshot_24: &'static [u8],
    log_25: &'static [u8],
}

const JAVA_3_8: JavaFiles = JavaFiles {
    snapshot_0: include_bytes!("../data/zookeeper-3.8.0/snapshot.0"),
    log_1: include_bytes!("../data/zookeeper-3.8.0/log.1"),
    snapshot_24: include_bytes!("../data/zookeeper-3.8.0/snapshot.24"),
    log_25: include_bytes!("../data/zookeeper-3.8.0/log.25"),
};

const JAVA_3_9: JavaFiles = JavaFiles {
    snapshot_0: include_bytes!("../data/zookeeper-3.9.5/snapshot.0"),
    log_1: include_bytes!("../data/zookeeper-3.9.5/log.1"),
    snapshot_24: include_bytes!("../data/zookeeper-3.9.5/snapshot.24"),
    log_25: include_bytes!("../data/zookeeper-3.9.5/log.25"),
};

/// The txns of a log file whose padding was cut off.
fn txns(log: &[u8]) -> Vec<Txn> {
    let mut txns = Vec::new();
    let mut at = 16;
    while at < log.len() {
        let length = u32::from_be_bytes(log[at + 8..at + 12].try_into().unwrap()) as usize;
        let payload = Bytes::copy_from_slice(&log[at + 12..at + 12 + length]);
        txns.push(Txn::decode_all(&mut Reader::new(payload)).unwrap());
        at += 12 + length + 1;
    }
    txns
}

fn replay(database: &mut Database, log: &[u8]) {
    for txn in txns(log) {
        let _ = database.apply(&txn, &mut Unobserved);
        // Java writes none beside a txn that only says that a request failed.
        if txn.header.opcode != OpCode::Error {
            assert_eq!(txn.digest, database.txn_digest(), "the digest after {txn:?}");
        }
    }
    assert_eq!(database.digest_mismatches(), 0);
    database.check_full().unwrap();
}

#[test]
fn every_digest_in_javas_logs_is_ours() {
    for java in [JAVA_3_8, JAVA_3_9] {
        let mut database = decode(java.snapshot_0, 0, &[1 << 20]).unwrap();
        let fresh = Database::new(SEED, OPTIONS);
        assert_eq!(first_difference(&dump(&database), &dump(&fresh)), None, "a fresh database is Java's");
        replay(&mut database, java.log_1);
        assert_eq!(database.last_zxid(), Zxid(0x24));
        // What Java's mntr said: zk_znode_count and zk_approximate_data_size. Java leaves out what quotas write.
        let usage = |path: &str| database.tree.node(&format!("/zookeeper/quota{path}/zookeeper_stats"));
        assert_eq!(usage("/app").unwrap().data(), Some(&b"count=10,bytes=731"[..]));
        let unseen = ("count=10,bytes=731".len() - "count=0,bytes=0".len()) as u64;
        assert_eq!(
            (database.tree.node_count() + 1, database.tree.approximate_data_size() - unseen),
            (24, 1097)
        );
        let loaded = decode(java.snapshot_24, 0x24, &[1 << 20]).unwrap();
        assert_eq!(loaded.digest_mismatches(), 0);
        assert_eq!(first_difference(&dump(&database), &dump(&loaded)), None);
        replay(&mut database, java.log_25);
        let usage = |path: &str| database.tree.node(&format!("/zookeeper/quota{path}/zookeeper_stats"));
        assert_eq!(usage("/app").unwrap().data(), Some(&b"count=10,bytes=736"[..]));
        let unseen = unseen + usage("/m").unwrap().data().unwrap().len() as u64;
        assert_eq!(
            (database.tree.node_count() + 1, database.tree.approximate_data_size() - unseen),
            (30, 1275)
        );
        assert_eq!(database.tree.quota_paths().collect::<Vec<_>>(), ["/app", "/m"]);
    }
}

#[test]
fn javas_snapshots_open_in_pieces_of_any_length() {
    for java in [JAVA_3_8, JAVA_3_9] {
        let whole = decode(java.snapshot_24, 0x24, &[1 << 20]).unwrap();
        for pieces in [&[1][..], &[2, 3, 5, 7], &[64], &[1000, 1], &[3000]] {
            let mut loaded = decode(java.snapshot_24, 0x24, pieces).unwrap();
            assert_eq!(first_difference(&dump(&whole), &dump(&loaded)), None, "{pieces:?}");
            replay(&mut loaded, java.log_25);
        }
    }
}

#[test]
fn replaying_a_whole_log_over_its_own_end_changes_nothing() {
    for java in [JAVA_3_8, JAVA_3_9] {
        let before = decode(java.snapshot_24, 0x24, &[512]).unwrap();
        let mut again = decode(java.snapshot_24, 0, &[512]).unwrap();
        for txn in txns(java.log_1) {
            let _ = again.apply(&txn, &mut Unobserved);
        }
        assert_eq!(first_difference(&dump(&before), &dump(&again)), None);
        again.check_full().unwrap();
    }
}

#[test]
fn without_extended_types_a_ttl_node_is_an_ephemeral_of_nobody() {
    let options = TreeOptions { extended_types: false, ..OPTIONS };
    let mut database = decode_with(options, JAVA_3_9.snapshot_24, 0x24, &[512]).unwrap();
    let nobody = SessionId((0xff00_0000_0000_0000_u64 | 100_000_000) as i64);
    assert_eq!(database.tree.ephemerals(nobody), ["/app/ttl"]);
    assert_eq!(database.drop_orphans(), [nobody]);
    assert!(database.tree.node("/app/ttl").is_none());
    database.check_full().unwrap();
}

#[test]
fn what_we_write_of_javas_database_is_what_java_wrote_but_for_order_and_acl_ids() {
    let java = decode(JAVA_3_9.snapshot_24, 0x24, &[512]).unwrap();
    let ours = encode(java.image());
    let reread = decode(&ours, 0x24, &[512]).unwrap();
    assert_eq!(first_difference(&dump(&java), &dump(&reread)), None);
    assert_eq!(&ours[ours.len() - 5..], b"\0\0\0\x01/");
}

#[test]
fn the_sections_behind_the_first_seal_are_found_by_their_seals() {
    let database = decode(JAVA_3_9.snapshot_24, 0x24, &[512]).unwrap();
    for (digest, serialize_last_zxid) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut written = database.clone();
        written = decode_with(
            TreeOptions { digest, serialize_last_zxid, ..OPTIONS },
            &encode(written.image()),
            0x24,
            &[512],
        )
        .unwrap();
        let bytes = encode(written.image());
        // Whatever the reader's own options are: Java is confused by a switched digest, we are not.
        for reader in [(false, false), (false, true), (true, false), (true, true)] {
            let options = TreeOptions { digest: reader.0, serialize_last_zxid: reader.1, ..OPTIONS };
            let read = decode_with(options, &bytes, 0x24, &[100]).unwrap();
            assert_eq!(read.digest_mismatches(), 0);
            let nodes = |database: &Database| dump(database)[1..].to_vec();
            assert_eq!(first_difference(&nodes(&database), &nodes(&read)), None);
        }
    }
}

#[test]
fn the_txns_of_the_fixture_are_of_every_kind() {
    let mut kinds: Vec<OpCode> = txns(JAVA_3_9.log_1).iter().map(|txn| txn.header.opcode).collect();
    kinds.sort();
    kinds.dedup();
    use OpCode::*;
    for kind in [
        CloseSession,
        CreateSession,
        Error,
        Create,
        Delete,
        SetData,
        SetAcl,
        Multi,
        Create2,
        CreateContainer,
        CreateTtl,
    ] {
        assert!(kinds.contains(&kind), "{kind:?} is missing");
    }
}
