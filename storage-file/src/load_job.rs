//! Reading old txns back, for a learner that is not far behind (`zab-invariants.md` Z48): all or none.
//!
//! Every log that is needed is opened before any is read, so that a purge meanwhile takes nothing away. Invariants: what is returned
//! begins behind a txn that the log holds, or a snapshot ends with, and follows it without a gap; and every snapshot on the way
//! ends with a txn of it, because over one that a leader sent, logs from before are of another history.

use crate::disk::{DirEntry, Directory, Disk, DiskError, FileName, OpenMode};
use crate::log_format::{ENTRY_HEAD, LogEntry, LogItem, LogParser};
use crate::names::{parse_log_name, parse_snapshot_name};
use bytes::Bytes;
use quorate_core::vocabulary::Zxid;
use std::collections::{BTreeSet, VecDeque};

/// Which txns are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Those behind this one.
    pub after: Zxid,
    /// Up to and with this one.
    pub up_to: Zxid,
    /// Unless they come to more bytes than this.
    pub max_bytes: u64,
}

/// See the module's words. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub(crate) struct LoadJob<F> {
    wanted: Wanted,
    chunk_bytes: usize,
    /// Where snapshots end that the txns must pass.
    passes: BTreeSet<Zxid>,
    /// Logs to be opened, ascending.
    names: VecDeque<String>,
    files: VecDeque<F>,
    reading: Option<Reading<F>>,
    /// The txn that the next one must follow, once that is known.
    last: Option<Zxid>,
    txns: Vec<Bytes>,
    bytes: u64,
    phase: Phase,
}

#[derive(Clone, Debug)]
struct Reading<F> {
    file: F,
    parser: LogParser,
    offset: u64,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    ListSnapshots,
    ListLogs,
    Open,
    Read,
}

/// What a step came to.
pub(crate) enum LoadStep {
    Progress,
    Done(Option<Vec<Bytes>>),
}

/// Why there is nothing to return; nobody is told, the learner gets a snapshot instead.
struct Missing;

impl From<DiskError> for Missing {
    fn from(_: DiskError) -> Self {
        Missing
    }
}

/// Whether no entry begins here.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().take(ENTRY_HEAD).all(|byte| *byte == 0)
}

impl<F: Clone> LoadJob<F> {
    pub(crate) fn new(wanted: Wanted, chunk_bytes: usize) -> Self {
        LoadJob {
            wanted,
            chunk_bytes,
            passes: BTreeSet::new(),
            names: VecDeque::new(),
            files: VecDeque::new(),
            reading: None,
            last: None,
            txns: Vec::new(),
            bytes: 0,
            phase: Phase::ListSnapshots,
        }
    }

    /// Goes on by at most one call.
    pub(crate) fn step<D: Disk<File = F>>(&mut self, disk: &mut D) -> LoadStep {
        match self.advance(disk) {
            Ok(false) => LoadStep::Progress,
            Ok(true) => LoadStep::Done(Some(std::mem::take(&mut self.txns))),
            Err(Missing) => LoadStep::Done(None),
        }
    }

    fn advance<D: Disk<File = F>>(&mut self, disk: &mut D) -> Result<bool, Missing> {
        match self.phase {
            Phase::ListSnapshots => {
                self.meet_snapshots(disk.list(Directory::Snap)?);
                self.phase = Phase::ListLogs;
            }
            Phase::ListLogs => {
                self.choose_logs(disk.list(Directory::Log)?);
                self.phase = Phase::Open;
            }
            Phase::Open => {
                let name = self.names.pop_front().ok_or(Missing)?;
                self.files.push_back(disk.open(&FileName::log(name), OpenMode::Read)?);
                if self.names.is_empty() {
                    self.phase = Phase::Read;
                }
            }
            Phase::Read => return self.read(disk),
        }
        Ok(false)
    }

    fn meet_snapshots(&mut self, entries: Vec<DirEntry>) {
        let Wanted { after, up_to, .. } = self.wanted;
        for (zxid, _) in entries.iter().filter_map(|entry| parse_snapshot_name(&entry.name)) {
            if zxid == after {
                self.last = Some(after);
            } else if zxid > after && zxid <= up_to {
                self.passes.insert(zxid);
            }
        }
    }

    fn choose_logs(&mut self, entries: Vec<DirEntry>) {
        let mut logs: Vec<(Zxid, String)> = entries
            .into_iter()
            .filter_map(|entry| Some((parse_log_name(&entry.name)?, entry.name)))
            .collect();
        logs.sort();
        // The txn before those that are wanted is read as well, as a witness.
        let first = logs.iter().rposition(|(zxid, _)| *zxid <= self.wanted.after).unwrap_or(0);
        let needed = logs.into_iter().skip(first).filter(|(zxid, _)| *zxid <= self.wanted.up_to);
        self.names = needed.map(|(_, name)| name).collect();
    }

    fn read<D: Disk<File = F>>(&mut self, disk: &mut D) -> Result<bool, Missing> {
        if self.reading.is_none() {
            let file = self.files.pop_front().ok_or(Missing)?;
            self.reading = Some(Reading { file, parser: LogParser::new(), offset: 0 });
        }
        let mut reading = self.reading.take().expect("it was begun");
        let mut chunk = vec![0; self.chunk_bytes];
        let count = disk.read(&reading.file, reading.offset, &mut chunk)?;
        reading.offset += count as u64;
        if count == 0 {
            reading.parser.finish();
        } else {
            reading.parser.push(&chunk[..count]);
        }
        loop {
            match reading.parser.next_item() {
                LogItem::Entry(entry) => {
                    if self.take(&entry)? {
                        return Ok(true);
                    }
                }
                LogItem::NeedMore => {
                    self.reading = Some(reading);
                    return Ok(false);
                }
                LogItem::EndOfFile => return Ok(false),
                LogItem::Padding if is_blank(reading.parser.rest()) => return Ok(false),
                // What is lost with a bad end of a file is not missed when an epoch begins behind it.
                _ => return Err(Missing),
            }
        }
    }

    /// Takes a txn if it is wanted; true when it was the last.
    fn take(&mut self, entry: &LogEntry) -> Result<bool, Missing> {
        let Wanted { after, up_to, max_bytes } = self.wanted;
        let zxid = entry.zxid();
        if zxid <= after {
            if zxid == after {
                self.last = Some(after);
            }
            return Ok(false);
        }
        let last = self.last.ok_or(Missing)?;
        if zxid <= last {
            // Left out by recovery too.
            return Ok(false);
        }
        if !last.may_precede(zxid) || zxid > up_to {
            return Err(Missing);
        }
        self.bytes += entry.payload.len() as u64;
        if self.bytes > max_bytes {
            return Err(Missing);
        }
        // A copy, or each txn would keep all that was read with it.
        self.txns.push(Bytes::copy_from_slice(&entry.payload));
        self.passes.remove(&zxid);
        self.last = Some(zxid);
        if self.passes.first().is_some_and(|snapshot| *snapshot < zxid) {
            return Err(Missing);
        }
        Ok(zxid == up_to)
    }
}
