//! Removing what the newest snapshots make superfluous (`disk-format.md` §10; `zab-invariants.md` D6, Z44, Z45).
//!
//! Invariants: only snapshots whose seal was read and found right count as retained; the log that starts at or below the oldest
//! retained one stays, because it straddles it; snapshots are removed, durably, before logs, so that at no moment the
//! directory holds a snapshot whose logs are gone. With fewer valid snapshots than asked for, nothing is removed.

use crate::disk::{DirEntry, Directory, Disk, DiskError, FileName, OpenMode};
use crate::names::{parse_log_name, parse_snapshot_name};
use crate::snapshot_job::{JobStep, SnapshotReader};
use quorate_core::vocabulary::Zxid;
use std::collections::BTreeMap;

/// See the module's words. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub struct PurgeJob<F> {
    retain: usize,
    chunk_bytes: usize,
    /// Snapshots found right before, by name, with their length then.
    known_good: BTreeMap<String, u64>,
    /// Snapshots found right now, newest first.
    retained: Vec<Zxid>,
    removed: Vec<RemovedFile>,
    phase: Phase<F>,
}

/// A file that is superfluous, and then gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedFile {
    /// Which.
    pub name: FileName,
    /// How long it was.
    pub length: u64,
}

#[derive(Clone, Debug)]
enum Phase<F> {
    ListSnapshots,
    /// Those still to be looked at, newest last.
    Choose {
        left: Vec<Candidate>,
        all: Vec<Candidate>,
    },
    Verify {
        file: F,
        reader: SnapshotReader,
        current: Candidate,
        left: Vec<Candidate>,
        all: Vec<Candidate>,
    },
    Remove {
        left: Vec<RemovedFile>,
        then: Then,
    },
    SyncSnapshots,
    ListLogs,
    SyncLogs,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    SyncSnapshots,
    SyncLogs,
}

#[derive(Clone, Debug)]
struct Candidate {
    zxid: Zxid,
    name: String,
    length: u64,
}

impl<F: Clone + std::fmt::Debug> PurgeJob<F> {
    /// A job that will keep the newest `retain` valid snapshots, at least one.
    pub fn new(retain: u32, chunk_bytes: usize, known_good: BTreeMap<String, u64>) -> Self {
        PurgeJob {
            retain: retain.max(1) as usize,
            chunk_bytes,
            known_good,
            retained: Vec::new(),
            removed: Vec::new(),
            phase: Phase::ListSnapshots,
        }
    }

    /// What it has removed so far.
    pub fn removed(&self) -> &[RemovedFile] {
        &self.removed
    }

    /// Snapshots known to be good, to tell the next job.
    pub fn into_known_good(self) -> BTreeMap<String, u64> {
        self.known_good
    }

    /// Goes on by at most one call.
    pub fn step<D: Disk<File = F>>(&mut self, disk: &mut D) -> JobStep {
        match self.advance(disk) {
            Ok(JobStep::Done) => {
                self.phase = Phase::Over;
                JobStep::Done
            }
            Ok(step) => step,
            Err(error) => {
                self.phase = Phase::Over;
                JobStep::Failed(error.to_string())
            }
        }
    }

    fn advance<D: Disk<File = F>>(&mut self, disk: &mut D) -> Result<JobStep, DiskError> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::ListSnapshots => {
                let all = candidates(disk.list(Directory::Snap)?);
                self.phase = self.choose(all.clone(), all);
            }
            Phase::Choose { mut left, all } => match left.pop() {
                None => return Ok(JobStep::Done),
                Some(current) => {
                    let file = disk.open(&FileName::snap(current.name.clone()), OpenMode::Read)?;
                    let reader = SnapshotReader::new(&current.name, self.chunk_bytes);
                    self.phase = Phase::Verify { file, reader, current, left, all };
                }
            },
            Phase::Verify { file, mut reader, current, left, all } => {
                self.phase = match reader.step(disk, &file, &mut |_| Ok(())) {
                    Ok(false) => Phase::Verify { file, reader, current, left, all },
                    Ok(true) if reader.seal.verify().is_ok() => {
                        self.known_good.insert(current.name, current.length);
                        self.retained.push(current.zxid);
                        self.choose(left, all)
                    }
                    // What can't be read, or is no snapshot, does not count; it is removed with those as old as it.
                    Ok(true) | Err(_) => self.choose(left, all),
                };
            }
            Phase::Remove { mut left, then } => match left.pop() {
                None => self.phase = self.after_removal(then),
                Some(file) => {
                    disk.remove(&file.name)?;
                    self.known_good.remove(&file.name.name);
                    self.removed.push(file);
                    self.phase =
                        if left.is_empty() { self.after_removal(then) } else { Phase::Remove { left, then } };
                }
            },
            Phase::SyncSnapshots => {
                disk.sync_directory(Directory::Snap)?;
                self.phase = Phase::ListLogs;
            }
            Phase::ListLogs => {
                let oldest = self.oldest_retained();
                let mut left = superfluous_logs(disk.list(Directory::Log)?, oldest);
                if left.is_empty() {
                    return Ok(JobStep::Done);
                }
                // The oldest goes first, so that what stays has no hole at any moment.
                left.reverse();
                self.phase = Phase::Remove { left, then: Then::SyncLogs };
            }
            Phase::SyncLogs => {
                disk.sync_directory(Directory::Log)?;
                return Ok(JobStep::Done);
            }
            Phase::Over => unreachable!("a job that is over is not stepped"),
        }
        Ok(JobStep::Progress)
    }

    fn oldest_retained(&self) -> Zxid {
        *self.retained.last().expect("logs are looked at when enough snapshots are retained")
    }

    fn after_removal(&self, then: Then) -> Phase<F> {
        match then {
            Then::SyncSnapshots => Phase::SyncSnapshots,
            Then::SyncLogs => Phase::SyncLogs,
        }
    }

    /// Counts what is known to be good; goes on to the next that must be read, or to the removal.
    fn choose(&mut self, mut left: Vec<Candidate>, all: Vec<Candidate>) -> Phase<F> {
        while self.retained.len() < self.retain
            && let Some(candidate) = left.last()
            && self.known_good.get(&candidate.name) == Some(&candidate.length)
        {
            self.retained.push(candidate.zxid);
            left.pop();
        }
        if self.retained.len() < self.retain {
            return Phase::Choose { left, all };
        }
        let oldest = self.oldest_retained();
        let mut superfluous: Vec<RemovedFile> = all
            .into_iter()
            .filter(|candidate| candidate.zxid < oldest)
            .map(|Candidate { name, length, .. }| RemovedFile { name: FileName::snap(name), length })
            .collect();
        superfluous.reverse();
        if superfluous.is_empty() {
            Phase::ListLogs
        } else {
            Phase::Remove { left: superfluous, then: Then::SyncSnapshots }
        }
    }
}

fn candidates(entries: Vec<DirEntry>) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = entries
        .into_iter()
        .filter_map(|entry| {
            let (zxid, _) = parse_snapshot_name(&entry.name)?;
            Some(Candidate { zxid, name: entry.name, length: entry.length })
        })
        .collect();
    all.sort_by(|a, b| (a.zxid, &a.name).cmp(&(b.zxid, &b.name)));
    all
}

/// The logs below the one that holds the txn behind `oldest`, ascending.
fn superfluous_logs(entries: Vec<DirEntry>, oldest: Zxid) -> Vec<RemovedFile> {
    let mut logs: Vec<(Zxid, DirEntry)> =
        entries.into_iter().filter_map(|entry| Some((parse_log_name(&entry.name)?, entry))).collect();
    logs.sort();
    let straddling = logs.iter().rposition(|(zxid, _)| *zxid <= oldest).unwrap_or(0);
    let removed = |(_, DirEntry { name, length })| RemovedFile { name: FileName::log(name), length };
    logs.into_iter().take(straddling).map(removed).collect()
}
