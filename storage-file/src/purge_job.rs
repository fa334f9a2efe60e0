//! Removing what the newest snapshots make superfluous (`disk-format.md` §10; `zab-invariants.md` D6, Z44, Z45).
//!
//! Invariants: only snapshots whose seal was read and found right count as retained; the log that starts at or below the oldest
//! retained one stays, because it straddles it; snapshots are removed, durably, before logs, so that at no moment the
//! directory holds a snapshot whose logs are gone. Snapshots are retained from the newest on, as many as were asked for, but
//! behind the first none with which the files from it on, its logs included, would take more than the limit; so the newest
//! valid one stays with its logs whatever they take. With fewer valid snapshots than asked for, and all files within the
//! limit, nothing is removed, nor without any valid one. The logs listed may be behind those there are: then the one taken
//! for straddling is an older one, and too much stays.

use crate::disk::{DirEntry, Directory, Disk, DiskError, FileName, OpenMode};
use crate::names::{parse_log_name, parse_snapshot_name};
use crate::snapshot_job::{JobStep, SnapshotReader};
use quorate_core::vocabulary::Zxid;
use std::collections::BTreeMap;

/// See the module's words. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub struct PurgeJob<F> {
    retain: usize,
    /// What snapshots and logs may take together; 0 for any.
    max_bytes: u64,
    chunk_bytes: usize,
    /// Snapshots found right before, by name, with their length then.
    known_good: BTreeMap<String, u64>,
    /// Snapshots found right now, newest first.
    retained: Vec<Zxid>,
    /// Ascending.
    snapshots: Vec<Listed>,
    /// Ascending.
    logs: Vec<Listed>,
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
    ListLogs,
    /// The newest of these is to be looked at; it stands last.
    Open {
        left: Vec<Listed>,
    },
    Verify {
        file: F,
        reader: SnapshotReader,
        current: Listed,
        left: Vec<Listed>,
    },
    /// The oldest stands last.
    Remove {
        left: Vec<RemovedFile>,
        from: Directory,
    },
    Sync {
        directory: Directory,
    },
    NothingLeft,
    Over,
}

/// A snapshot or a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Listed {
    zxid: Zxid,
    name: String,
    length: u64,
}

impl<F: Clone + std::fmt::Debug> PurgeJob<F> {
    /// A job that will keep the newest `retain` valid snapshots, or as many of them as take `max_bytes` with their logs if
    /// that is not 0, at least one.
    pub fn new(retain: u32, max_bytes: u64, chunk_bytes: usize, known_good: BTreeMap<String, u64>) -> Self {
        PurgeJob {
            retain: retain.max(1) as usize,
            max_bytes,
            chunk_bytes,
            known_good,
            retained: Vec::new(),
            snapshots: Vec::new(),
            logs: Vec::new(),
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
                let zxid = |name: &str| Some(parse_snapshot_name(name)?.0);
                self.snapshots = listed(disk.list(Directory::Snap)?, zxid);
                self.phase = Phase::ListLogs;
            }
            Phase::ListLogs => {
                self.logs = listed(disk.list(Directory::Log)?, parse_log_name);
                self.phase = self.choose(self.snapshots.clone());
            }
            Phase::Open { mut left } => {
                let current = left.pop().expect("it was looked at when this phase was chosen");
                let file = disk.open(&FileName::snap(current.name.clone()), OpenMode::Read)?;
                let reader = SnapshotReader::new(&current.name, self.chunk_bytes);
                self.phase = Phase::Verify { file, reader, current, left };
            }
            Phase::Verify { file, mut reader, current, left } => {
                self.phase = match reader.step(disk, &file, &mut |_| Ok(())) {
                    Ok(false) => Phase::Verify { file, reader, current, left },
                    Ok(true) if reader.seal.verify().is_ok() => {
                        self.known_good.insert(current.name, current.length);
                        self.retained.push(current.zxid);
                        self.choose(left)
                    }
                    // What can't be read, or is no snapshot, does not count; it is removed with those as old as it.
                    Ok(true) | Err(_) => self.choose(left),
                };
            }
            Phase::Remove { mut left, from } => {
                let file = left.pop().expect("a removal has something to remove");
                disk.remove(&file.name)?;
                self.known_good.remove(&file.name.name);
                self.removed.push(file);
                self.phase = if left.is_empty() {
                    Phase::Sync { directory: from }
                } else {
                    Phase::Remove { left, from }
                };
            }
            Phase::Sync { directory } => {
                disk.sync_directory(directory)?;
                self.phase = match directory {
                    Directory::Snap => self.remove_logs(),
                    Directory::Log | Directory::LogRoot => return Ok(JobStep::Done),
                };
            }
            Phase::NothingLeft => return Ok(JobStep::Done),
            Phase::Over => unreachable!("a job that is over is not stepped"),
        }
        Ok(JobStep::Progress)
    }

    /// Counts what is known to be good; goes on to the next that must be read, or to the removal.
    fn choose(&mut self, mut left: Vec<Listed>) -> Phase<F> {
        while !self.is_enough(left.last()) {
            let Some(candidate) = left.last() else { return Phase::NothingLeft };
            if self.known_good.get(&candidate.name) != Some(&candidate.length) {
                return Phase::Open { left };
            }
            self.retained.push(candidate.zxid);
            left.pop();
        }
        self.remove_snapshots()
    }

    /// Whether nothing is to be retained beyond what is: not the `next` one either, nor, without one, all that is left.
    fn is_enough(&self, next: Option<&Listed>) -> bool {
        let with_next = || self.bytes_from(next.map_or(Zxid::ZERO, |next| next.zxid));
        self.retained.len() >= self.retain
            || (!self.retained.is_empty() && self.max_bytes > 0 && with_next() > self.max_bytes)
    }

    /// What the files take that stay when this is the oldest snapshot retained.
    fn bytes_from(&self, oldest: Zxid) -> u64 {
        let snapshots = self.snapshots.iter().filter(|snapshot| snapshot.zxid >= oldest);
        let logs = &self.logs[straddling(&self.logs, oldest)..];
        snapshots.chain(logs).map(|file| file.length).sum()
    }

    fn oldest_retained(&self) -> Zxid {
        *self.retained.last().expect("files are removed when enough snapshots are retained")
    }

    fn remove_snapshots(&self) -> Phase<F> {
        let oldest = self.oldest_retained();
        let older = self.snapshots.iter().filter(|snapshot| snapshot.zxid < oldest);
        let left: Vec<RemovedFile> = older.rev().map(|file| file.removed(FileName::snap)).collect();
        if left.is_empty() { self.remove_logs() } else { Phase::Remove { left, from: Directory::Snap } }
    }

    /// The oldest goes first, so that what stays has no hole at any moment.
    fn remove_logs(&self) -> Phase<F> {
        let older = &self.logs[..straddling(&self.logs, self.oldest_retained())];
        let left: Vec<RemovedFile> = older.iter().rev().map(|file| file.removed(FileName::log)).collect();
        if left.is_empty() { Phase::NothingLeft } else { Phase::Remove { left, from: Directory::Log } }
    }
}

impl Listed {
    fn removed(&self, name: fn(String) -> FileName) -> RemovedFile {
        RemovedFile { name: name(self.name.clone()), length: self.length }
    }
}

/// Those with a zxid in their name, ascending.
fn listed(entries: Vec<DirEntry>, zxid: impl Fn(&str) -> Option<Zxid>) -> Vec<Listed> {
    let mut all: Vec<Listed> = entries
        .into_iter()
        .filter_map(|DirEntry { name, length }| Some(Listed { zxid: zxid(&name)?, name, length }))
        .collect();
    all.sort();
    all
}

/// Which of the logs, ascending, is the first that a snapshot needs: the one that holds the txn behind it.
fn straddling(logs: &[Listed], snapshot: Zxid) -> usize {
    logs.iter().rposition(|log| log.zxid <= snapshot).unwrap_or(0)
}
