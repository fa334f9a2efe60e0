//! FastLeaderElection: how servers that look for a leader agree on one (`quorum-protocol.md` §1 and §2).
//!
//! Every server proposes the best candidate it has heard of, best by (epoch, last zxid, id), and tells everybody when that
//! changes. Once a quorum proposes the same and nothing better is heard for a moment, the election is over. A server that comes
//! late is told by those who are settled, and believes a quorum of them together with the leader's own word.
//!
//! - [`Vote`]: the order of candidates, and when two votes count as one.
//! - [`FastLeaderElection`]: the rounds. It assumes nothing of the network: votes are lost, repeated, stale.
//! - [`ElectionLinks`]: which of two connections between two servers stays, and the one message that waits for each server.
//!
//! Agreement here is a convenience, not a guarantee: two leaders may be elected, and discovery (zab) lets only one of them reach
//! broadcast. What election must give is liveness.
//!
//! # Caveats
//! A newer configuration that a notification carries is not adopted (reconfig). There is no oracle for two-server ensembles.

mod fast_leader;
mod links;
mod vote;

pub use fast_leader::{Candidacy, ElectionOutput, FastLeaderElection};
pub use links::{ElectionLinks, LinkOutput};
pub use vote::{Round, Vote};
