//! The disk of a Java server: its log, its snapshots, its epochs, and what it makes of them when it starts.
//!
//! As in Java, the newest snapshot is the one with the greatest name, whatever came later; nothing but TRUNC takes anything out of the
//! log; and everything in the log that is beyond the snapshot is replayed (`disk-format.md` §6).

use super::super::history;
use super::truth::apply;
use bytes::Bytes;
use quorate_core::tree::Database;
use quorate_core::vocabulary::{Epoch, Zxid};
use std::collections::BTreeMap;

/// See the module's words.
#[derive(Debug, Default)]
pub(super) struct JavaDisk {
    pub(super) accepted: Epoch,
    pub(super) current: Epoch,
    snapshots: BTreeMap<Zxid, Database>,
    log: Vec<(Zxid, Bytes)>,
    synced: usize,
}

impl JavaDisk {
    /// True: the log has it already.
    pub(super) fn append(&mut self, zxid: Zxid, txn: Bytes) -> bool {
        let is_again = self.log.iter().rev().any(|(logged, _)| *logged == zxid);
        self.log.push((zxid, txn));
        is_again
    }

    pub(super) fn sync(&mut self) {
        self.synced = self.log.len();
    }

    pub(super) fn snapshot(&mut self, database: &Database) {
        self.snapshots.insert(database.last_zxid(), database.clone());
    }

    /// What is not synced is gone.
    pub(super) fn loses_power(&mut self) {
        self.log.truncate(self.synced);
    }

    /// Where the history ends that is on the disk for good; without power losses that is all of it.
    pub(super) fn durable_end(&self, loses_power: bool) -> Zxid {
        let count = if loses_power { self.synced } else { self.log.len() };
        let logged = self.log[..count].iter().map(|(zxid, _)| *zxid).max();
        let snapshot = self.snapshots.keys().next_back().copied();
        logged.max(snapshot).unwrap_or(Zxid::ZERO)
    }

    /// What a start finds.
    pub(super) fn recover(&self) -> Database {
        let newest = self.snapshots.last_key_value();
        let mut database = newest.map_or_else(history::empty, |(_, database)| database.clone());
        let start = database.last_zxid();
        for (zxid, txn) in self.log.iter().filter(|(zxid, _)| *zxid > start) {
            // Proposals that it had when it was sent a database come again, and are logged again: that is replayed, with a warning.
            if *zxid <= database.last_zxid() {
                database.begin_replay();
            }
            apply(&mut database, txn);
        }
        database.end_replay();
        database
    }
}
