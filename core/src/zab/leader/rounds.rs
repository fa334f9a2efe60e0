//! Rounds of PINGs, and the syncs that wait for them.
//!
//! Who answers a PING follows this leader still, after the PING was sent. When a quorum has answered a round that began after a sync was asked for,
//! no other leader had committed anything by then: what is committed here is all there is, and a read behind the sync is linearizable
//! (Java answers at once, and may be deposed). Java ignores PINGs before UPTODATE and answers every later one in order, so
//! answers are counted, from UPTODATE on.
//!
//! Rounds begin with every half tick, and for syncs as soon as no earlier round is under way: many syncs share one.

use super::learners::Step;
use super::{Leader, LeaderTurn, Phase};
use crate::jute::{Encode as _, QuorumPacket, Writer};
use crate::quorum::ServerSet;
use crate::vocabulary::{LinkId, SessionId, Zxid};
use crate::zab::event::{LeaderEvent, SyncToken};
use std::collections::VecDeque;

/// Who asked for a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// A client of this server.
    Here(SyncToken),
    /// A client of a learner.
    Learner(LinkId),
}

#[derive(Clone, Copy, Debug)]
struct PendingSync {
    asker: Asker,
    /// What was proposed before it is to be committed.
    after: Zxid,
    /// And this round is to be answered.
    round: u64,
}

/// See the module's words.
#[derive(Clone, Debug, Default)]
pub(super) struct Rounds {
    /// The last one that began.
    current: u64,
    /// The last one that a quorum has answered.
    confirmed: u64,
    syncs: VecDeque<PendingSync>,
}

impl Rounds {
    pub(super) fn pending_syncs(&self) -> usize {
        self.syncs.len()
    }
}

impl Leader {
    /// PING to everybody who has been sent the history.
    pub(super) fn begin_round(&mut self, turn: &mut LeaderTurn<'_>) {
        self.rounds.current += 1;
        let round = self.rounds.current;
        let hearing = self.learners.iter_mut().filter(|(_, handler)| handler.is_forwarded_to());
        let links = hearing.map(|(link, handler)| {
            if handler.step == Step::Serving {
                handler.unanswered.push_back(round);
            }
            *link
        });
        let ping = QuorumPacket::Ping { zxid: self.proposals.last_proposed(), touched: None };
        turn.outbox.send_links(links, |out| ping.encode(&mut Writer::new(out)));
    }

    /// The answer to the oldest PING that this learner has not answered.
    pub(super) fn pinged(
        &mut self,
        link: LinkId,
        touched: Option<Vec<(SessionId, i32)>>,
        turn: &mut LeaderTurn<'_>,
    ) {
        let Some(handler) = self.learners.get_mut(&link) else { return };
        if let Some(round) = handler.unanswered.pop_front() {
            handler.answered = round;
        }
        if let Some(touched) = touched.filter(|touched| !touched.is_empty()) {
            turn.events.push(LeaderEvent::Touched(touched));
        }
        if !self.rounds.syncs.is_empty() {
            self.confirm_rounds(turn);
        }
    }

    /// A sync was asked for.
    pub(super) fn add_sync(&mut self, asker: Asker, turn: &mut LeaderTurn<'_>) {
        assert!(matches!(self.phase, Phase::Broadcast), "only an established leader has clients");
        let (after, round) = (self.proposals.last_proposed(), self.rounds.current + 1);
        self.rounds.syncs.push_back(PendingSync { asker, after, round });
        self.confirm_rounds(turn);
    }

    /// Sees which rounds a quorum has answered, answers syncs, and begins a round for those that none was begun for.
    fn confirm_rounds(&mut self, turn: &mut LeaderTurn<'_>) {
        self.confirm();
        let waits = self.rounds.syncs.back().is_some_and(|sync| sync.round > self.rounds.current);
        if waits && self.rounds.confirmed == self.rounds.current {
            self.begin_round(turn);
            // A leader that is a quorum by itself has its own answer.
            self.confirm();
        }
        self.answer_syncs(turn);
    }

    fn confirm(&mut self) {
        let answers = self.learners.values().map(|handler| handler.answered).chain([self.rounds.current]);
        let confirmed = answers.filter(|round| {
            *round > self.rounds.confirmed && self.members.have_quorums(&self.who_answered(*round))
        });
        self.rounds.confirmed = confirmed.max().unwrap_or(self.rounds.confirmed);
    }

    fn who_answered(&self, round: u64) -> ServerSet {
        let learners = self.learners.values().filter(|handler| handler.answered >= round);
        learners.filter_map(super::learners::LearnerHandler::follower).chain([self.config.me]).collect()
    }

    /// Answers the syncs that wait for nothing more, in order.
    pub(super) fn answer_syncs(&mut self, turn: &mut LeaderTurn<'_>) {
        while let Some(sync) = self.rounds.syncs.front() {
            if sync.after > self.proposals.last_committed() || sync.round > self.rounds.confirmed {
                return;
            }
            match sync.asker {
                Asker::Here(token) => turn.events.push(LeaderEvent::Synced(token)),
                Asker::Learner(link) if self.is_serving(link) => {
                    let answer = QuorumPacket::Sync { zxid: Zxid::ZERO };
                    turn.outbox.send_links([link], |out| answer.encode(&mut Writer::new(out)));
                }
                Asker::Learner(_) => {}
            }
            self.rounds.syncs.pop_front();
        }
    }
}
