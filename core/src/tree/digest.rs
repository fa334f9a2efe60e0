//! The digest of one node, version 2 (`disk-format.md` §9). The tree's is the sum of all, kept as nodes change.

use super::path::SYSTEM_PREFIX;
use super::stat::StatPersisted;

/// The version of the digests made here; others can't be compared.
pub const DIGEST_VERSION: i32 = 2;

/// Bytes of a stat in the digest's order.
const STAT: usize = 60;
/// Nodes of at most so many bytes are summed in one run.
const SHORT: usize = 256;

/// The digest of a node: CRC-32 of path, data and stat. 0 below `/zookeeper/`, which servers change on their own; `/zookeeper`
/// itself counts. The stat's order is not that of snapshots.
pub fn node_digest(path: &str, data: Option<&[u8]>, stat: &StatPersisted) -> u32 {
    if path.starts_with(SYSTEM_PREFIX) {
        return 0;
    }
    let path = if path == "/" { "" } else { path };
    let (path, data) = (path.as_bytes(), data.unwrap_or_default());
    let mut crc = crc32fast::Hasher::new();
    // The sum of one long run costs less than that of three short ones.
    let mut run = [0; SHORT];
    if let Some(rest) = run.get_mut(..path.len() + data.len() + STAT) {
        rest[..path.len()].copy_from_slice(path);
        rest[path.len()..path.len() + data.len()].copy_from_slice(data);
        rest[path.len() + data.len()..].copy_from_slice(&stat_bytes(stat));
        crc.update(rest);
    } else {
        crc.update(path);
        crc.update(data);
        crc.update(&stat_bytes(stat));
    }
    crc.finalize()
}

fn stat_bytes(stat: &StatPersisted) -> [u8; STAT] {
    let mut bytes = [0; STAT];
    let longs = [stat.czxid.0, stat.mzxid.0, stat.pzxid.0, stat.ctime, stat.mtime];
    for (slot, long) in bytes[..40].chunks_exact_mut(8).zip(longs) {
        slot.copy_from_slice(&long.to_be_bytes());
    }
    for (slot, int) in bytes[40..52].chunks_exact_mut(4).zip([stat.version, stat.cversion, stat.aversion]) {
        slot.copy_from_slice(&int.to_be_bytes());
    }
    bytes[52..].copy_from_slice(&stat.ephemeral_owner.to_be_bytes());
    bytes
}
