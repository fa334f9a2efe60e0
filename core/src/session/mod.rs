//! Sessions: ids, passwords, and when they end (`client-protocol.md` §4).
//!
//! Invariants (`SessionTracker::check`):
//! - a session stands in exactly one expiry bucket until it is closing, and in none from then on;
//! - a bucket's end is a multiple of the tick, and no bucket is empty;
//! - only the monotonic clock decides (a step of the wall clock ends nobody's session, ZOOKEEPER-2774).
//!
//! A session that is closing, by its client's wish or because it expired, is marked at once: whatever its client asks for
//! between that and the closeSession txn must not make new ephemerals (ZOOKEEPER-1208).
//!
//! In an ensemble the leader tracks every session and knows which server it is attached to; a learner gathers what it hears of.
//!
//! Absent: local sessions.

mod expiry;
mod id;
mod tracker;

pub use expiry::ExpiryQueue;
pub use id::{SessionIds, password};
pub use tracker::{SessionOwner, SessionTracker};

#[cfg(test)]
mod tests;
