//! The server's process in the world: what it is given, what it asks for, when it wakes by itself.

use super::server::State;
use super::{Event, World};
use crate::checkers::{Verdict, violated};
use quorate_core::contract::{Input, Lane, Output, PeerEvent};

impl World<'_> {
    /// Gives the peer one input and does what it asks for.
    pub(super) fn handle(&mut self, input: Input) -> Verdict {
        let now = self.server.clocks(self.now);
        if let Some((what, numbers)) = name(&input) {
            self.note(what, numbers);
            self.trace.words(|| format!("{input:?}"));
        }
        let was_timeout = matches!(input, Input::Timeout);
        self.oracle.disk_says(self.server.disk.lies());
        self.oracle.input(now, &input)?;
        let State::Running(process) = &mut self.server.state else { return Ok(()) };
        process.handled += 1;
        let is_round = process.handled.is_multiple_of(1024);
        process.peer.handle(now, input, &mut self.server.outbox);
        let outputs: Vec<Output> = self.server.outbox.drain().collect();
        if was_timeout && !outputs.is_empty() {
            self.note("timeout", [outputs.len() as u64, 0, 0]);
        }
        let mut resumed = Vec::new();
        let mut sent_to = Vec::new();
        let mut exits = false;
        for output in outputs {
            self.oracle.output(&output, &mut self.counters)?;
            match output {
                Output::Send { conn, bytes } => {
                    self.trace.bytes(&bytes);
                    self.send(conn, false, bytes);
                    sent_to.push(conn);
                }
                Output::Close { conn } => self.end_at_server(conn),
                Output::PauseRead { conn } => {
                    self.counters.probe("pause_read");
                    self.set_paused(conn, true);
                }
                Output::ResumeRead { conn } => {
                    self.set_paused(conn, false);
                    resumed.push(conn);
                }
                Output::Store { lane, seq, op } => {
                    if let Some(process) = self.server.process() {
                        process.storage.queue(lane, seq, op);
                    }
                }
                Output::Event(event) => self.count_event(&event),
                Output::Exit { .. } => exits = true,
                _ => {}
            }
        }
        if let State::Running(process) = &self.server.state {
            self.oracle.handled(&process.peer, was_timeout)?;
            if let Err(broken) = process.peer.check() {
                return violated("peer_check", broken);
            }
        }
        if is_round {
            self.check_everything()?;
        }
        if exits {
            return self.exited();
        }
        self.arm_peer();
        self.start_lane(Lane::Log)?;
        self.start_lane(Lane::Snapshot)?;
        for conn in sent_to {
            self.report_backlog(conn, false)?;
        }
        for conn in resumed {
            self.read_on(conn)?;
        }
        Ok(())
    }

    fn count_event(&mut self, event: &PeerEvent) {
        let name = match event {
            PeerEvent::SessionExpired { .. } => "session_expired",
            PeerEvent::SessionReattached { .. } => "session_reattached",
            PeerEvent::HandshakeRefused { .. } => "handshake_refused",
            PeerEvent::SnapshotDurable { .. } => "snapshot_durable",
            PeerEvent::SnapshotFailed { .. } => "snapshot_failed",
            PeerEvent::QuotaExceeded { hard: true, .. } => "hard_quota_exceeded",
            PeerEvent::FreeSpaceLow { .. } => "free_space_low",
            _ => return,
        };
        self.counters.probe(name);
    }

    pub(super) fn check_everything(&mut self) -> Verdict {
        let State::Running(process) = &self.server.state else { return Ok(()) };
        if let Err(broken) = process.peer.check_full() {
            return violated("peer_check_full", broken);
        }
        self.oracle.check_full(&process.peer)
    }

    pub(super) fn arm_peer(&mut self) {
        let State::Running(process) = &mut self.server.state else { return };
        let Some(due) = process.peer.next_timeout() else { return };
        let at = if due.0 == u64::MAX { return } else { due };
        let at = self.server.time_of(at).max(self.now);
        let life = self.server.life;
        let Some(process) = self.server.process() else { return };
        if process.timer.is_none_or(|planned| at < planned) {
            process.timer = Some(at);
            self.schedule(at, Event::PeerTimer { life });
        }
    }

    pub(super) fn peer_timer(&mut self, life: u64) -> Verdict {
        if life != self.server.life {
            return Ok(());
        }
        if let Some(waiting) = &mut self.server.waiting {
            waiting.push(Event::PeerTimer { life });
            return Ok(());
        }
        let now = self.server.clocks(self.now).mono;
        let Some(process) = self.server.process() else { return Ok(()) };
        if process.timer.is_none_or(|planned| planned > self.now) {
            return Ok(());
        }
        process.timer = None;
        if process.peer.next_timeout().is_some_and(|due| due <= now) {
            return self.handle(Input::Timeout);
        }
        self.arm_peer();
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
        _ => return None,
    })
}
