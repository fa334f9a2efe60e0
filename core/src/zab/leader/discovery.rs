//! Discovery: a new epoch, above everything that a quorum has accepted, to which a quorum promises itself (`quorum-protocol.md` §5.2).
//!
//! The epoch is decided when a quorum has said what it has accepted. It is on disk here before anybody hears of it (ZOOKEEPER-1291), and
//! on disk at each learner before that one acknowledges it.

use super::learners::{Introduction, Step};
use super::{Leader, LeaderTurn, Phase};
use crate::contract::EpochKind;
use crate::jute::{Encode as _, LearnerInfo, QuorumPacket, Writer};
use crate::quorum::ServerSet;
use crate::vocabulary::{Epoch, LinkId, Mono, Zxid};
use crate::zab::config::{LearnerKind, NO_HISTORY};
use crate::zab::event::LeaderEvent;

/// What servers have accepted is gathered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Discovery {
    /// The participants who have said so, this one among them.
    pub(super) reported: ServerSet,
    /// The newest epoch that anybody has accepted.
    pub(super) newest: Epoch,
    pub(super) deadline: Mono,
}

/// The epoch is decided, and promises are gathered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Promise {
    /// Whether it is on this server's disk.
    pub(super) is_stored: bool,
    pub(super) promised: ServerSet,
    pub(super) deadline: Mono,
}

impl Discovery {
    fn into_promise(self, deadline: Mono) -> Promise {
        Promise { is_stored: false, promised: ServerSet::EMPTY, deadline }
    }
}

impl Leader {
    /// FOLLOWERINFO or OBSERVERINFO.
    pub(super) fn introduced(
        &mut self,
        link: LinkId,
        kind: LearnerKind,
        (accepted, info): (Epoch, LearnerInfo),
        turn: &mut LeaderTurn<'_>,
    ) {
        if self.is_relay() && kind == LearnerKind::Follower {
            return self.drop_learner(link, "only observers are served here", turn);
        }
        let config_version = self.members.committed().version();
        if info.config_version > config_version.0.0 {
            return self.drop_learner(link, "its configuration is newer than ours", turn);
        }
        if accepted >= Epoch::LAST {
            return self.drop_learner(link, "it has accepted an epoch that nothing can follow", turn);
        }
        if info.sid == i64::from(self.config.me.0) {
            return self.drop_learner(link, "it has this server's id", turn);
        }
        let earlier = self.learners.iter().find(|(other, handler)| {
            **other != link && handler.introduction.is_some_and(|who| who.sid == info.sid)
        });
        if let Some((earlier, _)) = earlier {
            let earlier = *earlier;
            self.drop_learner(earlier, "the same server connected again", turn);
        }
        let Some(handler) = self.learners.get_mut(&link) else { return };
        if handler.step != Step::Connected {
            return self.drop_learner(link, "it introduced itself twice", turn);
        }
        handler.introduction = Some(Introduction { sid: info.sid, kind, is_quorate: info.is_quorate });
        handler.step = Step::Introduced;
        handler.deadline = None;
        let voter = handler.follower().filter(|id| self.members.committed().is_voter(*id));
        if let Phase::Discovery(discovery) = &mut self.phase {
            discovery.newest = discovery.newest.max(accepted);
            if let Some(voter) = voter {
                discovery.reported.insert(voter);
            }
            return self.decide_epoch(turn);
        }
        if accepted > self.epoch && voter.is_some() {
            return self.overtaken(accepted, turn);
        }
        if !matches!(self.phase, Phase::Promise(Promise { is_stored: false, .. })) {
            self.inform(turn);
        }
    }

    /// A voter has promised itself beyond this epoch, to a leader that came to nothing: it could never follow in this one. Java leaves
    /// it outside for as long as this leader lives. The next epoch is beyond its promise wherever this server's word counts.
    fn overtaken(&mut self, accepted: Epoch, turn: &mut LeaderTurn<'_>) {
        turn.events.push(LeaderEvent::StoreEpoch { kind: EpochKind::Accepted, epoch: accepted });
        self.give_up(format!("a voter has accepted epoch {}, ours is {}", accepted.0, self.epoch.0), turn);
    }

    /// Decides the epoch once a quorum has said what it has accepted.
    pub(super) fn decide_epoch(&mut self, turn: &mut LeaderTurn<'_>) {
        let Phase::Discovery(discovery) = self.phase else { return };
        if !self.members.committed().is_quorum(&discovery.reported) {
            return;
        }
        // This server's own: nobody else's is let in.
        if discovery.newest >= Epoch::LAST {
            return self.give_up("no epoch can follow the accepted one".to_owned(), turn);
        }
        self.epoch = Epoch(discovery.newest.0 + 1);
        self.phase = Phase::Promise(discovery.into_promise(turn.now + self.config.init_span()));
        turn.events.push(LeaderEvent::StoreEpoch { kind: EpochKind::Accepted, epoch: self.epoch });
    }

    /// `acceptedEpoch` is on disk: this server's own promise, and everybody may hear of the epoch.
    pub(super) fn accepted_epoch_stored(&mut self, turn: &mut LeaderTurn<'_>) {
        let Phase::Promise(promise) = &mut self.phase else { return };
        promise.is_stored = true;
        promise.promised.insert(self.config.me);
        self.inform(turn);
        self.end_discovery(turn);
    }

    /// LEADERINFO to everybody who waits for it.
    fn inform(&mut self, turn: &mut LeaderTurn<'_>) {
        let deadline = turn.now + self.config.init_span();
        let waiting = self.learners.iter_mut().filter(|(_, handler)| handler.step == Step::Introduced);
        let links = waiting.map(|(link, handler)| {
            handler.step = Step::Informed;
            handler.deadline = Some(deadline);
            *link
        });
        let packet = QuorumPacket::LeaderInfo { epoch: self.epoch };
        turn.outbox.send_links(links, |out| packet.encode(&mut Writer::new(out)));
    }

    /// ACKEPOCH. What does not count, because its sender has accepted this epoch before, is synchronised all the same.
    pub(super) fn epoch_acked(
        &mut self,
        link: LinkId,
        last_zxid: Zxid,
        current: Option<Epoch>,
        turn: &mut LeaderTurn<'_>,
    ) {
        let Some(handler) = self.learners.get_mut(&link) else { return };
        if handler.step != Step::Informed {
            return self.drop_learner(link, "it acknowledged an epoch out of turn", turn);
        }
        handler.step = Step::EpochAcked(last_zxid);
        handler.deadline = None;
        let follower = handler.follower();
        let Phase::Promise(promise) = &mut self.phase else {
            return self.synchronise(link, turn);
        };
        let ours = (self.standing.epochs.current, self.standing.last_zxid);
        if current.is_some_and(|current| (current, last_zxid) > ours) {
            return self.drop_learner(link, "its history is ahead of ours", turn);
        }
        if let (Some(follower), Some(_)) = (follower, current)
            && last_zxid != NO_HISTORY
        {
            promise.promised.insert(follower);
            self.end_discovery(turn);
        }
    }

    /// Goes on once a quorum has promised itself.
    fn end_discovery(&mut self, turn: &mut LeaderTurn<'_>) {
        let Phase::Promise(promise) = self.phase else { return };
        if promise.is_stored && self.members.have_quorums(&promise.promised) {
            self.begin_synchronisation(promise, turn);
        }
    }
}
