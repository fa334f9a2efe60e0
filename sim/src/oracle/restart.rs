//! A crash and what comes back.

use super::history::History;
use super::local::Local;
use super::session::Lead;
use super::view::View;
use crate::checkers::lies::{self, Lies};
use crate::checkers::{
    Verdict, Violation, digest, durability, ephemerals, java_opens_it, purge, recovered_state,
};
use crate::disk::SimDisk;
use quorate_core::tree::Database;
use quorate_core::vocabulary::Mono;
use quorate_storage_file::{Recovered, RecoveryOptions};

impl View {
    /// The process is gone; connections with it.
    pub(crate) fn process_ended(&mut self, history: &mut History) {
        let open: Vec<_> = self.connections.keys().copied().collect();
        open.into_iter().for_each(|conn| self.forget(conn, history));
        self.model.forget_connections();
        self.stops_serving();
        self.round = None;
        self.local = Local::default();
        self.is_ending = false;
        self.is_space_low = false;
    }

    /// What of the disk's word is not so at the moment.
    pub(crate) fn disk_says(&mut self, lies: Lies) {
        if !lies.any() && !self.was_lied_to() {
            self.honest = self.ledger.durable;
        }
        self.ledger.disk_says(lies.any());
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

    /// History came back from the disk of a server alone: what was never confirmed may be missing from its end, and what a lie
    /// covered. True when the latter is.
    pub(super) fn recovered_alone(
        &mut self,
        recovered: &Recovered,
        (now, fresh): (Mono, Database),
        history: &mut History,
    ) -> Result<bool, Violation> {
        let database = &recovered.database;
        let last = database.last_zxid();
        let confirmed = self.ledger.durable.max(self.model.zxid);
        durability::recovered(last, self.lies.floor(self.honest, confirmed), self.ledger.end)?;
        let is_lost = last < self.model.zxid;
        if !is_lost {
            history.commit(last)?;
        }
        history.drop_open();
        self.advance(last, history)?;
        if is_lost {
            lies::is_prefix(database, &history.committed, fresh, &mut self.model)?;
            history.forget_behind(last)?;
            let model = self.model.clone();
            self.stand_at(last, model, history);
        } else {
            recovered_state::equals("recovered_state", database, &self.model)?;
        }
        self.ledger.recovered(last, self.ledger.epochs);
        // What came back from a cache may still rest on a lie.
        self.honest = self.honest.min(last);
        self.lies = Lies::default();
        self.judge_recovered(recovered)?;
        self.model.recount_quotas();
        self.now.mono = now;
        self.lead = Some(Lead::new(&self.model.sessions, now));
        self.is_serving = true;
        Ok(is_lost)
    }

    /// What must hold of every database that came from a disk.
    pub(super) fn judge_recovered(&self, recovered: &Recovered) -> Verdict {
        recovered_state::passed_through(recovered.report.digest_mismatches)?;
        digest::scanned(&recovered.database)?;
        ephemerals::owned(&recovered.database)
    }

    /// What lies on disk is good for more than this one recovery.
    pub(super) fn disk_is_good(&self, disk: &SimDisk, options: &RecoveryOptions) -> Verdict {
        // Older files may be as a lie has left them.
        if disk.was_lied_about() {
            return Ok(());
        }
        java_opens_it::check(disk)?;
        purge::each_snapshot_suffices(disk, options, (&self.model, self.ledger.floor))
    }
}
