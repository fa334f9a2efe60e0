//! What a peer asks its storage to do.

use crate::tree::{Database, SnapshotImage};
use crate::vocabulary::{Epoch, Zxid};
use bytes::Bytes;
use std::collections::VecDeque;

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

/// The number of a request for old txns, never used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoadId(pub u64);

/// One of the two files that say how far a server has promised itself (`quorum-protocol.md` §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EpochKind {
    /// `acceptedEpoch`: no leader of an earlier epoch is acknowledged any more.
    Accepted,
    /// `currentEpoch`: the history of this epoch's leader was taken over.
    Current,
}

/// Both of them. `current` is never above `accepted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Epochs {
    /// `acceptedEpoch`.
    pub accepted: Epoch,
    /// `currentEpoch`.
    pub current: Epoch,
}

/// What the disk holds: a database with every txn of the log applied, and the last of those txns.
#[derive(Clone, Debug)]
pub struct History {
    /// At the end of the log, committed or not.
    pub database: Database,
    /// The newest txns of the log, oldest first and without a gap up to the database's last zxid; at most as many as were asked for.
    /// None of them lies at or below the zxid of a snapshot that replaced the log.
    pub recent: VecDeque<(Zxid, Bytes)>,
}

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
    /// Log: cut off every txn after this one, and remove every snapshot after it; then read everything anew. Answered by
    /// `Input::Truncated`.
    Truncate {
        /// The last txn that stays.
        to: Zxid,
    },
    /// Log: this image takes the place of the whole history. Confirmed when it survives a power loss, when no txn or snapshot
    /// behind its zxid is left, and when no txn at or below it will ever be loaded.
    Replace(SnapshotImage),
    /// Epoch: write this number into this file. Confirmed when it survives a power loss.
    Epoch {
        /// Which file.
        kind: EpochKind,
        /// The number.
        epoch: Epoch,
    },
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
