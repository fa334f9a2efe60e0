//! Applications in the simulated world: asynchronous code over [`quorate_core::client::Client`], unchanged from what runs on
//! tokio, on machines of their own with their own clocks.
//!
//! A machine has tasks, timers and connections. It runs when something has come for it, until none of its tasks can go on, and
//! what the tasks want of the world comes out as [`Doing`]s. Invariants: tasks run in the order in which they were woken; a
//! machine's clock shows what its speed makes of the world's time; nothing else is known to a task.

mod machine;
mod runtime;
mod workload;

pub(crate) use machine::{Doing, Machine};
pub use runtime::{SimRuntime, SimStream};
pub use workload::probes;
pub(crate) use workload::{judge, started};

/// The client library in the simulated world.
pub type Client = quorate_core::client::Client<SimRuntime>;
