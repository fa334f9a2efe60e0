//! Back-pressure (`client-protocol.md` §21): outstanding requests, replies that a client does not take, a disk that fills up.
//!
//! - Over `globalOutstandingLimit` no connection is read that has a request in process; all are again when it is met.
//! - A connection whose replies pile up is not read; one that lets them pile up further is closed, and so is one whose reply alone
//!   would come to as much.
//! - Below the low watermark of free space, writes that can grow the data are answered -125; reads, pings, deletes, checks and
//!   closing sessions go on. Space is measured now and then, so what was logged since counts as gone, and so does what was logged
//!   between the last two measurements: it may not have reached the disk when the last one was made. A leader answers so whatever server
//!   was asked; the disk of any other server is spared only what its own clients ask for.
//! - Invariant: memory held for clients is bounded by these limits, whatever the clients do.

use super::Peer;
use crate::contract::{Outbox, PeerEvent};
use crate::pipeline::{PauseReason, Slot};
use crate::vocabulary::{ConnId, Millis, Mono};

/// Notices that could come with every request are told once in this time.
const NOTICE_INTERVAL: Millis = Millis(1_000);

/// See the module's words.
#[derive(Clone, Debug, Default)]
pub(super) struct Pressure {
    /// Connections paused because too much is in process.
    throttled: Vec<ConnId>,
    pub(super) is_space_low: bool,
    /// Free bytes on the log's disk when they were last measured.
    measured: Option<u64>,
    /// Bytes logged since, and between the last two measurements.
    logged: u64,
    logged_before: u64,
    next_slow: Mono,
    next_quota: Mono,
}

impl Pressure {
    pub(super) fn may_tell_slow(&mut self, now: Mono) -> bool {
        may_tell(&mut self.next_slow, now)
    }

    pub(super) fn may_tell_quota(&mut self, now: Mono) -> bool {
        may_tell(&mut self.next_quota, now)
    }

    /// Free bytes that can be counted on, once they were measured.
    fn free(&self) -> Option<u64> {
        Some(self.measured?.saturating_sub(self.logged + self.logged_before))
    }
}

fn may_tell(next: &mut Mono, now: Mono) -> bool {
    if now < *next {
        return false;
    }
    *next = now + NOTICE_INTERVAL;
    true
}

impl Peer {
    /// A connection has one more request in process.
    pub(super) fn throttle(&mut self, slot: Slot, outbox: &mut Outbox) {
        if self.in_process() <= self.state.config.limits.outstanding_requests as usize {
            return;
        }
        let connection = self.state.connections.at(slot);
        if connection.pauses & PauseReason::Outstanding as u8 == 0 {
            let conn = connection.id;
            self.pressure.throttled.push(conn);
            self.state.pause(conn, PauseReason::Outstanding, outbox);
        }
    }

    /// Reads again from those that were throttled, when there is room.
    pub(super) fn relieve(&mut self, outbox: &mut Outbox) {
        let limit = self.state.config.limits.outstanding_requests as usize;
        if self.pressure.throttled.is_empty() || self.in_process() > limit {
            return;
        }
        for conn in std::mem::take(&mut self.pressure.throttled) {
            self.state.resume(conn, PauseReason::Outstanding, outbox);
        }
    }

    pub(super) fn backlog(&mut self, conn: ConnId, bytes: usize, outbox: &mut Outbox) {
        let limits = &self.state.config.limits;
        let Some(connection) = self.state.connections.get(conn) else { return };
        // One reply may be as long as the limit: what it found before it counts.
        if bytes.saturating_sub(connection.reply_length) > limits.backlog_close {
            self.drop_connection(conn, "its client does not take its replies", outbox);
        } else if bytes > limits.backlog_pause {
            self.state.pause(conn, PauseReason::Backlog, outbox);
        } else if bytes <= limits.backlog_pause / 2 {
            self.state.resume(conn, PauseReason::Backlog, outbox);
        }
    }

    pub(super) fn free_space(&mut self, bytes: u64, outbox: &mut Outbox) {
        self.pressure.measured = Some(bytes);
        self.pressure.logged_before = std::mem::take(&mut self.pressure.logged);
        self.judge_space(outbox);
    }

    /// A txn of so many bytes goes to the log.
    pub(super) fn space_taken(&mut self, bytes: usize, outbox: &mut Outbox) {
        self.pressure.logged += bytes as u64;
        self.judge_space(outbox);
    }

    fn judge_space(&mut self, outbox: &mut Outbox) {
        let Some(bytes) = self.pressure.free() else { return };
        let limits = &self.state.config.limits;
        if !self.pressure.is_space_low && bytes < limits.free_space_low {
            self.pressure.is_space_low = true;
            outbox.event(PeerEvent::FreeSpaceLow { bytes });
        } else if self.pressure.is_space_low && bytes >= limits.free_space_high {
            self.pressure.is_space_low = false;
            outbox.event(PeerEvent::FreeSpaceRecovered { bytes });
        }
    }
}
