//! What several tests need: txns in short, snapshots in one piece, and everything in a database as comparable text.

use bytes::{Bytes, BytesMut};
use quorate_core::jute::{Acl, CreateTxn, OpCode, Txn, TxnHeader, TxnRecord};
use quorate_core::tree::{DataTree, Database, SnapshotDecoder, SnapshotError, SnapshotImage, TreeOptions};
use quorate_core::vocabulary::{LookupSeed, SessionId, Wall, Xid, Zxid};

pub(crate) const SEED: LookupSeed = LookupSeed(7);

/// ZooKeeper's defaults, and TTL nodes.
pub(crate) const OPTIONS: TreeOptions =
    TreeOptions { extended_types: true, digest: true, serialize_last_zxid: true };

/// A txn of `session` at `zxid`, a second after the one before.
pub(crate) fn txn(session: i64, zxid: i64, opcode: OpCode, record: TxnRecord) -> Txn {
    let (session, cxid, time) = (SessionId(session), Xid(0), Wall(1_000 * zxid));
    Txn { header: TxnHeader { session, cxid, zxid: Zxid(zxid), time, opcode }, record, digest: None }
}

/// A create of a persistent node that everybody may use.
pub(crate) fn create(path: &str, data: &[u8], parent_cversion: i32) -> CreateTxn {
    CreateTxn {
        path: path.to_string(),
        data: Some(Bytes::copy_from_slice(data)),
        acl: Acl::open(),
        ephemeral: false,
        parent_cversion,
        ttl: 0,
    }
}

/// All bytes of a snapshot.
pub(crate) fn encode(image: SnapshotImage) -> Vec<u8> {
    let mut encoder = image.encoder();
    let mut bytes = BytesMut::new();
    while encoder.next_chunk(&mut bytes) {}
    bytes.to_vec()
}

/// The database in a snapshot that comes in pieces of these lengths, over and over.
pub(crate) fn decode(bytes: &[u8], zxid: i64, pieces: &[usize]) -> Result<Database, SnapshotError> {
    decode_with(OPTIONS, bytes, zxid, pieces)
}

/// The same under other options.
pub(crate) fn decode_with(
    options: TreeOptions,
    bytes: &[u8],
    zxid: i64,
    pieces: &[usize],
) -> Result<Database, SnapshotError> {
    let mut decoder = SnapshotDecoder::new(SEED, options, Zxid(zxid));
    let mut rest = bytes;
    for length in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at(rest.len().min((*length).max(1)));
        decoder.push(piece)?;
        rest = behind;
    }
    decoder.finish()
}

/// Everything below `top`, one node a line, in the order of paths.
pub(crate) fn dump_tree(tree: &DataTree) -> Vec<String> {
    let mut lines = Vec::new();
    let mut paths = vec!["/".to_string()];
    while let Some(path) = paths.pop() {
        let node = tree.node(&path).unwrap();
        let acl: Vec<String> = node
            .acl()
            .iter()
            .map(|acl| {
                let (scheme, id) = (acl.id.scheme.as_deref(), acl.id.id.as_deref());
                format!("{}:{}:{:x}", scheme.unwrap_or("null"), id.unwrap_or("null"), acl.perms.0)
            })
            .collect();
        let data = node.data().map(|data| data.escape_ascii().to_string());
        lines.push(format!("{path} {data:?} {acl:?} {:?} children={}", node.stored(), node.child_count()));
        let prefix = if path == "/" { "" } else { &path };
        paths.extend(node.children().map(|name| format!("{prefix}/{name}")));
    }
    lines.sort();
    lines
}

/// Everything a database holds that a snapshot has to keep.
pub(crate) fn dump(database: &Database) -> Vec<String> {
    let mut lines = vec![format!("last {:?} digest {:x}", database.last_zxid(), database.tree.digest())];
    lines.extend(database.sessions().iter().map(|(session, timeout)| format!("session {session} {timeout}")));
    for session in database.tree.sessions_with_ephemerals() {
        lines.push(format!("ephemerals of {session}: {:?}", database.tree.ephemerals(session)));
    }
    lines.extend(dump_tree(&database.tree));
    lines
}

/// The first line in which two dumps differ.
pub(crate) fn first_difference(one: &[String], other: &[String]) -> Option<String> {
    let length = one.len().max(other.len());
    (0..length)
        .find(|at| one.get(*at) != other.get(*at))
        .map(|at| format!("\n  {:?}\n  {:?}", one.get(at), other.get(at)))
}
