//! What a timeline is told of the world, when there is one: nothing here changes anything.
//!
//! Behind every event it is looked who is what now, and which ends of connections nobody hears at any more; so those who do things need not
//! say so.

use super::client::Client;
use super::links::Phase;
use super::server::State;
use super::{Outcome, World};
use crate::app::Workloads;
use crate::chooser::Chooser;
use crate::oracle::Checks;
use crate::plan::{Fault, Plan, Shape, Target};
use crate::view::{EVERYBODY, Lane, ServerState, Timeline};
use quorate_core::contract::{Input, Lane as StoreLane, Output, PeerEvent, QuorumMessage, StoreOp};

const MS: u64 = 1_000_000;

/// Runs a plan that is no story of Java's, and keeps everything that happens.
pub(crate) fn run_recorded(
    plan: &Plan,
    chooser: Box<dyn Chooser>,
    checks: Checks,
) -> (Outcome, Box<Timeline>) {
    let mut world = World::new((plan, &Workloads), chooser, checks, None);
    let mut timeline = Box::new(Timeline::new(world.servers.len(), world.clients.len()));
    for (index, app) in plan.apps.iter().enumerate() {
        let lane = timeline.client(plan.clients.len() + index);
        for pause in &app.pauses {
            let (from, until) = (pause.at_ms * MS, (pause.at_ms + pause.ms) * MS);
            timeline.fault(from, None, ("stands still", "the machine".to_string()), vec![lane], Some(until));
        }
    }
    world.timeline = Some(timeline);
    let outcome = world.outcome();
    let mut timeline = world.timeline.take().expect("it was put there, and nobody else takes it");
    timeline.ends(world.now);
    (outcome, timeline)
}

/// How long a fault lasts, of so many servers, that says so and whose end is no event of its own.
fn lasts_ms(fault: &Fault, servers: usize) -> u64 {
    match fault {
        Fault::Pause { ms } | Fault::Stall { ms, .. } | Fault::Cut { ms, .. } | Fault::Lonely { ms, .. } => {
            *ms
        }
        Fault::Kill { down_ms } | Fault::Shutdown { down_ms } | Fault::EmptyDisk { down_ms } => *down_ms,
        Fault::BitRot { down_ms, .. } => *down_ms,
        Fault::RollingRestart { every_ms, down_ms } => every_ms * (servers as u64 - 1) + down_ms,
        _ => 0,
    }
}

impl World<'_> {
    /// Something happens that is worth words.
    pub(super) fn explain(&mut self, words: impl Fn() -> String) {
        self.trace.words(&words);
        if let Some(timeline) = &mut self.timeline {
            timeline.explain(words());
        }
    }

    /// A server is about to be given this, and the trace has it.
    pub(super) fn watch_input(&mut self, server: usize, input: &Input) {
        let Some(timeline) = &mut self.timeline else { return };
        match input {
            Input::Client { conn, .. } => timeline.client_heard(self.now, *conn, server),
            Input::Quorum { message: QuorumMessage::SnapshotUnderWay, .. } => {}
            Input::Election { link, .. } | Input::Quorum { link, .. } => {
                timeline.link_heard(self.now, *link, server);
            }
            Input::Stored { lane: StoreLane::Log, seq } => {
                if let Some(zxid) = timeline.stored(server, seq.0) {
                    timeline.explain(format!("log durable up to {zxid}"));
                }
            }
            Input::Stored { lane, .. } => timeline.explain(format!("{lane:?}").to_lowercase()),
            Input::Truncated { history, .. } => {
                let zxid = history.database.last_zxid();
                timeline.log_is(server, zxid);
                timeline.explain(format!("log ends with {zxid}"));
            }
            Input::StoreFailed { lane, reason, .. } => timeline.explain(format!("{lane:?}: {reason}")),
            Input::LinkClosed { link, reason } => timeline.explain(format!("link {}: {reason}", link.0)),
            Input::DialFailed { port, to, .. } => timeline.explain(format!("{port:?} port of id {}", to.0)),
            Input::Dialled { port, to, link } => {
                timeline.explain(format!("{port:?} port of id {}, link {}", to.0, link.0));
            }
            Input::LinkAccepted { port, link, .. } => {
                timeline.explain(format!("{port:?} port, link {}", link.0))
            }
            _ => {}
        }
    }

    /// A server asks for this.
    pub(super) fn watch_output(&mut self, server: usize, output: &Output) {
        let Some(timeline) = &mut self.timeline else { return };
        let lane = timeline.server(server);
        match output {
            Output::Store { lane: StoreLane::Log, seq, op } => match op {
                StoreOp::Append { zxid, .. } => timeline.appends(server, seq.0, *zxid),
                StoreOp::Replace(image) => timeline.appends(server, seq.0, image.zxid()),
                StoreOp::Truncate { to } => {
                    timeline.tell(self.now, lane, "truncates its log", format!("behind {to}"));
                }
                _ => {}
            },
            Output::Store { op: StoreOp::Epoch { kind, epoch }, .. } => {
                timeline.tell(
                    self.now,
                    lane,
                    "writes its epoch",
                    format!("{kind:?} {}", epoch.0).to_lowercase(),
                );
            }
            Output::Event(event) => {
                let name = told(event);
                let text = format!("{event:?}");
                let text = text.split_once(' ').map_or("", |(_, fields)| fields);
                timeline.tell(self.now, lane, name, text.trim_matches(['{', '}', ' ']).to_string());
            }
            Output::Exit { reason, .. } => timeline.tell(self.now, lane, "asks for its end", reason.clone()),
            _ => {}
        }
    }

    /// A fault of the plan is about to begin.
    pub(super) fn watch_fault(&mut self, index: usize) {
        if self.timeline.is_none() {
            return;
        }
        let planned = &self.plan.faults[index];
        let targets = match planned.target {
            Target::Server(server) => vec![server as usize],
            Target::Leader => self.leader().into_iter().collect(),
            Target::All => (0..self.servers.len()).collect(),
        };
        let Some(timeline) = &mut self.timeline else { return };
        let client = match &planned.fault {
            Fault::Reset { client }
            | Fault::HalfOpen { client }
            | Fault::Stall { client, .. }
            | Fault::Cut { client, .. }
            | Fault::Lonely { client, .. } => Some(*client as usize),
            _ => None,
        };
        let other = match &planned.fault {
            Fault::CutLinks { shape, .. }
            | Fault::SlowLinks { shape, .. }
            | Fault::LossyLinks { shape, .. }
            | Fault::BreakLinks { shape, .. } => match shape {
                Shape::Pair(other) => Some(vec![*other as usize]),
                Shape::Halves(_) | Shape::Bridge(_) => Some((0..self.servers.len()).collect()),
                Shape::Isolate => None,
            },
            _ => None,
        };
        let mut lanes: Vec<Lane> = match client {
            Some(client) => vec![timeline.client(client)],
            None => targets
                .into_iter()
                .chain(other.unwrap_or_default())
                .map(|server| timeline.server(server))
                .collect(),
        };
        lanes.sort_unstable();
        lanes.dedup();
        if lanes.is_empty() {
            lanes.push(EVERYBODY);
        }
        let until = match planned.fault.lasts_ms() {
            Some(_) => None,
            None => Some(self.now + lasts_ms(&planned.fault, self.servers.len()) * MS),
        };
        let text = format!("{:?} of {:?}", planned.fault, planned.target);
        timeline.fault(self.now, Some(index), (planned.fault.name(), text), lanes, until);
    }

    /// A server has handled something.
    pub(super) fn watch_server(&mut self, server: usize) {
        if self.timeline.is_none() {
            return;
        }
        let machine = &self.servers[server];
        let (life, is_paused) = (machine.life, machine.is_paused());
        let durable = self.timeline.as_ref().map_or(Default::default(), |timeline| timeline.durable(server));
        let state = match &machine.state {
            State::Down { has_power: true } => ServerState::without_process("down", life, durable),
            State::Down { has_power: false } => ServerState::without_process("no power", life, durable),
            State::Recovering { .. } => ServerState::without_process("recovering", life, durable),
            State::Running(process) => {
                let status = process.peer.status();
                ServerState {
                    mode: status.mode().as_str(),
                    is_serving: status.is_serving(),
                    is_paused,
                    epochs: status.epochs().map(|epochs| (epochs.accepted.0, epochs.current.0)),
                    leader: status.learns_from().map(|leader| leader.0),
                    logged: status.last_logged(),
                    durable,
                    committed: status.committed(),
                    applied: status.last_zxid(),
                    connections: status.connection_count() as u32,
                    nodes: status.node_count() as u32,
                    life,
                }
            }
        };
        let now = self.now;
        if let Some(timeline) = &mut self.timeline {
            timeline.server_is(now, server, state);
        }
    }

    /// Something has happened: who is what now, and what is gone.
    pub(super) fn watch(&mut self) {
        if self.timeline.is_none() {
            return;
        }
        (0..self.servers.len()).for_each(|server| self.watch_server(server));
        let Some(timeline) = self.timeline.as_deref_mut() else { return };
        for conn in timeline.conns() {
            match self.net.links.get(conn) {
                None => timeline.conn_is_gone(self.now, conn),
                Some(link) if !link.open_at_client => timeline.conn_is_deaf(self.now, conn, true),
                Some(_) => {}
            }
        }
        for link in timeline.links() {
            let Some(known) = self.links.by_id.get(link) else {
                timeline.link_is_deaf(self.now, link, None);
                continue;
            };
            for end in known.ends.iter().filter(|end| matches!(end.phase, Phase::Gone | Phase::Ended)) {
                timeline.link_is_deaf(self.now, link, Some(end.server));
            }
        }
        for (client, machine) in self.clients.iter().enumerate() {
            let Client::App(app) = machine else { continue };
            let lane = timeline.client(client);
            for told in app.told_since(timeline.told_by(client)) {
                let numbers = told.numbers.iter().filter(|number| **number != 0);
                let numbers: Vec<String> = numbers.map(|number| format!("{number:#x}")).collect();
                let text = format!("{}, of {}", numbers.join(" "), told.subject);
                timeline.tell(self.now, lane, told.what, text);
                timeline.has_told(client);
            }
        }
    }
}

/// What a server tells, by a name for the list.
fn told(event: &PeerEvent) -> &'static str {
    match event {
        PeerEvent::SessionCreated { .. } => "session created",
        PeerEvent::SessionReattached { .. } => "session goes on here",
        PeerEvent::SessionUpgraded { .. } => "session upgraded",
        PeerEvent::SessionClosed { .. } => "session closed",
        PeerEvent::SessionExpired { .. } => "session expired",
        PeerEvent::DigestMismatch { .. } => "digest mismatch",
        PeerEvent::Looking { .. } => "looks for a leader",
        PeerEvent::NoLeader { .. } => "finds no leader",
        PeerEvent::ReadOnly { .. } => "serves reads only",
        PeerEvent::Elected { .. } => "has elected",
        PeerEvent::Serving { .. } => "serves",
        PeerEvent::RoleEnded { .. } => "its part is over",
        PeerEvent::LearnerSynchronises { .. } => "brings a learner up to date",
        PeerEvent::LearnerGone { .. } => "a learner is gone",
        PeerEvent::HandshakeRefused { .. } => "handshake refused",
        PeerEvent::ConnectionDropped { .. } => "drops a connection",
        PeerEvent::SnapshotStarted { .. } => "snapshot begins",
        PeerEvent::SnapshotDurable { .. } => "snapshot durable",
        PeerEvent::SnapshotFailed { .. } => "snapshot failed",
        _ => "tells",
    }
}
