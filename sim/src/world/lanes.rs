//! The server's storage lanes, a disk call at a time: what each takes, whether it fails, what the peer is told.

use super::server::State;
use super::{Event, World};
use crate::checkers::Verdict;
use crate::chooser::{Choice, Key};
use quorate_core::contract::{Input, Lane};
use quorate_storage_file::{DiskErrorKind, Step};

impl World<'_> {
    /// Begins a lane's next call, if it has one and none is under way.
    pub(super) fn start_lane(&mut self, lane: Lane) -> Verdict {
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

    /// Whether the next call fails, by the faults that last.
    pub(super) fn spoil_next_call(&mut self) {
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
    pub(super) fn call_made(&mut self) -> u64 {
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

    pub(super) fn report_space(&mut self, bytes: u64) -> Verdict {
        self.oracle.space_is_low(bytes == 0);
        if self.server.is_paused() || self.server.process().is_none() {
            return Ok(());
        }
        self.handle(Input::FreeSpace { bytes })
    }
}
