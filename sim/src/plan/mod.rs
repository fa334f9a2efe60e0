//! A run as plain data: what the server is told, what clients do and when, what breaks and when.
//!
//! A seed expands into a plan ([`Plan::expand`]); a run needs nothing but a plan and a chooser. A plan written to a file can be
//! edited and run again; [`FORMAT`] changes with its meaning.
//!
//! Scenarios of the design: R0 is 1 server, 12 clients, 40 operations a second, 60 simulated seconds, crashes and disk faults; R1 an
//! ensemble, 20 clients, 20 operations a second, 60 simulated seconds and a liveness phase, with everything that breaks; R2 is R1 with
//! 1,000 operations a second. Rj is a learner alone under scripted leaders that speak as Java does, and then a leader alone over scripted
//! learners that do, each crashed at calls of its disk. Rr is three servers under eight machines with applications over the client library, for
//! 20 simulated seconds.

mod accent;
mod apps;
mod demand;
mod ensemble;
mod expand;
mod expand_ensemble;
mod fault;
mod image;
mod led;
mod operations;
mod saved;
mod swarm;

pub use accent::{AccentPlan, ConfigText, ReignPlan};
pub use apps::{AppPlan, PausePlan, Workload};
use demand::Size;
pub use demand::{Demand, FaultChoice};
pub use ensemble::{Direction, EnsemblePlan, Ports, Rest, Shape, Target};
pub use fault::{ClockKind, Fault, Moment, RotPlace};
pub(crate) use fault::{FUZZY_SNAPSHOT, MACHINE_DRIFT, MACHINE_PAUSE};
pub use image::{ImageNode, ImagePlan, ImageSession};
pub use led::{Introduces, JavaLearnerPlan, JavaRelease, LedPlan};
pub use saved::PlanError;
use serde::{Deserialize, Serialize};

/// The version of the plan's format.
pub const FORMAT: u32 = 13;

/// A run, before it is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// The scenario's name.
    pub scenario: String,
    /// Where it came from, and what free choices during the run are drawn by.
    pub seed: u64,
    /// What each server is told.
    pub server: ServerPlan,
    /// Of which ensemble they are; none is a server alone.
    pub ensemble: Option<EnsemblePlan>,
    /// The others, when those are scripts; then there are no clients and no faults but crashes and connections that break.
    pub accent: Option<AccentPlan>,
    /// What every disk begins with, if it is not empty.
    pub image: Option<ImagePlan>,
    /// How the network behaves.
    pub network: NetworkPlan,
    /// How the disk behaves.
    pub disk: DiskPlan,
    /// The clients.
    pub clients: Vec<ClientPlan>,
    /// Machines with applications on them.
    #[serde(default)]
    pub apps: Vec<AppPlan>,
    /// What clients do, by time.
    pub operations: Vec<PlannedOperation>,
    /// What breaks, by time.
    pub faults: Vec<PlannedFault>,
    /// When operations and faults end and the liveness phase begins, ms.
    pub duration_ms: u64,
}

/// The server's configuration, as far as runs differ in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the server's settings")]
pub struct ServerPlan {
    pub tick_time_ms: u64,
    pub snap_count: u32,
    pub preallocate: u64,
    pub log_size_limit: u64,
    pub extended_types: bool,
    pub enforce_quota: bool,
    pub close_session_txn: bool,
    pub digest: bool,
    pub container_check_ms: u64,
    pub container_max_never_used_ms: u64,
    pub max_frame: u32,
    pub outstanding_requests: u32,
    /// The password of `super`, when there is one.
    pub super_password: Option<String>,
    pub local_sessions: bool,
    pub local_sessions_upgrading: bool,
}

/// How the network behaves while nothing is broken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkPlan {
    /// The shortest travel of a segment, µs.
    pub latency_us: u64,
    /// What may come on top of it, µs.
    pub jitter_us: u64,
    /// How often a send is split somewhere, in a thousand.
    pub split_permille: u64,
}

/// How the disk behaves while nothing is broken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiskPlan {
    /// The longest that a call takes, µs.
    pub call_us: u64,
    /// The longest that a sync takes, µs.
    pub sync_us: u64,
    /// How often a restart finds, in place of the newest snapshot, a fuzzy one as Java writes them, in a thousand.
    pub fuzzy_permille: u64,
}

/// One client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientPlan {
    /// Whether it is the core's session machine; else a script that also says what no library says.
    pub is_machine: bool,
    /// The session timeout it asks for, ms.
    pub timeout_ms: u64,
    /// Whether it keeps its session over a connection loss, in a thousand.
    pub keeps_session_permille: u64,
    /// The credentials it presents on each connection.
    pub user: Option<String>,
    /// Whether its handshake ends with the read-only byte.
    pub read_only_byte: bool,
    /// Whether a server that only serves reads will do; a script's only.
    pub accepts_read_only: bool,
    /// Whether its xids begin at 1 again on each connection, as kazoo's do; a script's only.
    pub restarts_xids: bool,
}

/// An operation and its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedOperation {
    /// µs since the start.
    pub at_us: u64,
    /// Whose.
    pub client: u32,
    /// What.
    pub operation: Operation,
}

/// An expected version, as a client says it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Version {
    /// -1.
    Any,
    /// The last one that the client saw at this path, 0 when none.
    Seen,
    /// This number.
    Exactly(i32),
}

/// Data, by its length and a byte; `None` for null.
pub type Data = Option<(u32, u8)>;

/// An ACL, by name.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is one list of permissions, spelled out where it is encoded")]
pub enum AclChoice {
    Open,
    ReadOnly,
    Creator,
    CreatorAndRead,
    User(u8, i32),
    World(i32),
    Loopback,
    Empty,
    Null,
    BadScheme,
    BadWorld,
    NullId,
    Doubled,
}

/// One thing a client does. The path `@last` is the last one that the client created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "fields are those of ZooKeeper's requests")]
pub enum Operation {
    /// `opcode` 1, 15, 19 or 21.
    Create {
        opcode: i32,
        path: Option<String>,
        data: Data,
        acl: AclChoice,
        flags: i32,
        ttl: i64,
    },
    Delete {
        path: Option<String>,
        version: Version,
    },
    SetData {
        path: Option<String>,
        data: Data,
        version: Version,
    },
    /// A quota: the data is the limits' text.
    SetQuota {
        path: String,
        limits: String,
        create: bool,
    },
    SetAcl {
        path: Option<String>,
        acl: AclChoice,
        version: Version,
    },
    Check {
        path: Option<String>,
        version: Version,
    },
    /// `opcode` of exists, getData, getChildren, getChildren2.
    Read {
        opcode: i32,
        path: Option<String>,
        watch: bool,
    },
    GetAcl {
        path: Option<String>,
    },
    GetAllChildrenNumber {
        path: Option<String>,
    },
    GetEphemerals {
        prefix: Option<String>,
    },
    Sync {
        path: Option<String>,
    },
    WhoAmI,
    Multi(Vec<Operation>),
    MultiRead(Vec<Operation>),
    AddWatch {
        path: Option<String>,
        mode: i32,
    },
    /// checkWatches or removeWatches.
    Watches {
        remove: bool,
        path: Option<String>,
        kind: i32,
    },
    Auth {
        scheme: String,
        credentials: String,
    },
    CloseSession,
    /// An opcode and a body that ends early.
    Raw {
        opcode: i32,
        body: Vec<u8>,
    },
}

/// A fault and its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// µs since the start.
    pub at_us: u64,
    /// Whose, unless it is a client's.
    pub target: Target,
    /// What.
    pub fault: Fault,
}

/// What is run, in the design's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A server alone.
    R0,
    /// An ensemble.
    R1,
    /// An ensemble that has much to do.
    R2,
    /// A learner under scripted leaders that speak as Java does, and a leader over such learners.
    Rj,
    /// Applications over the client library: all of them, or one.
    Rr(Option<Workload>),
}

impl std::fmt::Display for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scenario::R0 => f.write_str("r0"),
            Scenario::R1 => f.write_str("r1"),
            Scenario::R2 => f.write_str("r2"),
            Scenario::Rj => f.write_str("rj"),
            Scenario::Rr(None) => f.write_str("rr"),
            Scenario::Rr(Some(workload)) => write!(f, "rr-{}", workload.name()),
        }
    }
}

impl std::str::FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "r0" | "R0" => Ok(Scenario::R0),
            "r1" | "R1" => Ok(Scenario::R1),
            "r2" | "R2" => Ok(Scenario::R2),
            "rj" | "Rj" => Ok(Scenario::Rj),
            "rr" | "Rr" => Ok(Scenario::Rr(None)),
            _ => match text.strip_prefix("rr-").and_then(Workload::named) {
                Some(workload) => Ok(Scenario::Rr(Some(workload))),
                None => Err(format!(
                    "{text:?} is no scenario: r0, r1, r2, rj, rr, or rr- and one of {}",
                    Workload::ALL.map(Workload::name).join(", ")
                )),
            },
        }
    }
}

impl Plan {
    /// The plan of this seed in a scenario.
    pub fn expand(scenario: Scenario, seed: u64) -> Plan {
        Plan::of_size(scenario, seed, Size::of(scenario))
    }

    /// The plan of this seed, but as large and with such faults as is asked for.
    ///
    /// # Errors
    /// Says in words what of it the scenario can't give.
    pub fn expand_to(scenario: Scenario, seed: u64, demand: &Demand) -> Result<Plan, String> {
        let mut plan = Plan::of_size(scenario, seed, demand.size(scenario)?);
        demand.faults.apply(&mut plan);
        Ok(plan)
    }

    fn of_size(scenario: Scenario, seed: u64, size: Size) -> Plan {
        match scenario {
            Scenario::R0 => expand::r0(seed, size),
            Scenario::R1 => expand_ensemble::ensembles(seed, "R1", size),
            Scenario::R2 => expand_ensemble::ensembles(seed, "R2", size),
            Scenario::Rj => accent::rj(seed),
            Scenario::Rr(workload) => apps::rr(seed, workload, size),
        }
    }

    /// What the run is like, in a few words.
    pub fn summary(&self) -> String {
        if let Some(accent) = &self.accent {
            return format!("{}: {}", self.scenario, accent.summary());
        }
        let mut faults: Vec<&str> = self.faults.iter().map(|planned| planned.fault.name()).collect();
        faults.sort_unstable();
        faults.dedup();
        let servers = match &self.ensemble {
            None => "1 server".to_string(),
            Some(ensemble) if ensemble.groups.is_empty() => {
                format!("{} voters, {} observers", ensemble.voters, ensemble.observers)
            }
            Some(EnsemblePlan { voters, observers, groups, weights, .. }) => {
                format!("{voters} voters in groups {groups:?} of weights {weights:?}, {observers} observers")
            }
        };
        let apps = self
            .apps
            .first()
            .map_or(String::new(), |app| format!(", {} machines with {:?}", self.apps.len(), app.workload));
        let image = if self.image.is_some() { " on an image" } else { "" };
        format!(
            "{}: {servers}{image} (tick {} ms, snapCount {}), {} clients, {} operations{apps} in {} s; faults: {} ({})",
            self.scenario,
            self.server.tick_time_ms,
            self.server.snap_count,
            self.clients.len(),
            self.operations.len(),
            self.duration_ms / 1000,
            self.faults.len(),
            faults.join(", "),
        )
    }
}
