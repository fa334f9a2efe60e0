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

use super::machine::{Machine, Told};
use super::{Programs, Scene};
use crate::checkers::Verdict;
use crate::plan::{AppPlan, Workload};
use quorate_core::client::Runtime;

/// What is protected by a lock, outside of the ensemble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    /// It refuses tokens lower than the highest that it has seen.
    Fenced,
    /// It takes what comes.
    Unfenced,
}

/// What the machines of a plan do, and what must hold of that.
pub(crate) struct Workloads;

impl Programs for Workloads {
    fn start(&self, plan: &AppPlan, scene: Scene) {
        start(plan.workload, scene);
    }

    fn judge(&self, machines: &[&Machine], plan: &AppPlan) -> Verdict {
        judge(machines, plan)
    }
}

fn start(workload: Workload, scene: Scene) {
    let runtime = scene.runtime.clone();
    match workload {
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
        Workload::Own => {}
    }
}

/// What must hold over all machines when they are done.
fn judge(machines: &[&Machine], plan: &AppPlan) -> Verdict {
    match plan.workload {
        Workload::Counter => counter::judge(machines),
        Workload::Cache | Workload::TreeCache | Workload::Group | Workload::Discovery => Ok(()),
        Workload::Own => Ok(()),
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
        Workload::UnfencedMutex | Workload::Own => &[],
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
