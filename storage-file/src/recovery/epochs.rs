//! The epochs of a member when its process starts (`quorum-protocol.md` §3; `zab-invariants.md` D8).
//!
//! - A file that is missing is written, from the epoch that the history ends in.
//! - A history that ends in a later epoch than the current one is no reason to refuse, as it is for Java: the process ended between
//!   history and epoch, and nothing was acknowledged in that epoch; so the current one stays, and the leader of the day synchronises
//!   the server. But where `currentEpoch.tmp` was written, the history before it was complete, and perhaps it was acknowledged: Java
//!   does not sync the name that it gives the file. Then it is what it was to become.
//! - A current epoch above the accepted one can't be: the server refuses to start, because what it has promised is lost.
//! - No promise is below what the history shows to have been made, else two leaders could number their txns alike. One that the file does
//!   not say is written: the epoch may become the current one without being promised anew, when its leader still leads.
//!
//! Invariant: the epochs that come back are those of the files, durable.

use super::report::{RecoveryError, Repair};
use crate::disk::{Directory, Disk, FileName};
use crate::epochs::{EpochJob, EpochRead, EpochReader, epoch_name, parse_epoch};
use crate::snapshot_job::JobStep;
use quorate_core::contract::{EpochKind, Epochs};
use quorate_core::vocabulary::{Epoch, Zxid};

/// Where the current epoch is written before it has its name.
pub(super) const CURRENT_TEMPORARY: &str = "currentEpoch.tmp";

/// See the module's words. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub(super) struct EpochRecovery<F> {
    last_zxid: Zxid,
    current: Option<Epoch>,
    accepted: Option<Epoch>,
    has_temporary: bool,
    phase: Phase<F>,
}

#[derive(Clone, Debug)]
enum Phase<F> {
    Read(EpochKind, EpochReader<F>),
    ReadTemporary(EpochReader<F>),
    Write { job: EpochJob<F>, kind: EpochKind, epochs: Epochs },
    RemoveTemporary(Epochs),
    SyncNames(Epochs),
    Over,
}

impl<F: Clone + std::fmt::Debug> EpochRecovery<F> {
    /// Of a history that ends at `last_zxid`.
    pub(super) fn new(last_zxid: Zxid) -> Self {
        EpochRecovery {
            last_zxid,
            current: None,
            accepted: None,
            has_temporary: false,
            phase: Phase::Read(EpochKind::Current, EpochReader::new(epoch_name(EpochKind::Current))),
        }
    }

    /// Goes on by one call; the epochs when it was the last. What was changed is added to `repairs`.
    pub(super) fn step<D: Disk<File = F>>(
        &mut self,
        disk: &mut D,
        repairs: &mut Vec<Repair>,
    ) -> Result<Option<Epochs>, RecoveryError> {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Read(kind, mut reader) => match reader.step(disk)? {
                EpochRead::Progress => Phase::Read(kind, reader),
                EpochRead::Absent => self.after(kind, None),
                EpochRead::Content(content) => {
                    let name = epoch_name(kind);
                    let epoch = parse_epoch(&content).ok_or(RecoveryError::NoEpoch { name, content })?;
                    self.after(kind, Some(epoch))
                }
            },
            Phase::ReadTemporary(mut reader) => match reader.step(disk)? {
                EpochRead::Progress => Phase::ReadTemporary(reader),
                EpochRead::Absent => self.judge(None)?,
                EpochRead::Content(content) => {
                    self.has_temporary = true;
                    self.judge(parse_epoch(&content))?
                }
            },
            Phase::Write { mut job, kind, epochs } => match job.step(disk) {
                JobStep::Progress => Phase::Write { job, kind, epochs },
                JobStep::Failed(reason) => return Err(RecoveryError::EpochFailed(reason)),
                JobStep::Done => {
                    let epoch = match kind {
                        EpochKind::Accepted => {
                            self.accepted = Some(epochs.accepted);
                            epochs.accepted
                        }
                        EpochKind::Current => {
                            self.current = Some(epochs.current);
                            // It was written there first.
                            self.has_temporary = false;
                            epochs.current
                        }
                    };
                    repairs.push(Repair::WroteEpoch(kind, epoch));
                    self.write_next(epochs)
                }
            },
            Phase::RemoveTemporary(epochs) => {
                disk.remove(&FileName::snap(CURRENT_TEMPORARY))?;
                repairs.push(Repair::RemovedTemporary(FileName::snap(CURRENT_TEMPORARY)));
                self.has_temporary = false;
                Phase::SyncNames(epochs)
            }
            Phase::SyncNames(epochs) => {
                disk.sync_directory(Directory::Snap)?;
                return Ok(Some(epochs));
            }
            Phase::Over => unreachable!("a job that is over is not stepped"),
        };
        Ok(None)
    }

    fn after(&mut self, kind: EpochKind, epoch: Option<Epoch>) -> Phase<F> {
        match kind {
            EpochKind::Current => {
                self.current = epoch;
                Phase::Read(EpochKind::Accepted, EpochReader::new(epoch_name(EpochKind::Accepted)))
            }
            EpochKind::Accepted => {
                self.accepted = epoch;
                Phase::ReadTemporary(EpochReader::new(CURRENT_TEMPORARY))
            }
        }
    }

    /// Everything is read: what the epochs are.
    fn judge(&mut self, temporary: Option<Epoch>) -> Result<Phase<F>, RecoveryError> {
        let of_history = self.last_zxid.epoch();
        let said = self.accepted.unwrap_or(of_history);
        if let Some(current) = self.current.filter(|current| *current > said) {
            return Err(RecoveryError::EpochsContradict { accepted: said, current });
        }
        let accepted = said.max(of_history);
        if accepted > said {
            self.accepted = None;
        }
        let mut current = self.current.unwrap_or(of_history);
        if of_history > current
            && let Some(unfinished) = temporary.filter(|epoch| *epoch > current && *epoch <= accepted)
        {
            current = unfinished;
            self.current = None;
        }
        Ok(self.write_next(Epochs { accepted, current }))
    }

    /// Writes what is missing or too low, the promise first.
    fn write_next(&self, epochs: Epochs) -> Phase<F> {
        let write = |kind, epoch| Phase::Write { job: EpochJob::new(kind, epoch), kind, epochs };
        match (self.accepted, self.current) {
            (None, _) => write(EpochKind::Accepted, epochs.accepted),
            (_, None) => write(EpochKind::Current, epochs.current),
            _ if self.has_temporary => Phase::RemoveTemporary(epochs),
            _ => Phase::SyncNames(epochs),
        }
    }
}
