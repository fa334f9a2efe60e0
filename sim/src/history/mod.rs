//! Histories of clients, written down and judged: whoever was answered what, and when, on any ZooKeeper-compatible servers.
//!
//! [`crate::RecordedHistory`] is the one form of it; [`read`] and [`write`] are its text (`sim/HISTORY.md`). Two checks look at it from
//! opposite sides: [`witness`] believes the zxids that the servers said and tries everything in that order, [`search`] believes
//! none and looks for any order at all. Where the zxids are true, both say the same; where they are not, or are missing, the
//! search still judges. With the servers' txns [`crate::judge_recorded`] holds more against them than either.
//!
//! Needed of a history: it begins with an empty tree (but for `/zookeeper`); times are of one monotonic clock, taken before a
//! request leaves and after its reply has come; every request that may have been executed is in it.
//!
//! Absent: lists of children (their stat is judged), ACLs, quotas, containers and TTL nodes, watches.

mod engine;
mod format;
mod intake;
mod lines;
mod operations;
mod partition;
mod results;
mod search;
mod sequence;
mod sessions;
mod state;
mod witness;

#[cfg(test)]
mod tests;

pub use format::{Unreadable, VERSION, read, write};
pub use operations::Operations;
pub use search::{Found, Search, Window, search};
pub use witness::{WitnessCounts, witness};

/// What the checks are told.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// So many places a search may look at for each group of paths before it gives up: each takes some 50 bytes.
    pub budget: u64,
    /// Whether a sync may miss what was committed by a leader that it did not ask (Java's, while leaders change).
    pub weak_sync: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { budget: 2_000_000, weak_sync: false }
    }
}
