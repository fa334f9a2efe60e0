//! What a server of the small cluster has on disk, and what it has asked for that is not there yet.

use super::history::{Entry, entry_of, history_of};
use bytes::Bytes;
use quorate_core::contract::{EpochKind, Epochs};
use quorate_core::jute::{Reader, Txn};
use quorate_core::tree::{Database, TreeOptions, Unobserved};
use quorate_core::vocabulary::{Epoch, LookupSeed, Zxid};
use std::collections::VecDeque;

/// One thing to do to the log.
#[derive(Clone, Debug)]
pub(crate) enum LogOp {
    Append(Zxid, Bytes),
    Truncate(Zxid),
    Replace(Box<Database>),
}

/// What an op did, as far as anybody wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Appended(Zxid),
    Replaced,
    /// What is gone.
    Truncated(Vec<Entry>),
    /// Only a snapshot beyond the target is left: nothing was changed.
    Refused,
}

/// Everything that survives a crash, and the queues in front of it.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) epochs: Epochs,
    pub(crate) snapshot: Database,
    pub(crate) log: Vec<(Zxid, Bytes)>,
    pub(crate) log_queue: VecDeque<LogOp>,
    pub(crate) epoch_queue: VecDeque<(EpochKind, Epoch)>,
    pub(crate) log_ops_done: u64,
}

pub(crate) fn empty_database() -> Database {
    Database::new(LookupSeed(3), TreeOptions::default())
}

pub(crate) fn apply(database: &mut Database, txn: &Bytes) {
    let txn = Txn::decode_all(&mut Reader::new(txn.clone())).unwrap();
    database.apply(&txn, &mut Unobserved).unwrap();
}

impl Disk {
    pub(crate) fn new() -> Self {
        Disk {
            epochs: Epochs::default(),
            snapshot: empty_database(),
            log: Vec::new(),
            log_queue: VecDeque::new(),
            epoch_queue: VecDeque::new(),
            log_ops_done: 0,
        }
    }

    pub(crate) fn log_ops_asked(&self) -> u64 {
        self.log_ops_done + self.log_queue.len() as u64
    }

    /// Does the oldest op of the log's lane.
    pub(crate) fn do_log_op(&mut self) -> Done {
        self.log_ops_done += 1;
        match self.log_queue.pop_front().unwrap() {
            LogOp::Append(zxid, txn) => {
                if zxid > self.snapshot.last_zxid() {
                    self.log.push((zxid, txn));
                }
                Done::Appended(zxid)
            }
            LogOp::Truncate(to) if to < self.snapshot.last_zxid() => Done::Refused,
            LogOp::Truncate(to) => {
                let kept = self.log.partition_point(|(zxid, _)| *zxid <= to);
                Done::Truncated(self.log.drain(kept..).map(|(_, txn)| entry_of(&txn)).collect())
            }
            LogOp::Replace(database) => {
                self.snapshot = *database;
                self.log.clear();
                Done::Replaced
            }
        }
    }

    /// Does the oldest op of the epoch files' lane.
    pub(crate) fn do_epoch_op(&mut self) -> (EpochKind, Epoch) {
        let (kind, epoch) = self.epoch_queue.pop_front().unwrap();
        let before = match kind {
            EpochKind::Accepted => std::mem::replace(&mut self.epochs.accepted, epoch),
            EpochKind::Current => std::mem::replace(&mut self.epochs.current, epoch),
        };
        assert!(before <= epoch, "S14: {kind:?} falls from {before:?} to {epoch:?}");
        assert!(self.epochs.current <= self.epochs.accepted, "S14: {:?}", self.epochs);
        (kind, epoch)
    }

    /// What the log adds to the snapshot.
    pub(crate) fn recent(&self) -> impl Iterator<Item = &(Zxid, Bytes)> {
        self.log.iter().filter(|(zxid, _)| *zxid > self.snapshot.last_zxid())
    }

    /// The database at the end of the log.
    pub(crate) fn recover(&self) -> Database {
        let mut database = self.snapshot.clone();
        self.recent().for_each(|(_, txn)| apply(&mut database, txn));
        database
    }

    /// Everything that a crash right now would leave.
    pub(crate) fn history(&self) -> Vec<Entry> {
        let mut history = history_of(&self.snapshot);
        history.extend(self.recent().map(|(_, txn)| entry_of(txn)));
        history
    }
}
