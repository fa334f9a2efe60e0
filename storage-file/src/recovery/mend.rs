//! What recovery changes in the logs, one disk call a step: torn tails are cut, logs without a txn removed, and the snapshot that was
//! loaded and every log that was replayed are synced, so that what is served is durable: Java syncs no snapshot.
//!
//! Invariant: what was kept of a torn tail is durable, with its name, before that tail is cut; a crash in between does it again.

use super::report::{Repair, TailProblem};
use super::tail::Remains;
use crate::disk::{Directory, Disk, DiskError, FileName, OpenMode};
use quorate_core::vocabulary::Zxid;
use std::collections::VecDeque;

/// One change to be made.
#[derive(Clone, Debug)]
pub(crate) enum Mend {
    /// Copy what stood behind a torn entry into a file of its own.
    Keep { name: FileName, bytes: Vec<u8>, txns: u64, range: (Zxid, Zxid) },
    /// Remove a log without a txn, of this length.
    Remove(FileName, u64),
    /// Cut a log behind its last whole entry.
    Cut { name: FileName, to: u64, from: u64, problem: TailProblem },
}

impl Mend {
    /// Keeps these remains in that file.
    pub(crate) fn keep(name: FileName, remains: &Remains) -> Self {
        let Remains { txns, range, bytes } = remains;
        Mend::Keep { name, bytes: bytes.clone(), txns: *txns, range: *range }
    }

    fn file(&self) -> &FileName {
        match self {
            Mend::Keep { name, .. } | Mend::Remove(name, _) | Mend::Cut { name, .. } => name,
        }
    }

    fn into_repair(self) -> Repair {
        match self {
            Mend::Keep { name, txns, range, .. } => Repair::KeptTail { name, txns, range },
            Mend::Remove(name, length) => Repair::RemovedEmptyLog(name, length),
            Mend::Cut { name, to, from, problem } => Repair::CutLog { name, to, from, problem },
        }
    }
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(crate) struct Mending<F> {
    mends: VecDeque<Mend>,
    /// Replayed logs that are still to be synced.
    syncs: VecDeque<FileName>,
    next: Next<F>,
}

#[derive(Clone, Debug)]
enum Next<F> {
    /// To sync the snapshot, then its name.
    SyncSnapshot(F),
    SyncSnapshotName,
    /// To begin with the next change.
    Begin,
    /// To change the file that is open.
    Change(F, Mend),
    /// To sync the copy, then its name.
    SyncCopy(F, Mend),
    SyncName(Mend),
    /// To sync a log. A cut one is synced with the others.
    Sync(F),
    /// To sync the names of the logs.
    SyncNames,
}

impl<F: Clone> Mending<F> {
    /// Syncs this snapshot, if there is one, makes these changes, then syncs these logs.
    pub(crate) fn new(snapshot: Option<F>, mends: Vec<Mend>, syncs: VecDeque<FileName>) -> Self {
        Mending { mends: mends.into(), syncs, next: snapshot.map_or(Next::Begin, Next::SyncSnapshot) }
    }

    /// Goes on by one call; false when that was the last. What was changed is added to `repairs`.
    pub(crate) fn step<D: Disk<File = F>>(
        &mut self,
        disk: &mut D,
        repairs: &mut Vec<Repair>,
    ) -> Result<bool, DiskError> {
        self.next = match std::mem::replace(&mut self.next, Next::Begin) {
            Next::SyncSnapshot(file) => {
                disk.sync(&file)?;
                Next::SyncSnapshotName
            }
            Next::SyncSnapshotName => {
                disk.sync_directory(Directory::Snap)?;
                Next::Begin
            }
            Next::Begin => self.begin(disk, repairs)?,
            Next::Change(file, mend) => match &mend {
                Mend::Keep { bytes, .. } => {
                    disk.write(&file, 0, bytes)?;
                    Next::SyncCopy(file, mend)
                }
                Mend::Cut { to, .. } => {
                    disk.set_length(&file, *to)?;
                    repairs.push(mend.into_repair());
                    Next::Begin
                }
                Mend::Remove(..) => unreachable!("a file that is removed is not opened"),
            },
            Next::SyncCopy(file, mend) => {
                disk.sync(&file)?;
                Next::SyncName(mend)
            }
            Next::SyncName(mend) => {
                disk.sync_directory(Directory::Log)?;
                repairs.push(mend.into_repair());
                Next::Begin
            }
            Next::Sync(file) => {
                disk.sync(&file)?;
                Next::Begin
            }
            Next::SyncNames => {
                disk.sync_directory(Directory::Log)?;
                return Ok(false);
            }
        };
        if matches!(self.next, Next::Begin) && self.mends.is_empty() && self.syncs.is_empty() {
            self.next = Next::SyncNames;
        }
        Ok(true)
    }

    fn begin<D: Disk<File = F>>(
        &mut self,
        disk: &mut D,
        repairs: &mut Vec<Repair>,
    ) -> Result<Next<F>, DiskError> {
        let Some(mend) = self.mends.pop_front() else {
            let Some(log) = self.syncs.pop_front() else { return Ok(Next::SyncNames) };
            return Ok(Next::Sync(disk.open(&log, OpenMode::Write)?));
        };
        let mode = match &mend {
            Mend::Remove(name, _) => {
                disk.remove(name)?;
                repairs.push(mend.into_repair());
                return Ok(Next::Begin);
            }
            Mend::Keep { .. } => OpenMode::CreateOrEmpty,
            Mend::Cut { .. } => OpenMode::Write,
        };
        Ok(Next::Change(disk.open(mend.file(), mode)?, mend))
    }
}
