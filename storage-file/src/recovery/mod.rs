//! From two directories in any state to a database (`disk-format.md` §1, §2.4, §6, §12; `zab-invariants.md` D1–D4, D7).
//!
//! Recovery is stepped like everything here: at most one disk call a step, a crash between any two of them leaves a directory from
//! which the next recovery comes to the same database. It works in this order:
//!
//! 1. list both directories; refuse a mixture; remove `.tmp` leftovers;
//! 2. load the newest snapshot that is whole, each attempt into a decoder of its own; a replacement that was not finished is, first,
//!    the only snapshot there is, and then takes the place of everything;
//! 3. replay the logs from the one that straddles it, refusing holes and damage, allowing a torn tail ([`tail`]);
//! 4. mend: cut torn tails, remove logs without a txn, and sync the snapshot and what was replayed, so that what is served is durable;
//! 5. for a new database, or one that began with an empty tree on trust, write a snapshot; only then remove `initialize`;
//! 6. for a member of an ensemble, read its epochs, and write those that are missing, or below what the history shows ([`epochs`]).
//!
//! Invariants: nothing is changed on disk, but for leftovers, before the whole history was read and found right; no whole txn
//! leaves the disk: a log with one is never removed, and what stands behind a tear is kept in a file of its own. A snapshot may be
//! ahead of the logs, as a quorum commits without the own disk: one that was whole and can't be loaded is no less missed than a log.
//!
//! Absent: killing ephemerals of unknown sessions (the peer's affair, it depends on its role), starting as "no data" behind a
//! hole.

mod epochs;
mod mend;
mod replay;
mod report;
mod tail;

pub use report::{LogSummary, RecoveryError, RecoveryReport, Repair, TailProblem};
pub use tail::{Remains, Tail, TailBytes};

use crate::disk::{DirEntry, Directory, Disk, DiskError, FileName, OpenMode};
use crate::names::{INITIALIZE, is_temporary, parse_log_name, parse_snapshot_name, snapshot_of_replacement};
use crate::options::RecoveryOptions;
use crate::replace_job::TakeOver;
use crate::snapshot_job::{JobStep, SnapshotJob, SnapshotReader};
use bytes::Bytes;
use epochs::{CURRENT_TEMPORARY, EpochRecovery};
use mend::Mending;
use quorate_core::contract::{Epochs, History};
use quorate_core::jute::FieldLimit;
use quorate_core::tree::{Database, SnapshotDecoder};
use quorate_core::vocabulary::Zxid;
use replay::{LogInProgress, Replay};
use std::collections::VecDeque;

/// A database, as it was found or made.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The database, at the end of its history; all of it is durable.
    pub database: Database,
    /// The newest txns of the log behind its snapshot, as many as were asked for.
    pub recent: VecDeque<(Zxid, Bytes)>,
    /// The epochs of a member, as its files say, durably.
    pub epochs: Epochs,
    /// How it came back.
    pub report: RecoveryReport,
}

impl Recovered {
    /// What a peer is made from.
    pub fn into_history(self) -> History {
        History { database: self.database, recent: self.recent }
    }
}

/// What a step of recovery came to.
#[derive(Debug)]
pub enum RecoveryStep {
    /// There is more to do.
    Progress,
    /// The database is there.
    Done(Box<Recovered>),
}

/// See the module's words. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub struct Recovery<F> {
    options: RecoveryOptions,
    report: RecoveryReport,
    /// Snapshots not tried yet, newest first: name and zxid.
    snapshots: VecDeque<(String, Zxid)>,
    /// Snapshots that looked like one to Java, and could not be loaded.
    unusable: Vec<(String, String)>,
    /// The snapshot that was loaded.
    loaded: Option<F>,
    /// Logs, ascending; those not read yet once replay began.
    logs: VecDeque<(Zxid, String)>,
    temporaries: VecDeque<FileName>,
    removed_temporaries: bool,
    /// Whether it is not the process that starts, so that what does not belong to history is left alone.
    anew: bool,
    initialize: bool,
    /// What logs are read into.
    chunk: Vec<u8>,
    phase: Phase<F>,
}

#[derive(Clone, Debug)]
enum Phase<F> {
    ListSnapshots,
    ListLogs,
    ListLogRoot,
    RemoveTemporaries,
    SyncSnapshotNames,
    OpenSnapshot,
    ReadSnapshot(Box<ReadSnapshot<F>>),
    TakeOver { job: TakeOver, replay: Box<Replay> },
    OpenLog(Box<Replay>),
    ReadLog { replay: Box<Replay>, log: Box<LogInProgress>, file: F },
    Mend { mending: Box<Mending<F>>, history: Box<History> },
    WriteSnapshot { job: Box<SnapshotJob<F>>, history: Box<History> },
    RemoveInitialize(Box<History>),
    SyncLogRoot(Box<History>),
    Epochs { job: Box<EpochRecovery<F>>, history: Box<History> },
    Over,
}

#[derive(Clone, Debug)]
struct ReadSnapshot<F> {
    name: String,
    file: F,
    reader: SnapshotReader,
    decoder: SnapshotDecoder,
    /// What the decoder found wrong. The rest is read all the same, because its end tells whether it was whole.
    problem: Option<String>,
}

impl<F: Clone + std::fmt::Debug> Recovery<F> {
    /// At the beginning.
    pub fn new(options: RecoveryOptions) -> Self {
        Recovery {
            options,
            report: RecoveryReport::default(),
            snapshots: VecDeque::new(),
            unusable: Vec::new(),
            loaded: None,
            logs: VecDeque::new(),
            temporaries: VecDeque::new(),
            removed_temporaries: false,
            anew: false,
            initialize: false,
            chunk: Vec::new(),
            phase: Phase::ListSnapshots,
        }
    }

    /// At the beginning of another one, of a process that runs: only the history is read, and nothing else looked at.
    pub(crate) fn anew(options: RecoveryOptions) -> Self {
        Recovery { anew: true, ..Self::new(RecoveryOptions { member: false, ..options }) }
    }

    /// Steps to the end.
    ///
    /// # Errors
    /// Why the directory can't be opened.
    pub fn run<D: Disk<File = F>>(mut self, disk: &mut D) -> Result<Recovered, RecoveryError> {
        loop {
            if let RecoveryStep::Done(recovered) = self.step(disk)? {
                return Ok(*recovered);
            }
        }
    }

    /// Whether the snapshot is loaded, or there is none: what is left is to replay the logs, and to mend.
    pub fn is_past_snapshots(&self) -> bool {
        matches!(
            self.phase,
            Phase::OpenLog(_)
                | Phase::ReadLog { .. }
                | Phase::Mend { .. }
                | Phase::WriteSnapshot { .. }
                | Phase::RemoveInitialize(_)
                | Phase::SyncLogRoot(_)
                | Phase::Epochs { .. }
                | Phase::Over
        )
    }

    /// Goes on by at most one call.
    ///
    /// # Errors
    /// Why the directory can't be opened; recovery is then over.
    ///
    /// # Panics
    /// When it was over.
    pub fn step<D: Disk<File = F>>(&mut self, disk: &mut D) -> Result<RecoveryStep, RecoveryError> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::ListSnapshots => self.phase = self.list_snapshots(disk)?,
            Phase::ListLogs => {
                let entries = disk.list(Directory::Log)?;
                if let Some(stray) = entries.iter().find(|entry| parse_snapshot_name(&entry.name).is_some()) {
                    return Err(RecoveryError::MixedDirectories {
                        directory: "log",
                        name: stray.name.clone(),
                    });
                }
                self.phase = self.take_logs(entries);
            }
            Phase::ListLogRoot => {
                let entries = disk.list(Directory::LogRoot)?;
                self.initialize = !self.anew && entries.iter().any(|entry| entry.name == INITIALIZE);
                self.phase = Phase::RemoveTemporaries;
            }
            Phase::RemoveTemporaries => self.phase = self.remove_temporary(disk)?,
            Phase::SyncSnapshotNames => {
                disk.sync_directory(Directory::Snap)?;
                self.phase = Phase::OpenSnapshot;
            }
            Phase::OpenSnapshot => self.phase = self.open_snapshot(disk)?,
            Phase::ReadSnapshot(reading) => self.phase = self.read_snapshot(disk, reading),
            Phase::TakeOver { mut job, replay } => {
                self.phase = if job.step(disk)? {
                    Phase::TakeOver { job, replay }
                } else {
                    let name = job.snapshot();
                    self.report.snapshot = Some(name.clone());
                    self.report.repairs.push(Repair::FinishedReplacement(name));
                    self.begin_replay(replay)
                };
            }
            Phase::OpenLog(replay) => self.phase = self.open_log(disk, replay)?,
            Phase::ReadLog { replay, log, file } => self.phase = self.read_log(disk, replay, log, file)?,
            Phase::Mend { mut mending, history } => {
                self.phase = match mending.step(disk, &mut self.report.repairs)? {
                    true => Phase::Mend { mending, history },
                    false => self.after_mending(history),
                };
            }
            Phase::WriteSnapshot { mut job, history } => {
                self.phase = match job.step(disk) {
                    JobStep::Progress => Phase::WriteSnapshot { job, history },
                    JobStep::Failed(reason) => return Err(RecoveryError::SnapshotFailed(reason)),
                    JobStep::Done => {
                        self.report.repairs.push(Repair::WroteSnapshot(job.name().to_owned()));
                        Phase::RemoveInitialize(history)
                    }
                };
            }
            Phase::RemoveInitialize(history) if !self.initialize => return Ok(self.history_done(history)),
            Phase::RemoveInitialize(history) => {
                disk.remove(&FileName { directory: Directory::LogRoot, name: INITIALIZE.to_owned() })?;
                self.report.repairs.push(Repair::RemovedInitialize);
                self.phase = Phase::SyncLogRoot(history);
            }
            Phase::SyncLogRoot(history) => {
                disk.sync_directory(Directory::LogRoot)?;
                return Ok(self.history_done(history));
            }
            Phase::Epochs { mut job, history } => match job.step(disk, &mut self.report.repairs)? {
                None => self.phase = Phase::Epochs { job, history },
                Some(epochs) => return Ok(self.done(*history, epochs)),
            },
            Phase::Over => unreachable!("a recovery that is over is not stepped"),
        }
        Ok(RecoveryStep::Progress)
    }

    fn history_done(&mut self, history: Box<History>) -> RecoveryStep {
        if !self.options.member {
            return self.done(*history, Epochs::default());
        }
        let job = Box::new(EpochRecovery::new(history.database.last_zxid()));
        self.phase = Phase::Epochs { job, history };
        RecoveryStep::Progress
    }

    fn done(&mut self, History { database, recent }: History, epochs: Epochs) -> RecoveryStep {
        self.report.last_zxid = database.last_zxid();
        self.report.digest_mismatches = database.digest_mismatches();
        let report = std::mem::take(&mut self.report);
        RecoveryStep::Done(Box::new(Recovered { database, recent, epochs, report }))
    }

    fn list_snapshots<D: Disk<File = F>>(&mut self, disk: &mut D) -> Result<Phase<F>, RecoveryError> {
        let entries = disk.list(Directory::Snap)?;
        let mut replacement = None;
        for entry in &entries {
            if let Some((zxid, _)) = parse_snapshot_name(&entry.name) {
                self.snapshots.push_back((entry.name.clone(), zxid));
            } else if let Some((zxid, _)) =
                snapshot_of_replacement(&entry.name).as_deref().and_then(parse_snapshot_name)
            {
                replacement = Some((entry.name.clone(), zxid));
            } else if self.is_leftover(&entry.name) {
                self.temporaries.push_back(FileName::snap(entry.name.clone()));
            } else if !disk.one_directory() && parse_log_name(&entry.name).is_some() {
                return Err(RecoveryError::MixedDirectories {
                    directory: "snapshot",
                    name: entry.name.clone(),
                });
            }
        }
        self.snapshots.make_contiguous().sort_by(|(name_a, a), (name_b, b)| (b, name_b).cmp(&(a, name_a)));
        if let Some(replacement) = replacement {
            self.snapshots = VecDeque::from([replacement]);
        }
        Ok(if disk.one_directory() { self.take_logs(entries) } else { Phase::ListLogs })
    }

    /// Whether the file was being written when the process ended. One that was to be the current epoch may still become it.
    fn is_leftover(&self, name: &str) -> bool {
        !self.anew && is_temporary(name) && !(self.options.member && name == CURRENT_TEMPORARY)
    }

    fn take_logs(&mut self, entries: Vec<DirEntry>) -> Phase<F> {
        let logs = entries.into_iter().filter_map(|entry| Some((parse_log_name(&entry.name)?, entry.name)));
        self.logs.extend(logs);
        self.logs.make_contiguous().sort();
        Phase::ListLogRoot
    }

    fn remove_temporary<D: Disk<File = F>>(&mut self, disk: &mut D) -> Result<Phase<F>, DiskError> {
        let Some(name) = self.temporaries.pop_front() else {
            return Ok(if self.removed_temporaries { Phase::SyncSnapshotNames } else { Phase::OpenSnapshot });
        };
        disk.remove(&name)?;
        self.removed_temporaries = true;
        self.report.repairs.push(Repair::RemovedTemporary(name));
        Ok(Phase::RemoveTemporaries)
    }

    fn open_snapshot<D: Disk<File = F>>(&mut self, disk: &mut D) -> Result<Phase<F>, RecoveryError> {
        let Some((name, zxid)) = self.snapshots.pop_front() else { return self.begin_without_snapshot() };
        let file = match disk.open(&FileName::snap(name.clone()), OpenMode::Read) {
            Ok(file) => file,
            Err(error) => {
                self.skip_snapshot(name, error.to_string(), true);
                return Ok(Phase::OpenSnapshot);
            }
        };
        let reader = SnapshotReader::new(&name, self.options.storage.chunk_bytes);
        let decoder = SnapshotDecoder::new(self.options.seed, self.options.tree, zxid)
            .with_limit(FieldLimit(self.options.storage.max_txn));
        Ok(Phase::ReadSnapshot(Box::new(ReadSnapshot { name, file, reader, decoder, problem: None })))
    }

    fn read_snapshot<D: Disk<File = F>>(
        &mut self,
        disk: &mut D,
        mut reading: Box<ReadSnapshot<F>>,
    ) -> Phase<F> {
        let ReadSnapshot { reader, file, decoder, problem, .. } = &mut *reading;
        let mut sink = |bytes: &[u8]| {
            if problem.is_none() {
                *problem = decoder.push(bytes).err().map(|error| error.to_string());
            }
            Ok(())
        };
        let outcome = match reader.step(disk, file, &mut sink) {
            Ok(false) => return Phase::ReadSnapshot(reading),
            Ok(true) => {
                let ReadSnapshot { name, file, reader, decoder, problem } = *reading;
                let looks_whole = reader.seal.ends_with_mark();
                let sealed = problem.map_or_else(|| reader.seal.verify(), Err);
                match sealed.and_then(|()| decoder.finish().map_err(|error| error.to_string())) {
                    Ok(database) => {
                        self.loaded = Some(file);
                        let replay = Box::new(Replay::new(database, false, &self.options));
                        if snapshot_of_replacement(&name).is_some() {
                            self.logs.clear();
                            return Phase::TakeOver { job: TakeOver::new(name), replay };
                        }
                        self.report.snapshot = Some(name);
                        return self.begin_replay(replay);
                    }
                    Err(reason) => {
                        // A replacement had its name only when it was whole.
                        let looks_whole = looks_whole || snapshot_of_replacement(&name).is_some();
                        (name, reason, looks_whole)
                    }
                }
            }
            // It can't be read, or not unpacked. Whether its end looks whole is not known; to Java it may.
            Err(reason) => (reading.name, reason, true),
        };
        let (name, reason, looks_whole) = outcome;
        self.skip_snapshot(name, reason, looks_whole);
        Phase::OpenSnapshot
    }

    /// A file that does not even end as a snapshot does is none, for Java too: it was being written when the power went.
    fn skip_snapshot(&mut self, name: String, reason: String, looks_whole: bool) {
        self.report.skipped_snapshots.push((name.clone(), reason.clone()));
        if looks_whole {
            self.unusable.push((name, reason));
        }
    }

    fn begin_without_snapshot(&mut self) -> Result<Phase<F>, RecoveryError> {
        if !self.unusable.is_empty() {
            return Err(RecoveryError::NoUsableSnapshot(std::mem::take(&mut self.report.skipped_snapshots)));
        }
        // A snapshot of something, and no log of it: there was a database, and this directory does not hold it any more.
        let of_something = |(name, _): &&(String, String)| {
            parse_snapshot_name(name).is_some_and(|(zxid, _)| zxid > Zxid::ZERO)
        };
        if self.logs.is_empty() && self.report.skipped_snapshots.iter().any(|skipped| of_something(&skipped))
        {
            return Err(RecoveryError::NoUsableSnapshot(std::mem::take(&mut self.report.skipped_snapshots)));
        }
        let empty = Database::new(self.options.seed, self.options.tree);
        Ok(self.begin_replay(Box::new(Replay::new(empty, true, &self.options))))
    }

    /// Leaves out the logs that lie wholly below the snapshot: all but the last that begins at or below its successor.
    fn begin_replay(&mut self, mut replay: Box<Replay>) -> Phase<F> {
        let skipped = self.report.skipped_snapshots.iter();
        replay.without(
            skipped.filter_map(|(name, _)| Some((parse_snapshot_name(name)?.0, name.clone()))).collect(),
        );
        let start = replay.base().next();
        let first = self.logs.iter().rposition(|(zxid, _)| *zxid <= start).unwrap_or(0);
        self.logs.drain(..first);
        Phase::OpenLog(replay)
    }

    fn open_log<D: Disk<File = F>>(
        &mut self,
        disk: &mut D,
        replay: Box<Replay>,
    ) -> Result<Phase<F>, RecoveryError> {
        let Some((_, name)) = self.logs.pop_front() else { return self.all_logs_read(*replay) };
        let file = disk.open(&FileName::log(name.clone()), OpenMode::Read)?;
        let log = Box::new(LogInProgress::new(name));
        Ok(Phase::ReadLog { replay, log, file })
    }

    fn read_log<D: Disk<File = F>>(
        &mut self,
        disk: &mut D,
        mut replay: Box<Replay>,
        mut log: Box<LogInProgress>,
        file: F,
    ) -> Result<Phase<F>, RecoveryError> {
        self.chunk.resize(self.options.storage.chunk_bytes, 0);
        let count = disk.read(&file, log.length(), &mut self.chunk)?;
        replay.read(&mut log, &self.chunk[..count])?;
        Ok(if count == 0 { Phase::OpenLog(replay) } else { Phase::ReadLog { replay, log, file } })
    }

    fn all_logs_read(&mut self, replay: Replay) -> Result<Phase<F>, RecoveryError> {
        let mends = replay.repairs()?;
        self.is_beyond_snapshots(replay.last_zxid())?;
        self.report.logs = replay.summaries().cloned().collect();
        self.report.replayed = replay.replayed;
        self.report.out_of_order = replay.out_of_order;
        if self.report.snapshot.is_none() {
            self.report.created = replay.replayed == 0;
            let first = self.report.logs.iter().find(|log| log.entries > 0);
            if let Some(log) = first
                && !self.options.trust_empty
            {
                let zxid = parse_log_name(&log.name).unwrap_or_default();
                return Err(RecoveryError::NoSnapshot { log: log.name.clone(), zxid });
            }
            if self.report.created && !self.initialize && !self.options.db_autocreate {
                return Err(RecoveryError::Uninitialized);
            }
        }
        let with_txns = self.report.logs.iter().filter(|log| log.entries > 0);
        let syncs = with_txns.map(|log| FileName::log(log.name.clone())).collect();
        let mending = Box::new(Mending::new(self.loaded.take(), mends, syncs));
        Ok(Phase::Mend { mending, history: Box::new(replay.into_history()) })
    }

    /// No snapshot that was whole once, and can't be loaded, may hold more than what was found without it.
    fn is_beyond_snapshots(&self, last: Zxid) -> Result<(), RecoveryError> {
        let mut unusable = self.unusable.iter();
        let beyond = |name: &str| parse_snapshot_name(name).is_some_and(|(zxid, _)| zxid > last);
        unusable.find(|(name, _)| beyond(name)).map_or(Ok(()), |(name, reason)| {
            Err(RecoveryError::LostWithNewestSnapshot { name: name.clone(), reason: reason.clone(), last })
        })
    }

    fn after_mending(&mut self, history: Box<History>) -> Phase<F> {
        if self.report.snapshot.is_some() {
            return Phase::RemoveInitialize(history);
        }
        let job = Box::new(SnapshotJob::new(history.database.image(), &self.options.storage));
        Phase::WriteSnapshot { job, history }
    }
}

impl<F> Recovery<F> {
    /// Whether the end has been reached, well or badly.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }
}
