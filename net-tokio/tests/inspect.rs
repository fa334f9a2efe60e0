//! `quorate inspect` on files as servers write them, damaged in the ways `disk-format.md` §2.4 lists.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use bytes::{Bytes, BytesMut};
use quorate_core::jute::{Acl, CreateTxn, Encode, OpCode, Txn, TxnDigest, TxnHeader, TxnRecord};
use quorate_core::tree::{Database, TreeOptions, Unobserved};
use quorate_core::vocabulary::{LookupSeed, SessionId, Wall, Xid};
use quorate_storage_file::log_format::{write_log_entry, write_log_header};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const SESSION: SessionId = SessionId(0x100_0000_0000_0001);

/// A history of six txns, and where each ends in the log.
struct World {
    dir: TempDir,
    database: Database,
    log: BytesMut,
    ends: Vec<u64>,
}

impl World {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("version-2")).unwrap();
        let mut log = BytesMut::new();
        write_log_header(&mut log);
        let database = Database::new(LookupSeed(7), TreeOptions::default());
        let mut world = World { dir, database, log, ends: Vec::new() };
        world.append(OpCode::CreateSession, TxnRecord::CreateSession { timeout: 30_000 });
        world.create("/app", b"hello", false);
        world.create("/app/lock", b"\x00\x01", true);
        let data = Some(Bytes::from_static(b"world"));
        world.append(OpCode::SetData, TxnRecord::SetData { path: "/app".to_owned(), data, version: 1 });
        world.create("/application", b"", false);
        world.append(
            OpCode::CloseSession,
            TxnRecord::CloseSession { paths: Some(vec!["/app/lock".to_owned()]) },
        );
        world
    }

    fn create(&mut self, path: &str, data: &[u8], ephemeral: bool) {
        let data = Some(Bytes::copy_from_slice(data));
        let create = CreateTxn {
            path: path.to_owned(),
            data,
            acl: Acl::open(),
            ephemeral,
            parent_cversion: -1,
            ttl: 0,
        };
        self.append(OpCode::Create, TxnRecord::Create(create));
    }

    fn append(&mut self, opcode: OpCode, record: TxnRecord) {
        let zxid = self.database.last_zxid().next();
        let header = TxnHeader {
            session: SESSION,
            cxid: Xid(zxid.0 as i32),
            zxid,
            time: Wall(1_795_267_810_123),
            opcode,
        };
        let mut txn = Txn { header, record, digest: None };
        self.database.apply(&txn, &mut Unobserved).unwrap();
        txn.digest = self.database.txn_digest();
        write_log_entry(&mut self.log, &txn.to_bytes());
        self.ends.push(self.log.len() as u64);
    }

    fn write_log(&self, name: &str) -> PathBuf {
        self.write(name, &self.log)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join("version-2").join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Exit code, standard output and standard error, with the directory taken out.
    fn inspect(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_quorate"))
            .arg("inspect")
            .args(arguments)
            .current_dir(self.dir.path().join("version-2"))
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

#[test]
fn a_whole_log_is_printed_and_verified() {
    let world = World::new();
    world.write_log("log.1");
    let (code, out, err) = world.inspect(&["log.1"]);
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!(out);
}

#[test]
fn filters_take_what_they_name() {
    let world = World::new();
    world.write_log("log.1");
    let zxids = |arguments: &[&str]| {
        let mut all = vec!["log.1", "--json"];
        all.extend(arguments);
        let (code, out, _) = world.inspect(&all);
        assert_eq!(code, 0);
        let lines = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let txns = lines.filter(|value| value["kind"] == "txn");
        txns.map(|value| value["zxid"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(zxids(&[]), "0x1 0x2 0x3 0x4 0x5 0x6");
    assert_eq!(zxids(&["--path", "/app"]), "0x2 0x3 0x4 0x6");
    assert_eq!(zxids(&["--path", "/app/lock"]), "0x3 0x6");
    assert_eq!(zxids(&["--zxid", "0x2..3"]), "0x2 0x3");
    assert_eq!(zxids(&["--zxid", "5..", "--path", "/application"]), "0x5");
    assert_eq!(zxids(&["--session", "0x100000000000001"]), "0x1 0x2 0x3 0x4 0x5 0x6");
    assert_eq!(zxids(&["--session", "5"]), "");
    assert_eq!(zxids(&["--summary"]), "");
}

#[test]
fn a_snapshot_is_printed_and_carries_the_digests_of_the_logs_behind_it() {
    let mut world = World::new();
    let mut encoder = world.database.image().encoder();
    let mut bytes = BytesMut::new();
    while encoder.next_chunk(&mut bytes) {}
    world.write("snapshot.6", &bytes);
    let (code, out, err) = world.inspect(&["snapshot.6"]);
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!(out);

    world.log.clear();
    write_log_header(&mut world.log);
    world.create("/next", b"", false);
    world.write_log("log.7");
    let (code, out, _) = world.inspect(&["snapshot.6", "log.7", "--summary"]);
    assert!(
        code == 0 && out.contains("log.7: 1 txns 0x7 to 0x7") && out.contains("1 digests right"),
        "{out}"
    );
    let (_, out, _) = world.inspect(&["log.7", "--summary"]);
    assert!(out.contains("digests not compared"), "{out}");

    for position in [20, bytes.len() / 2, bytes.len() - 20] {
        let mut damaged = bytes.clone();
        damaged[position] ^= 1;
        world.write("snapshot.6", &damaged);
        let (code, _, err) = world.inspect(&["snapshot.6"]);
        assert!(code == 1 && err.starts_with("snapshot.6: "), "byte {position}: {err}");
    }
}

#[test]
fn a_wrong_digest_is_named() {
    let mut world = World::new();
    let zxid = world.database.last_zxid().next();
    let header = TxnHeader { session: SESSION, cxid: Xid(7), zxid, time: Wall(0), opcode: OpCode::Error };
    let digest = Some(TxnDigest { version: 2, tree_digest: 12345 });
    let txn = Txn { header, record: TxnRecord::Error { err: -101 }, digest };
    write_log_entry(&mut world.log, &txn.to_bytes());
    world.write_log("log.1");
    let (code, out, err) = world.inspect(&["log.1"]);
    assert_eq!((code, err.as_str()), (1, "log.1: the tree's digest after txn 0x7 is not the logged one\n"));
    assert!(out.contains("DIGEST ERROR - 2026") || out.contains("DIGEST ERROR - 1970"), "{out}");
    assert!(out.contains("1 of 7 digests WRONG"), "{out}");
}

#[test]
fn a_torn_tail_is_reported_and_cut_on_demand() {
    let world = World::new();
    let torn = world.ends[4] as usize + 20;
    let path = world.write("log.1", &world.log[..torn]);
    let (code, out, err) = world.inspect(&["log.1", "--summary"]);
    assert_eq!(code, 1);
    assert!(out.contains("then torn tail: the file ends inside of an entry"), "{out}");
    assert!(err.contains(&format!("torn at offset {}, behind txn 0x5", world.ends[4])), "{err}");
    assert_eq!(length(&path), torn as u64, "it was changed without --repair");

    let (code, out, _) = world.inspect(&["log.1", "--summary", "--repair"]);
    assert!(
        code == 0 && out.contains(&format!("log.1: cut from {torn} to {} bytes", world.ends[4])),
        "{out}"
    );
    let (code, out, _) = world.inspect(&["log.1", "--summary"]);
    assert!(code == 0 && out.contains("5 txns 0x1 to 0x5") && out.contains("then end of file"), "{out}");
}

#[test]
fn damage_to_acknowledged_txns_is_not_repaired() {
    let mut world = World::new();
    let position = world.ends[1] as usize + 30;
    world.log[position] ^= 1;
    let path = world.write_log("log.1");
    let before = length(&path);
    for arguments in [&["log.1", "--summary"][..], &["log.1", "--summary", "--repair"]] {
        let (code, _, err) = world.inspect(arguments);
        assert_eq!(code, 1);
        assert!(err.contains(&format!("damaged at offset {}, behind txn 0x2", world.ends[1])), "{err}");
        assert!(err.contains("the checksum does not match") && err.contains("follows intact"), "{err}");
        assert_eq!(length(&path), before);
    }
}

#[test]
fn padding_is_no_damage_and_a_log_without_a_txn_is_removed() {
    let world = World::new();
    let mut padded = world.log.to_vec();
    padded.resize(1 << 20, 0);
    world.write("log.1", &padded);
    let (code, out, _) = world.inspect(&["log.1", "--summary"]);
    assert!(code == 0 && out.contains("of 1048576 bytes, then padding"), "{out}");

    let path = world.write("log.7", &world.log[..9]);
    let (code, _, err) = world.inspect(&["log.7"]);
    assert!(code == 1 && err.contains("an incomplete header"), "{err}");
    let (code, out, _) = world.inspect(&["log.7", "--repair"]);
    assert!(code == 0 && out.contains("removed, it held no txn") && !path.exists(), "{out}");
}

#[test]
fn a_directory_that_a_server_has_open_is_not_repaired() {
    let world = World::new();
    world.write("log.1", &world.log[..world.log.len() - 5]);
    let lock = fs::File::create(world.dir.path().join(quorate_storage_file::LOCK_FILE)).unwrap();
    lock.try_lock().unwrap();
    let (code, _, err) = world.inspect(&["log.1", "--repair"]);
    assert!(code == 1 && err.contains("a server has "), "{err}");
}

#[test]
fn what_is_neither_is_refused() {
    let world = World::new();
    world.write("notes.txt", b"hello world");
    let (code, _, err) = world.inspect(&["notes.txt", "gone", "--repair"]);
    assert_eq!(code, 1);
    assert!(err.starts_with("notes.txt: neither a transaction log nor a snapshot\ngone: "), "{err}");
}

#[test]
fn javas_files_are_read_and_their_digests_are_ours() {
    let world = World::new();
    for version in ["zookeeper-3.8.0", "zookeeper-3.9.5"] {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/data").join(version);
        let files = ["snapshot.0", "log.1", "log.25"].map(|name| data.join(name).display().to_string());
        let (code, out, err) = world.inspect(&[&files[0], &files[1], &files[2], "--summary"]);
        assert_eq!((code, err.as_str()), (0, ""), "{version}");
        assert!(out.contains("log.1: 36 txns 0x1 to 0x24") && out.contains("; 35 digests right"), "{out}");
        assert!(out.contains("log.25: 12 txns 0x25 to 0x30") && out.contains("; 12 digests right"), "{out}");
        let snapshot = data.join("snapshot.24").display().to_string();
        let (code, out, _) = world.inspect(&[&snapshot, "--path", "/zookeeper/quota/app"]);
        assert!(code == 0 && out.contains("\n/zookeeper/quota/app/zookeeper_stats \"count="), "{out}");
        assert!(out.contains("1 sessions, 23 znodes"), "{out}");
    }
}
