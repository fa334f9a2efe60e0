//! All lanes together: what a peer's `Output::Store` is given to, and where `Input::Stored` comes from.
//!
//! One thread may drive all lanes by [`Storage::step`], which prefers the log; or [`Storage::into_lanes`] gives each its own,
//! so that the sync of a large snapshot never stands in the way of a txn. Lanes share nothing but the directory, and
//! [`Rewrites`]: whoever drives the log tells the others of a rewrite before the log makes its next call, and while none of them
//! is in the middle of one.

use crate::disk::Disk;
use crate::epoch_lane::{EpochLane, EpochOp};
use crate::load_job::Wanted;
use crate::loader::Loader;
use crate::log_lane::{LogLane, LogOp, Rewrites};
use crate::options::RecoveryOptions;
use crate::snapshot_lane::{SnapshotLane, SnapshotOp};
use crate::step::Step;
use quorate_core::contract::{Lane, LoadId, StoreOp, StoreSeq};
use quorate_core::vocabulary::Zxid;

/// See the module's words. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub struct Storage<F> {
    lanes: Lanes<F>,
    sorter: Sorter,
    /// The log has just confirmed: one step is the snapshots', or a busy log would keep them waiting for ever.
    snapshot_turn: bool,
}

/// The lanes, for threads of their own.
#[derive(Clone, Debug)]
pub struct Lanes<F> {
    /// The txn log.
    pub log: LogLane<F>,
    /// The epochs.
    pub epoch: EpochLane<F>,
    /// Snapshots and purging.
    pub snapshot: SnapshotLane<F>,
    /// What reads old txns back.
    pub loader: Loader<F>,
}

/// An op in the words of its lane.
#[derive(Clone, Debug)]
pub enum LaneOp {
    /// For the log.
    Log(LogOp),
    /// For the epochs.
    Epoch(EpochOp),
    /// For snapshots and purging, behind so many rewrites of the log.
    Snapshot(u64, SnapshotOp),
}

/// Says which lane an op belongs to. All ops pass one of these, in order.
#[derive(Clone, Debug, Default)]
pub struct Sorter {
    rewrites: u64,
}

impl Sorter {
    /// What the op is to its lane.
    ///
    /// # Panics
    /// When the op is not one of the lane's.
    pub fn sort(&mut self, lane: Lane, op: StoreOp) -> LaneOp {
        match (lane, op) {
            (Lane::Log, StoreOp::Append { zxid, txn }) => LaneOp::Log(LogOp::Append { zxid, txn }),
            (Lane::Log, StoreOp::Roll) => LaneOp::Log(LogOp::Roll),
            (Lane::Log, StoreOp::Truncate { to }) => {
                self.rewrites += 1;
                LaneOp::Log(LogOp::Truncate { to })
            }
            (Lane::Log, StoreOp::Replace(image)) => {
                self.rewrites += 1;
                LaneOp::Log(LogOp::Replace(image))
            }
            (Lane::Epoch, StoreOp::Epoch { kind, epoch }) => LaneOp::Epoch(EpochOp { kind, epoch }),
            (Lane::Snapshot, StoreOp::Snapshot(image)) => {
                LaneOp::Snapshot(self.rewrites, SnapshotOp::Snapshot(image))
            }
            (Lane::Snapshot, StoreOp::Purge { retain, max_bytes }) => {
                LaneOp::Snapshot(self.rewrites, SnapshotOp::Purge { retain, max_bytes })
            }
            (lane, op) => panic!("{op:?} does not belong into the lane {lane:?}"),
        }
    }
}

impl<F: Clone + std::fmt::Debug> Storage<F> {
    /// Storage whose history ends at `last_zxid`, as recovery with the same options found it.
    pub fn new(options: RecoveryOptions, last_zxid: Zxid) -> Self {
        let lanes = Lanes {
            epoch: EpochLane::default(),
            snapshot: SnapshotLane::new(options.storage.clone()),
            loader: Loader::new(options.storage.chunk_bytes),
            log: LogLane::new(options, last_zxid),
        };
        Storage { lanes, sorter: Sorter::default(), snapshot_turn: false }
    }

    /// Takes an op; a step will begin it when those before it are done.
    ///
    /// # Panics
    /// When the op is not one of the lane's, or sequence numbers do not rise.
    pub fn queue(&mut self, lane: Lane, seq: StoreSeq, op: StoreOp) {
        match self.sorter.sort(lane, op) {
            LaneOp::Log(op) => self.lanes.log.queue(seq, op),
            LaneOp::Epoch(op) => self.lanes.epoch.queue(seq, op),
            LaneOp::Snapshot(rewrites, op) => self.lanes.snapshot.queue(seq, rewrites, op),
        }
    }

    /// Takes a request for old txns.
    pub fn load(&mut self, id: LoadId, wanted: Wanted) {
        self.lanes.loader.queue(id, wanted);
    }

    /// Goes on by at most one call: of the epochs, else of the log if it has anything to do, but for one step behind each of its
    /// confirmations, else of what is left.
    pub fn step<D: Disk<File = F>>(&mut self, disk: &mut D) -> Step {
        let snapshot_turn = std::mem::take(&mut self.snapshot_turn);
        if !self.is_idle(Lane::Epoch) {
            return self.step_lane(Lane::Epoch, disk);
        }
        if snapshot_turn || self.is_idle(Lane::Log) {
            if !self.is_load_idle() {
                return self.step_load(disk);
            }
            if self.is_idle(Lane::Log) || !self.is_idle(Lane::Snapshot) {
                return self.step_lane(Lane::Snapshot, disk);
            }
        }
        let step = self.step_lane(Lane::Log, disk);
        self.snapshot_turn = matches!(step, Step::Done(..));
        step
    }

    /// Goes on by at most one call of this lane.
    pub fn step_lane<D: Disk<File = F>>(&mut self, lane: Lane, disk: &mut D) -> Step {
        match lane {
            Lane::Log => self.lanes.log.step(disk),
            Lane::Snapshot => self.lanes.snapshot.step(disk, self.rewrites()),
            Lane::Epoch => self.lanes.epoch.step(disk),
        }
    }

    /// Goes on by at most one call with what was asked for of old txns.
    pub fn step_load<D: Disk<File = F>>(&mut self, disk: &mut D) -> Step {
        self.lanes.loader.step(disk, self.lanes.log.rewrites())
    }

    fn rewrites(&self) -> Rewrites {
        self.lanes.log.rewrites()
    }

    /// Whether a step of this lane would do nothing.
    pub fn is_idle(&self, lane: Lane) -> bool {
        match lane {
            Lane::Log => self.lanes.log.is_idle(),
            Lane::Snapshot => self.lanes.snapshot.is_idle(),
            Lane::Epoch => self.lanes.epoch.is_idle(),
        }
    }

    /// Whether nothing of old txns is asked for.
    pub fn is_load_idle(&self) -> bool {
        self.lanes.loader.is_idle()
    }

    /// Whether the log's next call is a sync, whose duration an adapter may want to measure.
    pub fn next_is_log_sync(&self) -> bool {
        self.lanes.log.next_is_sync()
    }

    /// What sorts ops from now on, and the lanes.
    pub fn into_lanes(self) -> (Sorter, Lanes<F>) {
        (self.sorter, self.lanes)
    }
}
