//! All lanes together: what a peer's `Output::Store` is given to, and where `Input::Stored` comes from.
//!
//! One thread may drive all lanes by [`Storage::step`], which prefers the log; or [`Storage::into_lanes`] gives each its own,
//! so that the sync of a large snapshot never stands in the way of a txn. Lanes share nothing but the directory.

use crate::disk::Disk;
use crate::log_lane::{LogLane, LogOp};
use crate::options::StorageOptions;
use crate::snapshot_lane::{SnapshotLane, SnapshotOp};
use crate::step::Step;
use quorate_core::contract::{Lane, StoreOp, StoreSeq};
use quorate_core::vocabulary::Zxid;

/// See the module's words. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub struct Storage<F> {
    log: LogLane<F>,
    snapshot: SnapshotLane<F>,
    /// The log has just confirmed: one step is the snapshots', or a busy log would keep them waiting for ever.
    snapshot_turn: bool,
}

impl<F: Clone + std::fmt::Debug> Storage<F> {
    /// Storage whose history ends at `last_zxid`, as recovery found it.
    pub fn new(options: StorageOptions, last_zxid: Zxid) -> Self {
        Storage {
            log: LogLane::new(options.clone(), last_zxid),
            snapshot: SnapshotLane::new(options),
            snapshot_turn: false,
        }
    }

    /// Takes an op; a step will begin it when those before it are done.
    ///
    /// # Panics
    /// When the op is not one of the lane's, or sequence numbers or zxids do not rise.
    pub fn queue(&mut self, lane: Lane, seq: StoreSeq, op: StoreOp) {
        match (lane, op) {
            (Lane::Log, StoreOp::Append { zxid, txn }) => self.log.queue(seq, LogOp::Append { zxid, txn }),
            (Lane::Log, StoreOp::Roll) => self.log.queue(seq, LogOp::Roll),
            (Lane::Snapshot, StoreOp::Snapshot(image)) => {
                self.snapshot.queue(seq, SnapshotOp::Snapshot(image))
            }
            (Lane::Snapshot, StoreOp::Purge { retain, max_bytes }) => {
                self.snapshot.queue(seq, SnapshotOp::Purge { retain, max_bytes })
            }
            (lane, op) => panic!("{op:?} does not belong into the lane {lane:?}"),
        }
    }

    /// Goes on by at most one call: of the log if it has anything to do, but for one step behind each of its confirmations.
    pub fn step<D: Disk<File = F>>(&mut self, disk: &mut D) -> Step {
        let snapshot_turn = std::mem::take(&mut self.snapshot_turn);
        if self.log.is_idle() || (snapshot_turn && !self.snapshot.is_idle()) {
            return self.snapshot.step(disk);
        }
        let step = self.log.step(disk);
        self.snapshot_turn = matches!(step, Step::Done(..));
        step
    }

    /// Goes on by at most one call of this lane.
    pub fn step_lane<D: Disk<File = F>>(&mut self, lane: Lane, disk: &mut D) -> Step {
        match lane {
            Lane::Log => self.log.step(disk),
            Lane::Snapshot => self.snapshot.step(disk),
            Lane::Epoch => Step::Idle,
        }
    }

    /// Whether a step of this lane would do nothing.
    pub fn is_idle(&self, lane: Lane) -> bool {
        match lane {
            Lane::Log => self.log.is_idle(),
            Lane::Snapshot => self.snapshot.is_idle(),
            Lane::Epoch => true,
        }
    }

    /// Whether the log's next call is a sync, whose duration an adapter may want to measure.
    pub fn next_is_log_sync(&self) -> bool {
        self.log.next_is_sync()
    }

    /// The lanes, for threads of their own.
    pub fn into_lanes(self) -> (LogLane<F>, SnapshotLane<F>) {
        (self.log, self.snapshot)
    }
}
