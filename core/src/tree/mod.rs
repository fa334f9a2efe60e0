//! The tree of znodes: how they are kept, what a txn does to them, and how they are written to and read from snapshots
//! (`disk-format.md` §4–§6, §9; `client-protocol.md` §10–§12, §14, §17, §18).
//!
//! Nodes live in pages of 64 (`page`), pages in a table (`pages`), shared by reference with frozen views until one side writes.
//! Siblings are linked in a ring, so that a parent of a million children costs no more than one of two, frozen or not. A name is
//! stored once, in its node; the index from (parent, name) holds only ids. Data is copied at apply and pins no read buffer.
//!
//! [`DataTree::apply`] may be called again with txns whose effects a fuzzy snapshot has seen already, and converges.
//! [`Database`] adds sessions and the last zxid; [`Database::image`] freezes it all, [`SnapshotEncoder`] and [`SnapshotDecoder`] turn it
//! to bytes and back, [`SnapshotStreamDecoder`] reads what a leader sends.
//!
//! Caveats: 3.5.3's TTL encoding is not understood; whether a request is allowed is decided before a txn is made, not here.

mod acl_cache;
mod apply;
mod builder;
mod check;
mod data_tree;
mod database;
mod digest;
mod frozen;
mod image;
mod index;
mod owner;
mod owners;
mod page;
mod pages;
pub mod path;
mod quota;
mod snapshot_body;
mod snapshot_decoder;
mod snapshot_encoder;
mod snapshot_scan;
mod snapshot_stream;
mod snapshot_tail;
mod stat;

pub use apply::{Applied, TreeObserver, Unobserved};
pub use data_tree::{DataTree, NodeView, TreeOptions};
pub use database::Database;
pub use digest::{DIGEST_VERSION, node_digest};
pub use frozen::FrozenTree;
pub use image::SnapshotImage;
pub use owner::Owner;
pub use quota::{QuotaVerdict, StatsTrack, governs_nothing, is_usage};
pub use snapshot_decoder::{SnapshotDecoder, SnapshotError};
pub use snapshot_encoder::SnapshotEncoder;
pub use snapshot_stream::SnapshotStreamDecoder;
pub use stat::StatPersisted;
