//! Clients: the session machine, and the library over it.
//!
//! [`session`] keeps one session alive over many connections, as a state machine. The rest is what applications use:
//!
//! ```text
//!  Client, Watch ──commands──▶ Driver ──inputs──▶ ClientSession
//!  (many handles)  ◀─answers──  (one task)  ◀─outputs──  (the machine)
//!                                  │
//!                               Runtime: tasks, clock, connections, entropy
//! ```
//!
//! An application is written against [`Client<R>`](Client); `quorate_client` and the simulator bring an `R`. Invariants:
//! - requests are sent in the order in which the methods were called, whenever their futures are awaited;
//! - an error says whether the request was not applied, was refused, or may have been applied ([`Error::outcome`]);
//! - nothing here waits for time but by the runtime's clock, and no two futures are raced but with a fixed order.
//!
//! **Cancellation.** Calling a method makes the request; its future only waits for the answer. When that is dropped, a request
//! that still waits for a connection is taken back, and one that was sent runs its course: it may be applied. A watch that was
//! asked for is removed again.
//!
//! Absent: SASL, reconfig, `dns-srv://`, timeouts of single requests (race the future with a sleep).

mod builder;
mod create;
mod driver;
mod error;
mod handle;
mod live;
mod reply;
mod runtime;
pub mod session;
mod state;
mod transaction;
mod watch;

#[cfg(test)]
mod tests;

pub use crate::jute::{Acl, EventType, Id, Permissions, Stat};
pub use builder::{ClientBuilder, OnExpiry, StartError};
pub use create::{CreateOptions, Created};
pub use error::{Cause, Error, Outcome, Result};
pub use handle::{Client, Value};
pub use live::Live;
pub(crate) use live::{LiveSender, live};
pub use reply::Reply;
pub use runtime::{ByteStream, Lost, Runtime};
pub use session::*;
pub use state::{SessionState, SessionView};
pub use transaction::{OpResult, Transaction};
pub use watch::{Resync, Watch, WatchEvent, WatchMode};
