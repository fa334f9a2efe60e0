//! The learner, a follower or an observer, from the end of an election to the end of its role (`quorum-protocol.md` §5, §6).
//!
//! | phase | it waits for | file |
//! |---|---|---|
//! | `Dialling` | a connection | `dialling.rs` |
//! | `Discovery` | LEADERINFO, then its own `acceptedEpoch` | `discovery.rs` |
//! | `Synchronisation` | the leader's history, its own log, its own `currentEpoch`, UPTODATE | `synchronisation.rs` |
//! | `Broadcast` | nothing: it logs, acknowledges and applies | `broadcast.rs` |
//!
//! What a follower gets NEWLEADER for is durable before `currentEpoch` is, and that before it acknowledges: `received.rs` keeps what is
//! appended, committed and acknowledged.
//!
//! Caveats: a change of the ensemble's configuration under way ends the process, before anything of it is acknowledged; a
//! finished one is history.

mod broadcast;
mod dialling;
mod discovery;
mod received;
mod synchronisation;

use self::broadcast::Broadcast;
use self::dialling::Dialling;
use self::discovery::Discovery;
use self::received::Misfit;
use self::synchronisation::Synchronisation;
use super::config::{LearnerConfig, Standing};
use super::event::LearnerEvent;
use crate::contract::{EpochKind, ExitCode, Outbox, Output, Port};
use crate::jute::{Encode as _, ForwardedRequest, QuorumPacket, Writer};
use crate::tree::Database;
use crate::vocabulary::{Epoch, LinkId, Millis, Mono, ServerId, SessionId, Zxid};

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

#[derive(Clone, Debug)]
enum Phase {
    Dialling(Dialling),
    Discovery(Discovery),
    Synchronisation(Synchronisation),
    Broadcast(Broadcast),
    Ended,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub struct Learner {
    config: LearnerConfig,
    /// What this server came with, brought up to date as epochs and a new beginning of its history are stored.
    standing: Standing,
    phase: Phase,
    link: Option<LinkId>,
    /// How often the leader was called.
    dials: u32,
    /// When the leader was last heard of.
    heard: Mono,
}

impl Learner {
    /// A learner that just learned who leads; it dials.
    pub fn new(config: LearnerConfig, standing: Standing, turn: &mut LearnerTurn<'_>) -> Self {
        turn.outbox.push(Output::Dial { port: config.port, to: config.leader });
        let phase = Phase::Dialling(Dialling::new(turn.now + config.zab.init_span()));
        Learner { config, standing, phase, link: None, dials: 1, heard: turn.now }
    }

    /// The leader's quorum port answered. False: the link is not wanted (any more), and whoever asks closes it.
    #[must_use]
    pub fn dialled(&mut self, link: LinkId, turn: &mut LearnerTurn<'_>) -> bool {
        let is_wanted = matches!(self.phase, Phase::Dialling(_));
        if is_wanted {
            self.heard = turn.now;
            self.dial_answered(link, turn);
        }
        is_wanted
    }

    /// It did not.
    pub fn dial_failed(&mut self, reason: &str, turn: &mut LearnerTurn<'_>) {
        self.dial_refused(reason, turn);
    }

    /// The link is gone; of any other than this learner's it is nothing.
    pub fn closed(&mut self, link: LinkId, reason: &str, turn: &mut LearnerTurn<'_>) {
        if self.link != Some(link) {
            return;
        }
        self.link = None;
        let reason = format!("the leader's connection has ended: {reason}");
        // Whoever waits for a quorum that does not come hangs up at about the time at which silence would be enough.
        let was_silent = self.heard + Millis(self.config.zab.init_span().0 / 2) <= turn.now;
        match self.phase {
            Phase::Discovery(Discovery::Asked) if self.config.port == Port::ObserverMaster => {
                self.turned_away(&reason, turn);
            }
            Phase::Discovery(_) | Phase::Synchronisation(_) if was_silent => self.unreachable(reason, turn),
            _ => self.fail(&reason, turn),
        }
    }

    /// The leader said something.
    pub fn packet(&mut self, packet: QuorumPacket, turn: &mut LearnerTurn<'_>) {
        self.heard = turn.now;
        match (&self.phase, packet) {
            (Phase::Dialling(_) | Phase::Ended, _) => {}
            (Phase::Discovery(_), QuorumPacket::LeaderInfo { epoch }) => self.leader_info(epoch, turn),
            (Phase::Discovery(_), packet) => {
                self.fail(&format!("{packet:?} before the epoch was acknowledged"), turn);
            }
            (Phase::Synchronisation(_), packet) => self.synchronising(packet, turn),
            (Phase::Broadcast(_), packet) => self.hear(packet, turn),
        }
    }

    /// The leader sent its database.
    pub fn snapshot(&mut self, database: Box<Database>, turn: &mut LearnerTurn<'_>) {
        self.heard = turn.now;
        self.replace(database, turn);
    }

    /// A part of the leader's database came: it is alive.
    pub fn heard(&mut self, now: Mono) {
        self.heard = now;
    }

    /// An epoch file that was asked for is written; what another role had asked for is nothing here.
    pub fn epoch_stored(&mut self, kind: EpochKind, epoch: Epoch, turn: &mut LearnerTurn<'_>) {
        match kind {
            EpochKind::Accepted => self.accepted_epoch_stored(epoch, turn),
            EpochKind::Current => self.current_epoch_stored(epoch, turn),
        }
    }

    /// The log is cut, and ends in `last_zxid` now.
    pub fn truncated(&mut self, last_zxid: Zxid, turn: &mut LearnerTurn<'_>) {
        self.log_truncated(last_zxid, turn);
    }

    /// Everything that was asked of the log before [`LearnerEvent::HistoryComplete`] is durable.
    pub fn history_stored(&mut self, turn: &mut LearnerTurn<'_>) {
        self.history_durable(turn);
    }

    /// The log is durable up to `zxid`.
    pub fn logged(&mut self, zxid: Zxid, outbox: &mut Outbox) {
        match &mut self.phase {
            Phase::Synchronisation(sync) => sync.received.logged(zxid),
            Phase::Broadcast(broadcast) => broadcast.received.logged(zxid),
            Phase::Dialling(_) | Phase::Discovery(_) | Phase::Ended => {}
        }
        self.acknowledge(outbox);
    }

    /// Acknowledges proposals, once NEWLEADER is acknowledged: a leader takes the first one for that.
    fn acknowledge(&mut self, outbox: &mut Outbox) {
        let Some(link) = self.link else { return };
        match &mut self.phase {
            Phase::Synchronisation(sync) if sync.is_acknowledged() => sync.received.acknowledge(link, outbox),
            Phase::Broadcast(broadcast) => broadcast.received.acknowledge(link, outbox),
            _ => {}
        }
    }

    /// The answer to [`LearnerEvent::Ping`].
    pub fn answer_ping(&mut self, zxid: Zxid, touched: Vec<(SessionId, i32)>, outbox: &mut Outbox) {
        self.send_in_broadcast(&QuorumPacket::Ping { zxid, touched: Some(touched) }, outbox);
    }

    /// A client wants something that the leader decides; a `sync` among them is answered by [`LearnerEvent::Synced`].
    pub fn request(&mut self, request: ForwardedRequest, outbox: &mut Outbox) {
        self.send_in_broadcast(&QuorumPacket::Request(request), outbox);
    }

    /// A session came here from another server; answered by [`LearnerEvent::Revalidated`].
    pub fn revalidate(&mut self, session: SessionId, timeout: i32, outbox: &mut Outbox) {
        self.send_in_broadcast(&QuorumPacket::Revalidate { session, timeout }, outbox);
    }

    /// Nothing of a client leaves before UPTODATE, or after the role has ended.
    fn send_in_broadcast(&self, packet: &QuorumPacket, outbox: &mut Outbox) {
        if matches!(self.phase, Phase::Broadcast(_)) {
            self.send(packet, outbox);
        }
    }

    fn send(&self, packet: &QuorumPacket, outbox: &mut Outbox) {
        if let Some(link) = self.link {
            self.send_over(link, packet, outbox);
        }
    }

    fn send_over(&self, link: LinkId, packet: &QuorumPacket, outbox: &mut Outbox) {
        outbox.send_links([link], |out| packet.encode(&mut Writer::new(out)));
    }

    /// When [`Learner::timeout`] has something to do.
    pub fn next_timeout(&self) -> Option<Mono> {
        match &self.phase {
            Phase::Dialling(dialling) => Some(dialling.next_timeout()),
            Phase::Discovery(_) | Phase::Synchronisation(_) => Some(self.heard + self.config.zab.init_span()),
            Phase::Broadcast(_) => Some(self.heard + self.config.zab.sync_span()),
            Phase::Ended => None,
        }
    }

    /// That time has come.
    pub fn timeout(&mut self, turn: &mut LearnerTurn<'_>) {
        if self.next_timeout().is_none_or(|at| at > turn.now) {
            return;
        }
        match &self.phase {
            Phase::Dialling(_) => self.dial_timeout(turn),
            Phase::Broadcast(_) => self.fail("nothing was heard of the leader within syncLimit", turn),
            _ => self.unreachable("nothing was heard of the leader within initLimit".to_owned(), turn),
        }
    }

    /// The role ends: the link is closed.
    pub fn stop(&mut self, outbox: &mut Outbox) {
        self.phase = Phase::Ended;
        if let Some(link) = self.link.take() {
            outbox.push(Output::CloseLink { link });
        }
    }

    fn fail(&mut self, reason: &str, turn: &mut LearnerTurn<'_>) {
        if !matches!(self.phase, Phase::Ended) {
            self.phase = Phase::Ended;
            turn.events.push(LearnerEvent::Failed { reason: reason.to_owned() });
        }
    }

    /// Another election may choose the same leader, and that would end the same way.
    fn unreachable(&mut self, reason: String, turn: &mut LearnerTurn<'_>) {
        if !matches!(self.phase, Phase::Ended) {
            self.phase = Phase::Ended;
            turn.events.push(LearnerEvent::Unreachable { reason });
        }
    }

    fn exit(&mut self, code: ExitCode, reason: String, turn: &mut LearnerTurn<'_>) {
        self.phase = Phase::Ended;
        turn.events.push(LearnerEvent::Fatal { code, reason });
    }

    fn end_if_misfit(&mut self, result: Result<(), Misfit>, turn: &mut LearnerTurn<'_>) {
        if let Err(misfit) = result {
            self.end_by(misfit, turn);
        }
    }

    fn end_by(&mut self, misfit: Misfit, turn: &mut LearnerTurn<'_>) {
        match misfit {
            Misfit::Gap(reason) => self.fail(&reason, turn),
            // Nothing of it was served before UPTODATE: synchronising anew mends it.
            Misfit::UnmatchedCommit(reason) if !matches!(self.phase, Phase::Broadcast(_)) => {
                self.fail(&reason, turn);
            }
            Misfit::UnmatchedCommit(reason) => self.exit(ExitCode::UnmatchedCommit, reason, turn),
            Misfit::Reconfig(zxid) => {
                let reason = format!(
                    "the leader changes the ensemble's configuration ({zxid}), which this server can't follow: start it again \
                     when that is done, with the new configuration"
                );
                self.exit(ExitCode::UnexpectedError, reason, turn);
            }
        }
    }
}

/// Views.
impl Learner {
    /// Whom it learns from.
    pub fn leader(&self) -> ServerId {
        self.config.leader
    }

    /// At which of its ports.
    pub fn port(&self) -> Port {
        self.config.port
    }

    /// Its link, while there is one.
    pub fn link(&self) -> Option<LinkId> {
        self.link
    }

    /// The leader's epoch, once it is accepted; before, the one that this server has accepted.
    pub fn epoch(&self) -> Epoch {
        match &self.phase {
            Phase::Synchronisation(sync) => sync.epoch,
            Phase::Broadcast(broadcast) => broadcast.epoch,
            Phase::Dialling(_) | Phase::Discovery(_) | Phase::Ended => self.standing.epochs.accepted,
        }
    }

    /// The end of what was appended.
    pub fn last_appended(&self) -> Zxid {
        match &self.phase {
            Phase::Synchronisation(sync) => sync.received.last(),
            Phase::Broadcast(broadcast) => broadcast.received.last(),
            Phase::Dialling(_) | Phase::Discovery(_) | Phase::Ended => self.standing.last_zxid,
        }
    }

    /// How far it is.
    pub fn phase(&self) -> LearnerPhase {
        match &self.phase {
            Phase::Dialling(_) => LearnerPhase::Dialling,
            Phase::Discovery(_) => LearnerPhase::Discovery,
            Phase::Synchronisation(_) => LearnerPhase::Synchronisation,
            Phase::Broadcast(_) => LearnerPhase::Broadcast,
            Phase::Ended => LearnerPhase::Ended,
        }
    }
}
