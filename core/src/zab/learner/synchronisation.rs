//! Synchronisation: the learner's history becomes the leader's (`quorum-protocol.md` §5.6).
//!
//! Everything is logged as it comes: a txn is appended when it is proposed, a database takes the place of the whole history. At NEWLEADER the order
//! is: what came before it is durable, then `currentEpoch` is, then it is acknowledged, and only then any proposal (ZOOKEEPER-3911,
//! -4643, -4646, -4685). What was proposed and not committed stays where it is (ZOOKEEPER-4394).
//!
//! DIFF says nothing about the learner's own history (ZOOKEEPER-2355): only what is appended does.

use super::broadcast::Broadcast;
use super::received::{Misfit, Received, is_reconfig};
use super::{Learner, LearnerTurn, Phase};
use crate::contract::{EpochKind, ExitCode};
use crate::jute::QuorumPacket;
use crate::tree::Database;
use crate::vocabulary::{Epoch, Zxid};
use crate::zab::config::NO_HISTORY;
use crate::zab::event::LearnerEvent;
use bytes::Bytes;
use std::collections::VecDeque;

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) struct Synchronisation {
    pub(super) epoch: Epoch,
    step: Step,
    /// Behind the learner's own history, until the leader has said where its own begins.
    pub(super) received: Received,
}

/// How far it is.
#[derive(Clone, Debug)]
enum Step {
    /// DIFF, TRUNC or SNAP is to come.
    Opening,
    /// The log is being cut to this txn; what comes meanwhile waits, since it is not certain what it follows.
    Truncating(Zxid, VecDeque<QuorumPacket>),
    /// Txns come, until NEWLEADER.
    Receiving,
    /// NEWLEADER has come, and what came before it is being made durable.
    Storing,
    /// `currentEpoch` is being written.
    Closing,
    /// NEWLEADER is acknowledged; UPTODATE is to come.
    Acknowledged,
}

impl Synchronisation {
    pub(super) fn new(epoch: Epoch, received: Received) -> Self {
        Synchronisation { epoch, step: Step::Opening, received }
    }

    /// Whether acknowledgements of proposals may leave.
    pub(super) fn is_acknowledged(&self) -> bool {
        matches!(self.step, Step::Acknowledged)
    }

    fn into_broadcast(self) -> Broadcast {
        Broadcast { epoch: self.epoch, received: self.received }
    }
}

impl Learner {
    /// Any packet before UPTODATE.
    pub(super) fn synchronising(&mut self, packet: QuorumPacket, turn: &mut LearnerTurn<'_>) {
        let Phase::Synchronisation(sync) = &mut self.phase else { return };
        match (&mut sync.step, packet) {
            (Step::Truncating(_, waiting), packet) => waiting.push_back(packet),
            (Step::Opening, QuorumPacket::Diff { .. }) => {
                sync.step = Step::Receiving;
            }
            (Step::Opening, QuorumPacket::Trunc { zxid }) => self.truncate(zxid, turn),
            (Step::Opening, packet) => {
                let reason = format!("the leader began with {packet:?}, which is no synchronisation");
                self.exit(ExitCode::SynchronisationFailed, reason, turn);
            }
            (_, QuorumPacket::Proposal { zxid, txn }) => self.sync_proposal(zxid, txn, turn),
            (_, QuorumPacket::Commit { zxid }) => self.sync_commit(zxid, turn),
            (_, QuorumPacket::Inform { zxid, txn }) => self.sync_inform(zxid, txn, turn),
            (
                _,
                QuorumPacket::CommitAndActivate { zxid, .. } | QuorumPacket::InformAndActivate { zxid, .. },
            ) => {
                self.end_by(Misfit::Reconfig(zxid), turn);
            }
            (Step::Receiving, QuorumPacket::NewLeader { zxid, config }) => {
                self.new_leader(zxid, config, turn)
            }
            (Step::Acknowledged, QuorumPacket::UpToDate) => self.up_to_date(turn),
            (_, QuorumPacket::NewLeader { .. }) => self.fail("NEWLEADER out of turn", turn),
            (_, QuorumPacket::UpToDate) => self.fail("UPTODATE before NEWLEADER was acknowledged", turn),
            (_, QuorumPacket::Diff { .. } | QuorumPacket::Trunc { .. } | QuorumPacket::LeaderInfo { .. }) => {
                self.fail("a second beginning", turn);
            }
            // PINGs among them: like Java, nobody answers before UPTODATE.
            (_, _) => {}
        }
    }

    fn truncate(&mut self, to: Zxid, turn: &mut LearnerTurn<'_>) {
        let last = self.standing.last_zxid;
        let Phase::Synchronisation(sync) = &mut self.phase else { return };
        if to > last || to < Zxid::ZERO {
            let reason = format!("the leader wants a history truncated to {to} that ends in {last}");
            return self.exit(ExitCode::SynchronisationFailed, reason, turn);
        }
        sync.step = Step::Truncating(to, VecDeque::new());
        turn.events.push(LearnerEvent::Truncate { to });
    }

    /// The log ends in `last_zxid` now, which is to be the target (A7). Where it can't be, because only snapshots beyond the target are left
    /// or a Java leader names what never was in it, nothing was cut, and the leader is asked once more, for its database.
    pub(super) fn log_truncated(&mut self, last_zxid: Zxid, turn: &mut LearnerTurn<'_>) {
        let Phase::Synchronisation(sync) = &mut self.phase else { return };
        let Step::Truncating(to, waiting) = &mut sync.step else { return };
        let (to, waiting) = (*to, std::mem::take(waiting));
        self.standing.last_zxid = last_zxid;
        if last_zxid != to {
            self.standing.last_zxid = NO_HISTORY;
            return self.dial_again(turn);
        }
        sync.step = Step::Receiving;
        sync.received.rebase(to);
        for packet in waiting {
            self.synchronising(packet, turn);
        }
    }

    pub(super) fn replace(&mut self, database: Box<Database>, turn: &mut LearnerTurn<'_>) {
        let Phase::Synchronisation(Synchronisation { step: step @ Step::Opening, received, .. }) =
            &mut self.phase
        else {
            return self.fail("SNAP out of turn", turn);
        };
        self.standing.last_zxid = database.last_zxid();
        *step = Step::Receiving;
        received.rebase(database.last_zxid());
        turn.events.push(LearnerEvent::Replace(database));
    }

    fn sync_proposal(&mut self, zxid: Zxid, txn: Bytes, turn: &mut LearnerTurn<'_>) {
        let Phase::Synchronisation(sync) = &mut self.phase else { return };
        // Of a change of the configuration that is history only its outcome matters, which NEWLEADER tells.
        let is_history = matches!(sync.step, Step::Receiving);
        let result = match is_reconfig(&txn) && !is_history {
            true => Err(Misfit::Reconfig(zxid)),
            false => sync.received.append(zxid, txn, turn),
        };
        self.end_if_misfit(result, turn);
    }

    fn sync_commit(&mut self, zxid: Zxid, turn: &mut LearnerTurn<'_>) {
        let Phase::Synchronisation(sync) = &mut self.phase else { return };
        let result = sync.received.commit(zxid, turn);
        self.end_if_misfit(result, turn);
    }

    fn sync_inform(&mut self, zxid: Zxid, txn: Bytes, turn: &mut LearnerTurn<'_>) {
        let Phase::Synchronisation(sync) = &mut self.phase else { return };
        let result = sync.received.inform(zxid, txn, turn);
        self.end_if_misfit(result, turn);
    }

    fn new_leader(&mut self, zxid: Zxid, config: Option<Bytes>, turn: &mut LearnerTurn<'_>) {
        let Phase::Synchronisation(sync) = &mut self.phase else { return };
        if zxid != Zxid::new(sync.epoch, 0) {
            let reason = format!("NEWLEADER of {zxid} in epoch {}", sync.epoch.0);
            return self.fail(&reason, turn);
        }
        if let Err(misfit) = sync.received.close_history() {
            return self.end_by(misfit, turn);
        }
        sync.step = Step::Storing;
        if let Some(config) = config.filter(|config| !config.is_empty()) {
            turn.events.push(LearnerEvent::LeaderConfig(config));
        }
        turn.events.push(LearnerEvent::HistoryComplete);
    }

    /// History is durable: `currentEpoch` may say so.
    pub(super) fn history_durable(&mut self, turn: &mut LearnerTurn<'_>) {
        let Phase::Synchronisation(sync) = &mut self.phase else { return };
        if !matches!(sync.step, Step::Storing) {
            return;
        }
        sync.step = Step::Closing;
        turn.events.push(LearnerEvent::StoreEpoch { kind: EpochKind::Current, epoch: sync.epoch });
    }

    /// `currentEpoch` is durable: ACK of NEWLEADER, and behind it those of proposals.
    pub(super) fn current_epoch_stored(&mut self, epoch: Epoch, turn: &mut LearnerTurn<'_>) {
        let Phase::Synchronisation(sync) = &mut self.phase else { return };
        if sync.epoch != epoch || !matches!(sync.step, Step::Closing) {
            return;
        }
        sync.step = Step::Acknowledged;
        self.standing.epochs.current = epoch;
        self.send(&QuorumPacket::Ack { zxid: Zxid::new(epoch, 0) }, turn.outbox);
        self.acknowledge(turn.outbox);
    }

    fn up_to_date(&mut self, turn: &mut LearnerTurn<'_>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Ended);
        let Phase::Synchronisation(sync) = phase else { return };
        let epoch = sync.epoch;
        self.phase = Phase::Broadcast(sync.into_broadcast());
        self.send(&QuorumPacket::Ack { zxid: Zxid::new(epoch, 0) }, turn.outbox);
        turn.events.push(LearnerEvent::Established { epoch });
    }
}
