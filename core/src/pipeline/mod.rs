//! The pipeline of a request (`client-protocol.md` §9, §12, §13).
//!
//! - `prep` turns a write into a txn, against the tree overlaid with the txns that are not applied yet;
//! - `commit` keeps txns in order until they are committed, and each connection's requests in the order of their replies;
//! - `apply` changes the database, tells watchers, answers;
//! - `read` answers what makes no txn.
//!
//! Who decides that a txn is committed is no business of the pipeline: a standalone peer asks its own disk, a leader a quorum.
//!
//! Invariants:
//! - nothing is visible (reply, event, read) before the txn behind it is committed;
//! - the replies of a connection leave in request order, the events of a txn before the reply to it;
//! - what is prepared is applied as it was serialised; where it was prepared, a create2 in a multi is known for its longer answer.

mod apply;
mod commit;
mod connection;
mod connections;
mod operation;
mod places;
mod prep;
mod proposal;
mod read;
mod reply;
mod state;

pub(crate) use commit::CommitQueue;
pub use connection::{Connection, ConnectionState, ConnectionStats};
pub(crate) use connection::{Early, Greeting, PauseReason, Pending};
pub(crate) use connections::{Connections, Slot};
pub(crate) use prep::{Asker, Ground, Prep, Prepared};
pub(crate) use proposal::{Origin, Proposal};
pub(crate) use state::ServerState;
