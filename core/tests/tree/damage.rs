//! Bytes from a disk can't panic us, and a damaged snapshot is not taken for a good one.

use crate::fuzzy_replay::adler;
use crate::random_history::{Dice, Leader};
use crate::support::{OPTIONS, SEED, decode, dump, encode, first_difference};
use quorate_core::jute::{Acl, CreateTxn, OpCode, TxnRecord};
use quorate_core::tree::{Database, SnapshotDecoder, SnapshotError, Unobserved};
use quorate_core::vocabulary::Zxid;

const JAVA: &[u8] = include_bytes!("../data/zookeeper-3.9.5/snapshot.24");

#[test]
fn a_snapshot_that_ends_early_is_refused_or_complete_in_what_counts() {
    let whole = decode(JAVA, 0x24, &[4096]).unwrap();
    let mut accepted = Vec::new();
    for length in 0..JAVA.len() {
        match decode(&JAVA[..length], 0x24, &[100]) {
            Ok(database) => {
                assert_eq!(first_difference(&dump(&database), &dump(&whole)), None);
                accepted.push(JAVA.len() - length);
            }
            Err(SnapshotError::Truncated | SnapshotError::Seal) => {}
            Err(other) => panic!("{length} bytes: {other}"),
        }
    }
    // Right behind the first seal, and from right behind the second on: 20 + 13 and 8 + 13 bytes are optional.
    assert_eq!(accepted, (1..=21).chain([54]).rev().collect::<Vec<_>>());
}

#[test]
fn a_flipped_byte_is_noticed_wherever_it_is() {
    let mut ignored = 0;
    for at in 0..JAVA.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = JAVA.to_vec();
            bytes[at] ^= flip;
            if decode(&bytes, 0x24, &[1000]).is_ok() {
                // Only what stands behind the second seal is not needed.
                assert!(at >= JAVA.len() - 21, "byte {at} of {} flipped by {flip:x}", JAVA.len());
                ignored += 1;
            }
        }
    }
    assert!(ignored > 0);
}

/// What a load does not mend: it makes `/zookeeper/config` when that is missing.
fn ordinary(database: &Database) -> Vec<String> {
    dump(database).into_iter().filter(|line| !line.starts_with("/zookeeper")).collect()
}

/// Damage that the checksum does not see: the bytes are sealed anew, so that the parser has to stand on its own.
#[test]
fn no_bytes_panic_and_what_is_accepted_is_a_whole_tree() {
    let mut dice = Dice(1);
    let mut accepted = 0;
    let mut leader = Leader::new(5);
    for _ in 0..100 {
        leader.next_txn();
    }
    let ours = encode(leader.database.image());
    for round in 0..20_000 {
        let source = if round % 2 == 0 { JAVA } else { &ours };
        // Without the optional sections and the first seal: 20 + 13, 8 + 13 and 13 bytes.
        let mut bytes = source[..source.len() - 67].to_vec();
        for _ in 0..=dice.below(3) {
            damage(&mut bytes, &mut dice);
        }
        let sum = adler(&bytes);
        bytes.extend_from_slice(&u64::from(sum).to_be_bytes());
        bytes.extend_from_slice(b"\0\0\0\x01/");
        let Ok(mut database) = decode(&bytes, 0x24, &[500]) else { continue };
        accepted += 1;
        database.check_full().unwrap();
        database.drop_orphans();
        for txn in (0..5).map(|_| leader.next_txn()) {
            let _ = database.apply(&txn, &mut Unobserved);
        }
        database.check_full().unwrap();
        let again = encode(database.image());
        let loaded = decode(&again, database.last_zxid().0, &[500]).unwrap();
        assert_eq!(first_difference(&ordinary(&loaded), &ordinary(&database)), None);
    }
    assert!(accepted > 1_000, "only {accepted} were accepted");
}

fn damage(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(bytes.len() as u64) as usize;
    match dice.below(6) {
        0 => bytes[at] = dice.below(256) as u8,
        1 => bytes[at] ^= 1 << dice.below(8),
        2 => drop(bytes.remove(at)),
        3 => bytes.insert(at, b'/'),
        4 => {
            let value = *dice.pick(&[-2i32, -1, 0, 1, 2, i32::MAX, i32::MIN]);
            for (byte, new) in bytes[at..].iter_mut().zip(value.to_be_bytes()) {
                *byte = new;
            }
        }
        _ => {
            let from = dice.below(bytes.len() as u64) as usize;
            let piece: Vec<u8> = bytes[from..].iter().copied().take(dice.below(120) as usize).collect();
            bytes.splice(at..at, piece);
        }
    }
}

#[test]
fn random_bytes_do_not_panic() {
    let mut dice = Dice(2);
    for _ in 0..2_000 {
        let length = dice.below(300);
        let bytes: Vec<u8> = (0..length).map(|_| dice.below(256) as u8).collect();
        assert!(decode(&bytes, 0, &[7]).is_err());
        let mut headed = JAVA[..16].to_vec();
        headed.extend_from_slice(&bytes);
        assert!(decode(&headed, 0, &[7]).is_err());
    }
}

#[test]
fn each_kind_of_damage_has_its_name() {
    let error = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = JAVA.to_vec();
        change(&mut bytes);
        decode(&bytes, 0, &[1 << 20]).unwrap_err().to_string()
    };
    let position = |what: &[u8]| JAVA.windows(what.len()).position(|window| window == what).unwrap();
    let app = position(b"\0\0\0\x04/app");
    let errors = [
        error(&|bytes| bytes[0] = b'X'),
        error(&|bytes| bytes[7] = 3),
        error(&|bytes| bytes[app] = 0x7f),
        error(&|bytes| bytes[app + 6] = b'/'),
        error(&|bytes| bytes[app + 4] = b'x'),
        error(&|bytes| bytes[app + 5] = b'/'),
        error(&|bytes| {
            let (start, piece) = (app, bytes[app..app + 8 + 4 + 9 + 8 + 60].to_vec());
            bytes.splice(start..start, piece);
        }),
        error(&|bytes| bytes.truncate(100)),
        error(&|bytes| bytes[app + 20] ^= 1),
    ];
    insta::assert_snapshot!(errors.join("\n"), @r"
    the file starts with 0x584b534e, as no snapshot does
    the snapshot's format is 3, not 2
    unreasonable length 2130706436 at byte 245 of the snapshot
    the snapshot has /a/p and not its parent
    the snapshot has xapp and not its parent
    the snapshot has //pp and not its parent
    the snapshot has /app twice
    the snapshot ends early
    the snapshot's checksum does not match its bytes
    ");
}

/// A log is checked by its CRC, not by its sense: txns that no leader made must leave a whole tree.
#[test]
fn no_txn_panics_the_tree() {
    let mut dice = Dice(3);
    for seed in 0..60 {
        let mut database = Database::new(SEED, OPTIONS);
        let mut leaders = [Leader::new(seed), Leader::new(seed + 1)];
        for _ in 0..120 {
            let which = dice.below(2) as usize;
            let mut txn = leaders[which].next_txn();
            txn.header.zxid = Zxid(dice.below(1 << 20) as i64 - 5);
            if dice.below(4) == 0 {
                txn = wild(txn, &mut dice);
            }
            let _ = database.apply(&txn, &mut Unobserved);
            database.check_full().unwrap();
        }
        let bytes = encode(database.image());
        let loaded = decode(&bytes, database.last_zxid().0, &[512]).unwrap();
        assert_eq!(first_difference(&ordinary(&loaded), &ordinary(&database)), None);
    }
}

fn wild(mut txn: quorate_core::jute::Txn, dice: &mut Dice) -> quorate_core::jute::Txn {
    let paths = [
        "",
        "/",
        "//",
        "/a/",
        "a",
        "/a//b",
        "/zookeeper",
        "/zookeeper/config",
        "/zookeeper/quota",
        "/a/b/a/b",
    ];
    let quota = ["/zookeeper/quota/zookeeper_limits", "/zookeeper/quota/a/zookeeper_stats"];
    let path = dice.pick(&[&paths[..], &quota[..]].concat()).to_string();
    let number = *dice.pick(&[-1, 0, 1, i32::MAX, i32::MIN]);
    let create = CreateTxn {
        path: path.clone(),
        data: None,
        acl: if dice.below(2) == 0 { Vec::new() } else { Acl::open() },
        ephemeral: dice.below(2) == 0,
        parent_cversion: number,
        ttl: *dice.pick(&[i64::MIN, -1, 0, 1, i64::MAX]),
    };
    (txn.header.opcode, txn.record) = match dice.below(7) {
        0 => (OpCode::Create, TxnRecord::Create(create)),
        1 => (OpCode::CreateTtl, TxnRecord::Create(create)),
        2 => (OpCode::Delete, TxnRecord::Delete { path }),
        3 => (OpCode::SetData, TxnRecord::SetData { path, data: None, version: number }),
        4 => (OpCode::SetAcl, TxnRecord::SetAcl { path, acl: Vec::new(), version: number }),
        5 => (OpCode::CloseSession, TxnRecord::CloseSession { paths: Some(vec![path]) }),
        _ => {
            txn.header.session.0 = *dice.pick(&[0, i64::MIN, -1, i64::MAX, 0xff00_0000_0000_0001_u64 as i64]);
            (
                OpCode::Create2,
                TxnRecord::Create(CreateTxn { ephemeral: true, path: "/wild".into(), ..create }),
            )
        }
    };
    txn
}

#[test]
fn a_decoder_holds_no_more_than_an_item() {
    let mut decoder = SnapshotDecoder::new(SEED, OPTIONS, Zxid(0));
    decoder.push(&JAVA[..16]).unwrap();
    // A count of sessions that nobody has, and nothing behind it, asks for no memory.
    decoder.push(&i32::MAX.to_be_bytes()).unwrap();
    assert_eq!(decoder.finish().unwrap_err(), SnapshotError::Truncated);
}
