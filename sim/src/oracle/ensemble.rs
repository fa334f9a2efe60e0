//! The servers of an ensemble as one: who votes, what a quorum has, who leads which epoch, what may be lost.

use super::Oracle;
use super::ledger::Ledger;
use super::local::Local;
use super::quorums::{Quorums, Voters};
use super::session::Lead;
use crate::checkers::leadership::Reigns;
use crate::checkers::{
    Verdict, committed_never_lost, epochs, leadership, prefix, recovered_state, state_equality,
};
use crate::disk::SimDisk;
use bytes::Bytes;
use quorate_core::contract::{EpochKind, Epochs};
use quorate_core::jute::{Reader, Txn};
use quorate_core::peer::{Mode, Peer};
use quorate_core::tree::Database;
use quorate_core::vocabulary::{Epoch, Zxid};
use quorate_storage_file::Recovered;
use std::collections::BTreeMap;

/// What is known of all servers together.
#[derive(Debug, Default)]
pub(crate) struct Ensemble {
    /// Which voters decide; they are the first servers.
    pub(super) quorums: Quorums,
    /// Who had a quorum for an epoch's number, by its own epoch file, and who was established as its leader.
    elected: BTreeMap<Epoch, usize>,
    leader_of: BTreeMap<Epoch, usize>,
    /// How many of those have committed the last txn that their epoch had a zxid for.
    used_up: usize,
    /// The digest of every state that some server was in.
    digests: BTreeMap<Zxid, u64>,
    /// How far anything was proposed when a voter lost its disk last, as far as a quorum can bear that.
    forgotten: Option<Zxid>,
}

impl Ensemble {
    pub(super) fn new(quorums: Quorums) -> Self {
        Ensemble { quorums, ..Ensemble::default() }
    }

    /// Whether these disks are enough to commit `zxid`: one that was lost since it was proposed may have had it.
    fn are_enough(&self, zxid: Zxid, disks: Voters) -> bool {
        let is_older = self.forgotten.is_some_and(|forgotten| zxid <= forgotten);
        if is_older { self.quorums.block(disks) } else { self.quorums.decide(disks) }
    }
}

impl Oracle {
    /// By which voters it is decided what is agreed.
    pub(crate) fn quorums(&self) -> &Quorums {
        &self.ensemble.quorums
    }

    /// Which voters, but for one, have this on their disks.
    fn voters_with(&self, but: Option<usize>, has: impl Fn(&Ledger) -> bool) -> Voters {
        let voters = self.views[..self.ensemble.quorums.voters()].iter().enumerate();
        let found = voters.filter(|(index, view)| Some(*index) != but && has(&view.ledger));
        found.map(|(index, _)| index).collect()
    }

    /// A server of an ensemble has handled an input; what came of it is not looked at yet.
    pub(super) fn member_applied(&mut self, server: usize, peer: &Peer) -> Verdict {
        let status = peer.status();
        let (mode, last) = (status.mode(), status.last_zxid());
        let serves = status.is_serving() || (self.views[server].is_ending && self.views[server].is_serving);
        if !serves || mode == Mode::Looking {
            if self.views[server].lead.is_some() {
                self.probes.push("leader_gone_by_itself");
                self.ends_with(server, last)?;
            }
            self.views[server].stops_serving();
            return Ok(());
        }
        let is_read_only = mode == Mode::ReadOnly;
        let view = &mut self.views[server];
        let begins = !view.is_serving || view.is_read_only != is_read_only;
        if begins {
            // Whoever was served while nobody led is sent away.
            view.connections.values_mut().for_each(|connection| connection.may_close |= view.is_read_only);
        }
        view.is_read_only = is_read_only;
        // Its learners hear of more than it has applied, and it may end before it has.
        let committed = status.committed().max(last);
        if mode == Mode::Leader && (begins || committed > self.history.tail()) {
            self.commit(server, committed, begins)?;
        }
        if begins {
            if !is_read_only {
                self.history.visible(last)?;
                let position = self.history.position(last);
                self.history.judge_up_to(position)?;
            } else if !self.history.is_committed(last) {
                // It can't know what a quorum has: what it shows is what its log holds, as in ZooKeeper.
                self.probes.push("read_only_shows_uncommitted");
            }
            let model = self.history.model_at(last)?;
            let view = &mut self.views[server];
            view.stand_at(last, model, &self.history);
            recovered_state::equals("established_state", status.database(), &view.model)?;
            view.is_serving = true;
            if !is_read_only
                && server < self.ensemble.quorums.voters()
                && self.ensemble.quorums.weight(server) == 0
            {
                self.probes.push("weightless_voter_serves");
            }
            view.local = Local::default();
            view.lead = (mode == Mode::Leader).then(|| Lead::new(&view.model.sessions, view.now.mono));
        }
        self.same_state(server, status.database())
    }

    /// A leader is gone that had logged up to `last`. It may have committed that in the same input, as the last txn of an epoch is: what a
    /// quorum has is committed, whether it came to know it or not.
    fn ends_with(&mut self, server: usize, last: Zxid) -> Verdict {
        if last <= self.history.tail() {
            return Ok(());
        }
        let (durable, acknowledged) = self.who_has(server, last);
        let quorums = &self.ensemble.quorums;
        if quorums.decide(durable) && quorums.decide(acknowledged) {
            return self.commit(server, last, false);
        }
        Ok(())
    }

    /// On whose disks a leader's history up to `last` is, and who has acknowledged it.
    fn who_has(&self, server: usize, last: Zxid) -> (Voters, Voters) {
        let (history, own) = (&self.history, &self.views[server].ledger);
        let epoch = own.epochs.current;
        let durable = self.voters_with(None, |ledger| ledger.keeps(last, history));
        let mut acknowledged = self.voters_with(Some(server), |ledger| ledger.acknowledges(epoch, last));
        if own.keeps(last, history) {
            acknowledged = acknowledged.with(server);
        }
        (durable, acknowledged)
    }

    /// A leader's history up to `last` is committed: by the quorum that has taken it over, or by acknowledgements.
    fn commit(&mut self, server: usize, last: Zxid, begins: bool) -> Verdict {
        let epoch = self.views[server].ledger.epochs.current;
        if begins {
            leadership::established(epoch, server, self.ensemble.leader_of.insert(epoch, server))?;
        }
        let (durable, acknowledged) = self.who_has(server, last);
        let has_disks = self.ensemble.are_enough(last, durable);
        // What was said is said, whatever has become of the disk since.
        let has_acks = self.ensemble.quorums.decide(acknowledged);
        committed_never_lost::by_quorum(last, (durable, has_disks), (acknowledged, has_acks))?;
        if !self.ensemble.quorums.are_majority(acknowledged) {
            self.probes.push("minority_commits");
        }
        if last == Zxid::new(epoch, self.views[server].config.last_counter) {
            self.ensemble.used_up += 1;
            self.probes.push("zxids_used_up");
        }
        self.history.commit(last)
    }

    /// S22, by the digests that the servers keep.
    fn same_state(&mut self, server: usize, database: &Database) -> Verdict {
        let (zxid, digest) = (database.last_zxid(), database.tree.digest());
        if std::mem::replace(&mut self.views[server].compared, zxid) == zxid {
            return Ok(());
        }
        let known = *self.ensemble.digests.entry(zxid).or_insert(digest);
        state_equality::digests(zxid, server, digest, known)
    }

    /// An epoch file is asked for.
    pub(super) fn epoch_asked(
        &mut self,
        server: usize,
        kind: EpochKind,
        epoch: Epoch,
        peer: &Peer,
    ) -> Verdict {
        let view = &self.views[server];
        epochs::rises(server, kind, view.ledger.epochs, epoch)?;
        if kind == EpochKind::Accepted {
            return Ok(());
        }
        if peer.status().mode() == Mode::Leader {
            let voters = self.voters_with(None, |ledger| ledger.epochs.accepted >= epoch);
            epochs::promised(epoch, voters, self.ensemble.quorums.block(voters))?;
            return leadership::elected(epoch, server, self.ensemble.elected.insert(epoch, server));
        }
        epochs::behind_history(server, epoch, view.ledger.durable, view.history_mark)
    }

    /// History came back from the disk of a member.
    pub(super) fn recovered_member(
        &mut self,
        server: usize,
        recovered: &Recovered,
        disk: &SimDisk,
    ) -> Verdict {
        let last = recovered.database.last_zxid();
        let view = &mut self.views[server];
        let may = view.ledger.may_recover(last, &self.history);
        committed_never_lost::recovered(server, last, &view.ledger, may)?;
        let may = view.ledger.may_recover_epochs(recovered.epochs);
        epochs::recovered(server, recovered.epochs, &view.ledger, may)?;
        epochs::written(server, recovered.epochs, disk.epochs())?;
        self.found_again(server, last, recovered.epochs);
        let view = &mut self.views[server];
        view.ledger.recovered(last, recovered.epochs);
        if recovered.report.logs.iter().all(|log| log.last < last) {
            // The snapshot came to the disk before the txns that lead to it.
            view.ledger.floor = last;
        }
        view.judge_recovered(recovered)?;
        let model = self.history.model_at(last)?;
        view.stand_at(last, model, &self.history);
        recovered_state::equals("recovered_state", &recovered.database, &view.model)?;
        for (zxid, bytes) in &recovered.recent {
            self.history.same_bytes(*zxid, bytes)?;
        }
        self.nothing_is_lost()
    }

    /// How many leaders were established so far.
    pub(crate) fn reigns(&self) -> Reigns {
        Reigns { leaders: self.ensemble.leader_of.len(), used_up: self.ensemble.used_up }
    }

    /// S10: what is committed is on disks that meet every quorum.
    pub(super) fn nothing_is_lost(&self) -> Verdict {
        let (history, tail) = (&self.history, self.history.tail());
        let durable = self.voters_with(None, |ledger| ledger.keeps(tail, history));
        committed_never_lost::held(tail, durable, self.ensemble.quorums.block(durable))
    }

    /// Whether a quorum bears it if this server's disk is lost: what it has acknowledged and promised, enough of the others have.
    pub(crate) fn may_forget(&self, server: usize) -> bool {
        let own = &self.views[server].ledger;
        self.others_have(server, (own.end, own.epochs))
    }

    /// Whether every quorum meets another server that has this much.
    pub(super) fn others_have(&self, server: usize, (end, epochs): (Zxid, Epochs)) -> bool {
        if !self.is_on() {
            return false;
        }
        if server >= self.ensemble.quorums.voters() {
            return true;
        }
        let bears = |ledger: &Ledger| {
            ledger.keeps(end, &self.history)
                && ledger.durable_epochs.accepted >= epochs.accepted
                && ledger.durable_epochs.current >= epochs.current
        };
        self.ensemble.quorums.block(self.voters_with(Some(server), bears))
    }

    /// Its disk is this other one from now on.
    pub(crate) fn forgets(&mut self, server: usize, ledger: Ledger) {
        self.has_forgotten(server);
        self.views[server].ledger.is_replaced(ledger);
    }

    /// Something that was on its disk is not any more.
    pub(super) fn has_forgotten(&mut self, server: usize) {
        if server < self.ensemble.quorums.voters() {
            let proposed = self.views.iter().map(|view| view.ledger.end).max();
            self.ensemble.forgotten = self.ensemble.forgotten.max(proposed);
        }
    }

    /// Old txns were read back for a learner: of one history, without a hole.
    pub(super) fn loaded(&self, txns: &[Bytes]) -> Verdict {
        let mut before = None;
        for bytes in txns {
            let txn = Txn::decode_all(&mut Reader::new(bytes.clone()));
            let zxid = txn.map_or(Zxid::ZERO, |txn| txn.header.zxid);
            self.history.same_bytes(zxid, bytes)?;
            let known = self.history.origin(zxid).map(|origin| origin.before);
            if let Some(before) = before {
                prefix::follows(zxid, known, before)?;
            }
            before = Some(zxid);
        }
        Ok(())
    }

    /// A truncation is done, and the log was read anew.
    pub(super) fn truncated(&mut self, server: usize, database: &Database) -> Verdict {
        let view = &mut self.views[server];
        let last = database.last_zxid();
        committed_never_lost::truncated(server, last, view.ledger.durable)?;
        let model = self.history.model_at(last)?;
        recovered_state::equals("truncated_state", database, &model)?;
        self.nothing_is_lost()
    }
}
