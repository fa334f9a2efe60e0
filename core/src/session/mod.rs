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
//! With `localSessionsEnabled` a member of an ensemble makes sessions that it alone knows of, and ends them itself, until one is
//! upgraded because it wants an ephemeral: from then on it is the ensemble's, though its createSession is still on its way
//! (`client-protocol.md` §20; ZOOKEEPER-3471). Each scope has its own buckets, so that a learner ends none but its own.

mod ended;
mod expiry;
mod id;
mod tracker;

pub use expiry::ExpiryQueue;
pub use id::{SessionIds, password};
pub use tracker::{Noted, SessionOwner, SessionScope, SessionTracker};

#[cfg(test)]
mod tests;
