//! Votes: what a server proposes, in which order candidates stand, and when two votes support the same.

use crate::jute::{Notification, PeerState};
use crate::quorum::Membership;
use crate::vocabulary::{ServerId, Zxid};
use bytes::Bytes;

/// The logical clock of elections. It lives in memory only: a restarted server is pulled up by the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Round(pub i64);

/// Java's `Long.MIN_VALUE`, what a server that can't be elected proposes.
const NOBODY: i64 = i64::MIN;

/// A vote, as one server cast it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The proposed leader; none from servers that do not vote.
    pub leader: Option<ServerId>,
    /// Its last zxid.
    pub zxid: Zxid,
    /// Its current epoch, as on the wire.
    pub peer_epoch: i64,
    /// The round in which the vote was cast.
    pub round: Round,
    /// What the voter is doing.
    pub state: PeerState,
    /// The version of the notification that brought it.
    pub version: i32,
}

impl Vote {
    /// A vote of a server that looks for a leader, for itself.
    pub(super) fn own(leader: ServerId, zxid: Zxid, peer_epoch: i64) -> Self {
        let leader = Some(leader);
        Vote { leader, zxid, peer_epoch, round: Round::default(), state: PeerState::Looking, version: 0 }
    }

    /// A vote of a server that can't be elected.
    pub(super) fn nobody() -> Self {
        Vote { leader: None, ..Vote::own(ServerId(0), Zxid(NOBODY), NOBODY) }
    }

    /// The vote in a notification. A leader whose id is none of ours is nobody.
    pub fn from_notification(notification: &Notification) -> Self {
        Vote {
            leader: u8::try_from(notification.leader).ok().map(ServerId),
            zxid: notification.zxid,
            peer_epoch: notification.peer_epoch,
            round: Round(notification.election_epoch),
            state: notification.state,
            version: if notification.state == PeerState::Looking { 0 } else { notification.version },
        }
    }

    /// As a notification of a server in `state`.
    pub(super) fn to_notification(self, state: PeerState, round: Round, config: Bytes) -> Notification {
        Notification {
            state,
            leader: self.leader.map_or(NOBODY, |leader| i64::from(leader.0)),
            zxid: self.zxid,
            election_epoch: round.0,
            peer_epoch: self.peer_epoch,
            version: 2,
            config,
        }
    }

    /// Whether this candidate is better than the other's: by epoch, zxid, id. One that weighs nothing never is.
    pub fn beats(&self, other: &Vote, membership: &Membership) -> bool {
        let Some(leader) = self.leader else { return false };
        membership.weight(leader) > 0
            && (self.peer_epoch, self.zxid, self.leader) > (other.peer_epoch, other.zxid, other.leader)
    }

    /// Whether both votes support the same leadership. Zxid and round of settled servers differ for reasons of their own
    /// (ZOOKEEPER-1732, -1805), so they count only while one of the two still looks.
    pub fn supports(&self, other: &Vote) -> bool {
        if self.leader != other.leader {
            return false;
        }
        if self.state == PeerState::Looking || other.state == PeerState::Looking {
            return (self.zxid, self.round, self.peer_epoch) == (other.zxid, other.round, other.peer_epoch);
        }
        (self.version == 0) != (other.version == 0) || self.peer_epoch == other.peer_epoch
    }
}
