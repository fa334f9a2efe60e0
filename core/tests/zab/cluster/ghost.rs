//! What nobody in the cluster knows: everything that was proposed and committed, and what must hold of it (`zab-invariants.md` §2).

use super::disk::Disk;
use super::history::Entry;
use quorate_core::contract::EpochKind;
use quorate_core::vocabulary::{Epoch, ServerId, Zxid};
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct Ghost {
    proposals: BTreeMap<Zxid, (u64, ServerId)>,
    leaders: BTreeMap<Epoch, ServerId>,
    /// Whom a quorum has promised itself to.
    promised: BTreeMap<Epoch, ServerId>,
    pub(crate) committed: Vec<Entry>,
    /// A leader has said that this was committed: to be checked against the disks.
    pub(crate) has_new_commits: bool,
    /// What each learner had received before NEWLEADER of an epoch.
    received: BTreeMap<(ServerId, Epoch), Vec<Entry>>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
    pub(crate) endings: BTreeMap<String, u64>,
}

impl Ghost {
    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(crate) fn role_ended(&mut self, reason: &str) {
        let words: String = reason.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        *self.endings.entry(words).or_default() += 1;
    }

    pub(crate) fn propose(&mut self, leader: ServerId, zxid: Zxid) -> Entry {
        let number = self.counts.get("proposals").copied().unwrap_or(0);
        let earlier = self.proposals.insert(zxid, (number, leader));
        assert_eq!(earlier, None, "S2: {zxid} is proposed twice");
        self.count("proposals");
        (zxid, number)
    }

    /// A leader synchronises: a quorum has promised itself to it.
    pub(crate) fn synchronises(&mut self, leader: ServerId, epoch: Epoch) {
        let other = *self.promised.entry(epoch).or_insert(leader);
        assert_eq!(other, leader, "S15: two servers got a quorum's promise for {epoch:?}");
    }

    pub(crate) fn established(&mut self, leader: ServerId, epoch: Epoch, history: &[Entry]) {
        self.count("established");
        let other = *self.leaders.entry(epoch).or_insert(leader);
        assert_eq!(other, leader, "S1: two leaders of {epoch:?}");
        if self.leaders.keys().any(|newer| *newer > epoch) {
            // Acknowledgements that were long on their way: its followers have gone on, and taken this history with them.
            self.count("established too late");
            return assert!(self.committed.starts_with(history), "S11: {leader:?} has another history");
        }
        assert!(history.starts_with(&self.committed), "S11: {leader:?} lacks what was committed");
        self.committed = history.to_vec();
        self.has_new_commits = true;
    }

    pub(crate) fn committed_by_leader(&mut self, leader: ServerId, entry: Entry) {
        self.count("commits");
        if self.committed.binary_search(&entry).is_ok() {
            return self.count("committed too late");
        }
        let newest = self.leaders.last_key_value().map(|(_, newest)| *newest);
        assert_eq!(newest, Some(leader), "S9: {leader:?} commits {entry:?} when its followers have gone on");
        let last = self.committed.last().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
        assert!(last.may_precede(entry.0), "S12: {leader:?} commits {} behind {last}", entry.0);
        let proposed = self.proposals.get(&entry.0).map(|(number, _)| *number);
        assert_eq!(proposed, Some(entry.1), "S3: only what was proposed is committed");
        self.committed.push(entry);
        self.has_new_commits = true;
    }

    pub(crate) fn committed_by_learner(&self, learner: ServerId, entry: Entry) {
        let at = self.committed.binary_search(&entry);
        assert!(at.is_ok(), "S4: {learner:?} applies {entry:?}, which nobody committed");
    }

    pub(crate) fn follows(&mut self, learner: ServerId, epoch: Epoch, applied: &[Entry]) {
        self.count("follows");
        assert!(
            self.leaders.contains_key(&epoch),
            "A3: {learner:?} serves in {epoch:?}, which has no leader"
        );
        assert!(self.committed.starts_with(applied), "S4: {learner:?} serves what was not committed");
    }

    pub(crate) fn received(&mut self, learner: ServerId, epoch: Epoch, history: Vec<Entry>) {
        self.received.insert((learner, epoch), history);
    }

    pub(crate) fn synced(&mut self, server: ServerId, asked_at: usize, applied: &[Entry]) {
        self.count("syncs");
        assert!(self.committed.starts_with(applied), "S27: {server:?} serves what was not committed");
        assert!(applied.len() >= asked_at, "C6: a sync of {server:?} misses what was committed before it");
    }

    /// An epoch file has come to a disk, whether the server knows or not.
    pub(crate) fn epoch_on_disk(&self, server: ServerId, kind: EpochKind, disk: &Disk) {
        if kind == EpochKind::Current
            && let Some(received) = self.received.get(&(server, disk.epochs.current))
        {
            let history = disk.history();
            assert!(
                history.starts_with(received),
                "S18: the epoch of {server:?} is durable before its history"
            );
        }
    }

    pub(crate) fn acknowledged(&self, learner: ServerId, (epoch, zxid): (Epoch, Zxid), disk: &Disk) {
        let history = disk.history();
        if zxid.counter() != 0 {
            assert!(
                history.iter().any(|(logged, _)| *logged == zxid),
                "S17: {learner:?} has not logged {zxid}"
            );
            assert_eq!(disk.epochs.current, epoch, "A5: {zxid} is acknowledged before NEWLEADER");
            return;
        }
        let received = &self.received[&(learner, epoch)];
        assert!(history.starts_with(received), "S17: {learner:?} acknowledges a history that is not durable");
        assert_eq!(disk.epochs.current, epoch, "S17: {learner:?} acknowledges an epoch that is not durable");
    }

    pub(crate) fn truncated(&mut self, server: ServerId, gone: &[Entry]) {
        let lost = gone.iter().find(|entry| self.committed.binary_search(entry).is_ok());
        assert_eq!(lost, None, "S19: {server:?} cut off what was committed");
    }

    /// A learner in its leader's epoch, after NEWLEADER.
    pub(crate) fn agrees(&self, learner: (ServerId, &[Entry]), leader: &[Entry]) {
        assert!(leader.starts_with(learner.1), "S13: the history of {:?} is not its leader's", learner.0);
    }
}
