//! The snapshots' lane: writes them one after the other, and purges what they make superfluous.
//!
//! Invariants: nothing is purged until this process has written a snapshot and read it back, nor after one failed until the next
//! succeeds; so files that Java wrote are safe until there is proof that ours replace them. What was asked for before the log was
//! rewritten, or while it was, is given up at the next step.

use crate::disk::Disk;
use crate::log_lane::Rewrites;
use crate::options::StorageOptions;
use crate::purge_job::{PurgeJob, RemovedFile};
use crate::snapshot_job::{JobStep, SnapshotJob};
use crate::step::Step;
use quorate_core::contract::{Lane, StoreSeq};
use quorate_core::tree::SnapshotImage;
use std::collections::{BTreeMap, VecDeque};

/// One op of the lane.
#[derive(Clone, Debug)]
pub enum SnapshotOp {
    /// Write this image.
    Snapshot(SnapshotImage),
    /// Keep this much, but at least one snapshot.
    Purge {
        /// How many snapshots to keep.
        retain: u32,
        /// What snapshots and logs may take together; 0 for any.
        max_bytes: u64,
    },
}

/// See the module's words. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub struct SnapshotLane<F> {
    options: StorageOptions,
    queue: VecDeque<(Ticket, SnapshotOp)>,
    job: Option<(Ticket, Job<F>)>,
    last_queued: StoreSeq,
    /// Whether the newest snapshot of this process is written and was read back.
    may_purge: bool,
    known_good: BTreeMap<String, u64>,
    /// When what is known was learnt.
    known_at: Rewrites,
    /// What the last purge has removed, and nobody has taken.
    removed: Vec<RemovedFile>,
}

#[derive(Clone, Copy, Debug)]
struct Ticket {
    seq: StoreSeq,
    /// How many rewrites of the log had been asked for before it.
    rewrites: u64,
}

#[derive(Clone, Debug)]
enum Job<F> {
    Snapshot(Box<SnapshotJob<F>>),
    Purge(Box<PurgeJob<F>>),
}

impl<F: Clone + std::fmt::Debug> SnapshotLane<F> {
    /// An idle lane.
    pub fn new(options: StorageOptions) -> Self {
        SnapshotLane {
            options,
            queue: VecDeque::new(),
            job: None,
            last_queued: StoreSeq(0),
            may_purge: false,
            known_good: BTreeMap::new(),
            known_at: Rewrites::default(),
            removed: Vec::new(),
        }
    }

    /// Adds an op, behind so many rewrites of the log.
    ///
    /// # Panics
    /// When sequence numbers do not rise.
    pub fn queue(&mut self, seq: StoreSeq, rewrites: u64, op: SnapshotOp) {
        assert!(
            seq > self.last_queued,
            "ops of the snapshot lane are numbered upwards: {seq:?} after {:?}",
            self.last_queued
        );
        self.last_queued = seq;
        self.queue.push_back((Ticket { seq, rewrites }, op));
    }

    /// What the last purge has removed, for whoever wants to tell of it.
    pub fn take_removed(&mut self) -> Vec<RemovedFile> {
        std::mem::take(&mut self.removed)
    }

    /// Whether a step would do nothing.
    pub fn is_idle(&self) -> bool {
        self.job.is_none() && self.queue.is_empty()
    }

    /// Goes on by at most one call. `rewrites` are the log's, and do not change while it lasts.
    pub fn step<D: Disk<File = F>>(&mut self, disk: &mut D, rewrites: Rewrites) -> Step {
        if rewrites != self.known_at {
            self.known_at = rewrites;
            self.known_good.clear();
            self.may_purge = false;
        }
        let Some((ticket, mut job)) = self.job.take() else { return self.begin() };
        let seq = ticket.seq;
        let goes_on = rewrites.is_settled_at(ticket.rewrites);
        let step = match &mut job {
            Job::Snapshot(job) => {
                if !goes_on {
                    job.cancel("the history that it is of was replaced or cut off");
                }
                job.step(disk)
            }
            Job::Purge(_) if !goes_on => return Step::Done(Lane::Snapshot, seq),
            Job::Purge(job) => job.step(disk),
        };
        if let (Job::Purge(job), JobStep::Done | JobStep::Failed(_)) = (&job, &step) {
            self.removed = job.removed().to_vec();
        }
        match step {
            JobStep::Progress => {
                self.job = Some((ticket, job));
                Step::Progress
            }
            JobStep::Done => {
                match job {
                    Job::Snapshot(job) => {
                        self.may_purge = true;
                        self.known_good.insert(job.name().to_owned(), job.length());
                    }
                    Job::Purge(job) => self.known_good = job.into_known_good(),
                }
                Step::Done(Lane::Snapshot, seq)
            }
            JobStep::Failed(reason) => {
                if matches!(job, Job::Snapshot(_)) {
                    self.may_purge = false;
                }
                Step::Failed(Lane::Snapshot, seq, reason)
            }
        }
    }

    fn begin(&mut self) -> Step {
        let Some((ticket, op)) = self.queue.pop_front() else { return Step::Idle };
        let job = match op {
            SnapshotOp::Snapshot(image) => Job::Snapshot(Box::new(SnapshotJob::new(image, &self.options))),
            SnapshotOp::Purge { .. } if !self.may_purge => return Step::Done(Lane::Snapshot, ticket.seq),
            SnapshotOp::Purge { retain, max_bytes } => {
                let known_good = std::mem::take(&mut self.known_good);
                Job::Purge(Box::new(PurgeJob::new(retain, max_bytes, self.options.chunk_bytes, known_good)))
            }
        };
        self.job = Some((ticket, job));
        Step::Progress
    }
}
