//! A server's storage lanes, a disk call at a time: what each takes, whether it fails, what the peer is told.

use super::faults::PowerLoss;
use super::server::{Life, State};
use super::{Event, World};
use crate::checkers::Verdict;
use crate::chooser::{Choice, Key};
use crate::plan::{Fault, Moment};
use quorate_core::contract::{Input, Lane};
use quorate_storage_file::{DiskErrorKind, Step};

/// What a thread of the storage does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Lane(Lane),
    /// Old txns are read back.
    Load,
}

pub(super) const WORK: [Work; 4] =
    [Work::Lane(Lane::Epoch), Work::Lane(Lane::Log), Work::Lane(Lane::Snapshot), Work::Load];

impl World<'_> {
    /// Begins a thread's next call, if it has one and none is under way.
    pub(super) fn start_work(&mut self, server: usize, work: Work) -> Verdict {
        let State::Running(process) = &mut self.servers[server].state else { return Ok(()) };
        let is_idle = match work {
            Work::Lane(lane) => process.storage.is_idle(lane),
            Work::Load => process.storage.is_load_idle(),
        };
        if is_idle || process.busy.contains(&work) {
            return Ok(());
        }
        process.busy.push(work);
        self.spoil_next_call(server);
        if work == Work::Lane(Lane::Log) {
            self.spoil_truncation(server);
        }
        let machine = &mut self.servers[server];
        let State::Running(process) = &mut machine.state else { return Ok(()) };
        let step: Step = match work {
            Work::Lane(lane) => process.storage.step_lane(lane, &mut machine.disk),
            Work::Load => process.storage.step_load(&mut machine.disk),
        };
        let at = self.call_made(server);
        let life = self.life(server);
        let input = step.into_input().map(Box::new);
        self.schedule(at, Event::DiskDone { work, life, input });
        self.maybe_lose_power(server)
    }

    pub(super) fn disk_done(&mut self, work: Work, life: Life, input: Option<Box<Input>>) -> Verdict {
        if !self.is_current(life) {
            return Ok(());
        }
        let server = life.server;
        if let Some(waiting) = &mut self.servers[server].waiting {
            waiting.push(Event::DiskDone { work, life, input });
            return Ok(());
        }
        if let Some(process) = self.servers[server].process() {
            process.busy.retain(|other| *other != work);
        }
        match input {
            Some(input) => self.handle(server, *input),
            None => self.start_work(server, work),
        }
    }

    /// Whether the next call fails, by the faults that last.
    pub(super) fn spoil_next_call(&mut self, server: usize) {
        let Some((_, permille)) = self.servers[server].troubles.disk_errors.first().copied() else { return };
        let key = Key(self.life(server).key(), self.servers[server].disk.calls(), 0);
        if self.chooser.chance(Choice::DiskFault, key, permille) {
            let kinds = [DiskErrorKind::Io, DiskErrorKind::NoSpace];
            let kind = kinds[self.chooser.pick(Choice::DiskFault, Key(key.0, key.1, 1), 2) as usize];
            let written = match self.chooser.pick(Choice::DiskFault, Key(key.0, key.1, 2), 3) {
                0 => self.chooser.pick(Choice::DiskFault, Key(key.0, key.1, 3), 16),
                1 => self.chooser.pick(Choice::DiskFault, Key(key.0, key.1, 3), 2000),
                _ => u64::MAX,
            };
            self.servers[server].disk.fail_next(kind, written);
            self.counters.fault("disk_errors");
        }
    }

    /// Whether a truncation under way fails with the next call; if it does, the power goes soon.
    fn spoil_truncation(&mut self, server: usize) {
        let Some(index) = self.doomed_truncations.front().copied() else { return };
        let Fault::FailTruncation { permille, after_calls, down_ms } = self.plan.faults[index].fault else {
            return;
        };
        let key = Key(self.life(server).key(), self.servers[server].disk.calls(), 4);
        if !self.oracle.views[server].ledger.is_cutting()
            || !self.chooser.chance(Choice::DiskFault, key, permille)
        {
            return;
        }
        self.doomed_truncations.pop_front();
        self.counters.fault(self.plan.faults[index].fault.name());
        let machine = &mut self.servers[server];
        machine.disk.fail_next(DiskErrorKind::Io, u64::MAX);
        let (calls_left, down_ns) = (after_calls + 1, down_ms * 1_000_000);
        machine.troubles.power_loss = Some(PowerLoss { calls_left, moment: Moment::Any, down_ns });
    }

    /// A call was made: when it is over.
    pub(super) fn call_made(&mut self, server: usize) -> u64 {
        // A step that made no call has no failure to pass on.
        self.servers[server].disk.fail_no_more();
        let (calls, is_sync) = (self.servers[server].disk.calls(), self.servers[server].disk.last_was_sync());
        let life = self.life(server);
        self.note_at(server, if is_sync { "disk sync" } else { "disk call" }, [life.number, calls, 0]);
        let most = if is_sync { self.plan.disk.sync_us } else { self.plan.disk.call_us };
        let took = self.chooser.pick(Choice::DiskLatency, Key(life.key(), calls, 0), most * 1000 + 1);
        let hangs = self.servers[server].troubles.slow_disk.iter().map(|(_, ns)| *ns).max().unwrap_or(0);
        if let Some(loss) = &mut self.servers[server].troubles.power_loss {
            loss.calls_left = loss.calls_left.saturating_sub(1);
        }
        self.now + took + hangs
    }

    pub(super) fn report_space(&mut self, server: usize, bytes: u64) -> Verdict {
        self.oracle.space_is_low(server, bytes == 0);
        if self.servers[server].is_paused() || self.servers[server].process().is_none() {
            return Ok(());
        }
        self.handle(server, Input::FreeSpace { bytes })
    }
}
