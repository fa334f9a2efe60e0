//! A crash and what comes back.

use super::Oracle;
use crate::checkers::lies::{self, Lies};
use crate::checkers::sequence_numbers::SequenceNumbers;
use crate::checkers::versions::Versions;
use crate::checkers::{
    Verdict, Violation, digest, durability, ephemerals, java_opens_it, purge, recovered_state,
};
use crate::disk::SimDisk;
use quorate_core::jute::{OpCode, TxnRecord};
use quorate_core::tree::Database;
use quorate_core::vocabulary::{Mono, Zxid};
use quorate_storage_file::{Recovered, RecoveryOptions};

impl Oracle {
    /// The process is gone; connections with it.
    pub(crate) fn process_ended(&mut self) {
        self.connections.clear();
        self.owed = 0;
        self.unconfirmed.clear();
        self.model.forget_connections();
        self.is_ending = false;
        self.is_space_low = false;
    }

    /// What of the disk's word is not so at the moment.
    pub(crate) fn disk_says(&mut self, lies: Lies) {
        if !lies.any() && !self.was_lied_to() {
            self.honest = self.confirmed;
        }
    }

    /// The power is about to go; it may be gone again before history has come back.
    pub(crate) fn loses_power(&mut self, lies: Lies) {
        self.disk_says(lies);
        self.lies = self.lies.and(lies);
    }

    /// Whether what lies on the disk is less than the disk has said.
    pub(crate) fn was_lied_to(&self) -> bool {
        self.lies.any()
    }

    /// History came back from disk: what was never confirmed may be missing from its end, and what a lie covered. True when the
    /// latter is.
    pub(crate) fn recovered(
        &mut self,
        recovered: &Recovered,
        now: Mono,
        fresh: Database,
    ) -> Result<bool, Violation> {
        let database = &recovered.database;
        let last = database.last_zxid();
        let confirmed = self.confirmed.max(self.model.zxid);
        durability::recovered(last, self.lies.floor(self.honest, confirmed), self.logged)?;
        while let Some(next) = self.pending.front()
            && next.zxid() <= last
        {
            let next = self.pending.pop_front().expect("it has a front");
            self.execute(next)?;
        }
        self.pending.clear();
        self.owed = 0;
        let is_lost = last < self.model.zxid;
        if is_lost {
            lies::is_prefix(database, &self.history, fresh, &mut self.model)?;
            self.forget_behind(last)?;
        } else {
            recovered_state::equals("recovered_state", database, &self.model)?;
        }
        (self.logged, self.confirmed) = (last, last);
        // What came back from a cache may still rest on a lie.
        self.honest = self.honest.min(last);
        self.lies = Lies::default();
        recovered_state::passed_through(recovered.report.digest_mismatches)?;
        digest::scanned(database)?;
        ephemerals::owned(database)?;
        self.model.recount_quotas();
        self.sessions.clear();
        self.now.mono = now;
        for (session, timeout) in self.model.sessions.clone() {
            self.touch_new(session, timeout as u64);
        }
        Ok(is_lost)
    }

    /// Txns behind `last` have never been.
    fn forget_behind(&mut self, last: Zxid) -> Verdict {
        self.history.truncate(self.history.partition_point(|txn| txn.header.zxid <= last));
        (self.versions, self.sequence_numbers) = (Versions::default(), SequenceNumbers::default());
        for txn in &self.history {
            self.versions.committed(txn.header.opcode, &txn.record)?;
            match &txn.record {
                TxnRecord::Create(create) => self.sequence_numbers.recreated(create),
                TxnRecord::Multi(parts) if parts.iter().all(|(opcode, _)| *opcode != OpCode::Error) => {
                    for (_, part) in parts {
                        if let TxnRecord::Create(create) = part {
                            self.sequence_numbers.recreated(create);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What lies on disk is good for more than this one recovery.
    pub(crate) fn disk_is_good(&self, disk: &SimDisk, options: &RecoveryOptions) -> Verdict {
        // Older files may be as a lie has left them.
        if disk.has_lied() {
            return Ok(());
        }
        java_opens_it::check(disk)?;
        purge::each_snapshot_suffices(disk, options, &self.model)
    }
}
