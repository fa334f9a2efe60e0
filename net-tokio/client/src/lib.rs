//! The tokio runtime of Quorate's client library.
//!
//! Absent for now: the session machine exists in [`quorate_core`] and the simulator drives it; this crate will give it
//! sockets and timers. Until then any ZooKeeper client library works with the server.

pub use quorate_core as core;
