//! Broadcast: txns are proposed, acknowledged by a quorum, and committed in order (`quorum-protocol.md` §6.1).
//!
//! A learner logs in order, so its acknowledgement of a txn is one of every txn before it: a number for each learner is all that is kept, and
//! what is committed is the newest txn that a quorum's numbers reach.

use super::learners::Step;
use super::synchronisation::write_proposal;
use super::{Leader, LeaderTurn, Phase};
use crate::jute::{Encode as _, QuorumPacket, Writer};
use crate::quorum::ServerSet;
use crate::vocabulary::{LinkId, Zxid};
use crate::zab::config::LearnerKind;
use crate::zab::event::LeaderEvent;
use bytes::Bytes;
use std::collections::VecDeque;

/// What was proposed.
#[derive(Clone, Debug)]
pub(super) struct Proposals {
    /// Not committed yet, oldest first.
    outstanding: VecDeque<(Zxid, Bytes)>,
    last_proposed: Zxid,
    last_committed: Zxid,
    /// This server's own log is durable up to here.
    logged: Zxid,
    sizes: ProposalSizes,
}

/// How long the txns are that were proposed, bytes; -1 before the first, as `srvr` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named as srvr names it")]
pub struct ProposalSizes {
    pub last: i64,
    pub min: i64,
    pub max: i64,
}

impl ProposalSizes {
    const NONE: ProposalSizes = ProposalSizes { last: -1, min: -1, max: -1 };

    fn add(&mut self, size: usize) {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        self.min = if self.last < 0 { size } else { self.min.min(size) };
        self.max = self.max.max(size);
        self.last = size;
    }
}

impl Proposals {
    /// Behind a history that ends in `last`.
    pub(super) fn new(last: Zxid) -> Self {
        Proposals {
            outstanding: VecDeque::new(),
            last_proposed: last,
            last_committed: last,
            logged: last,
            sizes: ProposalSizes::NONE,
        }
    }

    /// Another leader has committed this txn.
    pub(super) fn committed_elsewhere(&mut self, zxid: Zxid) {
        (self.last_proposed, self.last_committed) = (zxid, zxid);
    }

    pub(super) fn sizes(&self) -> ProposalSizes {
        self.sizes
    }

    pub(super) fn forget_sizes(&mut self) {
        self.sizes = ProposalSizes::NONE;
    }

    pub(super) fn outstanding(&self) -> impl ExactSizeIterator<Item = &(Zxid, Bytes)> {
        self.outstanding.iter()
    }

    pub(super) fn is_outstanding(&self, zxid: Zxid) -> bool {
        self.outstanding.binary_search_by_key(&zxid, |(zxid, _)| *zxid).is_ok()
    }

    pub(super) fn last_proposed(&self) -> Zxid {
        self.last_proposed
    }

    pub(super) fn last_committed(&self) -> Zxid {
        self.last_committed
    }

    pub(super) fn logged(&self) -> Zxid {
        self.logged
    }
}

impl Leader {
    /// PROPOSAL to every follower; observers hear of it when it is committed.
    pub(super) fn broadcast(&mut self, zxid: Zxid, txn: Bytes, turn: &mut LeaderTurn<'_>) {
        assert!(matches!(self.phase, Phase::Broadcast), "only an established leader proposes");
        assert!(self.proposals.last_proposed.may_precede(zxid), "{zxid} leaves a gap");
        let has_number = zxid.epoch() == self.epoch && zxid.counter() <= self.config.last_counter;
        assert!(has_number, "{zxid} is not of this epoch");
        let links = self.hearing(LearnerKind::Follower);
        turn.outbox.send_links(links, |out| write_proposal(zxid, &txn, out));
        self.proposals.sizes.add(txn.len());
        self.proposals.outstanding.push_back((zxid, txn));
        self.proposals.last_proposed = zxid;
    }

    /// The links of those learners that hear of what happens.
    fn hearing(&self, kind: LearnerKind) -> impl Iterator<Item = LinkId> + '_ {
        let hearing =
            self.learners.iter().filter(move |(_, handler)| handler.is_forwarded_to() && handler.is(kind));
        hearing.map(|(link, _)| *link)
    }

    /// This server's own acknowledgement.
    pub(super) fn logged_here(&mut self, zxid: Zxid, turn: &mut LeaderTurn<'_>) {
        assert!(zxid <= self.proposals.last_proposed, "what is logged was proposed");
        self.proposals.logged = self.proposals.logged.max(zxid);
        self.commit(turn);
    }

    /// ACK of a learner that has taken over the history.
    pub(super) fn proposal_acked(&mut self, link: LinkId, zxid: Zxid, turn: &mut LeaderTurn<'_>) {
        // That of UPTODATE.
        if zxid.counter() == 0 {
            return;
        }
        if zxid > self.proposals.last_proposed {
            return self.drop_learner(link, "it acknowledged what was not proposed", turn);
        }
        let Some(handler) = self.learners.get_mut(&link) else { return };
        handler.acked = handler.acked.max(zxid);
        self.commit(turn);
    }

    /// Commits whatever a quorum has logged.
    pub(super) fn commit(&mut self, turn: &mut LeaderTurn<'_>) {
        let Some(up_to) = self.agreed() else { return };
        let outstanding = &self.proposals.outstanding;
        // None, when somebody acknowledges what lies between two proposals.
        let count = outstanding.partition_point(|(zxid, _)| *zxid <= up_to);
        if count == 0 {
            return;
        }
        let committed = || outstanding.range(..count);
        turn.outbox.send_links(self.hearing(LearnerKind::Follower), |out| {
            for (zxid, _) in committed() {
                QuorumPacket::Commit { zxid: *zxid }.encode(&mut Writer::new(out));
            }
        });
        self.tell_observers(committed(), turn);
        for (zxid, txn) in self.proposals.outstanding.drain(..count) {
            self.proposals.last_committed = zxid;
            turn.events.push(LeaderEvent::Commit { zxid, txn });
        }
        self.answer_syncs(turn);
        self.tell_up_to_date(turn);
        if self.has_used_up_its_zxids() {
            // Next, but the answers to what is committed come before.
            self.timers.next = turn.now;
        }
    }

    /// Whether the last txn that this epoch has room for is committed: the part ends with the next timeout.
    pub fn has_used_up_its_zxids(&self) -> bool {
        self.proposals.last_committed == Zxid::new(self.epoch, self.config.last_counter)
    }

    /// INFORM of what is committed.
    pub(super) fn tell_observers<'a>(
        &self,
        committed: impl Iterator<Item = &'a (Zxid, Bytes)>,
        turn: &mut LeaderTurn<'_>,
    ) {
        if self.hearing(LearnerKind::Observer).next().is_some() {
            turn.outbox.send_links(self.hearing(LearnerKind::Observer), |out| {
                for (zxid, txn) in committed {
                    QuorumPacket::Inform { zxid: *zxid, txn: txn.clone() }.encode(&mut Writer::new(out));
                }
            });
        }
    }

    /// The newest proposal that a quorum has logged, if it is not committed yet.
    fn agreed(&self) -> Option<Zxid> {
        let mut agreed = self.proposals.last_committed;
        let acked =
            self.learners.values().filter(|handler| handler.has_history()).map(|handler| handler.acked);
        for candidate in acked.chain([self.proposals.logged]) {
            if candidate > agreed && self.members.have_quorums(&self.who_logged(candidate)) {
                agreed = candidate;
            }
        }
        (agreed > self.proposals.last_committed).then_some(agreed)
    }

    fn who_logged(&self, zxid: Zxid) -> ServerSet {
        let mut logged = ServerSet::EMPTY;
        if self.proposals.logged >= zxid {
            logged.insert(self.config.me);
        }
        let learners =
            self.learners.values().filter(|handler| handler.has_history() && handler.acked >= zxid);
        for id in learners.filter_map(super::learners::LearnerHandler::follower) {
            logged.insert(id);
        }
        logged
    }

    /// Who takes part: this server, and the followers that have, or are about to have, its history.
    pub(super) fn taking_part(&self) -> ServerSet {
        let learners = self.learners.values().filter(|handler| handler.takes_part());
        learners.filter_map(super::learners::LearnerHandler::follower).chain([self.config.me]).collect()
    }

    /// Whether a learner is told what concerns its clients.
    pub(super) fn is_serving(&self, link: LinkId) -> bool {
        self.learners.get(&link).is_some_and(|handler| handler.step == Step::Serving)
    }
}
