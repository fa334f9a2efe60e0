//! A crash and what comes back.

use super::Oracle;
use crate::checkers::{Verdict, digest, durability, ephemerals, java_opens_it, purge, recovered_state};
use crate::disk::SimDisk;
use quorate_core::vocabulary::Mono;
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

    /// History came back from disk: what was never confirmed may be missing from its end.
    pub(crate) fn recovered(&mut self, recovered: &Recovered, now: Mono) -> Verdict {
        let database = &recovered.database;
        let last = database.last_zxid();
        durability::recovered(last, self.confirmed.max(self.model.zxid), self.logged)?;
        while let Some(next) = self.pending.front()
            && next.zxid() <= last
        {
            let next = self.pending.pop_front().expect("it has a front");
            self.execute(next)?;
        }
        self.pending.clear();
        self.owed = 0;
        (self.logged, self.confirmed) = (last, last);
        recovered_state::equals("recovered_state", database, &self.model)?;
        digest::replayed(recovered.report.digest_mismatches)?;
        digest::scanned(database)?;
        ephemerals::owned(database)?;
        self.model.recount_quotas();
        self.sessions.clear();
        self.now.mono = now;
        for (session, timeout) in self.model.sessions.clone() {
            self.touch_new(session, timeout as u64);
        }
        Ok(())
    }

    /// What lies on disk is good for more than this one recovery.
    pub(crate) fn disk_is_good(&self, disk: &SimDisk, options: &RecoveryOptions) -> Verdict {
        java_opens_it::check(disk)?;
        purge::each_snapshot_suffices(disk, options, &self.model)
    }
}
