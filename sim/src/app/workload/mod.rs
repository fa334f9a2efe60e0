//! What applications do in simulated runs, and what must have come of it.

mod cache;
mod counter;

use super::machine::{Machine, NAME};
use super::{Client, SimRuntime};
use crate::checkers::Verdict;
use crate::plan::{AppPlan, Workload};
use quorate_core::client::{OnExpiry, Runtime};
use quorate_core::vocabulary::{Millis, Mono};

/// What a workload is given.
#[derive(Clone, Debug)]
struct Scene {
    client: Client,
    runtime: SimRuntime,
    machine: u64,
    /// From then on nothing new is begun, by the machine's clock.
    end: Mono,
}

impl Scene {
    fn is_over(&self) -> bool {
        self.runtime.now() >= self.end
    }

    async fn pause(&self, most_ms: u64) {
        let wait = self.runtime.below(most_ms * 1_000_000);
        self.runtime.sleep_until(Mono(self.runtime.now().0 + wait)).await;
    }
}

/// A machine whose applications begin; there are so many servers that they can connect to, and at `end_ns` they stop to begin anything.
pub(crate) fn started((index, servers): (usize, usize), plan: &AppPlan, seed: u64, end_ns: u64) -> Machine {
    let machine = Machine::new(index, seed, plan);
    let runtime = machine.runtime();
    let hosts: Vec<String> = (0..servers).map(|server| format!("{NAME}{server}:2181")).collect();
    let client = Client::builder(runtime.clone(), &hosts.join(","))
        .expect("the names of servers are a connect string")
        .session_timeout(Millis(plan.timeout_ms))
        .on_expiry(OnExpiry::Replace)
        .start();
    let end = Mono(end_ns / 1000 * plan.speed_permille);
    let scene = Scene { client, runtime: runtime.clone(), machine: machine.index as u64, end };
    match plan.workload {
        Workload::Counter => runtime.spawn(counter::run(scene)),
        Workload::Cache => cache::start(scene),
    }
    machine
}

/// What must hold over all machines when they are done.
pub(crate) fn judge(machines: &[&Machine], plan: &AppPlan) -> Verdict {
    match plan.workload {
        Workload::Counter => counter::judge(machines),
        Workload::Cache => Ok(()),
    }
}
