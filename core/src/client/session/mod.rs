//! The client's end of a session, as a state machine: it keeps one session alive over many connections (`client-protocol.md`
//! §3, §5, §16.6, §23). No socket, clock or entropy: whoever drives it connects, sends, and tells it the time.
//!
//! ```text
//!            Timeout          Connected         ConnectResponse
//!  Waiting ──────────▶ Connecting ──────▶ Handshaking ──────▶ Established
//!     ▲                    │ lost              │ lost             │ lost
//!     └────────────────────┴───────────────────┴──────────────────┘
//!  any ─▶ Over: the session has expired, authentication failed, or it was closed
//! ```
//!
//! One input, then drain the outbox. Invariants:
//! - every submitted request is completed exactly once, in the order of submission among those that were sent; its error says
//!   whether it never left, was refused, or may have happened;
//! - requests wait in the queue only while there is no session to send them on; in flight they are answered in the order in
//!   which they were sent, or the connection is given up;
//! - an event is told only if a watch for it stands in the client's own table, and spends what the server's spent;
//! - the same session state is never told twice in a row.
//!
//! Absent: SASL, probing for a read-write server from a read-only one, timeouts of single requests, `dns-srv://`.

mod chroot;
mod connect_string;
mod connection;
mod contract;
mod machine;
mod replies;
mod timing;
mod watches;

pub use chroot::Chroot;
pub use connect_string::{ConnectString, ConnectStringError, Host};
pub use contract::{
    Attempt, ClientError, ClientInput, ClientOutbox, ClientOutput, KeeperState, Reason, RequestId,
};
pub use machine::{ClientOptions, ClientSession};
pub use timing::Timing;
pub use watches::WatchTable;

#[cfg(test)]
mod tests;
