//! A database frozen for a snapshot: a value that can be sent to whoever writes it.

use super::data_tree::TreeOptions;
use super::frozen::FrozenTree;
use super::snapshot_encoder::SnapshotEncoder;
use crate::vocabulary::{SessionId, Zxid};

/// A frozen database, ready to be written. Consistent: it holds exactly what was applied up to its zxid.
#[derive(Clone, Debug)]
pub struct SnapshotImage {
    pub(super) zxid: Zxid,
    pub(super) sessions: Vec<(SessionId, i32)>,
    pub(super) tree: FrozenTree,
    pub(super) options: TreeOptions,
    pub(super) digest: u64,
}

impl SnapshotImage {
    pub(super) fn new(
        zxid: Zxid,
        sessions: Vec<(SessionId, i32)>,
        tree: FrozenTree,
        (options, digest): (TreeOptions, u64),
    ) -> Self {
        SnapshotImage { zxid, sessions, tree, options, digest }
    }

    /// The zxid that names the snapshot.
    pub fn zxid(&self) -> Zxid {
        self.zxid
    }

    /// Nodes in it, the root counted once.
    pub fn node_count(&self) -> usize {
        self.tree.node_count()
    }

    /// The bytes of the snapshot file, piece by piece.
    pub fn encoder(self) -> SnapshotEncoder {
        SnapshotEncoder::new(self)
    }

    /// The bytes that follow a SNAP packet, piece by piece.
    pub fn stream(self) -> SnapshotEncoder {
        SnapshotEncoder::inline(self)
    }
}
