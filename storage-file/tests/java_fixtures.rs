//! Data directories that Java ZooKeeper 3.8 and 3.9 made (see `java/make_fixtures.py`): they open, and every digest is Java's.
//!
//! Each txn of their logs carries the digest of the tree behind it, so a recovery without a mismatch has the very trees that Java
//! had. The snapshots are fuzzy, and each of them must lead to the same end. One of them (3.8's `snapshot.8f`) has the effects of txn
//! 0x90 and names the digest of 0x8f, because Java samples it while a txn is being applied: replay catches up with it.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod support;

use flate2::read::GzDecoder;
use quorate_storage_file::names::{parse_log_name, parse_snapshot_name};
use quorate_storage_file::{Directory, Disk, FileName, Recovery, StdDisk, StdDiskOptions};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use support::history::recovery_options;
use support::scratch;
use tempfile::TempDir;

/// A directory as a Java server left it, and what it said: last zxid, and how many nodes.
struct Fixture {
    _directory: TempDir,
    disk: StdDisk,
    zxid: i64,
    nodes: usize,
}

fn unpack(name: &str) -> Fixture {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("{name}.packed"));
    let mut input = BufReader::new(GzDecoder::new(std::io::Cursor::new(std::fs::read(packed).unwrap())));
    let directory = scratch();
    let disk = StdDisk::open(&StdDiskOptions::in_directory(directory.path())).unwrap();
    let mut line = String::new();
    input.read_line(&mut line).unwrap();
    let (zxid, nodes) = line.trim().strip_prefix("0x").unwrap().split_once(' ').unwrap();
    let (zxid, nodes) = (i64::from_str_radix(zxid, 16).unwrap(), nodes.parse().unwrap());
    loop {
        line.clear();
        if input.read_line(&mut line).unwrap() == 0 {
            return Fixture { _directory: directory, disk, zxid, nodes };
        }
        let (name, length) = line.trim().split_once(' ').unwrap();
        let mut content = vec![0; length.parse().unwrap()];
        input.read_exact(&mut content).unwrap();
        std::fs::write(disk.directory(Directory::Snap).join(name), content).unwrap();
    }
}

/// Recovers from the newest snapshot, then without it from the one before, and so on.
fn opens_from_every_snapshot(name: &str) {
    let mut fixture = unpack(name);
    let files = fixture.disk.list(Directory::Snap).unwrap();
    let mut snapshots: Vec<_> = files
        .iter()
        .filter_map(|entry| Some((parse_snapshot_name(&entry.name)?.0, entry.name.clone())))
        .collect();
    snapshots.sort();
    assert!(snapshots.len() >= 5, "{name} has snapshots: {snapshots:?}");
    let logs = files.iter().filter(|entry| parse_log_name(&entry.name).is_some()).count();
    let mut ends = Vec::new();
    while let Some((_, newest)) = snapshots.pop() {
        let recovered = Recovery::new(recovery_options()).run(&mut fixture.disk).unwrap();
        let report = &recovered.report;
        assert_eq!(report.snapshot.as_ref(), Some(&newest), "{report}");
        assert_eq!((report.digest_mismatches, report.out_of_order), (0, 0), "{report}");
        assert_eq!(recovered.database.last_zxid().0, fixture.zxid, "{report}");
        assert_eq!(recovered.database.tree.node_count() + 1, fixture.nodes, "{report}");
        recovered.database.check_full().unwrap();
        ends.push((recovered.database.tree.digest(), recovered.database.sessions().clone()));
        fixture.disk.remove(&FileName::snap(newest)).unwrap();
        if snapshots.is_empty() {
            assert_eq!(report.logs.len(), logs, "the first snapshot is before all logs");
            assert_eq!(report.replayed, fixture.zxid as u64);
        }
    }
    assert!(
        ends.windows(2).all(|pair| pair[0] == pair[1]),
        "{name}: every snapshot leads to one end: {ends:x?}"
    );
}

#[test]
fn a_directory_of_java_3_8_opens() {
    opens_from_every_snapshot("java38-stopped");
}

#[test]
fn a_directory_of_a_killed_java_3_8_with_gzipped_snapshots_opens() {
    opens_from_every_snapshot("java38-killed-gz");
}

#[test]
fn a_directory_of_java_3_9_opens() {
    opens_from_every_snapshot("java39-stopped");
}

#[test]
fn a_directory_of_a_killed_java_3_9_with_snappy_snapshots_opens() {
    opens_from_every_snapshot("java39-killed-snappy");
}
