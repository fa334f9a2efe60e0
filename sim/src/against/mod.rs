//! What a plan says and hears without faults, to be said to another server, whose answers are compared.
//!
//! A plan becomes quiet first ([`quiet`]): one server as it is shipped, nothing that breaks, sessions that outlive the run, and every
//! operation has been answered before the next is asked. Its run is overheard and becomes a [`Script`]: what is said, one thing after
//! the other, and what comes back. Who has a connection to another server says the same there in the same order, and
//! [`Comparison`] tells what differs, whatever numbers that server has for sessions and txns.
//!
//! Invariants: nothing is said before the answer to what was said last is there; a path is below the directory that was asked for, so
//! that many plans can be said to one server. Absent: what only time brings about (expiry, containers, TTLs) and nodes of
//! the server's own.

mod comparison;
mod quiet;
mod script;
#[cfg(test)]
mod tests;

pub use comparison::{Comparison, Difference};
pub use quiet::{Unfit, quiet};
pub use script::{Exchange, Heard, Said, Script};
