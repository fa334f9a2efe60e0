//! From a seed to the plan of an ensemble: R1, R2, which is R1 with more to do, and what Rr's applications live with.

use super::demand::{MOST_SERVERS, Size};
use super::expand::{
    Part, clients, disk, draw, fault, local_sessions, network, operations, restart_xids, server,
};
use super::image::image;
use super::swarm::{FaultKind, Kind, Swarm};
use super::{
    ClientPlan, ClockKind, Direction, EnsemblePlan, FORMAT, Fault, Operation, Plan, PlannedFault,
    PlannedOperation, Ports, Rest, RotPlace, ServerPlan, Shape, Target,
};
use crate::chooser::Draws;
use quorate_core::jute::OpCode;
use quorate_core::vocabulary::LAST_COUNTER;

/// A sync says more here than it does of a server alone, and so comes so much more often.
const SYNCS: u64 = 4;
/// A learner that is well has always been heard of within this, whatever network and disk are like.
const LEAST_SYNC_MS: u64 = 1500;
const LEAST_INIT_MS: u64 = 3000;

/// What breaks, and how often it comes in a run where it exists.
const KINDS: [(Breakage, u64); 20] = [
    (Breakage::Known(FaultKind::Kill), 6),
    (Breakage::Known(FaultKind::PowerLoss), 8),
    (Breakage::Known(FaultKind::Shutdown), 3),
    (Breakage::Known(FaultKind::Pause), 5),
    (Breakage::Known(FaultKind::WallJump), 3),
    (Breakage::Known(FaultKind::Reset), 4),
    (Breakage::Known(FaultKind::HalfOpen), 2),
    (Breakage::Known(FaultKind::Stall), 3),
    (Breakage::Known(FaultKind::Cut), 2),
    (Breakage::Known(FaultKind::DiskErrors), 2),
    (Breakage::Known(FaultKind::DiskFull), 1),
    (Breakage::Known(FaultKind::SlowDisk), 3),
    (Breakage::EmptyDisk, 2),
    (Breakage::OldDisk, 2),
    (Breakage::CutLinks, 8),
    (Breakage::Isolate, 5),
    (Breakage::Halves, 4),
    (Breakage::SlowLinks, 4),
    (Breakage::BreakLinks, 5),
    (Breakage::Everybody, 2),
];

#[derive(Clone, Copy)]
enum Breakage {
    /// As it comes to a server alone.
    Known(FaultKind),
    EmptyDisk,
    OldDisk,
    CutLinks,
    Isolate,
    Halves,
    SlowLinks,
    BreakLinks,
    /// All servers crash.
    Everybody,
}

/// The plan of an ensemble of this size.
pub(super) fn ensembles(seed: u64, scenario: &str, size: Size) -> Plan {
    let mut swarm = draw(seed, Part::Swarm, Swarm::draw);
    // What quotas count is each server's own, and differs behind a restart.
    swarm.operations[Kind::Quota as usize] = 0;
    swarm.operations[Kind::Sync as usize] *= SYNCS;
    let mut server = draw(seed, Part::Server, server);
    server.enforce_quota = false;
    draw(seed, Part::LocalSessions, |draws| local_sessions(draws, &mut server));
    let mut ensemble = draw(seed, Part::Ensemble, |draws| ensemble(draws, &mut server));
    resize(&mut ensemble, size);
    ensemble.db_autocreate = draw(seed, Part::Autocreate, |draws| draws.chance(600));
    draw(seed, Part::Quorums, |draws| let_groups_decide(draws, &mut ensemble));
    draw(seed, Part::Rest, |draws| half_break(draws, &mut ensemble));
    ensemble.observer_masters =
        ensemble.observers > 0 && draw(seed, Part::Masters, |draws| draws.chance(600));
    ensemble.last_counter = draw(seed, Part::Rollover, last_counter);
    let people = (size.clients, ensemble.servers() as u64);
    let mut clients = draw(seed, Part::Clients, |draws| clients(draws, people, &swarm, &server));
    draw(seed, Part::Xids, |draws| restart_xids(draws, &mut clients));
    draw(seed, Part::ReadOnly, |draws| serve_reads_alone(draws, &mut ensemble, &mut clients));
    let mut operations = draw(seed, Part::Operations, |draws| operations(draws, size, &swarm, &clients));
    draw(seed, Part::Readers, |draws| let_some_only_read(draws, size.clients, &mut operations));
    let mut disk = draw(seed, Part::Disk, |draws| disk(draws, &server));
    disk.fuzzy_permille = 0;
    let mut faults = draw(seed, Part::Faults, |draws| faults(draws, swarm.fault_count, size, &ensemble));
    let silence_us = u64::from(ensemble.sync_limit) * server.tick_time_ms * 1000;
    let window = (silence_us, server.tick_time_ms * 3000 / 2);
    draw(seed, Part::Deposition, |draws| ask_the_deposed(draws, (size, window), &mut operations, &faults));
    if server.local_sessions {
        draw(seed, Part::Upgrades, |draws| hurry_upgrades(draws, size, &mut operations));
    }
    if swarm.fault_count > 0 {
        faults.extend(draw(seed, Part::Synchronisation, |draws| broken_syncs(draws, size, &ensemble)));
        faults.extend(draw(seed, Part::Elections, |draws| failed_elections(draws, size)));
        faults.extend(draw(seed, Part::Truncations, |draws| failed_truncations(draws, size)));
        faults.extend(draw(seed, Part::Clocks, |draws| broken_clocks(draws, size, &ensemble)));
        faults.extend(draw(seed, Part::Lies, |draws| lying_disks(draws, size, &ensemble)));
        faults.extend(draw(seed, Part::Rot, |draws| rotting_disks(draws, size, &ensemble)));
        faults.extend(draw(seed, Part::Losses, |draws| lossy_links(draws, size, &ensemble)));
        faults.extend(draw(seed, Part::Refusals, |draws| refusals(draws, size, &ensemble)));
        faults.extend(draw(seed, Part::Maintenance, |draws| rolling_restarts(draws, size)));
        faults.sort_by_key(|planned| planned.at_us);
    }
    Plan {
        format: FORMAT,
        scenario: scenario.to_string(),
        seed,
        network: draw(seed, Part::Network, network),
        disk,
        faults,
        clients,
        operations,
        server,
        ensemble: Some(ensemble),
        accent: None,
        apps: Vec::new(),
        image: draw(seed, Part::Image, |draws| image(draws, swarm.breadth, true)),
        duration_ms: size.seconds * 1000,
    }
}

/// In some ensembles there are servers that serve reads while they find no leader, and scripts that take that.
fn serve_reads_alone(draws: &mut Draws<'_>, ensemble: &mut EnsemblePlan, clients: &mut [ClientPlan]) {
    let permille = draws.of(&[0, 0, 500, 1000, 1000]);
    ensemble.read_only = (0..ensemble.servers() as u32).filter(|_| draws.chance(permille)).collect();
    let permille = draws.of(&[200, 600, 1000]);
    for client in clients.iter_mut().filter(|client| !client.is_machine) {
        client.accepts_read_only = !ensemble.read_only.is_empty() && draws.chance(permille);
    }
}

/// In some ensembles groups decide, in which servers weigh more than others, or nothing.
fn let_groups_decide(draws: &mut Draws<'_>, ensemble: &mut EnsemblePlan) {
    let count = draws.of(&[1, 2, 3, 3]).min(u64::from(ensemble.voters));
    if ensemble.voters < 3 || !draws.chance(200) {
        return;
    }
    let mut groups = vec![Vec::new(); count as usize];
    for server in 0..ensemble.voters {
        // Nobody's group is empty.
        let group = if u64::from(server) < count { u64::from(server) } else { draws.below(count) };
        groups[group as usize].push(server);
    }
    ensemble.groups = groups;
    ensemble.weights = (0..ensemble.voters).map(|_| draws.of(&[1, 1, 1, 1, 2, 3, 0])).collect();
    // Somebody has to have a say.
    if ensemble.weights.iter().all(|weight| *weight == 0) {
        ensemble.weights[0] = 1;
    }
}

/// Some clients write nothing, so that a leader may have only such, and answer them long after others have committed elsewhere.
fn let_some_only_read(draws: &mut Draws<'_>, clients: u64, operations: &mut [PlannedOperation]) {
    let permille = draws.of(&[0, 0, 500, 900]);
    let readers: Vec<bool> = (0..clients).map(|_| draws.chance(permille)).collect();
    for planned in operations.iter_mut().filter(|planned| readers[planned.client as usize]) {
        let path = match &planned.operation {
            Operation::Create { path, .. }
            | Operation::Delete { path, .. }
            | Operation::SetData { path, .. }
            | Operation::SetAcl { path, .. } => path.clone(),
            Operation::Multi(_) => Some("/a".to_string()),
            _ => continue,
        };
        planned.operation = match draws.chance(400) {
            true => Operation::Sync { path },
            false => Operation::Read { opcode: OpCode::GetData.code(), path, watch: false },
        };
    }
}

/// Between the silence that deposes a leader and its own notice of that there is a moment in which it answers clients: some runs ask
/// for syncs just then, of whoever is still connected to it.
fn ask_the_deposed(
    draws: &mut Draws<'_>,
    (size, (silence_us, window_us)): (Size, (u64, u64)),
    operations: &mut Vec<PlannedOperation>,
    faults: &[PlannedFault],
) {
    if !draws.chance(500) {
        return;
    }
    for planned in faults.iter().filter(|planned| planned.target == Target::Leader) {
        let is_silence = match planned.fault {
            Fault::CutLinks { shape: Shape::Isolate, ms, .. } | Fault::Pause { ms } => ms * 1000 > silence_us,
            _ => false,
        };
        for client in (0..size.clients as u32).filter(|_| is_silence) {
            let at_us = planned.at_us + silence_us + draws.below(window_us);
            let path = Some("/a".to_string());
            operations.push(PlannedOperation { at_us, client, operation: Operation::Sync { path } });
        }
    }
    operations.retain(|planned| planned.at_us < size.end_us());
    operations.sort_by_key(|planned| planned.at_us);
}

/// Some sessions that want an ephemeral end right behind that, while they are upgraded if they were local (ZOOKEEPER-3471); some want it
/// in a way that upgrades none.
fn hurry_upgrades(draws: &mut Draws<'_>, size: Size, operations: &mut Vec<PlannedOperation>) {
    let mut ends = Vec::new();
    for planned in operations.iter_mut() {
        let Operation::Create { opcode, flags: 1 | 3, .. } = &mut planned.operation else { continue };
        if draws.chance(100) {
            *opcode = OpCode::CreateContainer.code();
        } else if draws.chance(250) {
            let at_us = planned.at_us + draws.of(&[0, 0, 200, 3000]);
            ends.push(PlannedOperation { at_us, client: planned.client, operation: Operation::CloseSession });
        }
    }
    operations.extend(ends);
    operations.retain(|planned| planned.at_us < size.end_us());
    operations.sort_by_key(|planned| planned.at_us);
}

/// Learners that are brought up to date in pieces, in a few runs.
fn broken_syncs(draws: &mut Draws<'_>, size: Size, ensemble: &EnsemblePlan) -> Vec<PlannedFault> {
    let count = draws.of(&[0, 0, 1, 3]);
    (0..count)
        .map(|_| {
            let one = Target::Server(draws.below(ensemble.servers() as u64) as u32);
            PlannedFault {
                at_us: draws.between(1_000_000, size.end_us() - 1),
                target: draws.of(&[Target::Leader, one]),
                fault: Fault::BreakSync {
                    permille: draws.of(&[300, 700]),
                    ms: draws.of(&[3000, 10_000, 30_000]),
                },
            }
        })
        .collect()
}

/// Elections whose winner fails at once, in a few runs. The leader before loses its followers, but not what they have not got yet: it
/// is likely to be the winner (ZOOKEEPER-335, -1549).
fn failed_elections(draws: &mut Draws<'_>, size: Size) -> Vec<PlannedFault> {
    let count = draws.of(&[0, 0, 1, 3]);
    let mut faults = Vec::new();
    for _ in 0..count {
        let at_us = draws.between(1_000_000, size.end_us() - 1);
        let (target, ports) = (Target::Leader, Ports::Quorum);
        let (after_ms, down_ms) = (draws.of(&[1, 20, 100, 400]), draws.of(&[1, 1000, 5000]));
        let fault = Fault::FailElected { after_ms, has_power: draws.chance(500), down_ms };
        faults.push(PlannedFault { at_us, target, fault });
        let fault = Fault::BreakLinks { shape: Shape::Isolate, ports, is_silent: false };
        faults.push(PlannedFault { at_us, target, fault });
    }
    faults
}

/// Truncations whose disk fails them, and then loses power, in some runs.
fn failed_truncations(draws: &mut Draws<'_>, size: Size) -> Vec<PlannedFault> {
    let count = draws.of(&[0, 1, 2]);
    (0..count)
        .map(|_| PlannedFault {
            at_us: draws.between(100_000, size.end_us() - 1),
            target: Target::All,
            fault: Fault::FailTruncation {
                permille: draws.of(&[100, 300, 700]),
                after_calls: draws.of(&[0, 0, 1, 3, 20]),
                down_ms: draws.of(&[1, 100, 1000]),
            },
        })
        .collect()
}

/// Clocks that run fast or slow, stand still or jump, in a few runs.
fn broken_clocks(draws: &mut Draws<'_>, size: Size, ensemble: &EnsemblePlan) -> Vec<PlannedFault> {
    let count = draws.of(&[0, 0, 2, 6]);
    (0..count)
        .map(|_| {
            let one = Target::Server(draws.below(ensemble.servers() as u64) as u32);
            let (at_us, target) =
                (draws.between(100_000, size.end_us() - 1), draws.of(&[Target::Leader, one]));
            let ms = draws.of(&[500, 3000, 10_000, 40_000]);
            let clock = draws.of(&[ClockKind::Monotonic, ClockKind::Monotonic, ClockKind::Wall]);
            let fault = match draws.below(5) {
                0 => Fault::MonoJump { ms: draws.of(&[1, 500, 3000, 20_000]) },
                1 => Fault::ClockSpeed { clock, permille: 0, ms },
                _ => {
                    let permille = draws.of(&[300, 900, 999, 1001, 1100, 3000]);
                    Fault::ClockSpeed { clock, permille, ms }
                }
            };
            PlannedFault { at_us, target, fault }
        })
        .collect()
}

/// Disks that lie, in a few runs, and lose power meanwhile or soon after.
fn lying_disks(draws: &mut Draws<'_>, size: Size, ensemble: &EnsemblePlan) -> Vec<PlannedFault> {
    let count = draws.of(&[0, 0, 1, 4]);
    let mut faults = Vec::new();
    for _ in 0..count {
        let at_us = draws.between(100_000, size.end_us() - 1);
        let one = Target::Server(draws.below(ensemble.servers() as u64) as u32);
        let target = draws.of(&[Target::Leader, one, one]);
        let ms = draws.of(&[200, 2000, 10_000]);
        faults.push(PlannedFault { at_us, target, fault: Fault::LyingDisk { ms } });
        let fault = fault(draws, FaultKind::PowerLoss, size.clients);
        faults.push(PlannedFault { at_us: at_us + draws.below(ms * 1000), target, fault });
    }
    faults.retain(|planned| planned.at_us < size.end_us());
    faults
}

/// Disks that rot, in a few runs; the newest txns, which recovery has the most to say about, more often.
fn rotting_disks(draws: &mut Draws<'_>, size: Size, ensemble: &EnsemblePlan) -> Vec<PlannedFault> {
    let count = draws.of(&[0, 0, 1, 4]);
    let places = [
        RotPlace::LogTail,
        RotPlace::LogTail,
        RotPlace::LogTail,
        RotPlace::LogMiddle,
        RotPlace::LogMiddle,
        RotPlace::LogHeader,
        RotPlace::SnapshotHeader,
        RotPlace::SnapshotMiddle,
        RotPlace::SnapshotMiddle,
        RotPlace::SnapshotSeal,
        RotPlace::AcceptedEpoch,
        RotPlace::CurrentEpoch,
    ];
    (0..count)
        .map(|_| {
            let one = Target::Server(draws.below(ensemble.servers() as u64) as u32);
            PlannedFault {
                at_us: draws.between(1_000_000, size.end_us() - 1),
                target: draws.of(&[Target::Leader, one, one]),
                fault: Fault::BitRot {
                    place: draws.of(&places),
                    has_power: draws.chance(500),
                    down_ms: draws.of(&[1, 100, 1000, 5000]),
                },
            }
        })
        .collect()
}

/// Ways that lose segments, in a few runs.
fn lossy_links(draws: &mut Draws<'_>, size: Size, ensemble: &EnsemblePlan) -> Vec<PlannedFault> {
    let servers = ensemble.servers() as u64;
    (0..draws.of(&[0, 0, 0, 2]))
        .map(|_| {
            let (one, other) = (Target::Server(draws.below(servers) as u32), draws.below(servers) as u32);
            PlannedFault {
                at_us: draws.between(100_000, size.end_us() - 1),
                target: draws.of(&[Target::Leader, one]),
                fault: Fault::LossyLinks {
                    shape: draws.of(&[Shape::Isolate, Shape::Pair(other)]),
                    ports: draws.of(&[Ports::Both, Ports::Quorum, Ports::Election]),
                    permille: draws.of(&[10, 100, 500]),
                    ms: draws.of(&[3000, 20_000]),
                },
            }
        })
        .collect()
}

/// Systems that refuse connections which their processes would take, in a few runs.
fn refusals(draws: &mut Draws<'_>, size: Size, ensemble: &EnsemblePlan) -> Vec<PlannedFault> {
    (0..draws.of(&[0, 0, 0, 2]))
        .map(|_| {
            let one = Target::Server(draws.below(ensemble.servers() as u64) as u32);
            let ms = draws.of(&[500, 5000, 20_000]);
            let ports = draws.of(&[Ports::Both, Ports::Quorum, Ports::Election]);
            PlannedFault {
                at_us: draws.between(100_000, size.end_us() - 1),
                target: draws.of(&[Target::Leader, Target::All, one]),
                fault: match draws.chance(500) {
                    true => Fault::RefuseLinks { ports, ms },
                    false => Fault::RefuseClients { ms },
                },
            }
        })
        .collect()
}

/// Rolling restarts, in a few runs: patient ones, and such that do not wait until the server before is back.
fn rolling_restarts(draws: &mut Draws<'_>, size: Size) -> Vec<PlannedFault> {
    (0..draws.of(&[0, 0, 0, 1]))
        .map(|_| PlannedFault {
            at_us: draws.between(100_000, size.end_us() - 1),
            target: Target::All,
            fault: Fault::RollingRestart {
                every_ms: draws.of(&[300, 2000, 8000]),
                down_ms: draws.of(&[1, 500, 3000]),
            },
        })
        .collect()
}

fn ensemble(draws: &mut Draws<'_>, server: &mut ServerPlan) -> EnsemblePlan {
    server.tick_time_ms = draws.of(&[300, 1000, 2000, 2000]);
    let tick = server.tick_time_ms;
    let voters = match draws.below(10) {
        0..6 => 5,
        6..9 => 3,
        _ => draws.of(&[1, 2, 4, 7, 9]),
    };
    let observers = if voters < 9 && draws.chance(250) { draws.between(1, 2.min(9 - voters)) } else { 0 };
    let sync_limit = draws.of(&[2, 3, 5]).max(LEAST_SYNC_MS.div_ceil(tick));
    let init_limit = draws.of(&[3, 5, 10]).max(LEAST_INIT_MS.div_ceil(tick));
    EnsemblePlan {
        voters: voters as u32,
        observers: observers as u32,
        observer_masters: false,
        groups: Vec::new(),
        weights: Vec::new(),
        init_limit: init_limit as u32,
        sync_limit: sync_limit as u32,
        min_notification_ms: 200,
        max_notification_ms: draws.of(&[1000, 2000, 10_000, 60_000]),
        finalize_wait_ms: draws.of(&[20, 200, 200]),
        avoid_ms: 10_000,
        commit_log_count: draws.of(&[1, 5, 50, 500]),
        last_counter: LAST_COUNTER,
        db_autocreate: true,
        read_only: Vec::new(),
        rest: draws.of(&[Rest::Healed, Rest::Dead, Rest::Paused, Rest::CutOff]),
    }
}

/// What is asked for takes the place of what was drawn, and what was drawn makes room for it.
fn resize(ensemble: &mut EnsemblePlan, size: Size) {
    ensemble.voters = size.voters.unwrap_or(ensemble.voters.min(MOST_SERVERS - size.observers.unwrap_or(0)));
    ensemble.observers = size.observers.unwrap_or(ensemble.observers.min(MOST_SERVERS - ensemble.voters));
}

/// In an eighth of the plans an epoch has few zxids (ZOOKEEPER-1277).
fn last_counter(draws: &mut Draws<'_>) -> u32 {
    if draws.chance(125) { draws.of(&[30, 100, 300]) } else { LAST_COUNTER }
}

/// In a fifth of the plans the rest is half-broken.
fn half_break(draws: &mut Draws<'_>, ensemble: &mut EnsemblePlan) {
    if draws.chance(200) {
        ensemble.rest = Rest::HalfBroken { is_mute: draws.chance(500), accepts: draws.chance(500) };
    }
}

fn faults(draws: &mut Draws<'_>, count: u64, size: Size, ensemble: &EnsemblePlan) -> Vec<PlannedFault> {
    let weights: Vec<u64> = KINDS
        .iter()
        .map(|(_, weight)| if draws.chance(500) { weight * draws.between(1, 4) } else { 0 })
        .collect();
    if weights.iter().all(|weight| *weight == 0) {
        return Vec::new();
    }
    let servers = ensemble.servers() as u64;
    let mut faults: Vec<PlannedFault> = (0..count)
        .map(|_| {
            let (kind, _) = KINDS[draws.weighted(&weights)];
            let at_us = draws.between(100_000, size.end_us() - 1);
            let one = Target::Server(draws.below(servers) as u32);
            let target = match kind {
                Breakage::Everybody => Target::All,
                Breakage::Isolate => draws.of(&[Target::Leader, Target::Leader, one]),
                _ => draws.of(&[Target::Leader, one, one]),
            };
            PlannedFault { at_us, target, fault: break_down(draws, kind, (servers, size.clients)) }
        })
        .collect();
    faults.sort_by_key(|planned| planned.at_us);
    faults
}

fn break_down(draws: &mut Draws<'_>, kind: Breakage, (servers, clients): (u64, u64)) -> Fault {
    let other = draws.below(servers) as u32;
    let half = draws.below(1 << servers) as u32;
    let ports = draws.of(&[Ports::Both, Ports::Both, Ports::Quorum, Ports::Election]);
    let direction = draws.of(&[Direction::Both, Direction::Both, Direction::Out, Direction::In]);
    let ms = draws.of(&[50, 400, 3000, 8000, 20_000]);
    match kind {
        Breakage::Known(kind) => fault(draws, kind, clients),
        Breakage::Everybody => {
            let kind = draws.of(&[FaultKind::Kill, FaultKind::PowerLoss, FaultKind::PowerLoss]);
            fault(draws, kind, clients)
        }
        Breakage::EmptyDisk => Fault::EmptyDisk { down_ms: draws.of(&[1, 1000]) },
        Breakage::OldDisk => Fault::OldDisk { ms: draws.of(&[2000, 10_000, 30_000]) },
        Breakage::CutLinks => Fault::CutLinks { shape: Shape::Pair(other), ports, direction, ms },
        Breakage::Isolate => Fault::CutLinks { shape: Shape::Isolate, ports, direction, ms },
        Breakage::Halves => {
            let shape = draws.of(&[Shape::Halves(half), Shape::Bridge(half)]);
            Fault::CutLinks { shape, ports, direction, ms }
        }
        Breakage::SlowLinks => {
            let shape = draws.of(&[Shape::Pair(other), Shape::Isolate]);
            Fault::SlowLinks { shape, ports, delay_ms: draws.of(&[20, 300, 2000, 6000]), ms }
        }
        Breakage::BreakLinks => {
            let shape = draws.of(&[Shape::Pair(other), Shape::Isolate]);
            Fault::BreakLinks { shape, ports, is_silent: draws.chance(400) }
        }
    }
}
