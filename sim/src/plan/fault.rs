//! What breaks: each fault as plain data, how long it lasts, and what counters call it.

use super::{Direction, Ports, Scenario, Shape};
use serde::{Deserialize, Serialize};

/// How long a power loss waits for its moment.
const POWER_LOSS_WAIT_MS: u64 = 2000;

/// A snapshot is taken while writes go on, as Java's are; see [`super::DiskPlan::fuzzy_permille`].
pub(crate) const FUZZY_SNAPSHOT: &str = "fuzzy_snapshot";
/// The machine of an application stands still; see [`super::AppPlan::pauses`].
pub(crate) const MACHINE_PAUSE: &str = "machine_pause";
/// The clock of an application's machine is fast or slow; see [`super::AppPlan::speed_permille`].
pub(crate) const MACHINE_DRIFT: &str = "machine_drift";
/// What is not planned one by one, but said of a disk or a machine.
const STANDING: [&str; 3] = [FUZZY_SNAPSHOT, MACHINE_PAUSE, MACHINE_DRIFT];

/// What may befall a server alone.
const ALONE: [&str; 14] = [
    "cut",
    "disk_errors",
    "disk_full",
    FUZZY_SNAPSHOT,
    "half_open",
    "kill",
    "lying_disk",
    "pause",
    "power_loss",
    "reset",
    "shutdown",
    "slow_disk",
    "stall",
    "wall_jump",
];

/// When the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Moment {
    /// Any.
    Any,
    /// The log has so many bytes that are not synced.
    Unsynced(u64),
    /// Of a log that has bytes nothing is synced yet.
    NewLog,
}

/// Which clock of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClockKind {
    /// The one that only counts: it decides what is due.
    Monotonic,
    /// The one that people set: it stamps.
    Wall,
}

/// Which bytes rot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RotPlace {
    /// Of a log's header.
    LogHeader,
    /// Of an entry of a log that others follow.
    LogMiddle,
    /// Of a log's last entry.
    LogTail,
    /// Of a snapshot's header.
    SnapshotHeader,
    /// Anywhere in a snapshot.
    SnapshotMiddle,
    /// Of the end of a snapshot, which seals it.
    SnapshotSeal,
    /// Of `acceptedEpoch`.
    AcceptedEpoch,
    /// Of `currentEpoch`.
    CurrentEpoch,
}

/// Something that breaks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fault {
    /// The process dies; what it wrote stays in the system's cache. It comes back after `down_ms`.
    Kill {
        /// How long it is down.
        down_ms: u64,
    },
    /// The power goes behind a disk call, as soon as its moment comes, or after 2 s; unsynced writes and names are kept, dropped or torn.
    PowerLoss {
        /// How many calls are made before.
        after_calls: u64,
        /// What has to be so then.
        moment: Moment,
        /// How long it is down.
        down_ms: u64,
    },
    /// The operator ends the process and starts it again.
    Shutdown {
        /// How long it is down.
        down_ms: u64,
    },
    /// The process stands still while time goes on.
    Pause {
        /// For how long.
        ms: u64,
    },
    /// The wall clock jumps.
    WallJump {
        /// By how much.
        ms: i64,
    },
    /// The monotonic clock jumps forward, as behind a machine that was held up and does not know.
    MonoJump {
        /// By how much.
        ms: u64,
    },
    /// A clock runs fast or slow, or stands still, while the server goes on.
    ClockSpeed {
        /// Which.
        clock: ClockKind,
        /// How much it shows of what passes, in a thousand; 0 stands still.
        permille: u64,
        /// For how long.
        ms: u64,
    },
    /// A client's connection breaks at both ends; what is on the way is lost.
    Reset {
        /// Whose.
        client: u32,
    },
    /// A client's end vanishes without a word; the server never learns of it from the network.
    HalfOpen {
        /// Whose.
        client: u32,
    },
    /// What a client sends, or is sent, is held back.
    Stall {
        /// Whose.
        client: u32,
        /// Which direction.
        to_server: bool,
        /// For how long.
        ms: u64,
    },
    /// One direction is cut: the other flows until its window is full; both ends reset at the retry limit.
    Cut {
        /// Whose.
        client: u32,
        /// Which direction.
        to_server: bool,
        /// For how long.
        ms: u64,
    },
    /// Nobody reaches the machine of an application, nor it anybody, on whatever connection.
    Lonely {
        /// Whose.
        client: u32,
        /// For how long.
        ms: u64,
    },
    /// Disk calls fail, this many in a thousand.
    DiskErrors {
        /// How many.
        permille: u64,
        /// For how long.
        ms: u64,
    },
    /// Writes fail for want of space, and the free space is said to be low.
    DiskFull {
        /// How many bytes still fit: the write that does not fit writes these.
        room: u64,
        /// For how long.
        ms: u64,
    },
    /// Syncs report success and do nothing; in an ensemble the power takes of that what a quorum may lose.
    LyingDisk {
        /// For how long.
        ms: u64,
    },
    /// Disk calls hang.
    SlowDisk {
        /// For how long.
        ms: u64,
        /// How long each takes.
        call_ms: u64,
    },
    /// The disk is found empty behind the next restart, if a quorum may lose it.
    EmptyDisk {
        /// How long it is down.
        down_ms: u64,
    },
    /// The disk is found as it was when the fault began, behind a restart so much later, if a quorum may lose what came since.
    OldDisk {
        /// How much later.
        ms: u64,
    },
    /// The process dies, and while it is down, some bytes of a file that was synced rot, if a quorum may lose what that may cost.
    BitRot {
        /// Which.
        place: RotPlace,
        /// Whether only its process dies.
        has_power: bool,
        /// How long it is down.
        down_ms: u64,
    },
    /// Ways between servers are cut.
    CutLinks {
        /// Which pairs.
        shape: Shape,
        /// Which ports.
        ports: Ports,
        /// Which directions.
        direction: Direction,
        /// For how long.
        ms: u64,
    },
    /// Ways between servers are slow.
    SlowLinks {
        /// Which pairs.
        shape: Shape,
        /// Which ports.
        ports: Ports,
        /// How much longer each segment travels.
        delay_ms: u64,
        /// For how long.
        ms: u64,
    },
    /// Ways between servers lose segments, which are sent again, later each time.
    LossyLinks {
        /// Which pairs.
        shape: Shape,
        /// Which ports.
        ports: Ports,
        /// How many segments, in a thousand.
        permille: u64,
        /// For how long.
        ms: u64,
    },
    /// The target's system refuses whoever dials these ports; what is connected stays so.
    RefuseLinks {
        /// Which.
        ports: Ports,
        /// For how long.
        ms: u64,
    },
    /// The target's system refuses new connections of clients; what is connected stays so.
    RefuseClients {
        /// For how long.
        ms: u64,
    },
    /// The operator ends the process of one server after the other, and starts it again.
    RollingRestart {
        /// How long after the one before.
        every_ms: u64,
        /// How long each is down.
        down_ms: u64,
    },
    /// Connections between servers break; one end may not hear of it.
    BreakLinks {
        /// Which pairs.
        shape: Shape,
        /// Which ports.
        ports: Ports,
        /// Whether the target's ends vanish without a word.
        is_silent: bool,
    },
    /// Whoever is elected next fails before it leads, or soon after.
    FailElected {
        /// How long after its election.
        after_ms: u64,
        /// Whether only its process dies.
        has_power: bool,
        /// How long it is down.
        down_ms: u64,
    },
    /// A call of the next truncation fails, and the power goes some calls later.
    FailTruncation {
        /// How often a call of it fails, in a thousand, until one has.
        permille: u64,
        /// How many calls are made after that one.
        after_calls: u64,
        /// How long it is down.
        down_ms: u64,
    },
    /// The target's connections to others break, and those that follow do so in the middle of what brings a learner up to date.
    BreakSync {
        /// How many of them, in a thousand.
        permille: u64,
        /// For how long.
        ms: u64,
    },
}

impl Fault {
    /// The names of all kinds: of those that are planned one by one, see [`Fault::name`], and of the [`STANDING`] ones.
    pub const NAMES: [&'static str; 39] = [
        "kill",
        "power_loss",
        "shutdown",
        "pause",
        "wall_jump",
        "mono_jump",
        "mono_freeze",
        "mono_drift",
        "wall_freeze",
        "wall_drift",
        "reset",
        "half_open",
        "stall",
        "cut",
        "lonely",
        "disk_errors",
        "disk_full",
        "lying_disk",
        "slow_disk",
        "empty_disk",
        "old_disk",
        "bit_rot",
        "cut_pair",
        "isolate",
        "bridge",
        "halves",
        "slow_links",
        "lossy_links",
        "refuse_links",
        "refuse_clients",
        "rolling_restart",
        "break_links",
        "half_open_links",
        "fail_elected",
        "fail_truncation",
        "break_sync",
        FUZZY_SNAPSHOT,
        MACHINE_PAUSE,
        MACHINE_DRIFT,
    ];

    /// The kinds that plans of this scenario may hold, by name.
    pub fn planned_in(scenario: Scenario) -> Vec<&'static str> {
        let mut names = Fault::NAMES.to_vec();
        match scenario {
            Scenario::R0 => names.retain(|name| ALONE.contains(name)),
            Scenario::R1 | Scenario::R2 => names.retain(|name| *name != "lonely" && !STANDING.contains(name)),
            Scenario::Rj => names.clear(),
            Scenario::Rr(_) => names.retain(|name| *name != FUZZY_SNAPSHOT),
        }
        names
    }

    /// How long it lasts, if its end is an event of its own.
    pub fn lasts_ms(&self) -> Option<u64> {
        match self {
            Fault::PowerLoss { .. } => Some(POWER_LOSS_WAIT_MS),
            Fault::ClockSpeed { ms, .. }
            | Fault::DiskErrors { ms, .. }
            | Fault::DiskFull { ms, .. }
            | Fault::LyingDisk { ms }
            | Fault::SlowDisk { ms, .. }
            | Fault::OldDisk { ms }
            | Fault::CutLinks { ms, .. }
            | Fault::SlowLinks { ms, .. }
            | Fault::LossyLinks { ms, .. }
            | Fault::RefuseLinks { ms, .. }
            | Fault::RefuseClients { ms }
            | Fault::BreakSync { ms, .. } => Some(*ms),
            _ => None,
        }
    }

    /// Whether it is only about connections between a client and its server.
    pub fn is_of_client(&self) -> bool {
        matches!(
            self,
            Fault::Reset { .. }
                | Fault::HalfOpen { .. }
                | Fault::Stall { .. }
                | Fault::Cut { .. }
                | Fault::Lonely { .. }
        )
    }

    /// Its name, as counters have it.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Kill { .. } => "kill",
            Fault::PowerLoss { .. } => "power_loss",
            Fault::Shutdown { .. } => "shutdown",
            Fault::Pause { .. } => "pause",
            Fault::WallJump { .. } => "wall_jump",
            Fault::MonoJump { .. } => "mono_jump",
            Fault::ClockSpeed { clock: ClockKind::Monotonic, permille: 0, .. } => "mono_freeze",
            Fault::ClockSpeed { clock: ClockKind::Monotonic, .. } => "mono_drift",
            Fault::ClockSpeed { clock: ClockKind::Wall, permille: 0, .. } => "wall_freeze",
            Fault::ClockSpeed { clock: ClockKind::Wall, .. } => "wall_drift",
            Fault::Reset { .. } => "reset",
            Fault::HalfOpen { .. } => "half_open",
            Fault::Stall { .. } => "stall",
            Fault::Cut { .. } => "cut",
            Fault::Lonely { .. } => "lonely",
            Fault::DiskErrors { .. } => "disk_errors",
            Fault::DiskFull { .. } => "disk_full",
            Fault::LyingDisk { .. } => "lying_disk",
            Fault::SlowDisk { .. } => "slow_disk",
            Fault::EmptyDisk { .. } => "empty_disk",
            Fault::OldDisk { .. } => "old_disk",
            Fault::BitRot { .. } => "bit_rot",
            Fault::CutLinks { shape: Shape::Pair(_), .. } => "cut_pair",
            Fault::CutLinks { shape: Shape::Isolate, .. } => "isolate",
            Fault::CutLinks { shape: Shape::Bridge(_), .. } => "bridge",
            Fault::CutLinks { shape: Shape::Halves(_), .. } => "halves",
            Fault::SlowLinks { .. } => "slow_links",
            Fault::LossyLinks { .. } => "lossy_links",
            Fault::RefuseLinks { .. } => "refuse_links",
            Fault::RefuseClients { .. } => "refuse_clients",
            Fault::RollingRestart { .. } => "rolling_restart",
            Fault::BreakLinks { is_silent: false, .. } => "break_links",
            Fault::BreakLinks { is_silent: true, .. } => "half_open_links",
            Fault::FailElected { .. } => "fail_elected",
            Fault::FailTruncation { .. } => "fail_truncation",
            Fault::BreakSync { .. } => "break_sync",
        }
    }
}
