//! From a seed to a plan: what scenarios have in common, and R0.

use super::demand::Size;
use super::image::image;
use super::operations::Vocabulary;
use super::swarm::{FAULTS, FaultKind, Swarm};
use super::{
    ClientPlan, DiskPlan, FORMAT, Fault, Moment, NetworkPlan, Operation, Plan, PlannedFault,
    PlannedOperation, ServerPlan, Target,
};
use crate::chooser::{Choice, Draws, Seeded};

/// Shorter than this for each server, a slow disk and a slow network leave no time for a handshake.
const LEAST_TIMEOUT_MS: u64 = 1000;

/// The parts of a plan; each is drawn under a key of its own, so that more of one does not change another.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Swarm,
    Server,
    Network,
    Disk,
    Clients,
    Operations,
    Faults,
    Ensemble,
    Readers,
    Synchronisation,
    Deposition,
    Elections,
    Autocreate,
    Quorums,
    Clocks,
    Rest,
    Truncations,
    LocalSessions,
    Upgrades,
    Xids,
    ReadOnly,
    Masters,
    Rollover,
    Image,
    Lies,
    Rot,
    Apps,
    Loneliness,
    Losses,
    Refusals,
    Maintenance,
}

pub(super) fn draw<T>(seed: u64, part: Part, make: impl FnOnce(&mut Draws<'_>) -> T) -> T {
    let mut chooser = Seeded { seed };
    make(&mut Draws::new(&mut chooser, Choice::Plan, (part as u64, 0)))
}

pub(super) fn r0(seed: u64, size: Size) -> Plan {
    let swarm = draw(seed, Part::Swarm, Swarm::draw);
    let mut server = draw(seed, Part::Server, server);
    draw(seed, Part::LocalSessions, |draws| local_sessions(draws, &mut server));
    let mut clients = draw(seed, Part::Clients, |draws| clients(draws, (size.clients, 1), &swarm, &server));
    draw(seed, Part::Xids, |draws| restart_xids(draws, &mut clients));
    let operations = draw(seed, Part::Operations, |draws| operations(draws, size, &swarm, &clients));
    let disk = draw(seed, Part::Disk, |draws| disk(draws, &server));
    // What old servers wrote does not converge over a fuzzy snapshot.
    let may_be_old = disk.fuzzy_permille == 0;
    let image = draw(seed, Part::Image, |draws| image(draws, swarm.breadth, may_be_old));
    Plan {
        format: FORMAT,
        scenario: "R0".to_string(),
        seed,
        network: draw(seed, Part::Network, network),
        disk,
        faults: draw(seed, Part::Faults, |draws| faults(draws, size, &swarm)),
        clients,
        operations,
        server,
        ensemble: None,
        accent: None,
        apps: Vec::new(),
        image,
        duration_ms: size.seconds * 1000,
    }
}

pub(super) fn server(draws: &mut Draws<'_>) -> ServerPlan {
    ServerPlan {
        tick_time_ms: draws.of(&[100, 300, 1000, 2000, 3000]),
        snap_count: draws.of(&[2, 10, 50, 200, 1000, 100_000]),
        preallocate: draws.of(&[0, 0, 4096, 65_536]),
        log_size_limit: draws.of(&[0, 0, 0, 4096, 20_000]),
        extended_types: draws.chance(600),
        enforce_quota: draws.chance(500),
        close_session_txn: draws.chance(900),
        digest: draws.chance(900),
        container_check_ms: draws.of(&[500, 2000, 10_000, 60_000]),
        container_max_never_used_ms: draws.of(&[0, 0, 3000]),
        max_frame: draws.of(&[0xf_ffff, 0xf_ffff, 0xf_ffff, 4096]),
        outstanding_requests: draws.of(&[1000, 1000, 20, 3]),
        super_password: draws.chance(500).then(|| "secret".to_string()),
        local_sessions: false,
        local_sessions_upgrading: false,
    }
}

/// Some servers make local sessions, and most of those upgrade them; of a server alone neither says anything.
pub(super) fn local_sessions(draws: &mut Draws<'_>, server: &mut ServerPlan) {
    server.local_sessions = draws.chance(350);
    server.local_sessions_upgrading = draws.chance(700);
}

pub(super) fn network(draws: &mut Draws<'_>) -> NetworkPlan {
    NetworkPlan {
        latency_us: draws.of(&[10, 100, 1000]),
        jitter_us: draws.of(&[0, 100, 3000, 50_000]),
        split_permille: draws.of(&[0, 20, 200]),
    }
}

pub(super) fn disk(draws: &mut Draws<'_>, server: &ServerPlan) -> DiskPlan {
    // Without its list of paths a closeSession does not converge over a fuzzy snapshot (ZOOKEEPER-3145), and can't.
    let fuzzy = draws.of(&[0, 0, 300, 800]);
    DiskPlan {
        call_us: draws.of(&[1, 50, 500]),
        sync_us: draws.of(&[10, 2000, 20_000, 100_000]),
        fuzzy_permille: if server.close_session_txn { fuzzy } else { 0 },
    }
}

pub(super) fn clients(
    draws: &mut Draws<'_>,
    (count, servers): (u64, u64),
    swarm: &Swarm,
    server: &ServerPlan,
) -> Vec<ClientPlan> {
    (0..count)
        .map(|_| {
            let is_machine = draws.chance(swarm.machines);
            let timeout_ms = server.tick_time_ms * draws.of(&[0, 2, 2, 4, 10, 30]) + draws.below(50);
            ClientPlan {
                is_machine,
                // The machine takes what it asks for as the time that connecting may take.
                timeout_ms: if is_machine { timeout_ms.max(LEAST_TIMEOUT_MS * servers) } else { timeout_ms },
                keeps_session_permille: draws.of(&[1000, 900, 500]),
                user: draws
                    .of(&[None, Some("ann:pw"), Some("bob:pw"), Some("super:secret")])
                    .map(str::to_string),
                read_only_byte: draws.chance(700),
                restarts_xids: false,
                accepts_read_only: false,
            }
        })
        .collect()
}

/// Some scripts number what they ask anew on each connection, and some go on.
pub(super) fn restart_xids(draws: &mut Draws<'_>, clients: &mut [ClientPlan]) {
    let permille = draws.of(&[0, 300, 600, 1000]);
    for client in clients.iter_mut().filter(|client| !client.is_machine) {
        client.restarts_xids = draws.chance(permille);
    }
}

/// Who says bytes that are no request: the next client that has no machine to refuse them.
fn scripted(clients: &[ClientPlan], client: u32) -> Option<u32> {
    let count = clients.len() as u32;
    let around = (0..count).map(|step| (client + step) % count);
    around.into_iter().find(|client| !clients[*client as usize].is_machine)
}

pub(super) fn operations(
    draws: &mut Draws<'_>,
    size: Size,
    swarm: &Swarm,
    clients: &[ClientPlan],
) -> Vec<PlannedOperation> {
    let count = size.per_second * size.seconds;
    let mut vocabulary = Vocabulary::new(swarm, draws);
    let mut operations: Vec<PlannedOperation> = Vec::with_capacity(count as usize);
    // The first second is for connecting.
    let (first, last) = (1_000_000, size.end_us() - 1);
    let mut is_closing = false;
    for _ in 0..count {
        let draws = &mut *vocabulary.draws;
        let (at_us, client, is_behind_close) = match operations.last() {
            // What is asked right behind a closeSession must come to nothing (ZOOKEEPER-1208).
            Some(before) if is_closing && draws.chance(600) => {
                (before.at_us + draws.of(&[0, 0, 30, 1000]), before.client, true)
            }
            Some(before) if draws.chance(swarm.bursts) => {
                (before.at_us + draws.of(&[0, 0, 30, 1000]), before.client, false)
            }
            _ => (draws.between(first, last), draws.below(clients.len() as u64) as u32, false),
        };
        let operation = if is_behind_close { vocabulary.ephemeral() } else { vocabulary.operation() };
        is_closing = is_behind_close || operation == Operation::CloseSession;
        let client = match operation {
            Operation::Raw { .. } => scripted(clients, client),
            _ => Some(client),
        };
        let Some(client) = client else { continue };
        operations.push(PlannedOperation { at_us, client, operation });
    }
    // Stable: what came first at the same time stays first.
    operations.sort_by_key(|planned| planned.at_us);
    operations
}

fn faults(draws: &mut Draws<'_>, size: Size, swarm: &Swarm) -> Vec<PlannedFault> {
    let mut faults = Vec::new();
    for _ in 0..swarm.fault_count {
        let kind = FAULTS[draws.weighted(&swarm.faults)];
        let at_us = draws.between(100_000, size.end_us() - 1);
        let target = Target::Server(0);
        let planned = PlannedFault { at_us, target, fault: fault(draws, kind, size.clients) };
        // A lie that no power loss follows is none.
        if let Fault::LyingDisk { ms } = planned.fault
            && draws.chance(800)
        {
            let at_us = at_us + draws.below(ms * 1000);
            faults.push(PlannedFault {
                at_us,
                target,
                fault: fault(draws, FaultKind::PowerLoss, size.clients),
            });
        }
        faults.push(planned);
    }
    faults.retain(|planned| planned.at_us < size.end_us());
    faults.sort_by_key(|planned| planned.at_us);
    faults
}

/// What a server alone, or its clients, may meet.
pub(super) fn fault(draws: &mut Draws<'_>, kind: FaultKind, clients: u64) -> Fault {
    let down_ms = draws.of(&[1, 100, 1000, 5000]);
    let client = draws.below(clients) as u32;
    let to_server = draws.chance(500);
    match kind {
        FaultKind::Kill => Fault::Kill { down_ms },
        FaultKind::PowerLoss => {
            let moments = [
                Moment::Any,
                Moment::Any,
                Moment::Unsynced(1),
                Moment::Unsynced(700),
                Moment::Unsynced(2000),
                Moment::Unsynced(2000),
                Moment::NewLog,
                Moment::NewLog,
            ];
            Fault::PowerLoss { after_calls: draws.below(12), moment: draws.of(&moments), down_ms }
        }
        FaultKind::Shutdown => Fault::Shutdown { down_ms },
        FaultKind::Pause => Fault::Pause { ms: draws.of(&[50, 500, 3000, 15_000]) },
        FaultKind::WallJump => {
            Fault::WallJump { ms: draws.of(&[-86_400_000, -5000, -1, 1, 3000, 60_000, 86_400_000]) }
        }
        FaultKind::Reset => Fault::Reset { client },
        FaultKind::HalfOpen => Fault::HalfOpen { client },
        FaultKind::Stall => Fault::Stall { client, to_server, ms: draws.of(&[20, 400, 4000]) },
        FaultKind::Cut => Fault::Cut { client, to_server, ms: draws.of(&[100, 3000, 20_000]) },
        FaultKind::DiskErrors => {
            Fault::DiskErrors { permille: draws.of(&[20, 200, 1000]), ms: draws.of(&[10, 500, 3000]) }
        }
        FaultKind::DiskFull => {
            Fault::DiskFull { room: draws.of(&[0, 9, 300, 5000]), ms: draws.of(&[50, 1000, 5000]) }
        }
        FaultKind::LyingDisk => Fault::LyingDisk { ms: draws.of(&[200, 2000, 10_000]) },
        FaultKind::SlowDisk => {
            Fault::SlowDisk { ms: draws.of(&[100, 2000, 6000]), call_ms: draws.of(&[5, 50, 1000]) }
        }
    }
}
