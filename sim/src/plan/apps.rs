//! Plans of applications: Rr, three servers and eight machines with one workload, with everything that breaks, and machines that stand
//! still or have a clock of their own.

use super::demand::Size;
use super::expand::{Part, draw};
use super::{Fault, Plan, PlannedFault, Scenario, Target, expand_ensemble};
use crate::chooser::Draws;
use serde::{Deserialize, Serialize};

/// So many machines run applications.
const MACHINES: u64 = 8;
/// The faults of an ensemble are drawn for so long, and then hurried.
const DRAWN_SECONDS: u64 = 60;

/// What applications do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Workload {
    /// Everybody counts in one node by conditional writes.
    Counter,
    /// Everybody changes a few nodes, and keeps a picture of them by a watch.
    Cache,
    /// Everybody wants the same lock, and writes while holding it.
    Mutex,
    /// Everybody wants to read or to write, and shows it.
    RwLock,
    /// Everybody wants leases.
    Semaphore,
    /// Everybody wants some of a few locks at once.
    MultiLock,
    /// Everybody wants to lead.
    Election,
    /// The same as `Mutex`, but who holds the lock forgets its token: the resource lets everybody write. Breaks, and is not drawn.
    UnfencedMutex,
    /// One raises and lowers a barrier, the others wait at it.
    Barrier,
    /// Some at a time enter a double barrier, and leave it.
    DoubleBarrier,
    /// Everybody adds to counters.
    Adder,
    /// Everybody makes ids.
    Ids,
    /// The first example of the client's guide: everybody numbers invoices.
    Invoices,
    /// Everybody wants leases.
    Lease,
    /// A set is shared out among machines that come and go.
    Partition,
    /// Everybody changes nodes of a tree, and keeps a cache of it.
    TreeCache,
    /// Everybody is a member of a group, and leaves it and comes again.
    Group,
    /// Everybody puts items into queues, and takes them.
    Queue,
    /// The same, of queues whose items are consumed.
    LockingQueue,
    /// Everybody publishes versions of a configuration, and follows it.
    Config,
    /// Everybody registers instances of a service, and picks among them.
    Discovery,
    /// What whoever uses the library brings: no plan says what. Is not drawn.
    Own,
}

impl Workload {
    /// All of them.
    pub const ALL: [Workload; 21] = [
        Workload::Counter,
        Workload::Cache,
        Workload::Mutex,
        Workload::RwLock,
        Workload::Semaphore,
        Workload::MultiLock,
        Workload::Election,
        Workload::UnfencedMutex,
        Workload::Barrier,
        Workload::DoubleBarrier,
        Workload::Adder,
        Workload::Ids,
        Workload::Invoices,
        Workload::Lease,
        Workload::Partition,
        Workload::TreeCache,
        Workload::Group,
        Workload::Queue,
        Workload::LockingQueue,
        Workload::Config,
        Workload::Discovery,
    ];

    /// Its name behind `rr-`.
    pub fn name(self) -> &'static str {
        match self {
            Workload::Counter => "counter",
            Workload::Cache => "cache",
            Workload::Mutex => "mutex",
            Workload::RwLock => "rw-lock",
            Workload::Semaphore => "semaphore",
            Workload::MultiLock => "multi-lock",
            Workload::Election => "election",
            Workload::UnfencedMutex => "unfenced-mutex",
            Workload::Barrier => "barrier",
            Workload::DoubleBarrier => "double-barrier",
            Workload::Adder => "adder",
            Workload::Ids => "ids",
            Workload::Invoices => "invoices",
            Workload::Lease => "lease",
            Workload::Partition => "partition",
            Workload::TreeCache => "tree-cache",
            Workload::Group => "group",
            Workload::Queue => "queue",
            Workload::LockingQueue => "locking-queue",
            Workload::Config => "config",
            Workload::Discovery => "discovery",
            Workload::Own => "own",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Workload::ALL.into_iter().find(|workload| workload.name() == name)
    }

    /// Whether it is about who holds what, and so about who believes to.
    fn is_about_holding(self) -> bool {
        matches!(self, Workload::RwLock | Workload::Semaphore | Workload::MultiLock | Workload::Election)
    }

    /// Whether it holds, if the library does.
    pub fn is_sound(self) -> bool {
        self != Workload::UnfencedMutex
    }
}

/// A machine and what runs on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppPlan {
    /// What it does.
    pub workload: Workload,
    /// The session timeout that it asks for, ms.
    pub timeout_ms: u64,
    /// Whether requests fail at once while there is no connection.
    pub fail_fast: bool,
    /// How much of the time that passes its clock shows, in a thousand.
    pub speed_permille: u64,
    /// When it stands still.
    pub pauses: Vec<PausePlan>,
    /// Whether what it believes to hold nobody else may have: its clock is not slow, it never stands still, and no server fails.
    #[serde(default)]
    pub is_believed: bool,
}

/// A machine that stands still.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PausePlan {
    /// From when on, ms.
    pub at_ms: u64,
    /// For how long.
    pub ms: u64,
}

pub(super) fn rr(seed: u64, workload: Option<Workload>, size: Size) -> Plan {
    let mut plan = expand_ensemble::ensembles(seed, "Rr", Size { seconds: DRAWN_SECONDS, ..size });
    plan.scenario = Scenario::Rr(workload).to_string();
    plan.clients.clear();
    plan.operations.clear();
    plan.image = None;
    // An ephemeral node is what most recipes are made of.
    plan.server.local_sessions = false;
    let duration_ms = size.seconds * 1000;
    for planned in &mut plan.faults {
        planned.at_us = planned.at_us * duration_ms / plan.duration_ms;
        if let Fault::Reset { client }
        | Fault::HalfOpen { client }
        | Fault::Stall { client, .. }
        | Fault::Cut { client, .. } = &mut planned.fault
        {
            *client %= MACHINES as u32;
        }
    }
    plan.duration_ms = duration_ms;
    let tick_ms = plan.server.tick_time_ms;
    plan.apps = draw(seed, Part::Apps, |draws| {
        let sound: Vec<_> = Workload::ALL.into_iter().filter(|workload| workload.is_sound()).collect();
        let drawn = draws.of(&sound);
        let workload = workload.unwrap_or(drawn);
        (0..MACHINES).map(|_| app(draws, workload, (tick_ms, duration_ms))).collect()
    });
    if plan.apps.iter().any(|app| app.workload.is_about_holding()) {
        draw(seed, Part::Loneliness, |draws| leave_alone(draws, &mut plan));
    }
    plan
}

/// Some machines are cut off from all servers for longer than their sessions last. In some runs nothing else breaks but clients'
/// connections: there a client whose clock is right is never wrong about what it holds, since no server forgets when it was heard.
fn leave_alone(draws: &mut Draws<'_>, plan: &mut Plan) {
    if draws.chance(300) {
        plan.faults.retain(|planned| planned.fault.is_of_client());
        for app in &mut plan.apps {
            app.is_believed = app.speed_permille >= 1000 && app.pauses.is_empty();
        }
    }
    for _ in 0..draws.of(&[0, 1, 4, 8]) {
        let (client, at_ms) = (draws.below(MACHINES), draws.below(plan.duration_ms));
        let ms = plan.apps[client as usize].timeout_ms * draws.of(&[500, 1500, 2500]) / 1000;
        let fault = Fault::Lonely { client: client as u32, ms: ms.min(plan.duration_ms - at_ms) };
        plan.faults.push(PlannedFault { at_us: at_ms * 1000, target: Target::All, fault });
    }
    plan.faults.sort_by_key(|planned| planned.at_us);
}

fn app(draws: &mut Draws<'_>, workload: Workload, (tick_ms, duration_ms): (u64, u64)) -> AppPlan {
    let pauses = (0..draws.of(&[0, 0, 1, 3]))
        .map(|_| PausePlan { at_ms: draws.below(duration_ms), ms: draws.of(&[10, 500, 3000, 9000]) })
        .collect();
    AppPlan {
        workload,
        timeout_ms: (tick_ms * draws.of(&[2, 4, 10])).max(1000),
        fail_fast: draws.of(&[false, false, false, true]),
        speed_permille: draws.of(&[1000, 1000, 1000, 900, 999, 1010, 1300]),
        pauses,
        is_believed: false,
    }
}
