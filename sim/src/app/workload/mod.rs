//! What applications do in simulated runs, and what must have come of it.

mod adder;
mod barrier;
mod cache;
mod config;
mod counter;
mod discovery;
mod double_barrier;
mod election;
mod group;
mod holds;
mod ids;
mod invoices;
mod lease;
mod locking_queue;
mod multi_lock;
mod mutex;
mod partition;
mod queue;
mod rw_lock;
mod semaphore;
mod tree_cache;

use super::machine::{Machine, NAME, Told};
use super::{Client, SimRuntime};
use crate::checkers::Verdict;
use crate::plan::{AppPlan, Workload};
use quorate_core::client::{CreateOptions, Error, OnExpiry, Runtime};
use quorate_core::vocabulary::{ErrorCode, Millis, Mono};

/// What a session has left behind must have gone when the servers have answered so often that it is there.
const MOST_LOOKS: u64 = 200;
const MOST_BETWEEN_LOOKS_MS: u64 = 200;

/// What is protected by a lock, outside of the ensemble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    /// It refuses tokens lower than the highest that it has seen.
    Fenced,
    /// It takes what comes.
    Unfenced,
}

/// What a workload is given.
#[derive(Clone, Debug)]
struct Scene {
    client: Client,
    runtime: SimRuntime,
    machine: u64,
    /// How many there are.
    machines: u64,
    /// From then on nothing new is begun, by the machine's clock.
    end: Mono,
    /// Whether it is never wrong about what it holds.
    is_believed: bool,
}

impl Scene {
    fn is_over(&self) -> bool {
        self.runtime.now() >= self.end
    }

    async fn pause(&self, most_ms: u64) {
        let wait = self.runtime.below(most_ms * 1_000_000);
        self.runtime.sleep_until(Mono(self.runtime.now().0 + wait)).await;
    }

    /// Whether something that happens once in so many times happens now.
    fn one_in(&self, times: u64) -> bool {
        self.runtime.below(times) == 0
    }

    /// Whether a recipe may fail so: the session is over, or the servers' disks are full.
    fn is_passing(&self, error: &Error) -> bool {
        error.is_retryable() || error.is_session_over() || error.code() == Some(ErrorCode::QuotaExceeded)
    }

    fn violate(&self, checker: &'static str, what: impl std::fmt::Display) {
        self.runtime.violate(checker, format!("machine {}: {what}", self.machine));
    }

    /// Creates a node that may exist, whatever it takes.
    async fn ensure(&self, path: &str) {
        loop {
            match self.client.create(path, "", &CreateOptions::persistent().parents()).await {
                Ok(_) => return,
                Err(error) if error.code() == Some(ErrorCode::NodeExists) => return,
                Err(_) => self.pause(MOST_BETWEEN_LOOKS_MS).await,
            }
        }
    }

    /// The end: nothing of this session's is left that should have gone with a guard or a future. Then the session goes.
    async fn leave_nothing(&self) {
        self.has_left_nothing().await;
        self.client.close().await;
    }

    async fn has_left_nothing(&self) {
        let mut looks = 0;
        loop {
            match self.client.ephemerals("/").await {
                Ok(left) if left.is_empty() => break,
                Ok(left) if looks == MOST_LOOKS => {
                    self.violate("app_orphan", format!("{left:?} are left"));
                    break;
                }
                Ok(_) => looks += 1,
                Err(_) => {}
            }
            self.pause(MOST_BETWEEN_LOOKS_MS).await;
        }
    }
}

/// A machine of so many, whose applications begin; they can connect to so many servers, and at `end_ns` they stop to begin anything.
pub(crate) fn started(
    (index, machines, servers): (usize, usize, usize),
    plan: &AppPlan,
    seed: u64,
    end_ns: u64,
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
    let scene = Scene {
        client,
        runtime: runtime.clone(),
        machine: machine.index as u64,
        machines: machines as u64,
        end,
        is_believed: plan.is_believed,
    };
    match plan.workload {
        Workload::Counter => runtime.spawn(counter::run(scene)),
        Workload::Cache => cache::start(scene),
        Workload::Mutex => runtime.spawn(mutex::run(scene, Resource::Fenced)),
        Workload::RwLock => runtime.spawn(rw_lock::run(scene)),
        Workload::Semaphore => runtime.spawn(semaphore::run(scene)),
        Workload::MultiLock => runtime.spawn(multi_lock::run(scene)),
        Workload::Election => runtime.spawn(election::run(scene)),
        Workload::UnfencedMutex => runtime.spawn(mutex::run(scene, Resource::Unfenced)),
        Workload::Barrier => runtime.spawn(barrier::run(scene)),
        Workload::DoubleBarrier => runtime.spawn(double_barrier::run(scene)),
        Workload::Adder => runtime.spawn(adder::run(scene)),
        Workload::Ids => runtime.spawn(ids::run(scene)),
        Workload::Invoices => runtime.spawn(invoices::run(scene)),
        Workload::Lease => runtime.spawn(lease::run(scene)),
        Workload::Partition => runtime.spawn(partition::run(scene)),
        Workload::TreeCache => tree_cache::start(scene),
        Workload::Group => runtime.spawn(group::run(scene)),
        Workload::Queue => runtime.spawn(queue::run(scene)),
        Workload::LockingQueue => runtime.spawn(locking_queue::run(scene)),
        Workload::Config => runtime.spawn(config::run(scene)),
        Workload::Discovery => runtime.spawn(discovery::run(scene)),
    }
    machine
}

/// What must hold over all machines when they are done.
pub(crate) fn judge(machines: &[&Machine], plan: &AppPlan) -> Verdict {
    match plan.workload {
        Workload::Counter => counter::judge(machines),
        Workload::Cache | Workload::TreeCache | Workload::Group | Workload::Discovery => Ok(()),
        Workload::Mutex => mutex::judge(&told(machines)),
        Workload::RwLock => rw_lock::judge(&told(machines)),
        Workload::Semaphore => semaphore::judge(&told(machines)),
        Workload::MultiLock => multi_lock::judge(&told(machines)),
        Workload::Election => election::judge(&told(machines)),
        Workload::UnfencedMutex => mutex::judge_unfenced(&told(machines)),
        Workload::Barrier => barrier::judge(&told(machines)),
        Workload::DoubleBarrier => double_barrier::judge(&told(machines)),
        Workload::Adder => adder::judge(&told(machines)),
        Workload::Ids => ids::judge(&told(machines)),
        Workload::Invoices => invoices::judge(&told(machines)),
        Workload::Lease => lease::judge(&told(machines)),
        Workload::Partition => partition::judge(&told(machines)),
        Workload::Queue => queue::judge(&told(machines)),
        Workload::LockingQueue => locking_queue::judge(&told(machines)),
        Workload::Config => {
            config::judge(&told(machines), machines.iter().map(|machine| machine.tally("perhaps")).sum())
        }
    }
}

/// What is to have happened in a sweep over a workload, or over all of them.
pub fn probes(workload: Option<Workload>) -> Vec<&'static str> {
    let of = |workload| match workload {
        Workload::Counter => counter::PROBES,
        Workload::Cache => cache::PROBES,
        Workload::Mutex => mutex::PROBES,
        Workload::RwLock => rw_lock::PROBES,
        Workload::Semaphore => semaphore::PROBES,
        Workload::MultiLock => multi_lock::PROBES,
        Workload::Election => election::PROBES,
        Workload::UnfencedMutex => &[],
        Workload::Barrier => barrier::PROBES,
        Workload::DoubleBarrier => double_barrier::PROBES,
        Workload::Adder => adder::PROBES,
        Workload::Ids => ids::PROBES,
        Workload::Invoices => invoices::PROBES,
        Workload::Lease => lease::PROBES,
        Workload::Partition => partition::PROBES,
        Workload::TreeCache => tree_cache::PROBES,
        Workload::Group => group::PROBES,
        Workload::Queue => queue::PROBES,
        Workload::LockingQueue => locking_queue::PROBES,
        Workload::Config => config::PROBES,
        Workload::Discovery => discovery::PROBES,
    };
    match workload {
        Some(workload) => of(workload).to_vec(),
        None => Workload::ALL.into_iter().flat_map(of).copied().collect(),
    }
}

/// What all machines have told, in the order of the world's time.
fn told(machines: &[&Machine]) -> Vec<Told> {
    let mut told: Vec<Told> = machines.iter().flat_map(|machine| machine.told()).collect();
    told.sort_by_key(|told| told.at);
    told
}
