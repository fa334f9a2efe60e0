//! Discovery: the learner says what it has accepted, hears the leader's epoch, and promises itself to it: durably, before it says so
//! (`quorum-protocol.md` §5.2).

use super::received::Received;
use super::synchronisation::Synchronisation;
use super::{Learner, LearnerTurn, Phase};
use crate::contract::EpochKind;
use crate::jute::{LearnerInfo, QuorumPacket};
use crate::vocabulary::{Epoch, LinkId};
use crate::zab::config::LearnerKind;
use crate::zab::event::LearnerEvent;

/// See the module's words.
#[derive(Clone, Copy, Debug)]
pub(super) enum Discovery {
    /// LEADERINFO is to come.
    Asked,
    /// `acceptedEpoch` is being written.
    Promising(Epoch),
}

impl Discovery {
    fn into_synchronisation(self, epoch: Epoch, received: Received) -> Synchronisation {
        Synchronisation::new(epoch, received)
    }
}

impl Learner {
    /// FOLLOWERINFO or OBSERVERINFO.
    pub(super) fn introduce(&mut self, link: LinkId, turn: &mut LearnerTurn<'_>) {
        let info = LearnerInfo {
            sid: i64::from(self.config.zab.me.0),
            config_version: self.config.config_version.0.0,
            is_quorate: true,
        };
        let accepted_epoch = self.standing.epochs.accepted;
        let packet = match self.config.kind {
            LearnerKind::Follower => QuorumPacket::FollowerInfo { accepted_epoch, info },
            LearnerKind::Observer => QuorumPacket::ObserverInfo { accepted_epoch, info },
        };
        self.send_over(link, &packet, turn.outbox);
    }

    /// LEADERINFO.
    pub(super) fn leader_info(&mut self, epoch: Epoch, turn: &mut LearnerTurn<'_>) {
        let Phase::Discovery(discovery @ Discovery::Asked) = self.phase else {
            return self.fail("LEADERINFO out of turn", turn);
        };
        let accepted = self.standing.epochs.accepted;
        if epoch > Epoch::LAST {
            return self.fail("the leader's epoch is one that nothing can follow", turn);
        }
        if epoch < accepted {
            let reason = format!("the leader's epoch {} is below the accepted one, {}", epoch.0, accepted.0);
            return self.fail(&reason, turn);
        }
        if epoch > accepted {
            self.phase = Phase::Discovery(Discovery::Promising(epoch));
            return turn.events.push(LearnerEvent::StoreEpoch { kind: EpochKind::Accepted, epoch });
        }
        // Accepted before, from whomever: it does not count once more.
        self.promise(discovery, (epoch, None), turn);
    }

    pub(super) fn accepted_epoch_stored(&mut self, epoch: Epoch, turn: &mut LearnerTurn<'_>) {
        let Phase::Discovery(discovery @ Discovery::Promising(promising)) = self.phase else { return };
        if promising == epoch {
            self.standing.epochs.accepted = epoch;
            self.promise(discovery, (epoch, Some(self.standing.epochs.current)), turn);
        }
    }

    /// ACKEPOCH.
    fn promise(
        &mut self,
        discovery: Discovery,
        (epoch, current_epoch): (Epoch, Option<Epoch>),
        turn: &mut LearnerTurn<'_>,
    ) {
        let last_zxid = self.standing.last_zxid;
        let received = Received::new(last_zxid, self.config.kind);
        self.phase = Phase::Synchronisation(discovery.into_synchronisation(epoch, received));
        self.send(&QuorumPacket::AckEpoch { last_zxid, current_epoch }, turn.outbox);
    }
}
