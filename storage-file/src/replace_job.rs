//! Putting a snapshot in the place of the whole history (`zab-invariants.md` Z38, Z48): what a learner does with a leader's SNAP.
//!
//! The snapshot is written under a name of its own, `replacement.<zxid>`, with everything else untouched. From the moment that name
//! is durable it alone is the history; what was there before goes, and then it becomes a snapshot like any other. So a crash
//! leaves either the old history, whole, or the new one, and no divergent txn is ever replayed, loaded or read over it:
//! recovery that meets a replacement goes on where the job was ([`TakeOver`]).
//!
//! Invariant: nothing is removed before the replacement was read back and its name is durable.

use crate::disk::{Directory, Disk, DiskError, FileName};
use crate::names::{parse_log_name, parse_snapshot_name, snapshot_of_replacement};
use crate::options::StorageOptions;
use crate::snapshot_job::{JobStep, SnapshotJob};
use quorate_core::tree::SnapshotImage;
use quorate_core::vocabulary::Zxid;

/// See the module's words. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub(crate) enum ReplaceJob<F> {
    Write(Box<SnapshotJob<F>>),
    TakeOver(TakeOver),
}

impl<F: Clone + std::fmt::Debug> ReplaceJob<F> {
    /// A job that makes `image` the history.
    pub(crate) fn new(image: SnapshotImage, options: &StorageOptions) -> Self {
        ReplaceJob::Write(Box::new(SnapshotJob::replacement(image, options)))
    }

    /// Goes on by at most one call.
    pub(crate) fn step<D: Disk<File = F>>(&mut self, disk: &mut D) -> JobStep {
        match self {
            ReplaceJob::Write(job) => match job.step(disk) {
                JobStep::Done => {
                    *self = ReplaceJob::TakeOver(TakeOver::new(job.name().to_owned()));
                    JobStep::Progress
                }
                step => step,
            },
            ReplaceJob::TakeOver(job) => match job.step(disk) {
                Ok(true) => JobStep::Progress,
                Ok(false) => JobStep::Done,
                Err(error) => JobStep::Failed(error.to_string()),
            },
        }
    }
}

/// Makes a replacement the history: everything else goes, then it becomes a snapshot like any other.
#[derive(Clone, Debug)]
pub(crate) struct TakeOver {
    replacement: String,
    /// What goes; the last goes first.
    left: Vec<FileName>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    ListSnapshots,
    ListLogs,
    Remove,
    SyncLogNames,
    SyncSnapshotNames,
    Rename,
    SyncName,
}

impl TakeOver {
    /// Of the file of this name.
    pub(crate) fn new(replacement: String) -> Self {
        TakeOver { replacement, left: Vec::new(), phase: Phase::ListSnapshots }
    }

    /// What it will be called.
    pub(crate) fn snapshot(&self) -> String {
        snapshot_of_replacement(&self.replacement).expect("it was named as one")
    }

    /// Goes on by one call; false when that was the last.
    pub(crate) fn step<D: Disk>(&mut self, disk: &mut D) -> Result<bool, DiskError> {
        self.phase = match self.phase {
            Phase::ListSnapshots => {
                let zxid = |name: &str| Some(parse_snapshot_name(name)?.0);
                self.add(disk, Directory::Snap, zxid)?;
                Phase::ListLogs
            }
            Phase::ListLogs => {
                self.add(disk, Directory::Log, parse_log_name)?;
                if self.left.is_empty() { Phase::Rename } else { Phase::Remove }
            }
            Phase::Remove => {
                let name = self.left.pop().expect("a removal has something to remove");
                disk.remove(&name)?;
                match self.left.is_empty() {
                    true if disk.one_directory() => Phase::SyncSnapshotNames,
                    true => Phase::SyncLogNames,
                    false => Phase::Remove,
                }
            }
            Phase::SyncLogNames => {
                disk.sync_directory(Directory::Log)?;
                Phase::SyncSnapshotNames
            }
            Phase::SyncSnapshotNames => {
                disk.sync_directory(Directory::Snap)?;
                Phase::Rename
            }
            Phase::Rename => {
                disk.rename(Directory::Snap, &self.replacement, &self.snapshot())?;
                Phase::SyncName
            }
            Phase::SyncName => {
                disk.sync_directory(Directory::Snap)?;
                return Ok(false);
            }
        };
        Ok(true)
    }

    /// The newest goes first, and logs before snapshots: to Java, which knows no replacement, what is left is a history too.
    fn add<D: Disk>(
        &mut self,
        disk: &mut D,
        directory: Directory,
        zxid: impl Fn(&str) -> Option<Zxid>,
    ) -> Result<(), DiskError> {
        let entries = disk.list(directory)?;
        let mut found: Vec<(Zxid, String)> =
            entries.into_iter().filter_map(|entry| Some((zxid(&entry.name)?, entry.name))).collect();
        found.sort();
        self.left.extend(found.into_iter().map(|(_, name)| FileName { directory, name }));
        Ok(())
    }
}
