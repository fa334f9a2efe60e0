//! The epoch files (`disk-format.md` §1, §11 W5; `zab-invariants.md` D8): `currentEpoch` and `acceptedEpoch`, decimal, no newline.
//!
//! Invariants: a file under its own name is whole; a job is done when content and name survive a power loss; a number is never
//! written into the other file (Z42): the file is part of the op.
//!
//! Absent: what epochs mean.

use crate::disk::{Directory, Disk, DiskError, DiskErrorKind, FileName, OpenMode};
use crate::names::TEMPORARY_SUFFIX;
use crate::snapshot_job::JobStep;
use quorate_core::contract::EpochKind;
use quorate_core::vocabulary::Epoch;

/// The name of an epoch's file.
pub fn epoch_name(kind: EpochKind) -> &'static str {
    match kind {
        EpochKind::Current => "currentEpoch",
        EpochKind::Accepted => "acceptedEpoch",
    }
}

/// Writes one epoch. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub struct EpochJob<F> {
    kind: EpochKind,
    epoch: Epoch,
    phase: Phase<F>,
}

#[derive(Clone, Debug)]
enum Phase<F> {
    Create,
    Write(F),
    Sync(F),
    Rename,
    SyncName,
    Over,
}

impl<F: Clone> EpochJob<F> {
    /// A job that will write `epoch` into the file of `kind`.
    pub fn new(kind: EpochKind, epoch: Epoch) -> Self {
        EpochJob { kind, epoch, phase: Phase::Create }
    }

    /// Goes on by at most one call. A failure is the end of the process: what was promised can't be kept.
    ///
    /// # Panics
    /// When the job was over.
    pub fn step<D: Disk<File = F>>(&mut self, disk: &mut D) -> JobStep {
        match self.advance(disk) {
            Ok(Phase::Over) => JobStep::Done,
            Ok(phase) => {
                self.phase = phase;
                JobStep::Progress
            }
            Err(error) => JobStep::Failed(error.to_string()),
        }
    }

    fn advance<D: Disk<File = F>>(&mut self, disk: &mut D) -> Result<Phase<F>, DiskError> {
        let temporary = format!("{}{TEMPORARY_SUFFIX}", epoch_name(self.kind));
        Ok(match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Create => Phase::Write(disk.open(&FileName::snap(temporary), OpenMode::CreateOrEmpty)?),
            Phase::Write(file) => {
                disk.write(&file, 0, self.epoch.0.to_string().as_bytes())?;
                Phase::Sync(file)
            }
            Phase::Sync(file) => {
                disk.sync(&file)?;
                Phase::Rename
            }
            Phase::Rename => {
                disk.rename(Directory::Snap, &temporary, epoch_name(self.kind))?;
                Phase::SyncName
            }
            Phase::SyncName => {
                disk.sync_directory(Directory::Snap)?;
                Phase::Over
            }
            Phase::Over => unreachable!("a job that is over is not stepped"),
        })
    }
}

/// Reads an epoch's file. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub(crate) struct EpochReader<F> {
    name: String,
    file: Option<F>,
}

/// What a step of reading came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EpochRead {
    Progress,
    /// There is no such file.
    Absent,
    Content(String),
}

impl<F: Clone> EpochReader<F> {
    /// A reader of the file of this name.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        EpochReader { name: name.into(), file: None }
    }

    /// Goes on by one call.
    pub(crate) fn step<D: Disk<File = F>>(&mut self, disk: &mut D) -> Result<EpochRead, DiskError> {
        let Some(file) = &self.file else {
            return match disk.open(&FileName::snap(self.name.clone()), OpenMode::Read) {
                Ok(file) => {
                    self.file = Some(file);
                    Ok(EpochRead::Progress)
                }
                Err(error) if error.kind == DiskErrorKind::NotFound => Ok(EpochRead::Absent),
                Err(error) => Err(error),
            };
        };
        let mut content = [0; 32];
        let count = disk.read(file, 0, &mut content)?;
        Ok(EpochRead::Content(String::from_utf8_lossy(&content[..count]).into_owned()))
    }
}

/// The epoch that a file's content says. Java reads a line, so a newline that an editor has left does no harm. The last epoch and whatever
/// is beyond it are none: no checksum vouches for the number, and a server that had promised itself to it could follow nobody any more.
pub(crate) fn parse_epoch(content: &str) -> Option<Epoch> {
    content.trim_end().parse().ok().map(Epoch).filter(|epoch| *epoch < Epoch::LAST)
}
