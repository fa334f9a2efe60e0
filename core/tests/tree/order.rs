//! Snapshots are written by walking down the tree, and read in any order that has parents first.

use crate::fuzzy_replay::adler;
use crate::support::decode;
use bytes::BytesMut;
use quorate_core::jute::{Encode, Writer};
use quorate_core::tree::{Database, SnapshotError, StatPersisted};

/// A snapshot of nodes without data, in this order.
fn snapshot(paths: &[&str]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    let mut out = Writer::new(&mut bytes);
    out.raw(b"ZKSN\0\0\0\x02");
    out.long(-1);
    out.count(0);
    out.count(0);
    for path in paths {
        out.string(path);
        out.buffer(None);
        out.long(-1);
        StatPersisted::default().encode(&mut out);
    }
    out.string("/");
    let sum = adler(&bytes);
    let mut out = Writer::new(&mut bytes);
    out.long(i64::from(sum));
    out.string("/");
    bytes.to_vec()
}

fn load(paths: &[&str]) -> Result<Database, SnapshotError> {
    decode(&snapshot(paths), 0, &[50])
}

fn children(database: &Database, path: &str) -> Vec<String> {
    database.tree.node(path).unwrap().children().map(str::to_owned).collect()
}

#[test]
fn a_node_finds_its_parent_wherever_that_came() {
    let downwards = ["", "/a", "/a/x", "/a/x/1", "/a/x/2", "/a/y", "/a/y/1", "/ab", "/ab/x"];
    let by_depth = ["", "/a", "/ab", "/a/x", "/ab/x", "/a/y", "/a/x/1", "/a/y/1", "/a/x/2"];
    let back_and_forth = ["", "/a", "/a/x", "/ab", "/a/x/1", "/ab/x", "/a/y", "/a/y/1", "/a/x/2"];
    for order in [downwards, by_depth, back_and_forth] {
        let database = load(&order).unwrap();
        database.check_full().unwrap();
        assert_eq!(database.tree.node_count(), order.len());
        assert_eq!(children(&database, "/"), ["a", "ab"], "{order:?}");
        assert_eq!(children(&database, "/a"), ["x", "y"], "{order:?}");
        assert_eq!(children(&database, "/a/x"), ["1", "2"], "{order:?}");
        assert_eq!(children(&database, "/ab"), ["x"], "{order:?}");
    }
}

#[test]
fn a_second_node_of_one_path_is_found_however_far_from_the_first() {
    for order in [
        ["", "/a", "/a", "/b", "/b/x"],
        ["", "/a", "/b", "/b/x", "/a"],
        ["", "/a", "/a/x", "/b", "/a/x"],
        ["", "/a", "/b", "/a/x", "/a/x"],
    ] {
        let twin = if order[4] == "/b/x" { "/a" } else { order[4] };
        assert_eq!(load(&order).unwrap_err(), SnapshotError::Duplicate(twin.to_owned()), "{order:?}");
    }
    assert_eq!(load(&["", "/a", ""]).unwrap_err(), SnapshotError::Duplicate("the root".to_owned()));
}

#[test]
fn a_node_before_its_parent_has_none() {
    for order in [["", "/a/x", "/a"], ["", "/a", "/b/x"], ["", "/ab", "/a/x"]] {
        let orphan = order.iter().find(|path| path.ends_with("/x")).unwrap();
        assert_eq!(load(&order).unwrap_err(), SnapshotError::Orphan((*orphan).to_owned()), "{order:?}");
    }
}
