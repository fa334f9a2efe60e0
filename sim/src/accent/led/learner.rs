//! A learner as Java is one (`quorum-protocol.md` §5.6, §6.2, §6.3): what it makes of what its leader says, in each release's order.
//!
//! What Java answers with a warning or its own end, because its leader does what no leader may, is a violation here.

use super::clients::Clients;
use super::disk::JavaDisk;
use super::truth::{Truth, apply};
use super::wire;
use crate::checkers::{Verdict, Violation, require};
use crate::chooser::Draws;
use crate::counters::Counters;
use crate::plan::{JavaLearnerPlan, JavaRelease};
use bytes::Bytes;
use quorate_core::contract::QuorumMessage;
use quorate_core::jute::QuorumPacket;
use quorate_core::tree::Database;
use quorate_core::vocabulary::{Epoch, Zxid};
use std::collections::VecDeque;

/// What a learner's doings go through.
pub(super) struct Around<'a, 'd> {
    pub(super) truth: &'a mut Truth,
    pub(super) draws: &'a mut Draws<'d>,
    pub(super) counters: &'a mut Counters,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It looks for a leader.
    Away,
    /// LEADERINFO is to come.
    Introduced,
    /// DIFF or SNAP is to come.
    Asked,
    /// NEWLEADER is to come.
    Synchronising,
    /// UPTODATE is to come.
    Acknowledged,
    Serving,
}

/// Whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    Stays,
    /// It ends its part, and closes the connection.
    Leaves,
}

/// See the module's words.
#[derive(Debug)]
pub(super) struct JavaLearner<'p> {
    pub(super) plan: &'p JavaLearnerPlan,
    pub(super) sid: u8,
    pub(super) disk: JavaDisk,
    pub(super) stage: Stage,
    /// In memory.
    pub(super) database: Database,
    pub(super) clients: Clients,
    /// What its connection is given, packet by packet.
    pub(super) out: VecDeque<Bytes>,
    epoch: Epoch,
    /// It was sent a database, and has not written it yet.
    is_snapped: bool,
    /// Proposals of the synchronisation that are not in the log, and commits that wait for it.
    not_logged: VecDeque<(Zxid, Bytes)>,
    committed: VecDeque<Zxid>,
    /// Logged, and not committed.
    pending: VecDeque<(Zxid, Bytes)>,
    /// Logged, and to be acknowledged when that is synced.
    unacked: VecDeque<Zxid>,
    last_proposed: Zxid,
    /// Its log holds something twice.
    pub(super) logs_again: bool,
}

impl<'p> JavaLearner<'p> {
    pub(super) fn new(plan: &'p JavaLearnerPlan, sid: u8) -> Self {
        let disk = JavaDisk::default();
        JavaLearner {
            plan,
            sid,
            database: disk.recover(),
            disk,
            stage: Stage::Away,
            clients: Clients::default(),
            out: VecDeque::new(),
            epoch: Epoch::default(),
            is_snapped: false,
            not_logged: VecDeque::new(),
            committed: VecDeque::new(),
            pending: VecDeque::new(),
            unacked: VecDeque::new(),
            last_proposed: Zxid::ZERO,
            logs_again: false,
        }
    }

    fn name(&self) -> String {
        format!("Java server {}", self.sid)
    }

    /// Its vote: what an election compares.
    pub(super) fn vote(&self) -> (Epoch, Zxid) {
        (self.disk.current, self.database.last_zxid())
    }

    fn is(&self, release: JavaRelease) -> bool {
        self.plan.release == release
    }

    /// It connects.
    pub(super) fn connects(&mut self) {
        self.stage = Stage::Introduced;
        self.last_proposed = self.database.last_zxid();
        let plan = self.plan;
        self.out.push_back(wire::introduction(
            self.sid,
            plan.is_observer,
            self.disk.accepted,
            plan.introduces,
        ));
    }

    /// Its connection is over: what is in the log is applied, what was under way is forgotten.
    pub(super) fn loses(&mut self, truth: &mut Truth) -> Verdict {
        self.disk.sync();
        self.starts(truth)
    }

    /// Its process ends, with the power or without, and starts again.
    pub(super) fn dies(&mut self, truth: &mut Truth) -> Verdict {
        if self.plan.loses_power {
            self.disk.loses_power();
        }
        // What 3.8.0 has acknowledged is not lost by a kill that lets it finish.
        self.disk.sync();
        self.starts(truth)
    }

    fn starts(&mut self, truth: &mut Truth) -> Verdict {
        self.stage = Stage::Away;
        self.is_snapped = false;
        self.out.clear();
        self.not_logged.clear();
        self.committed.clear();
        self.pending.clear();
        self.unacked.clear();
        self.clients.lost();
        self.database = self.disk.recover();
        truth.has_tree(&self.name(), &self.database)
    }

    /// What its leader says.
    pub(super) fn hear(
        &mut self,
        message: QuorumMessage,
        around: &mut Around<'_, '_>,
    ) -> Result<Stay, Violation> {
        match message {
            QuorumMessage::Packet(packet) => self.packet(packet, around),
            QuorumMessage::SnapshotUnderWay => Ok(Stay::Stays),
            QuorumMessage::Snapshot(database) => {
                self.expects(self.stage == Stage::Asked, "SNAP out of turn")?;
                around.counters.probe("java_learner_snap");
                if self.database.last_zxid() > around.truth.committed() {
                    around.counters.probe("java_learner_loses_its_tail");
                }
                self.stage = Stage::Synchronising;
                self.is_snapped = true;
                self.database = *database;
                self.database.end_replay();
                self.last_proposed = self.database.last_zxid();
                around.truth.has_tree(&self.name(), &self.database).map(|()| Stay::Stays)
            }
        }
    }

    fn expects(&self, holds: bool, what: &str) -> Verdict {
        require("leader_speaks_in_turn", holds, || {
            format!("{} is {:?} in epoch {}: {what}", self.name(), self.stage, self.epoch.0)
        })
    }

    fn packet(&mut self, packet: QuorumPacket, around: &mut Around<'_, '_>) -> Result<Stay, Violation> {
        use Stage::{Acknowledged, Asked, Introduced, Serving, Synchronising};
        let is_observer = self.plan.is_observer;
        match (self.stage, packet) {
            (Introduced, QuorumPacket::LeaderInfo { epoch }) => self.promises(epoch)?,
            (Asked, QuorumPacket::Diff { .. }) => {
                around.counters.probe("java_learner_diff");
                self.stage = Synchronising;
            }
            (_, QuorumPacket::Trunc { zxid }) => {
                // Java keeps snapshots beyond the target, and one txn too many where it misses it (ZOOKEEPER-4837).
                let detail = format!("{} is told to truncate to {zxid}", self.name());
                return Err(Violation { checker: "trunc_safe", detail });
            }
            (Synchronising | Acknowledged, QuorumPacket::Proposal { zxid, txn }) => {
                self.follows(zxid)?;
                self.not_logged.push_back((zxid, txn));
            }
            (Synchronising | Acknowledged, QuorumPacket::Commit { zxid }) => {
                return self.commit_under_way(zxid, around);
            }
            (Synchronising | Acknowledged, QuorumPacket::Inform { zxid, txn }) if is_observer => {
                self.follows(zxid)?;
                self.inform_under_way(zxid, txn, around)?;
            }
            (Synchronising, QuorumPacket::NewLeader { zxid, .. }) => self.new_leader(zxid, around)?,
            (Acknowledged, QuorumPacket::UpToDate) => self.up_to_date(around)?,
            // Its loop has no case for it.
            (Synchronising | Acknowledged, QuorumPacket::Ping { .. }) => {
                around.counters.probe("java_learner_pinged_early");
            }
            (Serving, QuorumPacket::Proposal { zxid, txn }) if !is_observer => {
                self.follows(zxid)?;
                self.log(zxid, txn);
            }
            (Serving, QuorumPacket::Commit { zxid }) if !is_observer => self.commit(zxid, around)?,
            (Serving, QuorumPacket::Inform { zxid, txn }) if is_observer => {
                self.follows(zxid)?;
                self.disk.append(zxid, txn.clone());
                self.apply((zxid, txn), around)?;
            }
            (Serving, QuorumPacket::Ping { zxid, .. }) => {
                around.counters.probe("java_learner_pinged");
                let touched = self.clients.touched();
                self.out.push_back(wire::ping(zxid, &touched));
            }
            (Serving, QuorumPacket::Sync { .. }) => {
                let is_expected = self.clients.synced();
                self.expects(is_expected, "SYNC that nobody asked for")?;
                around.counters.probe("java_learner_synced");
            }
            (Serving, QuorumPacket::Revalidated { session, valid }) => {
                let is_expected = self.clients.revalidated(session);
                self.expects(is_expected, "a session that nobody asked about")?;
                around.counters.probe(if valid { "java_session_valid" } else { "java_session_invalid" });
            }
            (_, packet) => self.expects(false, &format!("{packet:?}"))?,
        }
        Ok(Stay::Stays)
    }

    fn promises(&mut self, epoch: Epoch) -> Verdict {
        require("epochs", epoch >= self.disk.accepted, || {
            format!("{} has accepted epoch {}, its leader has {}", self.name(), self.disk.accepted.0, epoch.0)
        })?;
        let current = (epoch > self.disk.accepted).then_some(self.disk.current);
        (self.stage, self.epoch, self.disk.accepted) = (Stage::Asked, epoch, epoch);
        self.out.push_back(wire::ack_epoch(self.database.last_zxid(), current));
        Ok(())
    }

    /// 3.9.4 leaves where a proposal does not follow the one before.
    fn follows(&mut self, zxid: Zxid) -> Verdict {
        let before = std::mem::replace(&mut self.last_proposed, zxid);
        require("prefix_consistency", before.may_precede(zxid), || {
            format!("{} is sent {zxid} behind {before}", self.name())
        })
    }

    fn commit_under_way(&mut self, zxid: Zxid, around: &mut Around<'_, '_>) -> Result<Stay, Violation> {
        if self.is_snapped && self.stage == Stage::Synchronising {
            let head = self.not_logged.pop_front().filter(|(head, _)| *head == zxid);
            self.expects(head.is_some(), "COMMIT of what is not the oldest proposal")?;
            head.map_or(Ok(()), |txn| self.apply(txn, around))?;
            return Ok(Stay::Stays);
        }
        if self.stage == Stage::Acknowledged {
            around.counters.probe("java_learner_commit_before_uptodate");
            if self.is(JavaRelease::EpochFirst) && self.not_logged.is_empty() {
                // A null pointer (ZOOKEEPER-4394).
                around.counters.probe("java_learner_leaves_by_itself");
                return Ok(Stay::Leaves);
            }
        }
        self.committed.push_back(zxid);
        Ok(Stay::Stays)
    }

    fn inform_under_way(&mut self, zxid: Zxid, txn: Bytes, around: &mut Around<'_, '_>) -> Verdict {
        if self.is_snapped && self.stage == Stage::Synchronising {
            return self.apply((zxid, txn), around);
        }
        self.not_logged.push_back((zxid, txn));
        self.committed.push_back(zxid);
        Ok(())
    }

    fn new_leader(&mut self, zxid: Zxid, around: &mut Around<'_, '_>) -> Verdict {
        self.expects(zxid == Zxid::new(self.epoch, 0), "NEWLEADER of another epoch")?;
        let acks_early = self.is(JavaRelease::EpochFirst) && around.draws.chance(400);
        if std::mem::take(&mut self.is_snapped) {
            self.disk.snapshot(&self.database);
        }
        if !self.plan.is_observer {
            match self.plan.release {
                JavaRelease::EpochFirst | JavaRelease::LogsAll => {
                    for (zxid, txn) in std::mem::take(&mut self.not_logged) {
                        self.log(zxid, txn);
                    }
                }
                JavaRelease::LogsCommitted => {
                    for zxid in std::mem::take(&mut self.committed) {
                        let head = self.not_logged.pop_front().filter(|(head, _)| *head == zxid);
                        self.expects(head.is_some(), "COMMIT of what is not the oldest proposal")?;
                        let Some((_, txn)) = head else { continue };
                        self.disk.append(zxid, txn.clone());
                        self.apply((zxid, txn), around)?;
                    }
                }
            }
        }
        if !self.is(JavaRelease::EpochFirst) {
            self.disk.sync();
        }
        self.disk.current = self.epoch;
        self.stage = Stage::Acknowledged;
        if acks_early && !self.unacked.is_empty() {
            // Its log is faster than what writes the ACK (ZOOKEEPER-4685).
            around.counters.probe("java_learner_acks_early");
            self.sync();
        }
        self.out.push_back(wire::ack(zxid));
        Ok(())
    }

    fn up_to_date(&mut self, around: &mut Around<'_, '_>) -> Verdict {
        around.counters.probe(match self.plan.release {
            JavaRelease::EpochFirst => "java_learner_serves_3_8_0",
            JavaRelease::LogsAll => "java_learner_serves_3_8_5",
            JavaRelease::LogsCommitted => "java_learner_serves_3_9_4",
        });
        if std::mem::take(&mut self.logs_again) {
            around.counters.probe("java_learner_logs_again");
        }
        self.out.push_back(wire::ack(Zxid::new(self.epoch, 0)));
        self.stage = Stage::Serving;
        let committed = std::mem::take(&mut self.committed);
        if self.plan.is_observer {
            around.counters.probe("java_observer_serves");
            for zxid in committed {
                let head = self.not_logged.pop_front().filter(|(head, _)| *head == zxid);
                self.expects(head.is_some(), "COMMIT of what is not the oldest proposal")?;
                let Some((_, txn)) = head else { continue };
                self.disk.append(zxid, txn.clone());
                self.apply((zxid, txn), around)?;
            }
            // What is proposed and not committed is skipped, and informed of later.
            self.last_proposed = self.last_proposed.min(self.database.last_zxid());
            self.not_logged.clear();
            return Ok(());
        }
        for (zxid, txn) in std::mem::take(&mut self.not_logged) {
            self.log(zxid, txn);
        }
        committed.into_iter().try_for_each(|zxid| self.commit(zxid, around))
    }

    /// A proposal goes to the log, and is acknowledged when that is synced.
    fn log(&mut self, zxid: Zxid, txn: Bytes) {
        let is_again = self.disk.append(zxid, txn.clone());
        self.logs_again |= is_again;
        self.pending.push_back((zxid, txn));
        self.unacked.push_back(zxid);
    }

    fn commit(&mut self, zxid: Zxid, around: &mut Around<'_, '_>) -> Verdict {
        let head = self.pending.pop_front().filter(|(head, _)| *head == zxid);
        // Java exits, 12.
        self.expects(head.is_some(), "COMMIT of what is not the oldest proposal")?;
        head.map_or(Ok(()), |txn| self.apply(txn, around))
    }

    fn apply(&mut self, (zxid, txn): (Zxid, Bytes), around: &mut Around<'_, '_>) -> Verdict {
        let known = around.truth.txn(zxid);
        require("zxid_unique", known == Some(&txn), || {
            format!("{} applies {zxid}, which was proposed as another txn", self.name())
        })?;
        apply(&mut self.database, &txn);
        around.truth.has_tree(&self.name(), &self.database)
    }

    /// Whether its log has something to do; 3.8.5 acknowledges nothing before UPTODATE.
    pub(super) fn has_to_sync(&self) -> bool {
        let is_held = self.is(JavaRelease::LogsAll) && self.stage < Stage::Serving;
        !self.unacked.is_empty() && !is_held
    }

    /// A part of the log is on the disk, and is acknowledged, some of it in one piece.
    pub(super) fn sync(&mut self) {
        self.disk.sync();
        let mut batch = Vec::new();
        for _ in 0..self.plan.batch {
            if let Some(zxid) = self.unacked.pop_front() {
                batch.extend_from_slice(&wire::ack(zxid));
            }
        }
        if !batch.is_empty() {
            self.out.push_back(batch.into());
        }
    }

    /// In words.
    pub(super) fn state(&self) -> String {
        let (out, unacked, pending) = (self.out.len(), self.unacked.len(), self.pending.len());
        let (last, waits) = (self.database.last_zxid(), self.clients.wait());
        format!(
            "{} is {:?} at {last}, {out} to send, {unacked} to acknowledge, {pending} to commit, clients wait: {waits}",
            self.name(),
            self.stage
        )
    }

    /// Whether nothing is under way.
    pub(super) fn is_quiet(&self) -> bool {
        let is_idle = self.out.is_empty() && self.unacked.is_empty() && self.pending.is_empty();
        self.stage == Stage::Serving && is_idle
    }
}
