//! How the server's process ends, by itself, by a signal or with the power, and how it comes back from its disk.

use super::server::{Process, State};
use super::{Event, World};
use crate::checkers::linearizable_writes::RealTime;
use crate::checkers::{Verdict, durability};
use quorate_core::contract::Input;
use quorate_core::peer::Peer;
use quorate_core::tree::Database;
use quorate_core::vocabulary::{ConnId, Entropy, LookupSeed, ServerId};
use quorate_storage_file::{Recovered, Recovery, RecoveryError, RecoveryStep, Storage};

const MS: u64 = 1_000_000;

impl World<'_> {
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

    pub(super) fn maybe_lose_power(&mut self) -> Verdict {
        match self.troubles.power_loss {
            Some(loss) if loss.calls_left == 0 && self.server.disk.is_moment(loss.moment) => {
                self.troubles.power_loss = None;
                self.lose_power(loss.down_ns)
            }
            _ => Ok(()),
        }
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
    pub(super) fn exited(&mut self) -> Verdict {
        self.note("exit", [self.server.life, 0, 0]);
        self.counters.probe("process_exit");
        self.process_gone(true);
        let down_ns = std::mem::take(&mut self.troubles.down_ns).max(100 * MS);
        self.schedule(self.now + down_ns, Event::Restart { life: self.server.life });
        Ok(())
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
        let storage = Storage::new(self.server.recovery_options(), recovered.report.last_zxid);
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

    /// Acknowledged txns are gone with a lie: clients that remember them would be sent away for ever, so they are begun anew too.
    fn begin_anew(&mut self) -> Verdict {
        let conns: Vec<ConnId> = self.net.links.keys().copied().collect();
        for conn in conns {
            self.reset(conn)?;
        }
        self.real_time = RealTime::default();
        (0..self.clients.len()).try_for_each(|client| self.forget_session(client))
    }
}
