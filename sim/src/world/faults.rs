//! Faults: what begins, where, what lasts, and how it ends. What breaks between servers is in `partitions.rs`.

use super::client::Client;
use super::net::RETRY_LIMIT;
use super::server::{Life, Server};
use super::{Event, World};
use crate::checkers::{Verdict, Violation};
use crate::counters::Counters;
use crate::plan::{ClockKind, Fault, MACHINE_DRIFT, MACHINE_PAUSE, Moment, Plan, Ports, RotPlace, Target};
use quorate_core::vocabulary::ConnId;

const MS: u64 = 1_000_000;
/// How long it takes to put another disk into a machine.
const RESTORE_NS: u64 = 500 * MS;

/// When the power goes, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct PowerLoss {
    pub(super) calls_left: u64,
    pub(super) moment: Moment,
    pub(super) down_ns: u64,
}

/// What of a server is broken at the moment. Faults that last stand by their index in the plan.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    pub(super) disk_errors: Vec<(usize, u64)>,
    pub(super) slow_disk: Vec<(usize, u64)>,
    pub(super) disk_full: Vec<usize>,
    pub(super) lying_disk: Vec<usize>,
    /// Clocks that are wrong, and how fast they run.
    pub(super) clocks: Vec<(usize, ClockKind, u64)>,
    /// Of the connections that bring a learner up to date so many in a thousand break in the middle.
    pub(super) break_sync: Vec<(usize, u64)>,
    /// Ports that are closed to whoever dials them.
    pub(super) refuse_links: Vec<(usize, Ports)>,
    pub(super) refuse_clients: Vec<usize>,
    /// What rots before the next restart.
    pub(super) rots: Vec<RotPlace>,
    /// The power is about to go.
    pub(super) power_loss: Option<PowerLoss>,
    /// How long the machine stays down when the process ends by itself, ns.
    pub(super) down_ns: u64,
}

/// Counts what is wrong with machines of applications from the beginning.
pub(super) fn count_standing(plan: &Plan, counters: &mut Counters) {
    for app in &plan.apps {
        app.pauses.iter().for_each(|_| counters.fault(MACHINE_PAUSE));
        if app.speed_permille != 1000 {
            counters.fault(MACHINE_DRIFT);
        }
    }
}

impl World<'_> {
    pub(super) fn begin_fault(&mut self, index: usize) -> Verdict {
        let planned = &self.plan.faults[index];
        self.note("fault", [index as u64, 0, 0]);
        self.explain(|| format!("{:?} of {:?}", planned.fault, planned.target));
        self.watch_fault(index);
        match &planned.fault {
            Fault::Reset { client } => {
                let fired = self.break_connection(*client as usize, false)?;
                self.count_fault(fired, &planned.fault);
            }
            Fault::HalfOpen { client } => {
                let fired = self.break_connection(*client as usize, true)?;
                self.count_fault(fired, &planned.fault);
            }
            Fault::Stall { client, to_server, ms } => {
                let fired = self.stall(*client as usize, (*to_server, ms * MS), false);
                self.count_fault(fired, &planned.fault);
            }
            Fault::Cut { client, to_server, ms } => {
                let fired = self.stall(*client as usize, (*to_server, ms * MS), true);
                self.count_fault(fired, &planned.fault);
            }
            Fault::Lonely { client, ms } => {
                let fired = self.leave_alone(*client as usize, ms * MS);
                self.count_fault(fired, &planned.fault);
            }
            Fault::RollingRestart { every_ms, .. } => {
                for server in 0..self.servers.len() {
                    let at = self.now + server as u64 * every_ms * MS;
                    self.schedule(at, Event::TakeTurn { index, server });
                }
            }
            Fault::FailElected { .. } => self.doomed.push_back(index),
            Fault::FailTruncation { .. } => self.doomed_truncations.push_back(index),
            fault => {
                for server in self.targets(planned.target) {
                    self.break_server(server, index, fault)?;
                }
                if let Some(ms) = fault.lasts_ms() {
                    self.schedule(self.now + ms * MS, Event::FaultOver(index));
                }
            }
        }
        Ok(())
    }

    /// A server is elected, and may be doomed by that.
    pub(super) fn elected(&mut self, server: usize) {
        let Some(index) = self.doomed.pop_front() else { return };
        if let Fault::FailElected { after_ms, .. } = &self.plan.faults[index].fault {
            self.schedule(self.now + after_ms * MS, Event::Doom { index, life: self.life(server) });
        }
    }

    /// Its time has come.
    pub(super) fn doom(&mut self, index: usize, life: Life) -> Verdict {
        let Fault::FailElected { has_power, down_ms, .. } = self.plan.faults[index].fault else {
            return Ok(());
        };
        if !self.is_current(life) || self.now >= self.plan.duration_ms * MS {
            return Ok(());
        }
        let name = self.plan.faults[index].fault.name();
        if has_power {
            return self.kill(life.server, name, down_ms * MS);
        }
        self.counters.fault(name);
        self.lose_power(life.server, down_ms * MS)
    }

    /// It is this server's turn to be started again.
    pub(super) fn take_turn(&mut self, index: usize, server: usize) -> Verdict {
        let fault = &self.plan.faults[index].fault;
        match fault {
            Fault::RollingRestart { down_ms, .. } if self.now < self.plan.duration_ms * MS => {
                self.shut_down(server, fault.name(), down_ms * MS)
            }
            _ => Ok(()),
        }
    }

    fn count_fault(&mut self, fired: bool, fault: &Fault) {
        if fired {
            self.counters.fault(fault.name());
        }
    }

    /// Who is meant, as things are now.
    fn targets(&self, target: Target) -> Vec<usize> {
        match target {
            Target::Server(server) => vec![server as usize],
            Target::Leader => self.leader().into_iter().collect(),
            Target::All => (0..self.servers.len()).collect(),
        }
    }

    fn break_server(&mut self, server: usize, index: usize, fault: &Fault) -> Verdict {
        let troubles = &mut self.servers[server].troubles;
        let fired = match fault {
            Fault::Kill { down_ms } => return self.kill(server, fault.name(), down_ms * MS),
            Fault::Shutdown { down_ms } => return self.shut_down(server, fault.name(), down_ms * MS),
            Fault::PowerLoss { after_calls, moment, down_ms } => {
                let (calls_left, moment, down_ns) = (*after_calls, *moment, down_ms * MS);
                troubles.power_loss = Some(PowerLoss { calls_left, moment, down_ns });
                // It counts when it happens.
                false
            }
            Fault::Pause { ms } => self.pause(server, ms * MS),
            Fault::WallJump { ms } => {
                self.servers[server].clocks.jump(self.now, ClockKind::Wall, *ms);
                true
            }
            Fault::MonoJump { ms } => {
                self.servers[server].clocks.jump(self.now, ClockKind::Monotonic, *ms as i64);
                self.arm_peer(server);
                true
            }
            Fault::ClockSpeed { clock, permille, .. } => {
                troubles.clocks.push((index, *clock, *permille));
                self.set_clocks(server);
                true
            }
            Fault::DiskErrors { permille, .. } => {
                troubles.disk_errors.push((index, *permille));
                false
            }
            Fault::DiskFull { room, .. } => {
                troubles.disk_full.push(index);
                self.servers[server].fill_disk(*room);
                self.report_space(server, 0)?;
                true
            }
            // What a lie costs, only the oracle can say.
            Fault::LyingDisk { .. } if !self.oracle.is_on() => false,
            Fault::LyingDisk { .. } => {
                troubles.lying_disk.push(index);
                self.servers[server].disk.set_lying(true);
                true
            }
            Fault::SlowDisk { call_ms, .. } => {
                troubles.slow_disk.push((index, call_ms * MS));
                true
            }
            Fault::EmptyDisk { down_ms } => {
                self.servers[server].foreign_disk = Some(Box::default());
                return self.lose_power(server, down_ms * MS);
            }
            Fault::OldDisk { .. } => {
                let backup = self.back_up(server);
                self.servers[server].backups.push((index, backup));
                false
            }
            Fault::BitRot { place, has_power, down_ms } => {
                troubles.rots.push(*place);
                // It counts when it happens.
                return match has_power {
                    true => self.kill(server, "kill", down_ms * MS),
                    false => self.lose_power(server, down_ms * MS),
                };
            }
            Fault::BreakSync { permille, .. } => {
                troubles.break_sync.push((index, *permille));
                // It counts when it happens.
                self.break_network(server, index, fault)?;
                false
            }
            Fault::RefuseLinks { ports, .. } => {
                troubles.refuse_links.push((index, *ports));
                // It counts when it happens.
                false
            }
            Fault::RefuseClients { .. } => {
                troubles.refuse_clients.push(index);
                // It counts when it happens.
                false
            }
            Fault::CutLinks { .. }
            | Fault::SlowLinks { .. }
            | Fault::LossyLinks { .. }
            | Fault::BreakLinks { .. } => self.break_network(server, index, fault)?,
            Fault::Reset { .. }
            | Fault::HalfOpen { .. }
            | Fault::Stall { .. }
            | Fault::Cut { .. }
            | Fault::Lonely { .. }
            | Fault::RollingRestart { .. }
            | Fault::FailElected { .. }
            | Fault::FailTruncation { .. } => {
                unreachable!("faults that are no server's yet are dealt with before")
            }
        };
        self.count_fault(fired, fault);
        Ok(())
    }

    /// Its clocks are as fast as what is broken says, of each the newest.
    fn set_clocks(&mut self, server: usize) {
        let Server { clocks, troubles, .. } = &mut self.servers[server];
        for kind in [ClockKind::Monotonic, ClockKind::Wall] {
            let newest = troubles.clocks.iter().rev().find(|(_, clock, _)| *clock == kind);
            clocks.run_at(self.now, kind, newest.map(|(.., permille)| *permille));
        }
        self.arm_peer(server);
    }

    pub(super) fn end_fault(&mut self, index: usize) -> Verdict {
        let planned = &self.plan.faults[index];
        if let Some(timeline) = &mut self.timeline {
            timeline.fault_over(self.now, index);
        }
        self.mend_network(index);
        for server in 0..self.servers.len() {
            if let Some(backup) = self.servers[server].take_backup(index) {
                self.servers[server].foreign_disk = Some(Box::new(backup));
                self.lose_power(server, RESTORE_NS)?;
            }
            let troubles = &mut self.servers[server].troubles;
            if let (Fault::PowerLoss { .. }, Some(loss)) = (&planned.fault, troubles.power_loss) {
                // No disk call came in time: it goes now.
                troubles.power_loss = None;
                self.lose_power(server, loss.down_ns)?;
                continue;
            }
            troubles.disk_errors.retain(|(other, _)| *other != index);
            troubles.slow_disk.retain(|(other, _)| *other != index);
            troubles.lying_disk.retain(|other| *other != index);
            troubles.break_sync.retain(|(other, _)| *other != index);
            troubles.refuse_links.retain(|(other, _)| *other != index);
            troubles.refuse_clients.retain(|other| *other != index);
            troubles.clocks.retain(|(other, ..)| *other != index);
            let is_lying = !troubles.lying_disk.is_empty();
            let was_full = !troubles.disk_full.is_empty();
            troubles.disk_full.retain(|other| *other != index);
            let has_room = was_full && troubles.disk_full.is_empty();
            self.servers[server].disk.set_lying(is_lying);
            if let Fault::ClockSpeed { .. } = planned.fault {
                self.set_clocks(server);
            }
            if has_room {
                self.servers[server].empty_disk();
                self.report_space(server, 1 << 40)?;
            }
        }
        Ok(())
    }

    /// From here on nothing breaks any more; what hangs is freed.
    pub(super) fn end_all_faults(&mut self) -> Verdict {
        self.note("end of faults", [0; 3]);
        self.note_commits();
        if let Some(timeline) = &mut self.timeline {
            timeline.all_mended(self.now);
        }
        self.doomed.clear();
        self.doomed_truncations.clear();
        self.mend_all_networks();
        for server in 0..self.servers.len() {
            self.servers[server].troubles = Troubles::default();
            self.servers[server].backups.clear();
            self.servers[server].foreign_disk = None;
            self.set_clocks(server);
            self.servers[server].disk.set_lying(false);
            self.servers[server].empty_disk();
            if self.servers[server].is_paused() {
                self.resume(self.life(server), self.servers[server].pauses)?;
            }
            // Who stood still when there was room again has not heard of it.
            self.report_space(server, 1 << 40)?;
        }
        let conns: Vec<ConnId> = self.net.links.iter().map(|(conn, _)| conn).collect();
        for conn in conns {
            self.reset(conn)?;
        }
        match &self.plan.ensemble {
            Some(ensemble) => self.part_with_the_rest(ensemble),
            None => Ok(()),
        }
    }

    fn break_connection(&mut self, client: usize, is_silent: bool) -> Result<bool, Violation> {
        let Some(conn) = self.net.of_client(client) else { return Ok(false) };
        if is_silent {
            if let Some(link) = self.net.links.get_mut(conn) {
                link.is_half_open = true;
            }
            self.end_at_client(conn);
            self.client_lost(client, conn)?;
        } else {
            self.schedule(self.now, Event::Reset { conn });
        }
        Ok(true)
    }

    fn stall(&mut self, client: usize, (to_server, ns): (bool, u64), is_cut: bool) -> bool {
        let Some(conn) = self.net.of_client(client) else { return false };
        let until = self.now + ns;
        if !is_cut {
            self.net.hold(conn, to_server, until);
            return true;
        }
        self.net.cut(conn, to_server, until);
        if ns > RETRY_LIMIT {
            self.schedule(self.now + RETRY_LIMIT, Event::Reset { conn });
        }
        true
    }

    /// What the connections of a machine carry waits, and on those that it makes meanwhile, too.
    fn leave_alone(&mut self, client: usize, ns: u64) -> bool {
        let Client::App(app) = &mut self.clients[client] else { return false };
        let until = app.leave_alone(self.now + ns);
        for conn in app.conns() {
            self.net.hold(conn, true, until);
            self.net.hold(conn, false, until);
        }
        true
    }

    /// Both ends learn that the connection is broken; what is on the way is lost.
    pub(super) fn reset(&mut self, conn: ConnId) -> Verdict {
        let Some(link) = self.net.links.remove(conn) else { return Ok(()) };
        self.note("reset", [conn.0, 0, 0]);
        if link.open_at_client && self.clients[link.client].holds(conn) {
            self.client_lost(link.client, conn)?;
        }
        if link.open_at_server { self.closed_at_server(link.server, conn) } else { Ok(()) }
    }
}
