//! Broadcast: proposals are logged and acknowledged, commits are applied, and clients' business goes to the leader and back
//! (`quorum-protocol.md` §6.2, §6.3).

use super::received::{Misfit, Received, is_reconfig};
use super::{Learner, LearnerTurn, Phase};
use crate::jute::QuorumPacket;
use crate::vocabulary::{Epoch, Zxid};
use crate::zab::config::LearnerKind;
use crate::zab::event::LearnerEvent;
use bytes::Bytes;

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) struct Broadcast {
    pub(super) epoch: Epoch,
    pub(super) received: Received,
}

impl Broadcast {
    /// A txn of this epoch that may come next, and changes no configuration (A2).
    fn admit(&self, zxid: Zxid, txn: &Bytes) -> Result<(), Misfit> {
        if zxid.epoch() != self.epoch {
            return Err(Misfit::Gap(format!("{zxid} was proposed in epoch {}", self.epoch.0)));
        }
        if is_reconfig(txn) { Err(Misfit::Reconfig(zxid)) } else { Ok(()) }
    }
}

impl Learner {
    /// Any packet after UPTODATE.
    pub(super) fn hear(&mut self, packet: QuorumPacket, turn: &mut LearnerTurn<'_>) {
        let Phase::Broadcast(broadcast) = &mut self.phase else { return };
        let is_follower = self.config.kind == LearnerKind::Follower;
        let result = match packet {
            QuorumPacket::Proposal { zxid, txn } if is_follower => {
                broadcast.admit(zxid, &txn).and_then(|()| broadcast.received.append(zxid, txn, turn))
            }
            QuorumPacket::Commit { zxid } if is_follower => broadcast.received.commit(zxid, turn),
            QuorumPacket::Inform { zxid, txn } if !is_follower => {
                broadcast.admit(zxid, &txn).and_then(|()| broadcast.received.inform(zxid, txn, turn))
            }
            QuorumPacket::CommitAndActivate { zxid, .. } | QuorumPacket::InformAndActivate { zxid, .. } => {
                Err(Misfit::Reconfig(zxid))
            }
            QuorumPacket::Ping { zxid, .. } => {
                turn.events.push(LearnerEvent::Ping { zxid });
                Ok(())
            }
            QuorumPacket::Sync { .. } => {
                turn.events.push(LearnerEvent::Synced);
                Ok(())
            }
            QuorumPacket::Revalidated { session, valid } => {
                turn.events.push(LearnerEvent::Revalidated { session, valid });
                Ok(())
            }
            // Java warns of anything else and goes on.
            _ => Ok(()),
        };
        self.end_if_misfit(result, turn);
    }
}
