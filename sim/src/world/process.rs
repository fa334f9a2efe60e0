//! The server's process in the world: what reaches it, what it does, how it ends and how it comes back.

use super::client::Client;
use super::net::Piece;
use super::server::{Process, State};
use super::{Event, World};
use crate::checkers::linearizable_writes::RealTime;
use crate::checkers::{Verdict, durability, violated};
use crate::chooser::{Choice, Key};
use quorate_core::contract::{Identity, Input, Lane, Output, PeerEvent};
use quorate_core::peer::Peer;
use quorate_core::tree::Database;
use quorate_core::vocabulary::{ConnId, Entropy, LookupSeed, ServerId};
use quorate_storage_file::{DiskErrorKind, Recovered, Recovery, RecoveryError, RecoveryStep, Step, Storage};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const MS: u64 = 1_000_000;

impl World<'_> {
    /// Gives the peer one input and does what it asks for.
    fn handle(&mut self, input: Input) -> Verdict {
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

    fn set_paused(&mut self, conn: ConnId, is_paused: bool) {
        if let Some(conn) = self.server.process().and_then(|process| process.conns.get_mut(&conn)) {
            conn.is_paused = is_paused;
        }
    }

    pub(super) fn check_everything(&mut self) -> Verdict {
        let State::Running(process) = &self.server.state else { return Ok(()) };
        if let Err(broken) = process.peer.check_full() {
            return violated("peer_check_full", broken);
        }
        self.oracle.check_full(&process.peer)
    }

    fn arm_peer(&mut self) {
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

    pub(super) fn arrive_at_server(&mut self, conn: ConnId) -> Verdict {
        let held = self.net.held_until(conn, true);
        if held > self.now {
            self.schedule(held, Event::Arrive { conn, to_server: true });
            return Ok(());
        }
        if let Some(waiting) = &mut self.server.waiting {
            waiting.push(Event::Arrive { conn, to_server: true });
            return Ok(());
        }
        let Some(piece) = self.net.arrive(conn, true) else { return Ok(()) };
        let Some(link) = self.net.links.get_mut(&conn) else { return Ok(()) };
        let client = link.client;
        match (&self.server.state, &piece) {
            (State::Down { has_power: false }, _) => return Ok(()),
            (State::Running(_), Piece::Start) => link.open_at_server = true,
            (State::Running(_), _) if link.open_at_server => {}
            // Nobody listens, or nobody knows this connection: the client is told so.
            _ => {
                self.schedule(self.now + self.plan.network.latency_us * 1000, Event::Reset { conn });
                return Ok(());
            }
        }
        match piece {
            Piece::Start => {
                let fresh = self.server.new_conn();
                if let Some(process) = self.server.process() {
                    process.conns.insert(conn, fresh);
                }
                let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, client as u8 + 1)), 40_000);
                self.handle(Input::Accepted { conn, identity: Identity { address, certificate: None } })
            }
            Piece::End => self.closed_at_server(conn),
            Piece::Data(bytes) => {
                if let Some(conn) = self.server.process().and_then(|process| process.conns.get_mut(&conn)) {
                    conn.decoder.push(&bytes);
                }
                self.read_on(conn)
            }
        }
    }

    /// Hands over what the decoder makes of the bytes that are there.
    fn read_on(&mut self, conn: ConnId) -> Verdict {
        while let Some(server_conn) = self.server.process().and_then(|process| process.conns.get_mut(&conn))
            && !server_conn.is_paused
        {
            match server_conn.decoder.poll() {
                Ok(Some(message)) => self.handle(Input::Client { conn, message })?,
                Ok(None) => return Ok(()),
                Err(_) => {
                    self.counters.probe("protocol_violation");
                    self.end_at_server(conn);
                    return self.handle(Input::Closed { conn });
                }
            }
        }
        Ok(())
    }

    /// The server's end is closed, behind everything that was sent.
    fn end_at_server(&mut self, conn: ConnId) {
        if let Some(process) = self.server.process() {
            process.conns.remove(&conn);
        }
        if let Some(link) = self.net.links.get_mut(&conn) {
            link.open_at_server = false;
        }
        if let Some(at) = self.net.signal(self.now, (conn, false), Piece::End) {
            self.schedule(at, Event::Arrive { conn, to_server: false });
        }
        self.net.tidy(conn);
    }

    /// The client's end is closed, or the connection broken.
    pub(super) fn closed_at_server(&mut self, conn: ConnId) -> Verdict {
        if let Some(link) = self.net.links.get_mut(&conn) {
            link.open_at_server = false;
        }
        self.net.tidy(conn);
        let was_open = self.server.process().is_some_and(|process| process.conns.remove(&conn).is_some());
        if !was_open {
            return Ok(());
        }
        self.handle(Input::Closed { conn })
    }

    pub(super) fn note_delivered(&mut self, conn: ConnId) -> Verdict {
        self.report_backlog(conn, true)
    }

    /// Tells the peer how much waits for a client, when it has doubled, and when it is gone.
    fn report_backlog(&mut self, conn: ConnId, is_delivery: bool) -> Verdict {
        if self.server.is_paused() {
            return Ok(());
        }
        let bytes = self.net.in_flight(conn, false);
        let Some(server_conn) = self.server.process().and_then(|process| process.conns.get_mut(&conn)) else {
            return Ok(());
        };
        let reported = server_conn.reported_backlog;
        let is_news = if is_delivery { reported > 0 && bytes == 0 } else { bytes >= 4096.max(reported * 2) };
        if !is_news {
            return Ok(());
        }
        server_conn.reported_backlog = bytes;
        self.handle(Input::Backlog { conn, bytes: bytes as usize })
    }

    pub(super) fn report_space(&mut self, bytes: u64) -> Verdict {
        self.oracle.space_is_low(bytes == 0);
        if self.server.is_paused() || self.server.process().is_none() {
            return Ok(());
        }
        self.handle(Input::FreeSpace { bytes })
    }

    /// Begins a lane's next call, if it has one and none is under way.
    fn start_lane(&mut self, lane: Lane) -> Verdict {
        let State::Running(process) = &mut self.server.state else { return Ok(()) };
        let busy = if lane == Lane::Log { &mut process.log_is_busy } else { &mut process.snapshot_is_busy };
        if *busy || process.storage.is_idle(lane) {
            return Ok(());
        }
        *busy = true;
        self.spoil_next_call();
        let State::Running(process) = &mut self.server.state else { return Ok(()) };
        let step: Step = process.storage.step_lane(lane, &mut self.server.disk);
        let at = self.call_made();
        let life = self.server.life;
        let input = step.into_input();
        self.schedule(at, Event::DiskDone { lane, life, input });
        self.maybe_lose_power()
    }

    /// Whether the next call fails, by the faults that last.
    fn spoil_next_call(&mut self) {
        let Some((_, permille)) = self.troubles.disk_errors.first().copied() else { return };
        let key = Key(self.server.life, self.server.disk.calls(), 0);
        if self.chooser.chance(Choice::DiskFault, key, permille) {
            let kinds = [DiskErrorKind::Io, DiskErrorKind::NoSpace];
            let kind = kinds[self.chooser.pick(Choice::DiskFault, Key(key.0, key.1, 1), 2) as usize];
            let written = match self.chooser.pick(Choice::DiskFault, Key(key.0, key.1, 2), 3) {
                0 => self.chooser.pick(Choice::DiskFault, Key(key.0, key.1, 3), 16),
                1 => self.chooser.pick(Choice::DiskFault, Key(key.0, key.1, 3), 2000),
                _ => u64::MAX,
            };
            self.server.disk.fail_next(kind, written);
            self.counters.fault("disk_errors");
        }
    }

    /// A call was made: when it is over.
    fn call_made(&mut self) -> u64 {
        // A step that made no call has no failure to pass on.
        self.server.disk.fail_no_more();
        let (calls, is_sync) = (self.server.disk.calls(), self.server.disk.last_was_sync());
        self.note(if is_sync { "disk sync" } else { "disk call" }, [self.server.life, calls, 0]);
        let most = if is_sync { self.plan.disk.sync_us } else { self.plan.disk.call_us };
        let took = self.chooser.pick(Choice::DiskLatency, Key(self.server.life, calls, 0), most * 1000 + 1);
        let hangs = self.troubles.slow_disk.iter().map(|(_, ns)| *ns).max().unwrap_or(0);
        if let Some(loss) = &mut self.troubles.power_loss {
            loss.calls_left = loss.calls_left.saturating_sub(1);
        }
        self.now + took + hangs
    }

    fn maybe_lose_power(&mut self) -> Verdict {
        match self.troubles.power_loss {
            Some(loss) if loss.calls_left == 0 && self.server.disk.is_moment(loss.moment) => {
                self.troubles.power_loss = None;
                self.lose_power(loss.down_ns)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn disk_done(&mut self, lane: Lane, life: u64, input: Option<Input>) -> Verdict {
        if life != self.server.life {
            return Ok(());
        }
        if let Some(waiting) = &mut self.server.waiting {
            waiting.push(Event::DiskDone { lane, life, input });
            return Ok(());
        }
        if let Some(process) = self.server.process() {
            let busy =
                if lane == Lane::Log { &mut process.log_is_busy } else { &mut process.snapshot_is_busy };
            *busy = false;
        }
        match input {
            Some(input) => self.handle(input),
            None => self.start_lane(lane),
        }
    }

    /// The process is gone; what it had written, the system still has.
    fn process_gone(&mut self, has_power: bool) {
        self.oracle.process_ended();
        self.server.life += 1;
        self.server.state = State::Down { has_power };
        self.server.waiting = None;
        let open: Vec<ConnId> =
            self.net.links.iter().filter(|(_, link)| link.open_at_server).map(|(conn, _)| *conn).collect();
        for conn in open {
            if let Some(link) = self.net.links.get_mut(&conn) {
                link.open_at_server = false;
            }
            if has_power {
                self.schedule(self.now + self.plan.network.latency_us * 1000, Event::Reset { conn });
            }
            self.net.tidy(conn);
        }
    }

    pub(super) fn kill(&mut self, name: &'static str, down_ns: u64) -> Verdict {
        if matches!(self.server.state, State::Down { .. }) {
            return Ok(());
        }
        self.counters.fault(name);
        self.check_everything()?;
        self.process_gone(true);
        self.schedule(self.now + down_ns, Event::Restart { life: self.server.life });
        Ok(())
    }

    pub(super) fn lose_power(&mut self, down_ns: u64) -> Verdict {
        if matches!(self.server.state, State::Down { has_power: false }) {
            return Ok(());
        }
        self.counters.fault("power_loss");
        self.note("power loss", [self.server.life, 0, 0]);
        self.check_everything()?;
        self.process_gone(false);
        self.oracle.loses_power(self.server.disk.lies());
        self.server.disk.lose_power(&mut *self.chooser, self.server.life);
        self.server.disk.torn_logs().into_iter().for_each(|shape| self.counters.probe(shape));
        self.schedule(self.now + down_ns, Event::Restart { life: self.server.life });
        Ok(())
    }

    pub(super) fn shut_down(&mut self, down_ns: u64) -> Verdict {
        if !self.server.is_serving() || self.server.is_paused() {
            return Ok(());
        }
        self.counters.fault("shutdown");
        self.troubles.down_ns = down_ns;
        self.handle(Input::Shutdown)
    }

    /// The peer has asked for the end of its process.
    fn exited(&mut self) -> Verdict {
        self.note("exit", [self.server.life, 0, 0]);
        self.counters.probe("process_exit");
        self.process_gone(true);
        let down_ns = std::mem::take(&mut self.troubles.down_ns).max(100 * MS);
        self.schedule(self.now + down_ns, Event::Restart { life: self.server.life });
        Ok(())
    }

    pub(super) fn pause(&mut self, ns: u64) -> bool {
        if self.server.is_paused() || self.server.process().is_none() {
            return false;
        }
        self.server.waiting = Some(Vec::new());
        self.schedule(self.now + ns, Event::Resume { life: self.server.life });
        true
    }

    pub(super) fn resume(&mut self, life: u64) -> Verdict {
        if life != self.server.life {
            return Ok(());
        }
        let mut waiting = self.server.waiting.take().unwrap_or_default();
        // What arrived is heard before anything that is only due.
        waiting.sort_by_key(Event::class);
        for event in waiting {
            if life == self.server.life {
                self.happen(event)?;
            }
        }
        Ok(())
    }

    pub(super) fn restart(&mut self, life: u64) -> Verdict {
        if life != self.server.life {
            return Ok(());
        }
        self.note("restart", [life, 0, 0]);
        self.maybe_replace_snapshot()?;
        let recovery = Box::new(Recovery::new(self.server.recovery_options()));
        self.server.state = State::Recovering { recovery, had_errors: false };
        self.recover(life)
    }

    /// One call of recovery.
    pub(super) fn recover(&mut self, life: u64) -> Verdict {
        if life != self.server.life {
            return Ok(());
        }
        self.spoil_next_call();
        let State::Recovering { recovery, had_errors } = &mut self.server.state else { return Ok(()) };
        let step = recovery.step(&mut self.server.disk);
        *had_errors |= self.server.disk.last_failed();
        let had_errors = *had_errors;
        let at = self.call_made();
        match step {
            Ok(RecoveryStep::Progress) => self.schedule(at, Event::Recovery { life }),
            Ok(RecoveryStep::Done(recovered)) => return self.start(*recovered),
            Err(RecoveryError::Disk(_)) if had_errors => self.try_again(),
            Err(_) if had_errors => self.try_again(),
            Err(_) if self.oracle.was_lied_to() => {
                // The operator has to restore it from elsewhere; here it ends.
                self.counters.probe("lie_ends_in_refusal");
                self.is_refused = true;
                self.is_over = true;
                return Ok(());
            }
            Err(refusal) => return durability::refused(&refusal.to_string()),
        }
        self.maybe_lose_power()
    }

    /// The disk failed during recovery: the process ends, and is started again.
    fn try_again(&mut self) {
        self.counters.probe("recovery_failed");
        self.process_gone(true);
        self.schedule(self.now + 100 * MS, Event::Restart { life: self.server.life });
    }

    /// Acknowledged txns are gone with a lie: clients that remember them would be sent away for ever, so they are begun anew too.
    fn begin_anew(&mut self) -> Verdict {
        let conns: Vec<ConnId> = self.net.links.keys().copied().collect();
        for conn in conns {
            self.reset(conn)?;
        }
        self.real_time = RealTime::default();
        self.clients.iter_mut().for_each(Client::forget_session);
        Ok(())
    }

    /// History is back: the process serves.
    fn start(&mut self, recovered: Recovered) -> Verdict {
        self.server.boot_at = self.now;
        let now = self.server.clocks(self.now);
        self.note("recovered", [recovered.report.last_zxid.0 as u64, recovered.report.replayed, 0]);
        self.trace.words(|| format!("{:?}", recovered.report));
        if !recovered.report.repairs.is_empty() {
            self.counters.probe("recovery_mended");
        }
        let fresh = Database::new(LookupSeed(self.server.life), self.server.tree_options);
        if self.oracle.recovered(&recovered, now.mono, fresh)? {
            self.counters.probe("lie_loses_acknowledged");
            self.begin_anew()?;
        }
        self.oracle.disk_is_good(&self.server.disk, &self.server.recovery_options())?;
        let entropy = Entropy::new(self.plan.seed, ServerId(1), self.server.life);
        let storage = Storage::new(self.server.storage_options.clone(), recovered.report.last_zxid);
        let peer = Peer::new(self.server.config.clone(), recovered.database, entropy, now);
        self.server.state = State::Running(Box::new(Process {
            peer,
            storage,
            conns: std::collections::BTreeMap::new(),
            timer: None,
            log_is_busy: false,
            snapshot_is_busy: false,
            handled: 0,
        }));
        let is_full = !self.troubles.disk_full.is_empty();
        self.report_space(if is_full { 0 } else { 1 << 40 })?;
        self.check_everything()
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
