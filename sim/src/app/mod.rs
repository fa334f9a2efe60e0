//! Applications in the simulated world: asynchronous code over [`quorate_core::client::Client`], unchanged from what runs on
//! tokio, on machines of their own with their own clocks.
//!
//! A machine has tasks, timers and connections. It runs when something has come for it, until none of its tasks can go on, and
//! what the tasks want of the world comes out as [`Doing`]s. Invariants: tasks run in the order in which they were woken; a
//! machine's clock shows what its speed makes of the world's time; nothing else is known to a task.

mod machine;
mod own;
mod runtime;
mod scene;
mod workload;

use crate::checkers::Verdict;
use crate::plan::AppPlan;
use machine::NAME;
pub(crate) use machine::{Doing, Machine};
pub(crate) use own::Own;
use quorate_core::client::OnExpiry;
use quorate_core::vocabulary::{Millis, Mono};
pub use runtime::{SimRuntime, SimStream};
pub use scene::Scene;
pub(crate) use workload::Workloads;
pub use workload::probes;

/// The client library in the simulated world.
pub type Client = quorate_core::client::Client<SimRuntime>;

/// What runs on machines.
pub(crate) trait Programs {
    /// Begins what runs on one.
    fn start(&self, plan: &AppPlan, scene: Scene);

    /// What must hold over all machines when they are done.
    fn judge(&self, machines: &[&Machine], plan: &AppPlan) -> Verdict;
}

/// A machine of so many, whose programs begin; they can connect to so many servers, and at `end_ns` they stop to begin anything.
pub(crate) fn started(
    programs: &dyn Programs,
    (index, machines, servers): (usize, usize, usize),
    plan: &AppPlan,
    (seed, end_ns): (u64, u64),
) -> Machine {
    let machine = Machine::new(index, seed, plan);
    let runtime = machine.runtime();
    let hosts: Vec<String> = (0..servers).map(|server| format!("{NAME}{server}:2181")).collect();
    let client = Client::builder(runtime.clone(), &hosts.join(","))
        .expect("the names of servers are a connect string")
        .session_timeout(Millis(plan.timeout_ms))
        .on_expiry(OnExpiry::Replace)
        .fail_fast(plan.fail_fast)
        .start();
    let end = Mono(end_ns / 1000 * plan.speed_permille);
    let (number, machines, is_believed) = (machine.index as u64, machines as u64, plan.is_believed);
    programs.start(plan, Scene { client, runtime, machine: number, machines, end, is_believed });
    machine
}
