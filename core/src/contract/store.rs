//! What a peer asks its storage to do.

use crate::tree::SnapshotImage;
use crate::vocabulary::Zxid;
use bytes::Bytes;

/// A queue of storage work: first in, first out within one, any order across them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// The txn log.
    Log,
    /// The epoch files.
    Epoch,
    /// Snapshots and what they make superfluous.
    Snapshot,
}

/// The number of an op in its lane, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StoreSeq(pub u64);

/// One thing to make durable.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoreOp {
    /// Log: append this txn, exactly these bytes. Confirmed when it survives a power loss.
    Append {
        /// Its zxid.
        zxid: Zxid,
        /// Header, record, digest.
        txn: Bytes,
    },
    /// Log: the next append starts a new file.
    Roll,
    /// Snapshot: write this image. Confirmed when it, and its name, survive a power loss.
    Snapshot(SnapshotImage),
    /// Snapshot: remove what the newest `retain` valid snapshots make superfluous, or fewer of them, down to one, as long as
    /// they take more than `max_bytes` with their logs.
    Purge {
        /// How many snapshots to keep.
        retain: u32,
        /// What snapshots and logs may take together; 0 for any.
        max_bytes: u64,
    },
}
