//! The epoch files (`disk-format.md` §1, §11 W5; `zab-invariants.md` D8): `currentEpoch` and `acceptedEpoch`, decimal, no newline.
//!
//! Invariants: a file under its own name is whole; a job is done when content and name survive a power loss; a number is never
//! written into the other file (Z42): the file is part of the op.
//!
//! Absent: what epochs mean. Nothing writes them yet but tests, because a standalone server has none.

use crate::disk::{Directory, Disk, DiskError, DiskErrorKind, FileName, OpenMode};
use crate::names::TEMPORARY_SUFFIX;
use crate::snapshot_job::JobStep;
use quorate_core::vocabulary::Epoch;

/// Which epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EpochFile {
    /// The epoch of the history.
    Current,
    /// The newest epoch that was promised to a leader.
    Accepted,
}

impl EpochFile {
    /// The file's name.
    pub fn name(self) -> &'static str {
        match self {
            EpochFile::Current => "currentEpoch",
            EpochFile::Accepted => "acceptedEpoch",
        }
    }
}

/// Writes one epoch. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub struct EpochJob<F> {
    target: EpochFile,
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
    /// A job that will write `epoch` into `target`.
    pub fn new(target: EpochFile, epoch: Epoch) -> Self {
        EpochJob { target, epoch, phase: Phase::Create }
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
        let temporary = format!("{}{TEMPORARY_SUFFIX}", self.target.name());
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
                disk.rename(Directory::Snap, &temporary, self.target.name())?;
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

/// Reads one epoch, in two calls: `Ok(None)` when there is no such file.
///
/// # Errors
/// When the disk fails, or the file does not hold a number.
pub fn read_epoch<D: Disk>(disk: &mut D, source: EpochFile) -> Result<Option<Epoch>, String> {
    let file = match disk.open(&FileName::snap(source.name()), OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind == DiskErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut content = [0; 32];
    let count = disk.read(&file, 0, &mut content).map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&content[..count]);
    // Java reads a line, so a newline that an editor has left does no harm.
    match text.trim_end().parse() {
        Ok(epoch) => Ok(Some(Epoch(epoch))),
        Err(_) => Err(format!(
            "{} holds {text:?}, which is no epoch: restore it, or empty the directory",
            source.name()
        )),
    }
}
