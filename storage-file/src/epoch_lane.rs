//! The epochs' lane: writes them one after the other.
//!
//! Invariant: after a failure the lane is dead, because nothing may be promised whose record is in doubt.

use crate::disk::Disk;
use crate::epochs::EpochJob;
use crate::snapshot_job::JobStep;
use crate::step::Step;
use quorate_core::contract::{EpochKind, Lane, StoreSeq};
use quorate_core::vocabulary::Epoch;
use std::collections::VecDeque;

/// One op of the lane: this number, into this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochOp {
    /// Which file.
    pub kind: EpochKind,
    /// The number.
    pub epoch: Epoch,
}

/// See the module's words. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub struct EpochLane<F> {
    queue: VecDeque<(StoreSeq, EpochOp)>,
    job: Option<(StoreSeq, EpochJob<F>)>,
    last_queued: StoreSeq,
    has_failed: bool,
}

impl<F: Clone> Default for EpochLane<F> {
    fn default() -> Self {
        EpochLane { queue: VecDeque::new(), job: None, last_queued: StoreSeq(0), has_failed: false }
    }
}

impl<F: Clone + std::fmt::Debug> EpochLane<F> {
    /// Adds an op.
    ///
    /// # Panics
    /// When sequence numbers do not rise.
    pub fn queue(&mut self, seq: StoreSeq, op: EpochOp) {
        assert!(
            seq > self.last_queued,
            "ops of the epoch lane are numbered upwards: {seq:?} after {:?}",
            self.last_queued
        );
        self.last_queued = seq;
        self.queue.push_back((seq, op));
    }

    /// Whether a step would do nothing.
    pub fn is_idle(&self) -> bool {
        self.has_failed || (self.job.is_none() && self.queue.is_empty())
    }

    /// Goes on by at most one call.
    pub fn step<D: Disk<File = F>>(&mut self, disk: &mut D) -> Step {
        if self.has_failed {
            return Step::Idle;
        }
        if self.job.is_none() {
            let next = self.queue.pop_front();
            self.job = next.map(|(seq, EpochOp { kind, epoch })| (seq, EpochJob::new(kind, epoch)));
        }
        let Some((seq, mut job)) = self.job.take() else { return Step::Idle };
        match job.step(disk) {
            JobStep::Progress => {
                self.job = Some((seq, job));
                Step::Progress
            }
            JobStep::Done => Step::Done(Lane::Epoch, seq),
            JobStep::Failed(reason) => {
                self.has_failed = true;
                Step::Failed(Lane::Epoch, seq, reason)
            }
        }
    }
}
