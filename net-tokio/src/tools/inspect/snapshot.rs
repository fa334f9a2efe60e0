//! One snapshot: its sessions and znodes, its seals, and its digest.

use super::{InspectError, Inspection, render, tree_options};
use quorate_core::jute::FieldLimit;
use quorate_core::tree::{Database, SnapshotDecoder};
use quorate_core::vocabulary::{LookupSeed, Zxid};
use quorate_storage_file::compression::Decompressor;
use quorate_storage_file::names::parse_snapshot_name;
use quorate_storage_file::{Compression, SealCheck};
use serde_json::json;
use std::io::Read;
use std::path::Path;

const CHUNK: usize = 1 << 20;
/// Longer than any field a server with default limits writes.
const LONGEST_FIELD: FieldLimit = FieldLimit(256 << 20);

/// Prints a snapshot; an error when it is damaged. A digest that its nodes are ahead of is none: Java samples it while txns are
/// applied.
pub(super) fn inspect(
    inspection: &mut Inspection<'_>,
    path: &Path,
    reader: impl Read,
    compression: Compression,
) -> Result<(), InspectError> {
    inspection.database = None;
    let zxid =
        path.file_name().and_then(|name| parse_snapshot_name(&name.to_string_lossy())).map(|(zxid, _)| zxid);
    let (database, length) = load(reader, compression, zxid.unwrap_or(Zxid::ZERO))?;
    let ephemerals = |session| database.tree.ephemerals(session).len();
    if !inspection.arguments.summary {
        for (session, timeout) in database.sessions() {
            if !inspection.filter.takes_session(session.0) {
                continue;
            }
            let count = ephemerals(*session);
            let line = match inspection.arguments.json {
                true => json!({"kind": "session", "session": session.to_string(), "timeout": timeout, "ephemerals": count}).to_string(),
                false => format!("session {session} timeout {timeout} ephemerals {count}"),
            };
            inspection.line(&line)?;
        }
        print_znodes(inspection, &database)?;
    }
    let wrong = database.digest_mismatches() > 0;
    let nodes = database.tree.node_count();
    let line = match inspection.arguments.json {
        true => json!({
            "kind": "snapshot", "file": path.display().to_string(), "zxid": zxid.map(|zxid| zxid.to_string()),
            "sessions": database.sessions().len(), "znodes": nodes, "length": length,
            "digest": format!("0x{:x}", database.tree.digest()), "digest_wrong": wrong,
        })
        .to_string(),
        false => format!(
            "{}: {} sessions, {nodes} znodes, {length} bytes, seals right, tree digest 0x{:x}{}",
            path.display(),
            database.sessions().len(),
            database.tree.digest(),
            if wrong {
                ", which is NOT the one it names: fuzzy, if the logs that follow come to right digests"
            } else {
                ""
            }
        ),
    };
    inspection.line(&line)?;
    // Without a name nothing says where in history this stands.
    inspection.database = zxid.map(|_| database);
    Ok(())
}

/// The database, and how many bytes it took uncompressed.
fn load(
    mut reader: impl Read,
    compression: Compression,
    zxid: Zxid,
) -> Result<(Database, u64), InspectError> {
    let mut decoder = SnapshotDecoder::new(LookupSeed(0), tree_options(), zxid).with_limit(LONGEST_FIELD);
    let mut decompressor = Decompressor::new(compression);
    let mut seal = SealCheck::default();
    let mut chunk = vec![0; CHUNK];
    let mut sink = |bytes: &[u8]| {
        seal.push(bytes);
        decoder.push(bytes).map_err(|error| error.to_string())
    };
    loop {
        let count = reader.read(&mut chunk)?;
        let pushed = if count == 0 {
            decompressor.finish(&mut sink)
        } else {
            decompressor.push(&chunk[..count], &mut sink)
        };
        pushed.map_err(InspectError::Damaged)?;
        if count == 0 {
            break;
        }
    }
    seal.verify().map_err(InspectError::Damaged)?;
    let database = decoder.finish().map_err(|error| InspectError::Damaged(error.to_string()))?;
    Ok((database, seal.length()))
}

/// Every parent before its children, siblings by name.
fn print_znodes(inspection: &mut Inspection<'_>, database: &Database) -> Result<(), InspectError> {
    let mut left = vec!["/".to_owned()];
    while let Some(path) = left.pop() {
        let Some(node) = database.tree.node(&path) else { continue };
        let stat = node.stored();
        if inspection.filter.takes_znode(&path, stat.ephemeral_owner, stat.mzxid) {
            let line = match inspection.arguments.json {
                true => render::znode_as_json(&path, &node).to_string(),
                false => render::znode_as_text(&path, &node),
            };
            inspection.line(&line)?;
        }
        let parent = if path == "/" { "" } else { &path };
        let mut children: Vec<String> = node.children().map(|name| format!("{parent}/{name}")).collect();
        children.sort_by(|a, b| b.cmp(a));
        left.extend(children);
    }
    Ok(())
}
