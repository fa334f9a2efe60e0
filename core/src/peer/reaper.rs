//! The reaper of containers and TTL nodes (`client-protocol.md` §11.4): a scan every interval, then one deletion at a time, no
//! faster than `maxPerMinute`.

use super::Peer;
use crate::contract::Outbox;
use crate::pipeline::{Ground, Origin};
use crate::vocabulary::{Millis, Mono, Now, Sequences};
use std::collections::VecDeque;

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) struct Reaper {
    interval: Millis,
    spacing: Millis,
    next_scan: Mono,
    /// Found by the last scan, not deleted yet.
    due: VecDeque<String>,
    next_deletion: Mono,
}

impl Reaper {
    pub(super) fn new(sequences: &Sequences, now: Mono) -> Self {
        let interval = Millis(sequences.container_check_interval.0.max(1));
        let spacing = Millis(60_000 / u64::from(sequences.container_max_per_minute.max(1)));
        Reaper { interval, spacing, next_scan: now + interval, due: VecDeque::new(), next_deletion: now }
    }

    /// When there is something to do.
    pub(super) fn next_timeout(&self) -> Mono {
        if self.due.is_empty() { self.next_scan } else { self.next_deletion }
    }
}

impl Peer {
    pub(super) fn reap(&mut self, now: Now, outbox: &mut Outbox) {
        if now.mono < self.reaper.next_timeout() || !self.decides() || !self.has_room() {
            return;
        }
        if self.reaper.due.is_empty() {
            self.reaper.next_scan = now.mono + self.reaper.interval;
            let never_used = self.state.config.sequences.container_max_never_used;
            self.reaper.due = self.state.database.tree.reapable(now.wall, never_used).into();
        }
        let Some(path) = self.reaper.due.pop_front() else { return };
        self.reaper.next_deletion = now.mono + self.reaper.spacing;
        if let Some(prepared) = self.prep.reap(Ground::of(&self.state, now), &path) {
            self.submit(now, prepared, Origin::Server, outbox);
        }
    }
}
