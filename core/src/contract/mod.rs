//! The one contract: what goes into a peer and what comes out of it.
//!
//! One [`Input`], then drain the [`Outbox`]. Inputs are typed, because the decoders are the core's; outputs are encoded
//! bytes. Durability is data: a [`StoreOp`] asks, [`Input::Stored`] confirms a prefix of its [`Lane`], and no reply that
//! promises durability leaves before the confirmation that backs it.

mod event;
mod input;
mod link;
mod outbox;
mod quorum_decoder;
mod store;

pub use event::{ExitCode, PeerEvent, SyncMode};
pub use input::{Identity, Input};
pub use link::{Port, QuorumMessage};
pub use outbox::{Outbox, Output};
pub use quorum_decoder::{QuorumDecoder, QuorumViolation};
pub use store::{EpochKind, Epochs, History, Lane, LoadId, StoreOp, StoreSeq};
