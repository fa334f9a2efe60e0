//! Applying the logs over a snapshot (`disk-format.md` §6.2, §12; `zab-invariants.md` Z48): continuity across files, and what each file
//! ends with.
//!
//! Invariants: a txn is applied at most once and never behind a later one; between two applied txns of one epoch none is
//! missing. A file that ends badly is forgiven when the next txn proves that nothing was lost with its tail. The first txn of a later
//! epoch follows whatever came before, and so proves less: that nothing was lost in front of it, it takes a tail that is a torn
//! write beyond doubt, and no snapshot from between that can't be loaded.

use super::mend::Mend;
use super::report::{LogSummary, RecoveryError, TailProblem};
use super::tail::{Tail, TailBytes};
use crate::disk::FileName;
use crate::log_format::{LogEntry, LogItem, LogParser, is_torn_header};
use crate::names::torn_name;
use crate::options::RecoveryOptions;
use bytes::Bytes;
use quorate_core::contract::History;
use quorate_core::tree::{Database, Unobserved};
use quorate_core::vocabulary::Zxid;
use std::collections::VecDeque;

/// The database, on its way forward.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    database: Database,
    /// The end of the snapshot; txns up to here are in it.
    base: Zxid,
    /// Whether the first txn of any epoch will do, because there is no snapshot it must continue.
    any_start: bool,
    limit: u32,
    recent: Recent,
    pub(crate) replayed: u64,
    pub(crate) out_of_order: u64,
    /// Files read to their end, ascending.
    files: Vec<FinishedLog>,
    /// Snapshots that could not be loaded: history reached as far as they.
    unreadable: Vec<(Zxid, String)>,
}

/// The newest of the txns that were replayed. What a snapshot holds is not among them: over one that took the place of a history
/// the log may go on from another.
#[derive(Clone, Debug)]
struct Recent {
    most_txns: usize,
    most_bytes: usize,
    bytes: usize,
    txns: VecDeque<(Zxid, Bytes)>,
}

impl Recent {
    fn add(&mut self, zxid: Zxid, txn: &Bytes) {
        self.bytes += txn.len();
        self.txns.push_back((zxid, txn.clone()));
        while self.txns.len() > self.most_txns || self.bytes > self.most_bytes {
            let Some((_, oldest)) = self.txns.pop_front() else { break };
            self.bytes -= oldest.len();
        }
    }

    /// In memory of their own, or each would keep all that was read with it.
    fn into_txns(self) -> VecDeque<(Zxid, Bytes)> {
        self.txns.into_iter().map(|(zxid, txn)| (zxid, Bytes::copy_from_slice(&txn))).collect()
    }
}

/// A log that was read, and how it ends.
#[derive(Clone, Debug)]
struct FinishedLog {
    summary: LogSummary,
    tail: Tail,
    /// Whether what stands there was whole once.
    is_spoiled: bool,
}

/// A log that is being read.
#[derive(Clone, Debug)]
pub(crate) struct LogInProgress {
    name: String,
    parser: LogParser,
    entries: u64,
    last: Zxid,
    /// Bytes pushed so far.
    length: u64,
    /// What ended the entries, and all bytes from there on.
    tail: Option<(TailProblem, TailBytes)>,
}

impl LogInProgress {
    pub(crate) fn new(name: String) -> Self {
        LogInProgress { name, parser: LogParser::new(), entries: 0, last: Zxid::ZERO, length: 0, tail: None }
    }

    /// How much of the file was read.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }
}

impl Replay {
    /// Over `database`, which is a snapshot, or the empty tree of a database without one.
    pub(crate) fn new(database: Database, any_start: bool, options: &RecoveryOptions) -> Self {
        Replay {
            base: database.last_zxid(),
            database,
            any_start,
            limit: options.storage.max_txn,
            recent: Recent {
                most_txns: options.recent_txns,
                most_bytes: options.recent_bytes,
                bytes: 0,
                txns: VecDeque::new(),
            },
            replayed: 0,
            out_of_order: 0,
            files: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    /// These snapshots were there, and could not be loaded.
    pub(crate) fn without(&mut self, unreadable: Vec<(Zxid, String)>) {
        self.unreadable = unreadable;
    }

    pub(crate) fn base(&self) -> Zxid {
        self.base
    }

    pub(crate) fn last_zxid(&self) -> Zxid {
        self.database.last_zxid()
    }

    pub(crate) fn into_history(self) -> History {
        History { database: self.database, recent: self.recent.into_txns() }
    }

    /// Takes the next bytes of a log; an empty slice is its end.
    pub(crate) fn read(&mut self, log: &mut LogInProgress, bytes: &[u8]) -> Result<(), RecoveryError> {
        log.length += bytes.len() as u64;
        if let Some((_, tail)) = &mut log.tail {
            tail.push(bytes);
        } else {
            if bytes.is_empty() {
                log.parser.finish();
            } else {
                log.parser.push(bytes);
            }
            self.read_entries(log)?;
        }
        if bytes.is_empty() {
            self.finish(log);
        }
        Ok(())
    }

    fn read_entries(&mut self, log: &mut LogInProgress) -> Result<(), RecoveryError> {
        let problem = loop {
            match log.parser.next_item() {
                LogItem::NeedMore | LogItem::EndOfFile => return Ok(()),
                LogItem::Entry(entry) => self.apply(log, &entry)?,
                LogItem::Padding => break TailProblem::BytesBehindZeros,
                LogItem::Damaged(damage) => break TailProblem::Entry(damage),
                LogItem::ShortHeader(_) => break TailProblem::Header,
                LogItem::NotALog if is_torn_header(log.parser.rest()) => break TailProblem::Header,
                LogItem::NotALog => break TailProblem::NotALog,
            }
        };
        let mut tail = TailBytes::new(log.parser.offset());
        tail.push(log.parser.rest());
        log.tail = Some((problem, tail));
        Ok(())
    }

    fn apply(&mut self, log: &mut LogInProgress, entry: &LogEntry) -> Result<(), RecoveryError> {
        let zxid = entry.zxid();
        let last = self.database.last_zxid();
        let before = log.last;
        log.entries += 1;
        log.last = log.last.max(zxid);
        // What the snapshot holds need not be understood.
        if zxid <= self.base {
            return Ok(());
        }
        if zxid <= last {
            self.out_of_order += 1;
            return Ok(());
        }
        if entry.payload.len() > self.limit as usize {
            return Err(RecoveryError::TxnOverLimit {
                name: log.name.clone(),
                offset: entry.offset,
                zxid,
                length: entry.payload.len(),
                limit: self.limit,
            });
        }
        let txn = entry.txn(self.limit).map_err(|error| RecoveryError::DamagedLog {
            name: log.name.clone(),
            offset: entry.offset,
            last: before,
            problem: format!("the entry of txn {zxid} is intact, but it can't be understood ({error})"),
            consequence: "it was written by another version: open the directory with that one".to_owned(),
        })?;
        let begins = self.replayed == 0 && self.any_start && zxid.counter() == 1;
        if !begins && !last.may_precede(zxid) {
            return Err(self.explain_hole(log, entry.offset, zxid));
        }
        if !begins && zxid != last.next() {
            self.ends_an_epoch(log, zxid)?;
        }
        // A txn that failed when it was made fails again here; over a fuzzy snapshot others may too (§6.3).
        let _outcome = self.database.apply(&txn, &mut Unobserved);
        assert!(self.database.last_zxid() == zxid, "a replayed txn is the end of the history");
        self.recent.add(zxid, &entry.payload);
        self.replayed += 1;
        Ok(())
    }

    /// An epoch ends with the last txn, because `found` belongs to a later one: nothing may speak of txns between the two.
    fn ends_an_epoch(&self, log: &LogInProgress, found: Zxid) -> Result<(), RecoveryError> {
        let last = self.database.last_zxid();
        let beyond = self.unreadable.iter().find(|(zxid, _)| (last.next()..found).contains(zxid));
        if let Some((_, snapshot)) = beyond {
            return Err(RecoveryError::LostWithSnapshot { name: snapshot.clone(), last, found });
        }
        for file in self.files.iter().rev() {
            if let Tail::Torn(problem, _) | Tail::Damaged(problem, _) = &file.tail
                && file.is_spoiled
            {
                return Err(self.damaged_before(file, *problem, (&log.name, found)));
            }
            if file.summary.entries > 0 {
                break;
            }
        }
        Ok(())
    }

    fn damaged_before(
        &self,
        file: &FinishedLog,
        problem: TailProblem,
        (next, found): (&str, Zxid),
    ) -> RecoveryError {
        RecoveryError::DamagedLog {
            name: file.summary.name.clone(),
            offset: file.summary.end,
            last: self.database.last_zxid(),
            problem: problem.to_string(),
            consequence: format!(
                "and {next} goes on with {found}, so acknowledged txns are lost: restore the file from a backup"
            ),
        }
    }

    /// A hole is the fault of the file before it, if that one ends badly.
    fn explain_hole(&self, log: &LogInProgress, offset: u64, found: Zxid) -> RecoveryError {
        let last = self.database.last_zxid();
        // Nothing between the last file with a txn and this one holds any, or it would have been applied.
        for file in self.files.iter().rev() {
            if let Tail::Torn(problem, _) | Tail::Damaged(problem, _) = &file.tail {
                return self.damaged_before(file, *problem, (&log.name, found));
            }
            if file.summary.entries > 0 {
                break;
            }
        }
        RecoveryError::Hole { name: log.name.clone(), offset, last, found }
    }

    fn finish(&mut self, log: &LogInProgress) {
        let tail = match &log.tail {
            None => Tail::Clean,
            Some((problem, tail)) => tail.judge(*problem, log.last),
        };
        let summary = LogSummary {
            name: log.name.clone(),
            entries: log.entries,
            last: log.last,
            end: log.parser.offset(),
            length: log.length,
        };
        let is_spoiled = match &log.tail {
            None => false,
            Some((problem, bytes)) => matches!(tail, Tail::Damaged(..)) || bytes.was_whole(*problem),
        };
        self.files.push(FinishedLog { summary, tail, is_spoiled });
    }

    /// All logs have been read: what has to be mended, or why that can't be done.
    ///
    /// The last file with a txn, and those without any, must end in nothing worse than a torn write. A file before it may end
    /// in any way, because the txns behind it have shown that nothing was lost; its tail is cut all the same, for Java.
    pub(crate) fn repairs(&self) -> Result<Vec<Mend>, RecoveryError> {
        let end_of_history = self.files.iter().rposition(|file| file.summary.entries > 0).unwrap_or(0);
        let mut repairs = Vec::new();
        for (index, FinishedLog { summary, tail, .. }) in self.files.iter().enumerate() {
            let name = FileName::log(summary.name.clone());
            if let Tail::Damaged(problem, why) = tail
                && (index >= end_of_history || summary.entries == 0)
            {
                return Err(RecoveryError::DamagedLog {
                    name: summary.name.clone(),
                    offset: summary.end,
                    last: summary.last,
                    problem: problem.to_string(),
                    consequence: format!("{why}: restore the file from a backup"),
                });
            }
            if let Tail::Torn(_, Some(remains)) = tail {
                let kept = FileName::log(torn_name(&summary.name, summary.end));
                repairs.push(Mend::keep(kept, remains));
            }
            if summary.entries == 0 {
                repairs.push(Mend::Remove(name, summary.length));
            } else if let Tail::Torn(problem, _) | Tail::Damaged(problem, _) = tail {
                let (to, from, problem) = (summary.end, summary.length, *problem);
                repairs.push(Mend::Cut { name, to, from, problem });
            }
        }
        Ok(repairs)
    }

    /// The logs that were read.
    pub(crate) fn summaries(&self) -> impl Iterator<Item = &LogSummary> {
        self.files.iter().map(|file| &file.summary)
    }
}
