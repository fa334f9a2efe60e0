//! Watches: who wants to hear of which path, what a change selects, what a reconnect replays (`client-protocol.md` §16).
//!
//! Two tables, data and child, keyed by path and holding connections; an entry has a set of modes. Both tables share one
//! record for each path, so that a change looks its path up once for both.
//!
//! Invariants (`Watches::check`):
//! - an entry has at least one mode; a path at least one entry; a connection in the index at least one path;
//! - the index of connections holds exactly the paths at which the connection has an entry, so that its removal costs what it
//!   left behind and no more;
//! - recursive modes stand only in the data table (as in 3.9), and ancestors are looked up only while there is one.
//!
//! What one lookup selects comes in ascending order of connections. Who may hear of it is the caller's business: each
//! [`Notice`] names the ACL to ask, and a one-shot watch is spent whether or not the notice is delivered.
//!
//! Absent: 3.8's single mode for each entry, and watches held by sessions rather than connections.

mod check;
mod entries;
mod mode;
mod replay;
mod table;
mod trigger;

pub use mode::{Modes, WatchMode};
pub use replay::Replay;
pub(crate) use table::NULL_PATH;
pub use table::{WatchSummary, Watches};
pub use trigger::{Notice, Selected, write_notification};

#[cfg(test)]
mod tests;
