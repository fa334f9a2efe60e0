//! The txn log's lane: group commit, file after file (`disk-format.md` §2.3, §11 W1–W3, W9, W10; `zab-invariants.md` Z28, Z43).
//!
//! Everything queued goes into one write and one sync, up to a number of bytes; the confirmation is of the last op of it.
//! Invariants: an op is confirmed only after the sync of its bytes *and* of the name of their file; a file is named after its
//! first txn and never continued by another process (a new lane starts a new file); zxids rise; after a failure the lane is
//! dead, because a sync that failed once tells nothing when it succeeds later.
//!
//! A truncation or a replacement takes its turn ([`Rewrite`]); the next append starts a new file behind it. A truncation that is
//! refused, or breaks off, is answered as failed, and the appends queued behind it are void: they belong to a history that never
//! was. The lane goes on with the next truncation or replacement; or, if it was refused and so nothing was changed, with a roll,
//! by which the peer says that it has heard of it and goes on with the history that it had.
//!
//! A file grows ahead by setting its length: on ext4 a write and its sync then cost what they cost in a file that was allocated,
//! or filled with zeros, beforehand (measured: 4 ms each at the median, all three ways).
//!
//! Absent: reading (see `recovery`), retries.

use crate::disk::{Directory, Disk, DiskError, FileName, OpenMode};
use crate::log_format::{write_log_entry, write_log_header};
use crate::names::log_name;
use crate::options::{RecoveryOptions, StorageOptions};
use crate::rewrite::{Rewrite, RewriteStep};
use crate::step::Step;
use bytes::{Bytes, BytesMut};
use quorate_core::contract::{Lane, StoreSeq};
use quorate_core::tree::SnapshotImage;
use quorate_core::vocabulary::Zxid;
use std::collections::VecDeque;

/// One op of the lane.
#[derive(Clone, Debug)]
pub enum LogOp {
    /// Append a txn.
    Append {
        /// Its zxid.
        zxid: Zxid,
        /// Its bytes.
        txn: Bytes,
    },
    /// The next append starts a new file.
    Roll,
    /// Cut off what is behind this txn.
    Truncate {
        /// The last that stays.
        to: Zxid,
    },
    /// This takes the place of everything.
    Replace(SnapshotImage),
}

/// How many times the log was rewritten, by truncations and replacements. What else works on the directory and began before one of
/// them has to stop, or a snapshot of a history that was cut off would be the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrites {
    /// How many have begun.
    begun: u64,
    /// Which of them was the last that ended with a whole history.
    ended: u64,
}

impl Rewrites {
    /// Whether one has begun and not ended.
    pub fn is_under_way(self) -> bool {
        self.begun != self.ended
    }

    /// Whether the directory holds the history behind this many rewrites, and goes on to.
    pub fn is_settled_at(self, rewrites: u64) -> bool {
        self == Rewrites { begun: rewrites, ended: rewrites }
    }
}

/// See the module's words. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub struct LogLane<F> {
    recovery: RecoveryOptions,
    queue: VecDeque<(StoreSeq, LogOp)>,
    file: Option<OpenLog<F>>,
    phase: Phase<F>,
    last_queued: StoreSeq,
    /// The last txn of the history that was taken out of the queue.
    last_zxid: Zxid,
    rewrites: Rewrites,
}

/// The file that is written to.
#[derive(Clone, Debug)]
struct OpenLog<F> {
    file: F,
    name: String,
    /// Where the next write goes.
    position: u64,
    /// The file's length.
    allocated: u64,
    /// Whether its name survives a power loss.
    name_durable: bool,
}

#[derive(Clone, Debug)]
enum Phase<F> {
    /// Nothing is under way.
    Ready,
    /// The batch's file has to be created.
    Create(Batch),
    /// It has to grow.
    Grow(Batch),
    /// The bytes have to be written.
    Write(Batch),
    /// And made durable.
    Sync(StoreSeq),
    /// And the file's name too.
    SyncName(StoreSeq),
    /// The history is being rewritten.
    Rewrite(StoreSeq, Box<Rewrite<F>>),
    /// A truncation failed, and what is appended is void; with whether the history is as it was before.
    Void { intact: bool },
    /// Something failed: nothing more is done.
    Failed,
}

#[derive(Clone, Debug)]
struct Batch {
    bytes: BytesMut,
    first: Zxid,
    last: StoreSeq,
}

impl<F: Clone + std::fmt::Debug> LogLane<F> {
    /// A lane whose history ends at `last_zxid`. Its first append starts a new file.
    pub fn new(recovery: RecoveryOptions, last_zxid: Zxid) -> Self {
        LogLane {
            recovery,
            queue: VecDeque::new(),
            file: None,
            phase: Phase::Ready,
            last_queued: StoreSeq(0),
            last_zxid,
            rewrites: Rewrites::default(),
        }
    }

    fn options(&self) -> &StorageOptions {
        &self.recovery.storage
    }

    /// To be told to whatever else works on the directory, before the next step.
    pub fn rewrites(&self) -> Rewrites {
        self.rewrites
    }

    /// Adds an op.
    ///
    /// # Panics
    /// When sequence numbers do not rise.
    pub fn queue(&mut self, seq: StoreSeq, op: LogOp) {
        assert!(
            seq > self.last_queued,
            "ops of the log lane are numbered upwards: {seq:?} after {:?}",
            self.last_queued
        );
        self.last_queued = seq;
        self.queue.push_back((seq, op));
    }

    /// Whether a step would do nothing.
    pub fn is_idle(&self) -> bool {
        match self.phase {
            Phase::Failed => true,
            Phase::Ready | Phase::Void { .. } => self.queue.is_empty(),
            _ => false,
        }
    }

    /// The next disk call of the lane, which may be a sync.
    pub fn next_is_sync(&self) -> bool {
        matches!(self.phase, Phase::Sync(_) | Phase::SyncName(_))
    }

    /// Goes on by at most one call.
    ///
    /// # Panics
    /// When zxids do not rise.
    pub fn step<D: Disk<File = F>>(&mut self, disk: &mut D) -> Step {
        let phase = match std::mem::replace(&mut self.phase, Phase::Failed) {
            Phase::Ready => match self.begin() {
                Ok(phase) => phase,
                Err(step) => return step,
            },
            Phase::Rewrite(seq, rewrite) => return self.rewrite(seq, rewrite, disk),
            Phase::Void { intact } => return self.leave_void(intact),
            phase => phase,
        };
        let covers = match &phase {
            Phase::Create(batch) | Phase::Grow(batch) | Phase::Write(batch) => batch.last,
            Phase::Sync(last) | Phase::SyncName(last) => *last,
            Phase::Failed => return Step::Idle,
            Phase::Ready | Phase::Rewrite(..) | Phase::Void { .. } => unreachable!("handled before"),
        };
        match self.advance(phase, disk) {
            Ok(Phase::Ready) => {
                self.phase = Phase::Ready;
                self.leave_full_file();
                Step::Done(Lane::Log, covers)
            }
            Ok(phase) => {
                self.phase = phase;
                Step::Progress
            }
            Err(error) => Step::Failed(Lane::Log, covers, error.to_string()),
        }
    }

    /// Takes what is queued; an `Err` is what the step comes to instead.
    fn begin(&mut self) -> Result<Phase<F>, Step> {
        let mut batch = Batch { bytes: BytesMut::new(), first: Zxid::ZERO, last: StoreSeq(0) };
        while let Some((seq, op)) = self.queue.front() {
            match op {
                LogOp::Append { zxid, txn } => {
                    if txn.len() > self.options().max_txn as usize {
                        let reason = format!("txn {zxid} of {} bytes could not be read back", txn.len());
                        return Err(Step::Failed(Lane::Log, *seq, reason));
                    }
                    if batch.last == StoreSeq(0) {
                        batch.first = *zxid;
                        if self.file.is_none() {
                            write_log_header(&mut batch.bytes);
                        }
                    } else if batch.bytes.len() + txn.len() > self.options().batch_bytes {
                        break;
                    }
                    assert!(*zxid > self.last_zxid, "zxids of the log rise: {zxid} after {}", self.last_zxid);
                    self.last_zxid = *zxid;
                    write_log_entry(&mut batch.bytes, txn);
                }
                // What stands behind appends waits for them; a roll in front takes no disk call at all.
                _ if batch.last != StoreSeq(0) => break,
                LogOp::Truncate { .. } | LogOp::Replace(_) => return Err(self.begin_rewrite()),
                LogOp::Roll => {
                    let seq = *seq;
                    self.queue.pop_front();
                    self.file = None;
                    self.phase = Phase::Ready;
                    return Err(Step::Done(Lane::Log, seq));
                }
            }
            batch.last = *seq;
            self.queue.pop_front();
        }
        if batch.last == StoreSeq(0) {
            self.phase = Phase::Ready;
            return Err(Step::Idle);
        }
        Ok(match &self.file {
            None => Phase::Create(batch),
            Some(log) => self.grow_or_write(log, batch),
        })
    }

    /// Makes no call, so that who has to stop can be told before the first.
    fn begin_rewrite(&mut self) -> Step {
        let (seq, op) = self.queue.pop_front().expect("a rewrite stands in front");
        let rewrite = match op {
            LogOp::Truncate { to } => Rewrite::truncate(to, &self.recovery),
            LogOp::Replace(image) => Rewrite::replace(image, &self.recovery),
            LogOp::Append { .. } | LogOp::Roll => unreachable!("neither rewrites anything"),
        };
        self.file = None;
        self.rewrites.begun += 1;
        self.phase = Phase::Rewrite(seq, Box::new(rewrite));
        Step::Progress
    }

    fn rewrite<D: Disk<File = F>>(
        &mut self,
        seq: StoreSeq,
        mut rewrite: Box<Rewrite<F>>,
        disk: &mut D,
    ) -> Step {
        let (phase, step) = match rewrite.step(disk) {
            RewriteStep::Progress => {
                self.phase = Phase::Rewrite(seq, rewrite);
                return Step::Progress;
            }
            RewriteStep::Truncated(history) => {
                self.last_zxid = history.database.last_zxid();
                (Phase::Ready, Step::Truncated(seq, history))
            }
            RewriteStep::Replaced(last_zxid) => {
                self.last_zxid = last_zxid;
                (Phase::Ready, Step::Done(Lane::Log, seq))
            }
            RewriteStep::Refused(reason) => {
                (Phase::Void { intact: true }, Step::Failed(Lane::Log, seq, reason))
            }
            RewriteStep::BrokeOff(reason) => {
                self.phase = Phase::Void { intact: false };
                return Step::Failed(Lane::Log, seq, reason);
            }
            RewriteStep::Failed(reason) => return Step::Failed(Lane::Log, seq, reason),
        };
        self.rewrites.ended = self.rewrites.begun;
        self.phase = phase;
        step
    }

    /// Drops what is void; see the module's words.
    fn leave_void(&mut self, intact: bool) -> Step {
        while let Some((seq, op)) = self.queue.front() {
            match op {
                LogOp::Append { .. } => drop(self.queue.pop_front()),
                LogOp::Roll if !intact => {
                    return Step::Failed(Lane::Log, *seq, "the log was left half truncated".to_owned());
                }
                LogOp::Roll | LogOp::Truncate { .. } | LogOp::Replace(_) => {
                    self.phase = Phase::Ready;
                    return Step::Progress;
                }
            }
        }
        self.phase = Phase::Void { intact };
        Step::Idle
    }

    fn grow_or_write(&self, log: &OpenLog<F>, batch: Batch) -> Phase<F> {
        let end = log.position + batch.bytes.len() as u64;
        if self.options().preallocate > 0 && end > log.allocated {
            Phase::Grow(batch)
        } else {
            Phase::Write(batch)
        }
    }

    /// Makes the one call of `phase`; returns the next one.
    fn advance<D: Disk<File = F>>(&mut self, phase: Phase<F>, disk: &mut D) -> Result<Phase<F>, DiskError> {
        if let Phase::Create(batch) = phase {
            let name = log_name(batch.first);
            // Recovery has removed every file without a txn, so a name that exists is a mistake, never to be overwritten.
            let file = disk.open(&FileName::log(name.clone()), OpenMode::CreateNew)?;
            let log = OpenLog { file, name, position: 0, allocated: 0, name_durable: false };
            let next = self.grow_or_write(&log, batch);
            self.file = Some(log);
            return Ok(next);
        }
        let options = &self.recovery.storage;
        let log = self.file.as_mut().expect("a batch that is not about to create its file has one");
        match phase {
            Phase::Grow(batch) => {
                let needed = log.position + batch.bytes.len() as u64;
                log.allocated = needed.div_ceil(options.preallocate) * options.preallocate;
                disk.set_length(&log.file, log.allocated)?;
                Ok(Phase::Write(batch))
            }
            Phase::Write(batch) => {
                disk.write(&log.file, log.position, &batch.bytes)?;
                log.position += batch.bytes.len() as u64;
                log.allocated = log.allocated.max(log.position);
                Ok(if options.force_sync { Phase::Sync(batch.last) } else { Phase::Ready })
            }
            Phase::Sync(last) => {
                disk.sync(&log.file)?;
                Ok(if log.name_durable { Phase::Ready } else { Phase::SyncName(last) })
            }
            Phase::SyncName(_) => {
                disk.sync_directory(Directory::Log)?;
                log.name_durable = true;
                Ok(Phase::Ready)
            }
            _ => unreachable!("handled before"),
        }
    }

    fn leave_full_file(&mut self) {
        let limit = self.options().log_size_limit;
        if limit > 0 && self.file.as_ref().is_some_and(|log| log.position > limit) {
            self.file = None;
        }
    }

    /// The name of the file that is written to.
    pub fn file_name(&self) -> Option<&str> {
        self.file.as_ref().map(|log| log.name.as_str())
    }
}
