//! What happens every half tick: PINGs, learners that are late, phases that take too long, and whether a quorum is still there
//! (`quorum-protocol.md` §6.4).

use super::learners::{LearnerHandler, Step};
use super::{Leader, LeaderTurn, Phase};
use crate::vocabulary::{LinkId, Millis, Mono, Zxid};
use crate::zab::config::LearnerKind;
use std::collections::VecDeque;

/// The rhythm, and what was proposed at each beat.
#[derive(Clone, Debug)]
pub(super) struct Timers {
    pub(super) next: Mono,
    beats: u64,
    /// At each time everything up to this zxid had been proposed; the first is the newest that is older than `syncLimit`.
    marks: VecDeque<(Mono, Zxid)>,
}

impl Timers {
    pub(super) fn new(next: Mono) -> Self {
        Timers { next, beats: 0, marks: VecDeque::new() }
    }
}

impl Leader {
    pub(super) fn half_tick(&self) -> Millis {
        Millis((self.config.tick.0 / 2).max(1))
    }

    pub(super) fn beat(&mut self, turn: &mut LeaderTurn<'_>) {
        self.timers.next = turn.now + self.half_tick();
        self.timers.beats += 1;
        self.drop_late_learners(turn);
        self.note_silent_learners(turn.now);
        match self.phase {
            Phase::Discovery(discovery) if discovery.deadline <= turn.now => {
                self.give_up("no quorum has connected within initLimit".to_owned(), turn);
            }
            Phase::Promise(promise) if promise.deadline <= turn.now => {
                self.give_up("no quorum has acknowledged the epoch within initLimit".to_owned(), turn);
            }
            Phase::Synchronisation(sync) if sync.deadline <= turn.now => {
                self.give_up("no quorum has taken over the history within initLimit".to_owned(), turn);
            }
            Phase::Synchronisation(_) | Phase::Relay => self.begin_round(turn),
            Phase::Broadcast if self.has_used_up_its_zxids() => {
                self.give_up("the zxids of this epoch are used up".to_owned(), turn);
            }
            Phase::Broadcast => self.beat_of_broadcast(turn),
            Phase::Discovery(_) | Phase::Promise(_) | Phase::Ended => {}
        }
    }

    fn beat_of_broadcast(&mut self, turn: &mut LeaderTurn<'_>) {
        self.drop_slow_loggers(turn);
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        // A follower that lost its connection has up to a tick to come back.
        if self.timers.beats.is_multiple_of(2) && !self.has_quorum() {
            return self.give_up("no quorum of followers is heard of".to_owned(), turn);
        }
        self.begin_round(turn);
    }

    fn drop_late_learners(&mut self, turn: &mut LeaderTurn<'_>) {
        let is_late = |handler: &LearnerHandler| handler.deadline.is_some_and(|at| at <= turn.now);
        let late = self.learners.iter().filter(|(_, handler)| is_late(handler));
        let late: Vec<(LinkId, Step)> = late.map(|(link, handler)| (*link, handler.step)).collect();
        for (link, step) in late {
            let reason = match step {
                Step::Connected => "it did not introduce itself within initLimit",
                Step::Serving => "nothing was heard of it within syncLimit",
                _ => "it did not take over the history within initLimit",
            };
            self.drop_learner(link, reason, turn);
        }
    }

    /// A database may take a learner long, and there is time for that. But a leader that may have been cut off must not believe for so long
    /// that it has a quorum: it counts on a learner that says nothing as long as Java does.
    fn note_silent_learners(&mut self, now: Mono) {
        let (init_span, sync_span) = (self.config.init_span(), self.config.sync_span());
        for handler in self.learners.values_mut() {
            handler.is_silent = handler.silent_since + init_span + sync_span <= now;
        }
    }

    /// Whoever has not logged what was proposed longer ago than `syncLimit` is given up, this server too.
    fn drop_slow_loggers(&mut self, turn: &mut LeaderTurn<'_>) {
        let sync_span = self.config.sync_span();
        self.timers.marks.push_back((turn.now, self.proposals.last_proposed()));
        while self.timers.marks.get(1).is_some_and(|(at, _)| *at + sync_span <= turn.now) {
            self.timers.marks.pop_front();
        }
        let Some((at, zxid)) =
            self.timers.marks.front().filter(|(at, _)| *at + sync_span <= turn.now).copied()
        else {
            return;
        };
        if self.proposals.logged() < zxid {
            return self.give_up(format!("{zxid} could not be logged here within syncLimit"), turn);
        }
        let is_slow = |handler: &LearnerHandler| {
            handler.step == Step::Serving
                && handler.is(LearnerKind::Follower)
                && handler.serving_since <= at
                && handler.acked < zxid
        };
        let slow = self.learners.iter().filter(|(_, handler)| is_slow(handler));
        let slow: Vec<LinkId> = slow.map(|(link, _)| *link).collect();
        for link in slow {
            self.drop_learner(link, "it did not log a proposal within syncLimit", turn);
        }
    }
}
