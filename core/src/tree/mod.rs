//! The tree.

/// A frozen database, ready to be written.
#[derive(Clone, Debug)]
pub struct SnapshotImage;
