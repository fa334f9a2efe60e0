//! A server's process in the world: what it is given, what it asks for, when it wakes by itself.

use super::lanes::WORK;
use super::server::{Life, State};
use super::wires::id;
use super::{Event, World};
use crate::checkers::{Verdict, exits, violated};
use quorate_core::contract::{Input, Output, PeerEvent};
use quorate_core::jute::PeerState;
use quorate_core::vocabulary::{ConnId, LinkId};
use quorate_storage_file::Wanted;

/// What one input brings, and what is done when all of that is carried out. Its room is used again by the next input.
#[derive(Debug, Default)]
pub(super) struct Aftermath {
    outputs: Vec<Output>,
    /// Who was sent something, and whom it may be too much for.
    sent_to: Vec<ConnId>,
    links: Vec<LinkId>,
    /// Who is read again.
    resumed: Vec<ConnId>,
    /// The process asks for its end.
    is_over: bool,
}

impl World<'_> {
    /// Gives the peer one input and does what it asks for.
    pub(super) fn handle(&mut self, server: usize, input: Input) -> Verdict {
        let now = self.servers[server].clocks.show(self.now);
        if let Some((what, numbers)) = name(&input) {
            self.note_at(server, what, numbers);
            self.trace.words(|| format!("{input:?}"));
            self.watch_input(server, &input);
        }
        let was_timeout = matches!(input, Input::Timeout);
        let lies = self.servers[server].disk.lies();
        self.oracle.views[server].disk_says(lies);
        self.oracle.input(server, now, &input)?;
        let machine = &mut self.servers[server];
        let State::Running(process) = &mut machine.state else { return Ok(()) };
        process.handled += 1;
        let is_round = process.handled.is_multiple_of(1024);
        process.peer.handle(now, input, &mut machine.outbox);
        // What is handled meanwhile finds an empty one in its place.
        let mut aftermath = std::mem::take(&mut self.aftermath);
        let mut outputs = std::mem::take(&mut aftermath.outputs);
        outputs.extend(machine.outbox.drain());
        self.oracle.applied(server, &process.peer)?;
        if was_timeout && !outputs.is_empty() {
            self.note_at(server, "timeout", [outputs.len() as u64, 0, 0]);
        }
        for output in outputs.drain(..) {
            if let State::Running(process) = &self.servers[server].state {
                self.oracle.output(server, (&output, &process.peer), &mut self.counters)?;
            }
            self.watch_output(server, &output);
            self.carry_out(server, output, &mut aftermath)?;
        }
        self.watch_server(server);
        if let State::Running(process) = &self.servers[server].state {
            self.oracle.handled(server, &process.peer, was_timeout)?;
            if let Err(broken) = process.peer.check() {
                return violated("peer_check", broken);
            }
        }
        if is_round {
            self.check_server(server)?;
        }
        aftermath.outputs = outputs;
        if std::mem::take(&mut aftermath.is_over) {
            return self.exited(server);
        }
        self.arm_peer(server);
        WORK.into_iter().try_for_each(|work| self.start_work(server, work))?;
        for conn in aftermath.sent_to.drain(..) {
            self.report_backlog(conn, false)?;
        }
        for link in aftermath.links.drain(..) {
            self.report_link_backlog(server, link)?;
        }
        for conn in aftermath.resumed.drain(..) {
            self.read_on(server, conn)?;
        }
        self.aftermath = aftermath;
        Ok(())
    }

    /// Does one thing that the peer asks for.
    fn carry_out(&mut self, server: usize, output: Output, aftermath: &mut Aftermath) -> Verdict {
        match output {
            Output::Send { conn, bytes } => {
                self.trace.bytes(&bytes);
                self.send(conn, false, bytes);
                aftermath.sent_to.push(conn);
            }
            Output::Close { conn } => self.end_at_server(server, conn),
            Output::PauseRead { conn } => {
                self.counters.probe("pause_read");
                self.set_paused((server, conn), true);
            }
            Output::ResumeRead { conn } => {
                self.set_paused((server, conn), false);
                aftermath.resumed.push(conn);
            }
            Output::Store { lane, seq, op } => {
                if let Some(process) = self.servers[server].process() {
                    process.storage.queue(lane, seq, op);
                }
            }
            Output::Load { id, after, up_to, max_bytes } => {
                if let Some(process) = self.servers[server].process() {
                    process.storage.load(id, Wanted { after, up_to, max_bytes });
                }
            }
            Output::Dial { port, to } => self.dial(server, port, to),
            Output::SendLink { link, bytes } => {
                self.send_link(server, link, bytes);
                aftermath.links.push(link);
            }
            Output::SendSnapshot { link, image } => self.send_snapshot(server, link, image),
            Output::CloseLink { link } => self.close_link(server, link),
            Output::Event(event) => {
                self.count_event(&event);
                if matches!(event, PeerEvent::Elected { leader, .. } if leader == id(server)) {
                    self.elected(server);
                }
            }
            Output::Exit { code, reason } => {
                exits::has_a_reason(server, code, &reason)?;
                aftermath.is_over = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn count_event(&mut self, event: &PeerEvent) {
        let name = match event {
            PeerEvent::Looking { .. } => "looking",
            PeerEvent::Elected { .. } => "election_over",
            PeerEvent::Serving { state: PeerState::Leading, .. } => "leader_serves",
            PeerEvent::Serving { state: PeerState::Following, .. } => "follower_serves",
            PeerEvent::Serving { state: PeerState::Observing, .. } => "observer_serves",
            PeerEvent::ReadOnly { .. } => "read_only_serves",
            PeerEvent::LearnerGone { .. } => "learner_gone",
            PeerEvent::SessionExpired { .. } => "session_expired",
            PeerEvent::SessionReattached { .. } => "session_reattached",
            PeerEvent::SessionUpgraded { .. } => "session_upgraded",
            PeerEvent::HandshakeRefused { .. } => "handshake_refused",
            PeerEvent::SnapshotDurable { .. } => "snapshot_durable",
            PeerEvent::SnapshotFailed { .. } => "snapshot_failed",
            PeerEvent::QuotaExceeded { hard: true, .. } => "hard_quota_exceeded",
            PeerEvent::FreeSpaceLow { .. } => "free_space_low",
            _ => return,
        };
        self.counters.probe(name);
    }

    pub(super) fn check_server(&mut self, server: usize) -> Verdict {
        let State::Running(process) = &self.servers[server].state else { return Ok(()) };
        if let Err(broken) = process.peer.check_full() {
            return violated("peer_check_full", broken);
        }
        self.oracle.check_full(server, &process.peer)
    }

    pub(super) fn arm_peer(&mut self, server: usize) {
        let State::Running(process) = &mut self.servers[server].state else { return };
        let Some(due) = process.peer.next_timeout() else { return };
        let due = if due.0 == u64::MAX { return } else { due };
        // A clock that stands still brings nothing about: when it goes on, this is asked again.
        let Some(at) = self.servers[server].clocks.time_of(due) else { return };
        let at = at.max(self.now);
        let life = self.life(server);
        let Some(process) = self.servers[server].process() else { return };
        if process.timer.is_none_or(|planned| at < planned) {
            process.timer = Some(at);
            self.schedule(at, Event::PeerTimer { life });
        }
    }

    pub(super) fn peer_timer(&mut self, life: Life) -> Verdict {
        if !self.is_current(life) {
            return Ok(());
        }
        let server = life.server;
        if let Some(waiting) = &mut self.servers[server].waiting {
            waiting.push(Event::PeerTimer { life });
            return Ok(());
        }
        let now = self.servers[server].clocks.show(self.now).mono;
        let Some(process) = self.servers[server].process() else { return Ok(()) };
        if process.timer.is_none_or(|planned| planned > self.now) {
            return Ok(());
        }
        process.timer = None;
        if process.peer.next_timeout().is_some_and(|due| due <= now) {
            return self.handle(server, Input::Timeout);
        }
        self.arm_peer(server);
        Ok(())
    }
}

/// How an input stands in the trace; timers stand there by what they do.
fn name(input: &Input) -> Option<(&'static str, [u64; 3])> {
    Some(match input {
        Input::Accepted { conn, .. } => ("accepted", [conn.0, 0, 0]),
        Input::Client { conn, .. } => ("request", [conn.0, 0, 0]),
        Input::Closed { conn } => ("closed", [conn.0, 0, 0]),
        Input::Backlog { conn, bytes } => ("backlog", [conn.0, *bytes as u64, 0]),
        Input::Stored { lane, seq } => ("stored", [*lane as u64, seq.0, 0]),
        Input::StoreFailed { lane, seq, .. } => ("store failed", [*lane as u64, seq.0, 0]),
        Input::FreeSpace { bytes } => ("free space", [*bytes, 0, 0]),
        Input::Shutdown => ("shut down", [0; 3]),
        Input::Dialled { port, to, link } => ("dialled", [*port as u64, u64::from(to.0), link.0]),
        Input::DialFailed { port, to, .. } => ("dial failed", [*port as u64, u64::from(to.0), 0]),
        Input::LinkAccepted { port, link, .. } => ("link accepted", [*port as u64, link.0, 0]),
        Input::Election { link, .. } => ("election", [0, link.0, 0]),
        Input::Quorum { link, .. } => ("quorum", [0, link.0, 0]),
        Input::LinkWritten { link } => ("link written", [0, link.0, 0]),
        Input::LinkBacklog { link, bytes } => ("link backlog", [0, link.0, *bytes as u64]),
        Input::LinkClosed { link, .. } => ("link closed", [0, link.0, 0]),
        Input::Loaded { id, .. } => ("loaded", [0, id.0, 0]),
        Input::Truncated { seq, .. } => ("truncated", [0, seq.0, 0]),
        _ => return None,
    })
}
