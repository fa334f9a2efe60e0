//! The digest of one node, version 2 (`disk-format.md` §9). The tree's is the sum of all, kept as nodes change.

use super::path::SYSTEM_PREFIX;
use super::stat::StatPersisted;

/// The version of the digests made here; others can't be compared.
pub const DIGEST_VERSION: i32 = 2;

/// The digest of a node: CRC-32 of path, data and stat. 0 below `/zookeeper/`, which servers change on their own; `/zookeeper`
/// itself counts. The stat's order is not that of snapshots.
pub fn node_digest(path: &str, data: Option<&[u8]>, stat: &StatPersisted) -> u32 {
    if path.starts_with(SYSTEM_PREFIX) {
        return 0;
    }
    let path = if path == "/" { "" } else { path };
    let mut crc = crc32fast::Hasher::new();
    crc.update(path.as_bytes());
    crc.update(data.unwrap_or_default());
    crc.update(&stat_bytes(stat));
    crc.finalize()
}

fn stat_bytes(stat: &StatPersisted) -> [u8; 60] {
    let mut bytes = [0; 60];
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
