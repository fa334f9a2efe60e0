//! Faults: what begins, what lasts, and how it ends.

use super::net::RETRY_LIMIT;
use super::{Event, World};
use crate::checkers::{Verdict, Violation};
use crate::plan::{Fault, Moment};
use quorate_core::vocabulary::ConnId;

const MS: u64 = 1_000_000;

/// When the power goes, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct PowerLoss {
    pub(super) calls_left: u64,
    pub(super) moment: Moment,
    pub(super) down_ns: u64,
}

/// What is broken at the moment.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// Faults of the disk that last: their index in the plan.
    pub(super) disk_errors: Vec<(usize, u64)>,
    pub(super) slow_disk: Vec<(usize, u64)>,
    pub(super) disk_full: Vec<usize>,
    pub(super) lying_disk: Vec<usize>,
    /// The power is about to go.
    pub(super) power_loss: Option<PowerLoss>,
    /// How long the machine stays down when the process ends by itself, ns.
    pub(super) down_ns: u64,
}

impl World<'_> {
    pub(super) fn begin_fault(&mut self, index: usize) -> Verdict {
        let fault = &self.plan.faults[index].fault;
        self.note("fault", [index as u64, 0, 0]);
        self.trace.words(|| format!("{fault:?}"));
        let mut lasts = None;
        let fired = match fault {
            Fault::Kill { down_ms } => return self.kill(fault.name(), down_ms * MS),
            Fault::PowerLoss { after_calls, moment, down_ms } => {
                let (calls_left, moment, down_ns) = (*after_calls, *moment, down_ms * MS);
                self.troubles.power_loss = Some(PowerLoss { calls_left, moment, down_ns });
                lasts = Some(2000);
                // It counts when it happens.
                false
            }
            Fault::Shutdown { down_ms } => return self.shut_down(down_ms * MS),
            Fault::Pause { ms } => self.pause(ms * MS),
            Fault::WallJump { ms } => {
                self.server.wall_offset_ms += ms;
                true
            }
            Fault::Reset { client } => self.break_connection(*client as usize, false)?,
            Fault::HalfOpen { client } => self.break_connection(*client as usize, true)?,
            Fault::Stall { client, to_server, ms } => {
                self.stall(*client as usize, (*to_server, ms * MS), false)
            }
            Fault::Cut { client, to_server, ms } => self.stall(*client as usize, (*to_server, ms * MS), true),
            Fault::DiskErrors { permille, ms } => {
                self.troubles.disk_errors.push((index, *permille));
                lasts = Some(*ms);
                false
            }
            Fault::DiskFull { room, ms } => {
                self.troubles.disk_full.push(index);
                self.server.fill_disk(*room);
                lasts = Some(*ms);
                self.report_space(0)?;
                true
            }
            Fault::LyingDisk { ms } => {
                self.troubles.lying_disk.push(index);
                self.server.disk.set_lying(true);
                lasts = Some(*ms);
                true
            }
            Fault::SlowDisk { ms, call_ms } => {
                self.troubles.slow_disk.push((index, call_ms * MS));
                lasts = Some(*ms);
                true
            }
        };
        if fired {
            self.counters.fault(fault.name());
        }
        if let Some(ms) = lasts {
            self.schedule(self.now + ms * MS, Event::FaultOver(index));
        }
        Ok(())
    }

    pub(super) fn end_fault(&mut self, index: usize) -> Verdict {
        let fault = &self.plan.faults[index].fault;
        if let Fault::PowerLoss { .. } = fault {
            // No disk call came in time: it goes now.
            return match self.troubles.power_loss.take() {
                Some(loss) => self.lose_power(loss.down_ns),
                None => Ok(()),
            };
        }
        self.troubles.disk_errors.retain(|(other, _)| *other != index);
        self.troubles.slow_disk.retain(|(other, _)| *other != index);
        self.troubles.lying_disk.retain(|other| *other != index);
        self.server.disk.set_lying(!self.troubles.lying_disk.is_empty());
        if let Fault::DiskFull { .. } = fault {
            self.troubles.disk_full.retain(|other| *other != index);
            if self.troubles.disk_full.is_empty() {
                self.server.empty_disk();
                return self.report_space(1 << 40);
            }
        }
        Ok(())
    }

    /// From here on nothing breaks any more; what hangs is freed.
    pub(super) fn end_all_faults(&mut self) -> Verdict {
        self.note("end of faults", [0; 3]);
        self.troubles = Troubles::default();
        self.server.disk.set_lying(false);
        self.server.empty_disk();
        self.report_space(1 << 40)?;
        if self.server.is_paused() {
            self.resume(self.server.life)?;
        }
        let conns: Vec<ConnId> = self.net.links.keys().copied().collect();
        for conn in conns {
            self.reset(conn)?;
        }
        Ok(())
    }

    fn break_connection(&mut self, client: usize, is_silent: bool) -> Result<bool, Violation> {
        let Some(conn) = self.net.of_client(client) else { return Ok(false) };
        if is_silent {
            if let Some(link) = self.net.links.get_mut(&conn) {
                link.is_half_open = true;
            }
            self.end_at_client(conn);
            self.client_lost(client)?;
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

    /// Both ends learn that the connection is broken; what is on the way is lost.
    pub(super) fn reset(&mut self, conn: ConnId) -> Verdict {
        let Some(link) = self.net.links.remove(&conn) else { return Ok(()) };
        self.note("reset", [conn.0, 0, 0]);
        if link.open_at_client && self.clients[link.client].conn() == Some(conn) {
            self.client_lost(link.client)?;
        }
        if link.open_at_server { self.closed_at_server(conn) } else { Ok(()) }
    }
}
