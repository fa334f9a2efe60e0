//! The leader.

use super::committed_log::CommittedLog;
use super::config::{LearnerKind, Standing, ZabConfig};
use super::event::{LeaderEvent, SyncToken};
use crate::contract::{EpochKind, LoadId, Outbox};
use crate::jute::QuorumPacket;
use crate::quorum::Memberships;
use crate::tree::SnapshotImage;
use crate::vocabulary::{Epoch, LinkId, Mono, ServerId, SessionId, Zxid};
use bytes::Bytes;

/// What learners are synchronised from.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// Every txn that was committed, up to the last one that this leader said is; the newest of them.
    pub committed_log: &'a CommittedLog,
    /// The database: at or behind the end of `committed_log`, and not behind its beginning.
    pub image: &'a dyn Fn() -> SnapshotImage,
}

/// What one call of a leader works with.
pub struct LeaderTurn<'a> {
    /// The time.
    pub now: Mono,
    /// What learners are synchronised from.
    pub ground: Ground<'a>,
    /// Where packets go.
    pub outbox: &'a mut Outbox,
    /// What the leader wants.
    pub events: &'a mut Vec<LeaderEvent>,
}

/// How far a leader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaderPhase {
    /// A quorum is to promise itself to a new epoch.
    Discovery,
    /// A quorum is to take over the history.
    Synchronisation,
    /// It serves.
    Broadcast,
    /// It has given up, or was told to stop.
    Ended,
}

/// One learner, to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerView {
    /// Its link.
    pub link: LinkId,
    /// As it calls itself.
    pub sid: i64,
    /// What it is.
    pub kind: LearnerKind,
    /// Whether it was told that it is up to date.
    pub is_synced: bool,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub struct Leader {
    config: ZabConfig,
    members: Memberships,
    epoch: Epoch,
    phase: LeaderPhase,
    last_proposed: Zxid,
    last_committed: Zxid,
}

impl Leader {
    /// A leader that was just elected. Its history is durable, all of it is in the database and the newest of it in the committed log.
    pub fn new(
        config: ZabConfig,
        members: Memberships,
        standing: Standing,
        turn: &mut LeaderTurn<'_>,
    ) -> Self {
        let _ = turn;
        Leader {
            config,
            members,
            epoch: standing.epochs.accepted,
            phase: LeaderPhase::Discovery,
            last_proposed: standing.last_zxid,
            last_committed: standing.last_zxid,
        }
    }

    /// Somebody connected to the quorum port.
    pub fn accepted(&mut self, link: LinkId, turn: &mut LeaderTurn<'_>) {
        let _ = (link, turn);
    }

    /// A learner's link is gone.
    pub fn closed(&mut self, link: LinkId, reason: &str, turn: &mut LeaderTurn<'_>) {
        let _ = (link, reason, turn);
    }

    /// So many bytes wait to be written to a learner.
    pub fn backlog(&mut self, link: LinkId, bytes: usize, turn: &mut LeaderTurn<'_>) {
        let _ = (link, bytes, turn);
    }

    /// A learner said something.
    pub fn packet(&mut self, link: LinkId, packet: QuorumPacket, turn: &mut LeaderTurn<'_>) {
        let _ = (link, packet, turn);
    }

    /// An epoch file that was asked for is written.
    pub fn epoch_stored(&mut self, kind: EpochKind, turn: &mut LeaderTurn<'_>) {
        let _ = (kind, turn);
    }

    /// Whether this epoch has room for one more txn; without it the role ends when what was proposed is committed.
    pub fn has_room(&self) -> bool {
        self.last_proposed.counter() < u32::MAX - 1
    }

    /// A txn was prepared, and is being logged: the one behind [`Leader::last_proposed`], or the first of the epoch.
    pub fn propose(&mut self, zxid: Zxid, txn: Bytes, turn: &mut LeaderTurn<'_>) {
        let _ = (zxid, txn, turn);
    }

    /// This server's own log is durable up to `zxid`.
    pub fn logged(&mut self, zxid: Zxid, turn: &mut LeaderTurn<'_>) {
        let _ = (zxid, turn);
    }

    /// A client of this server wants everything that is committed anywhere by now; answered by [`LeaderEvent::Synced`], in order.
    pub fn sync(&mut self, token: SyncToken, turn: &mut LeaderTurn<'_>) {
        let _ = (token, turn);
    }

    /// The answer to [`LeaderEvent::Revalidate`].
    pub fn revalidated(&mut self, link: LinkId, session: SessionId, valid: bool, outbox: &mut Outbox) {
        let _ = (link, session, valid, outbox);
    }

    /// The answer to an `Output::Load` of this leader; of another one it is nothing.
    pub fn loaded(&mut self, id: LoadId, txns: Option<Vec<Bytes>>, turn: &mut LeaderTurn<'_>) {
        let _ = (id, txns, turn);
    }

    /// When [`Leader::timeout`] has something to do.
    pub fn next_timeout(&self) -> Option<Mono> {
        None
    }

    /// That time has come.
    pub fn timeout(&mut self, turn: &mut LeaderTurn<'_>) {
        let _ = turn;
    }

    /// The role ends: every link is closed.
    pub fn stop(&mut self, outbox: &mut Outbox) {
        let _ = outbox;
        self.phase = LeaderPhase::Ended;
    }

    /// This server.
    pub fn me(&self) -> ServerId {
        self.config.me
    }

    /// The epoch that it leads in, once that is decided; before, the one that this server has accepted.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// How far it is.
    pub fn phase(&self) -> LeaderPhase {
        self.phase
    }

    /// Who learns from it.
    pub fn learners(&self) -> impl Iterator<Item = LearnerView> + '_ {
        std::iter::empty()
    }

    /// The configurations that it leads under.
    pub fn members(&self) -> &Memberships {
        &self.members
    }

    /// How many proposals are not committed yet.
    pub fn outstanding(&self) -> usize {
        0
    }

    /// The last proposal, or the end of its first history.
    pub fn last_proposed(&self) -> Zxid {
        self.last_proposed
    }

    /// The last txn that it said is committed, or the end of its first history.
    pub fn last_committed(&self) -> Zxid {
        self.last_committed
    }

    /// How many syncs wait.
    pub fn pending_syncs(&self) -> usize {
        0
    }
}
