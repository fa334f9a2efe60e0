//! The learner: a follower or an observer.

use super::config::{LearnerConfig, Standing};
use super::event::LearnerEvent;
use crate::contract::{EpochKind, Outbox, Output, Port};
use crate::jute::{ForwardedRequest, QuorumPacket};
use crate::tree::Database;
use crate::vocabulary::{Epoch, LinkId, Mono, ServerId, SessionId, Zxid};

/// What one call of a learner works with.
pub struct LearnerTurn<'a> {
    /// The time.
    pub now: Mono,
    /// Where packets go.
    pub outbox: &'a mut Outbox,
    /// What the learner wants.
    pub events: &'a mut Vec<LearnerEvent>,
}

/// How far a learner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LearnerPhase {
    /// It is connecting to its leader.
    Dialling,
    /// It promises itself to the leader's epoch.
    Discovery,
    /// It takes over the leader's history.
    Synchronisation,
    /// It serves.
    Broadcast,
    /// It has given up, or was told to stop.
    Ended,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub struct Learner {
    config: LearnerConfig,
    standing: Standing,
    phase: LearnerPhase,
}

impl Learner {
    /// A learner that just learned who leads; it dials.
    pub fn new(config: LearnerConfig, standing: Standing, turn: &mut LearnerTurn<'_>) -> Self {
        turn.outbox.push(Output::Dial { port: Port::Quorum, to: config.leader });
        Learner { config, standing, phase: LearnerPhase::Dialling }
    }

    /// The leader's quorum port answered. False: the link is not wanted (any more), and whoever asks closes it.
    pub fn dialled(&mut self, link: LinkId, turn: &mut LearnerTurn<'_>) -> bool {
        let _ = (link, turn);
        false
    }

    /// It did not.
    pub fn dial_failed(&mut self, reason: &str, turn: &mut LearnerTurn<'_>) {
        let _ = (reason, turn);
    }

    /// The link is gone; of any other than this learner's it is nothing.
    pub fn closed(&mut self, link: LinkId, reason: &str, turn: &mut LearnerTurn<'_>) {
        let _ = (link, reason, turn);
    }

    /// The leader said something.
    pub fn packet(&mut self, packet: QuorumPacket, turn: &mut LearnerTurn<'_>) {
        let _ = (packet, turn);
    }

    /// The leader sent its database.
    pub fn snapshot(&mut self, database: Box<Database>, turn: &mut LearnerTurn<'_>) {
        let _ = (database, turn);
    }

    /// A part of the leader's database came: it is alive.
    pub fn heard(&mut self, now: Mono) {
        let _ = now;
    }

    /// An epoch file that was asked for is written.
    pub fn epoch_stored(&mut self, kind: EpochKind, turn: &mut LearnerTurn<'_>) {
        let _ = (kind, turn);
    }

    /// The log is cut, and ends in `last_zxid` now.
    pub fn truncated(&mut self, last_zxid: Zxid, turn: &mut LearnerTurn<'_>) {
        let _ = (last_zxid, turn);
    }

    /// Everything that was asked of the log before [`LearnerEvent::HistoryComplete`] is durable.
    pub fn history_stored(&mut self, turn: &mut LearnerTurn<'_>) {
        let _ = turn;
    }

    /// The log is durable up to `zxid`.
    pub fn logged(&mut self, zxid: Zxid, outbox: &mut Outbox) {
        let _ = (zxid, outbox);
    }

    /// The answer to [`LearnerEvent::Ping`].
    pub fn answer_ping(&mut self, zxid: Zxid, touched: Vec<(SessionId, i32)>, outbox: &mut Outbox) {
        let _ = (zxid, touched, outbox);
    }

    /// A client wants something that the leader decides; a `sync` among them is answered by [`LearnerEvent::Synced`].
    pub fn request(&mut self, request: ForwardedRequest, outbox: &mut Outbox) {
        let _ = (request, outbox);
    }

    /// A session came here from another server; answered by [`LearnerEvent::Revalidated`].
    pub fn revalidate(&mut self, session: SessionId, timeout: i32, outbox: &mut Outbox) {
        let _ = (session, timeout, outbox);
    }

    /// When [`Learner::timeout`] has something to do.
    pub fn next_timeout(&self) -> Option<Mono> {
        None
    }

    /// That time has come.
    pub fn timeout(&mut self, turn: &mut LearnerTurn<'_>) {
        let _ = turn;
    }

    /// The role ends: the link is closed.
    pub fn stop(&mut self, outbox: &mut Outbox) {
        let _ = outbox;
        self.phase = LearnerPhase::Ended;
    }

    /// Whom it learns from.
    pub fn leader(&self) -> ServerId {
        self.config.leader
    }

    /// Its link, while there is one.
    pub fn link(&self) -> Option<LinkId> {
        None
    }

    /// The leader's epoch, once it is accepted; before, the one that this server has accepted.
    pub fn epoch(&self) -> Epoch {
        self.standing.epochs.accepted
    }

    /// How far it is.
    pub fn phase(&self) -> LearnerPhase {
        self.phase
    }
}
