//! When a snapshot is taken (`disk-format.md` §7): after between half of `snapCount` and all of it in txns, or of the size
//! limit in bytes; both drawn anew each time, so that the servers of an ensemble don't write theirs together.
//!
//! The image is of the applied tree, frozen at one zxid. One is written at a time; when another is due meanwhile, only the log
//! is rolled. A failed one is tried again after a while, and nothing is purged until one has succeeded.

use super::Peer;
use crate::contract::{Lane, Outbox, Output, PeerEvent, StoreOp, StoreSeq};
use crate::metrics::{Basic, Counter};
use crate::vocabulary::{Entropy, EntropyPurpose, Millis, Mono, Now, Sequences, Zxid};

/// How long after a failure the next attempt is made.
const RETRY: Millis = Millis(60_000);

/// A snapshot being written.
#[derive(Clone, Copy, Debug)]
struct Running {
    seq: StoreSeq,
    zxid: Zxid,
    since: Mono,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) struct Snapshots {
    entropy: Entropy,
    draws: u64,
    snap_count: u32,
    snap_size: u64,
    retain: u32,
    max_bytes: u64,
    /// Txns and bytes of log since the last roll, and where the next one is.
    txns: u64,
    bytes: u64,
    txns_due: u64,
    bytes_due: u64,
    running: Option<Running>,
    retry_at: Option<Mono>,
    seq: StoreSeq,
}

impl Snapshots {
    pub(super) fn new(sequences: &Sequences, entropy: Entropy) -> Self {
        let mut snapshots = Snapshots {
            entropy,
            draws: 0,
            snap_count: sequences.snap_count.max(2),
            snap_size: sequences.snap_size,
            retain: sequences.retain_snapshots,
            max_bytes: sequences.retain_bytes,
            txns: 0,
            bytes: 0,
            txns_due: 0,
            bytes_due: 0,
            running: None,
            retry_at: None,
            seq: StoreSeq(0),
        };
        snapshots.draw();
        snapshots
    }

    fn draw(&mut self) {
        let mut spread = |all: u64| {
            let half = all / 2;
            self.draws += 1;
            half + self.entropy.below(EntropyPurpose::SnapshotSpread, self.draws, half.max(1))
        };
        self.txns_due = spread(u64::from(self.snap_count));
        self.bytes_due = if self.snap_size == 0 { u64::MAX } else { spread(self.snap_size) };
        (self.txns, self.bytes) = (0, 0);
    }

    /// A txn of this many bytes was appended.
    pub(super) fn appended(&mut self, bytes: usize) {
        self.txns += 1;
        self.bytes += bytes as u64;
    }

    fn is_due(&self) -> bool {
        self.txns > self.txns_due || self.bytes > self.bytes_due
    }

    /// When a failed snapshot is tried again.
    pub(super) fn retry_at(&self) -> Option<Mono> {
        self.retry_at
    }

    fn next_seq(&mut self) -> StoreSeq {
        self.seq = StoreSeq(self.seq.0 + 1);
        self.seq
    }
}

impl Peer {
    /// Rolls the log and takes a snapshot, when there was enough since the last.
    pub(super) fn snapshot_if_due(&mut self, now: Now, outbox: &mut Outbox) {
        if !self.snapshots.is_due() {
            return;
        }
        self.snapshots.draw();
        self.store_log(StoreOp::Roll, outbox);
        self.snapshot(now, outbox);
    }

    /// Takes a snapshot, unless one is being written.
    pub(super) fn snapshot(&mut self, now: Now, outbox: &mut Outbox) {
        self.snapshots.retry_at = None;
        if self.snapshots.running.is_some() {
            return;
        }
        let image = self.state.database.image();
        let zxid = image.zxid();
        let seq = self.snapshots.next_seq();
        self.snapshots.running = Some(Running { seq, zxid, since: now.mono });
        outbox.event(PeerEvent::SnapshotStarted { zxid });
        outbox.push(Output::Store { lane: Lane::Snapshot, seq, op: StoreOp::Snapshot(image) });
    }

    pub(super) fn snapshot_stored(&mut self, now: Now, seq: StoreSeq, outbox: &mut Outbox) {
        let Some(running) = self.snapshots.running.take_if(|running| running.seq <= seq) else { return };
        let took = now.mono.millis_since(running.since);
        self.state.metrics.add(Basic::SnapshotTime, took.0 as i64);
        outbox.event(PeerEvent::SnapshotDurable { zxid: running.zxid });
        if self.snapshots.retain > 0 {
            let seq = self.snapshots.next_seq();
            let Snapshots { retain, max_bytes, .. } = self.snapshots;
            outbox.push(Output::Store {
                lane: Lane::Snapshot,
                seq,
                op: StoreOp::Purge { retain, max_bytes },
            });
        }
    }

    /// A warning, not an end: the log still has everything.
    pub(super) fn snapshot_failed(&mut self, now: Now, seq: StoreSeq, reason: String, outbox: &mut Outbox) {
        let Some(running) = self.snapshots.running.take_if(|running| running.seq == seq) else { return };
        self.state.metrics.count(Counter::SnapshotErrorCount);
        self.snapshots.retry_at = Some(now.mono + RETRY);
        outbox.event(PeerEvent::SnapshotFailed { zxid: running.zxid, reason });
    }
}
