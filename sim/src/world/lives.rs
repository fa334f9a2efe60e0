//! How the server's process ends, by itself, by a signal or with the power, and how it comes back from its disk.

use super::server::{Life, Process, State};
use super::{Event, World};
use crate::checkers::linearizable_writes::RealTime;
use crate::checkers::{Verdict, durability};
use quorate_core::contract::Input;
use quorate_core::peer::Peer;
use quorate_core::tree::Database;
use quorate_core::vocabulary::{ConnId, Entropy, LookupSeed, ServerId, Zxid};
use quorate_storage_file::{Recovered, Recovery, RecoveryError, RecoveryStep, Storage};

const MS: u64 = 1_000_000;

impl World<'_> {
    pub(super) fn kill(&mut self, server: usize, name: &'static str, down_ns: u64) -> Verdict {
        if matches!(self.servers[server].state, State::Down { .. }) {
            return Ok(());
        }
        self.counters.fault(name);
        self.check_server(server)?;
        self.process_gone(server, true);
        self.schedule(self.now + down_ns, Event::Restart { life: self.life(server) });
        Ok(())
    }

    pub(super) fn lose_power(&mut self, server: usize, down_ns: u64) -> Verdict {
        if matches!(self.servers[server].state, State::Down { has_power: false }) {
            return Ok(());
        }
        self.counters.fault("power_loss");
        self.note_at(server, "power loss", [self.servers[server].life, 0, 0]);
        self.check_server(server)?;
        self.process_gone(server, false);
        self.judge_lies(server);
        let life = self.life(server).key();
        self.servers[server].disk.lose_power(&mut *self.chooser, life);
        self.servers[server].disk.torn_logs().into_iter().for_each(|shape| self.counters.probe(shape));
        self.schedule(self.now + down_ns, Event::Restart { life: self.life(server) });
        Ok(())
    }

    pub(super) fn maybe_lose_power(&mut self, server: usize) -> Verdict {
        match self.servers[server].troubles.power_loss {
            Some(loss) if loss.calls_left == 0 && self.servers[server].disk.is_moment(loss.moment) => {
                self.servers[server].troubles.power_loss = None;
                self.lose_power(server, loss.down_ns)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn shut_down(&mut self, server: usize, name: &'static str, down_ns: u64) -> Verdict {
        if !self.servers[server].is_serving() || self.servers[server].is_paused() {
            return Ok(());
        }
        self.counters.fault(name);
        self.servers[server].troubles.down_ns = down_ns;
        self.handle(server, Input::Shutdown)
    }

    /// The peer has asked for the end of its process.
    pub(super) fn exited(&mut self, server: usize) -> Verdict {
        self.note_at(server, "exit", [self.servers[server].life, 0, 0]);
        self.counters.probe("process_exit");
        self.process_gone(server, true);
        let down_ns = std::mem::take(&mut self.servers[server].troubles.down_ns).max(100 * MS);
        self.schedule(self.now + down_ns, Event::Restart { life: self.life(server) });
        Ok(())
    }

    /// The process is gone; what it had written, the system still has.
    pub(super) fn process_gone(&mut self, server: usize, has_power: bool) {
        self.oracle.process_ended(server);
        let life = self.servers[server].life;
        self.servers[server].life += 1;
        self.servers[server].state = State::Down { has_power };
        self.servers[server].waiting = None;
        self.servers[server].disk.process_ended();
        self.servers[server].disk.heal();
        self.ends_gone(server, life, has_power);
        let open: Vec<ConnId> = self
            .net
            .links
            .iter()
            .filter(|(_, link)| link.open_at_server && link.server == server)
            .map(|(conn, _)| conn)
            .collect();
        for conn in open {
            if let Some(link) = self.net.links.get_mut(conn) {
                link.open_at_server = false;
            }
            if has_power {
                self.schedule(self.now + self.plan.network.latency_us * 1000, Event::Reset { conn });
            }
            self.net.tidy(conn);
        }
    }

    pub(super) fn pause(&mut self, server: usize, ns: u64) -> bool {
        if self.servers[server].is_paused() || self.servers[server].process().is_none() {
            return false;
        }
        self.servers[server].waiting = Some(Vec::new());
        self.servers[server].pauses += 1;
        let (life, pause) = (self.life(server), self.servers[server].pauses);
        self.schedule(self.now + ns, Event::Resume { life, pause });
        true
    }

    /// This pause is over, unless it was ended before.
    pub(super) fn resume(&mut self, life: Life, pause: u64) -> Verdict {
        if !self.is_current(life) || pause != self.servers[life.server].pauses {
            return Ok(());
        }
        let server = life.server;
        let mut waiting = self.servers[server].waiting.take().unwrap_or_default();
        // What arrived is heard before anything that is only due.
        waiting.sort_by_key(Event::class);
        for event in waiting {
            if self.is_current(life) {
                self.happen(event)?;
            }
        }
        Ok(())
    }

    pub(super) fn restart(&mut self, life: Life) -> Verdict {
        if !self.is_current(life) {
            return Ok(());
        }
        let server = life.server;
        self.note_at(server, "restart", [life.number, 0, 0]);
        self.maybe_change_disk(server);
        self.maybe_rot(server);
        self.release_links();
        self.maybe_replace_snapshot(server)?;
        let recovery = Box::new(Recovery::new(self.servers[server].recovery_options()));
        self.servers[server].state = State::Recovering { recovery, had_errors: false };
        self.recover(life)
    }

    /// One call of recovery.
    pub(super) fn recover(&mut self, life: Life) -> Verdict {
        if !self.is_current(life) {
            return Ok(());
        }
        let server = life.server;
        self.spoil_next_call(server);
        let machine = &mut self.servers[server];
        let State::Recovering { recovery, had_errors } = &mut machine.state else { return Ok(()) };
        let step = recovery.step(&mut machine.disk);
        *had_errors |= machine.disk.last_failed();
        let had_errors = *had_errors;
        let at = self.call_made(server);
        match step {
            Ok(RecoveryStep::Progress) => self.schedule(at, Event::Recovery { life }),
            Ok(RecoveryStep::Done(recovered)) => return self.start(server, *recovered),
            Err(RecoveryError::Uninitialized) if self.servers[server].missing_disk.is_some() => {
                self.bring_a_disk(server);
                self.process_gone(server, true);
                self.schedule(self.now + 100 * MS, Event::Restart { life: self.life(server) });
            }
            Err(RecoveryError::Disk(_)) if had_errors => self.try_again(server),
            Err(_) if had_errors => self.try_again(server),
            Err(refusal) if let Some(cause) = self.oracle.may_refuse(server) => {
                self.refuses_its_disk(server, cause, &refusal);
            }
            Err(_) if self.oracle.views[server].was_lied_to() => {
                // The operator has to restore it from elsewhere; here it ends.
                self.counters.probe("lie_ends_in_refusal");
                self.is_cut_short = true;
                self.is_over = true;
                return Ok(());
            }
            Err(refusal) => return durability::refused(&refusal.to_string()),
        }
        self.maybe_lose_power(server)
    }

    /// The disk failed during recovery: the process ends, and is started again.
    fn try_again(&mut self, server: usize) {
        self.counters.probe("recovery_failed");
        self.process_gone(server, true);
        self.schedule(self.now + 100 * MS, Event::Restart { life: self.life(server) });
    }

    /// History is back: the process serves.
    fn start(&mut self, server: usize, recovered: Recovered) -> Verdict {
        self.servers[server].clocks.begin(self.now);
        let now = self.servers[server].clocks.show(self.now);
        self.note_at(
            server,
            "recovered",
            [recovered.report.last_zxid.0 as u64, recovered.report.replayed, 0],
        );
        self.trace.words(|| format!("{:?}", recovered.report));
        if let Some(timeline) = &mut self.timeline {
            timeline.log_is(server, recovered.report.last_zxid);
        }
        if !recovered.report.repairs.is_empty() {
            self.counters.probe("recovery_mended");
        }
        let lies = self.servers[server].disk.lies();
        self.oracle.views[server].disk_says(lies);
        let fresh = Database::new(LookupSeed(self.servers[server].life), self.servers[server].tree_options);
        let disk = &self.servers[server].disk;
        if self.oracle.recovered(server, (&recovered, disk), (now.mono, fresh))? {
            self.counters.probe("lie_loses_acknowledged");
            self.begin_anew()?;
        }
        let skipped = recovered.report.skipped_snapshots.iter().map(|(name, _)| name.as_str());
        self.servers[server].disk.rot_missed(skipped);
        let options = self.servers[server].recovery_options();
        self.oracle.disk_is_good(server, &self.servers[server].disk, &options)?;
        if self.servers[server].ensemble.is_some() && recovered.database.last_zxid() > Zxid::ZERO {
            self.counters.probe("member_came_back");
        }
        let entropy = Entropy::new(self.plan.seed, ServerId(server as u8 + 1), self.servers[server].life);
        let storage = Storage::new(self.servers[server].recovery_options(), recovered.report.last_zxid);
        let config = self.servers[server].config.clone();
        let peer = match self.servers[server].ensemble.clone() {
            None => Peer::new(config, recovered.database, entropy, now),
            Some(ensemble) => {
                let epochs = recovered.epochs;
                Peer::member(config, ensemble, recovered.into_history(), epochs, entropy, now)
            }
        };
        self.servers[server].state = State::Running(Box::new(Process {
            peer,
            storage,
            conns: std::collections::BTreeMap::new(),
            timer: None,
            busy: Vec::new(),
            handled: 0,
        }));
        let is_full = !self.servers[server].troubles.disk_full.is_empty();
        self.report_space(server, if is_full { 0 } else { 1 << 40 })?;
        self.arm_peer(server);
        self.check_server(server)
    }

    /// Acknowledged txns are gone with a lie: clients that remember them would be sent away for ever, so they are begun anew too.
    fn begin_anew(&mut self) -> Verdict {
        let conns: Vec<ConnId> = self.net.links.iter().map(|(conn, _)| conn).collect();
        for conn in conns {
            self.reset(conn)?;
        }
        // Only a server alone has a disk that lies.
        self.real_time = RealTime::new(false, false);
        (0..self.clients.len()).try_for_each(|client| self.forget_session(client))
    }
}
