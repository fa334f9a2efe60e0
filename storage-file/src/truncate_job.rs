//! Cutting the history back to a txn that a leader names (`disk-format.md` §8; `zab-invariants.md` Z38, Z48).
//!
//! Stricter than Java: the txn must be there (or be the end of a snapshot), newer snapshots are removed because they would win at
//! the next start, a snapshot to start from must remain, and everything is durable when the job is done.
//!
//! Invariants: nothing is changed before it is known that all of it can be; snapshots go first, then whole logs from the newest
//! down, then the cut, so that a crash anywhere leaves a history without a hole that reaches at least to the txn.
//!
//! Nothing else may write snapshots or purge meanwhile. Absent: rebuilding the database, removing `.tmp` files (they are loaded by
//! nobody).

use crate::disk::{DirEntry, Directory, Disk, DiskError, FileName, OpenMode};
use crate::log_format::{LogItem, LogParser};
use crate::names::{parse_log_name, parse_snapshot_name};
use crate::snapshot_job::{JobStep, SnapshotReader};
use quorate_core::vocabulary::Zxid;

/// See the module's words. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub struct TruncateJob<F> {
    target: Zxid,
    chunk_bytes: usize,
    /// Snapshots that may be started from, newest last.
    usable: Vec<(Zxid, String)>,
    /// Snapshots that go.
    newer: Vec<FileName>,
    /// Logs that go as a whole, newest last.
    later: Vec<FileName>,
    /// The log with the end of the history, and where to cut it.
    cut: Option<(FileName, u64)>,
    /// Whether a snapshot ends exactly at the target, so that no log needs to hold it.
    snapshot_at_target: bool,
    has_changed_something: bool,
    phase: Phase<F>,
}

#[derive(Clone, Debug)]
enum Phase<F> {
    ListSnapshots,
    OpenSnapshot,
    VerifySnapshot { file: F, reader: SnapshotReader },
    ListLogs,
    OpenLog(FileName),
    Scan { name: FileName, file: F, parser: LogParser, offset: u64 },
    RemoveSnapshots,
    SyncSnapshotNames,
    RemoveLogs,
    SyncLogNames,
    OpenToCut,
    Cut(F),
    Sync(F),
    Over,
}

impl<F: Clone + std::fmt::Debug> TruncateJob<F> {
    /// A job that makes `target` the end of the history.
    pub fn new(target: Zxid, chunk_bytes: usize) -> Self {
        TruncateJob {
            target,
            chunk_bytes,
            usable: Vec::new(),
            newer: Vec::new(),
            later: Vec::new(),
            cut: None,
            snapshot_at_target: false,
            has_changed_something: false,
            phase: Phase::ListSnapshots,
        }
    }

    /// Whether a failure has left less than there was. One before asks for a SNAP instead.
    pub fn has_changed_something(&self) -> bool {
        self.has_changed_something
    }

    /// Goes on by at most one call.
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
            Err(reason) => JobStep::Failed(reason),
        }
    }

    fn advance<D: Disk<File = F>>(&mut self, disk: &mut D) -> Result<Phase<F>, String> {
        let text = |error: DiskError| error.to_string();
        Ok(match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::ListSnapshots => {
                self.sort_snapshots(disk.list(Directory::Snap).map_err(text)?);
                Phase::OpenSnapshot
            }
            Phase::OpenSnapshot => {
                let Some((_, name)) = self.usable.last() else {
                    return Err(format!("no snapshot up to {} could be started from", self.target));
                };
                let reader = SnapshotReader::new(name, self.chunk_bytes);
                let file = disk.open(&FileName::snap(name.clone()), OpenMode::Read).map_err(text)?;
                Phase::VerifySnapshot { file, reader }
            }
            Phase::VerifySnapshot { file, mut reader } => match reader.step(disk, &file, &mut |_| Ok(())) {
                Ok(false) => Phase::VerifySnapshot { file, reader },
                Ok(true) if reader.seal.verify().is_ok() => {
                    self.snapshot_at_target =
                        self.usable.last().is_some_and(|(zxid, _)| *zxid == self.target);
                    Phase::ListLogs
                }
                Ok(true) | Err(_) => {
                    self.usable.pop();
                    Phase::OpenSnapshot
                }
            },
            Phase::ListLogs => self.sort_logs(disk.list(Directory::Log).map_err(text)?)?,
            Phase::OpenLog(name) => {
                let file = disk.open(&name, OpenMode::Read).map_err(text)?;
                Phase::Scan { name, file, parser: LogParser::new(), offset: 0 }
            }
            Phase::Scan { name, file, mut parser, offset } => {
                let mut chunk = vec![0; self.chunk_bytes];
                let count = disk.read(&file, offset, &mut chunk).map_err(text)?;
                if count == 0 {
                    parser.finish();
                } else {
                    parser.push(&chunk[..count]);
                }
                match self.find_cut(&mut parser)? {
                    None => Phase::Scan { name, file, parser, offset: offset + count as u64 },
                    Some(end) => {
                        self.cut = Some((name, end));
                        Phase::RemoveSnapshots
                    }
                }
            }
            phase => {
                self.has_changed_something = true;
                self.change(phase, disk).map_err(text)?
            }
        })
    }

    /// The phases that change something.
    fn change<D: Disk<File = F>>(&mut self, phase: Phase<F>, disk: &mut D) -> Result<Phase<F>, DiskError> {
        Ok(match phase {
            Phase::RemoveSnapshots => match self.newer.pop() {
                Some(name) => {
                    disk.remove(&name)?;
                    Phase::RemoveSnapshots
                }
                None => Phase::SyncSnapshotNames,
            },
            Phase::SyncSnapshotNames => {
                disk.sync_directory(Directory::Snap)?;
                Phase::RemoveLogs
            }
            Phase::RemoveLogs => match self.later.pop() {
                Some(name) => {
                    disk.remove(&name)?;
                    // The names are synced one by one: out of order they would leave a hole.
                    Phase::SyncLogNames
                }
                None => Phase::OpenToCut,
            },
            Phase::SyncLogNames => {
                disk.sync_directory(Directory::Log)?;
                Phase::RemoveLogs
            }
            Phase::OpenToCut => match &self.cut {
                Some((name, _)) => Phase::Cut(disk.open(name, OpenMode::Write)?),
                None => Phase::Over,
            },
            Phase::Cut(file) => {
                let (_, end) = self.cut.as_ref().expect("it was opened for this");
                disk.set_length(&file, *end)?;
                Phase::Sync(file)
            }
            Phase::Sync(file) => {
                disk.sync(&file)?;
                Phase::Over
            }
            _ => unreachable!("a job that is over is not stepped"),
        })
    }

    fn sort_snapshots(&mut self, entries: Vec<DirEntry>) {
        for entry in entries {
            match parse_snapshot_name(&entry.name) {
                Some((zxid, _)) if zxid > self.target => self.newer.push(FileName::snap(entry.name)),
                Some((zxid, _)) => self.usable.push((zxid, entry.name)),
                None => {}
            }
        }
        self.usable.sort();
    }

    fn sort_logs(&mut self, entries: Vec<DirEntry>) -> Result<Phase<F>, String> {
        let mut logs: Vec<(Zxid, String)> = entries
            .into_iter()
            .filter_map(|entry| Some((parse_log_name(&entry.name)?, entry.name)))
            .collect();
        logs.sort();
        let holds_target = logs.iter().rposition(|(zxid, _)| *zxid <= self.target);
        let kept = holds_target.map_or(0, |index| index + 1);
        self.later = logs.drain(kept..).map(|(_, name)| FileName::log(name)).collect();
        match logs.pop() {
            Some((_, name)) => Ok(Phase::OpenLog(FileName::log(name))),
            None if self.snapshot_at_target => Ok(Phase::RemoveSnapshots),
            None => Err(format!("no log reaches back to {}", self.target)),
        }
    }

    /// Where the log is to be cut: behind the target, or, when a snapshot ends there, behind the last txn below it.
    fn find_cut(&self, parser: &mut LogParser) -> Result<Option<u64>, String> {
        loop {
            let start = parser.offset();
            match parser.next_item() {
                LogItem::NeedMore => return Ok(None),
                LogItem::Entry(entry) if entry.zxid() == self.target => return Ok(Some(entry.end())),
                LogItem::Entry(entry) if entry.zxid() < self.target => {}
                _ if self.snapshot_at_target => return Ok(Some(start)),
                LogItem::Entry(entry) => {
                    return Err(format!("the log has no {}: {} is the next one", self.target, entry.zxid()));
                }
                _ => return Err(format!("the log has no {}", self.target)),
            }
        }
    }
}
