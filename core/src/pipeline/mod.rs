//! The pipeline of a request: prep (request to txn), commit (order), apply (tree, watches, reply).

mod connection;
mod connections;
mod state;

pub use connection::{Connection, ConnectionState, ConnectionStats};
pub(crate) use connection::{Early, PauseReason, Pending};
pub(crate) use connections::{Connections, Slot};
pub(crate) use state::ServerState;
