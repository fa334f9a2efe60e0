//! The leader, from its election to its end (`quorum-protocol.md` §5, §6).
//!
//! | phase | it waits for | file |
//! |---|---|---|
//! | `Discovery` | a quorum's FOLLOWERINFO: what has been accepted | `discovery.rs` |
//! | `Promise` | a quorum's ACKEPOCH, its own `acceptedEpoch` first | `discovery.rs` |
//! | `Synchronisation` | a quorum's ACK of NEWLEADER, its own `currentEpoch` first | `synchronisation.rs` |
//! | broadcast | nothing: it proposes and commits | `broadcast.rs`, `rounds.rs` |
//!
//! `observer_master.rs` is a follower in a leader's place, for observers.
//!
//! Each learner goes its own way through them (`learners.rs`), at its own time; what a phase decides moves everybody who waits for it.
//!
//! Caveats: it proposes no reconfiguration; the number of snapshots under way is not limited, since freezing one costs next to
//! nothing; there is no early end of discovery for voters that changed their mind (ZOOKEEPER-3109).

mod broadcast;
mod discovery;
mod learners;
mod observer_master;
mod rounds;
mod synchronisation;
mod timers;

pub use self::broadcast::ProposalSizes;
use self::broadcast::Proposals;
use self::discovery::{Discovery, Promise};
use self::learners::{LearnerHandler, Step};
pub use self::observer_master::ObserverMaster;
use self::rounds::{Asker, Rounds};
use self::synchronisation::Synchronisation;
use self::timers::Timers;
use super::committed_log::CommittedLog;
use super::config::{LearnerKind, Standing, ZabConfig};
use super::event::{LeaderEvent, SyncToken};
use crate::contract::{EpochKind, LoadId, Outbox, Output};
use crate::jute::{Encode as _, ForwardedRequest, OpCode, QuorumPacket, Writer};
use crate::quorum::Memberships;
use crate::tree::SnapshotImage;
use crate::vocabulary::{Epoch, LinkId, Mono, ServerId, SessionId, Zxid};
use bytes::Bytes;
use std::collections::BTreeMap;

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
    /// Whether it is being sent, or is taking over, what it lacks.
    pub is_synchronising: bool,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Discovery(Discovery),
    Promise(Promise),
    Synchronisation(Synchronisation),
    Broadcast,
    /// It is a follower's, and passes on what another leader decides.
    Relay,
    Ended,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub struct Leader {
    config: ZabConfig,
    members: Memberships,
    /// What this server was elected with.
    standing: Standing,
    epoch: Epoch,
    phase: Phase,
    learners: BTreeMap<LinkId, LearnerHandler>,
    proposals: Proposals,
    rounds: Rounds,
    timers: Timers,
    /// How often the log was asked for old txns.
    loads: u32,
}

impl Leader {
    /// A leader that was just elected. Its history is durable, all of it is in the database and the newest of it in the committed log.
    pub fn new(
        config: ZabConfig,
        members: Memberships,
        standing: Standing,
        turn: &mut LeaderTurn<'_>,
    ) -> Self {
        let deadline = turn.now + config.init_span();
        let reported = [config.me].into_iter().collect();
        let discovery = Discovery { reported, newest: standing.epochs.accepted, deadline };
        let mut leader = Leader {
            config,
            members,
            standing,
            epoch: standing.epochs.accepted,
            phase: Phase::Discovery(discovery),
            learners: BTreeMap::new(),
            proposals: Proposals::new(standing.last_zxid),
            rounds: Rounds::default(),
            timers: Timers::new(turn.now),
            loads: 0,
        };
        leader.timers.next = turn.now + leader.half_tick();
        leader.decide_epoch(turn);
        leader
    }

    /// Somebody connected to the quorum port.
    pub fn accepted(&mut self, link: LinkId, turn: &mut LeaderTurn<'_>) {
        if !self.has_ended() {
            self.learners.insert(link, LearnerHandler::new(turn.now + self.config.init_span()));
        }
    }

    /// A learner's link is gone.
    pub fn closed(&mut self, link: LinkId, reason: &str, turn: &mut LeaderTurn<'_>) {
        if let Some(handler) = self.learners.remove(&link) {
            let sid = handler.introduction.map(|who| who.sid);
            turn.events.push(LeaderEvent::LearnerGone { link, sid, reason: reason.to_owned() });
        }
    }

    /// So many bytes wait to be written to a learner.
    pub fn backlog(&mut self, link: LinkId, bytes: usize, turn: &mut LeaderTurn<'_>) {
        let init_span = self.config.init_span();
        let Some(handler) = self.learners.get_mut(&link) else { return };
        if bytes > self.config.backlog_close + handler.sync_bytes {
            self.drop_learner(link, "it reads too slowly", turn);
        } else if bytes == 0 && handler.step == Step::Synchronising {
            // All of a database is on its way: from here on the learner has as long as any.
            handler.deadline = handler.deadline.min(Some(turn.now + init_span));
            (handler.silent_since, handler.is_silent) = (turn.now, false);
        }
    }

    /// A learner said something.
    pub fn packet(&mut self, link: LinkId, packet: QuorumPacket, turn: &mut LeaderTurn<'_>) {
        let Some(handler) = self.learners.get_mut(&link).filter(|_| !matches!(self.phase, Phase::Ended))
        else {
            return;
        };
        if handler.step == Step::Serving {
            handler.deadline = Some(turn.now + self.config.sync_span());
        }
        match (packet, handler.step) {
            (QuorumPacket::FollowerInfo { accepted_epoch, info }, _) => {
                self.introduced(link, LearnerKind::Follower, (accepted_epoch, info), turn);
            }
            (QuorumPacket::ObserverInfo { accepted_epoch, info }, _) => {
                self.introduced(link, LearnerKind::Observer, (accepted_epoch, info), turn);
            }
            (QuorumPacket::AckEpoch { last_zxid, current_epoch }, _) => {
                self.epoch_acked(link, last_zxid, current_epoch, turn);
            }
            (QuorumPacket::Ack { zxid }, Step::Synchronising) => self.new_leader_acked(link, zxid, turn),
            (QuorumPacket::Ack { zxid }, Step::Acknowledged | Step::Serving) => {
                self.proposal_acked(link, zxid, turn);
            }
            (QuorumPacket::Ping { touched, .. }, Step::Serving) => self.pinged(link, touched, turn),
            (QuorumPacket::Request(request), Step::Serving) => self.requested(link, request, turn),
            (QuorumPacket::Revalidate { session, timeout }, Step::Serving) => {
                turn.events.push(LeaderEvent::Revalidate { link, session, timeout });
            }
            (QuorumPacket::Unknown { .. }, Step::Serving) => {}
            _ => self.drop_learner(link, "it sent a packet out of turn", turn),
        }
    }

    fn requested(&mut self, link: LinkId, request: ForwardedRequest, turn: &mut LeaderTurn<'_>) {
        if request.opcode == OpCode::Sync.code() && !self.is_relay() {
            return self.add_sync(Asker::Learner(link), turn);
        }
        let introduction = self.learners.get(&link).and_then(|handler| handler.introduction);
        let sid = introduction.expect("who serves has introduced itself").sid;
        turn.events.push(LeaderEvent::Request { link, sid, request });
    }

    /// An epoch file that was asked for is written; what another role had asked for is nothing here.
    pub fn epoch_stored(&mut self, kind: EpochKind, epoch: Epoch, turn: &mut LeaderTurn<'_>) {
        match kind {
            _ if epoch != self.epoch => {}
            EpochKind::Accepted => self.accepted_epoch_stored(turn),
            EpochKind::Current => self.current_epoch_stored(turn),
        }
    }

    /// Whether those who take part could commit something.
    pub fn has_quorum(&self) -> bool {
        self.members.have_quorums(&self.taking_part())
    }

    /// Whether this epoch has room for one more txn; without it the role ends when what was proposed is committed.
    pub fn has_room(&self) -> bool {
        let last = self.proposals.last_proposed();
        last.epoch() != self.epoch || last.counter() < self.config.last_counter
    }

    /// A txn was prepared, and is being logged: the one behind [`Leader::last_proposed`], or the first of the epoch.
    ///
    /// # Panics
    /// When it is another one, when there is no room for it, or before [`LeaderEvent::Established`].
    pub fn propose(&mut self, zxid: Zxid, txn: Bytes, turn: &mut LeaderTurn<'_>) {
        if !self.has_ended() {
            self.broadcast(zxid, txn, turn);
        }
    }

    /// This server's own log is durable up to `zxid`.
    pub fn logged(&mut self, zxid: Zxid, turn: &mut LeaderTurn<'_>) {
        if !self.has_ended() {
            self.logged_here(zxid, turn);
        }
    }

    /// A client of this server wants everything that is committed anywhere by now; answered by [`LeaderEvent::Synced`], in order.
    pub fn sync(&mut self, token: SyncToken, turn: &mut LeaderTurn<'_>) {
        if !self.has_ended() {
            self.add_sync(Asker::Here(token), turn);
        }
    }

    /// The answer to [`LeaderEvent::Revalidate`].
    pub fn revalidated(&mut self, link: LinkId, session: SessionId, valid: bool, outbox: &mut Outbox) {
        if self.is_serving(link) && !self.has_ended() {
            let answer = QuorumPacket::Revalidated { session, valid };
            outbox.send_links([link], |out| answer.encode(&mut Writer::new(out)));
        }
    }

    /// The answer to an `Output::Load` of this leader; of another one it is nothing.
    pub fn loaded(&mut self, id: LoadId, txns: Option<Vec<Bytes>>, turn: &mut LeaderTurn<'_>) {
        if !self.has_ended() {
            self.history_loaded(id, txns, turn);
        }
    }

    /// When [`Leader::timeout`] has something to do.
    pub fn next_timeout(&self) -> Option<Mono> {
        (!self.has_ended()).then_some(self.timers.next)
    }

    /// That time has come.
    pub fn timeout(&mut self, turn: &mut LeaderTurn<'_>) {
        if self.next_timeout().is_some_and(|at| at <= turn.now) {
            self.beat(turn);
        }
    }

    /// The role ends: every link is closed.
    pub fn stop(&mut self, outbox: &mut Outbox) {
        self.phase = Phase::Ended;
        for link in std::mem::take(&mut self.learners).into_keys() {
            outbox.push(Output::CloseLink { link });
        }
    }

    /// A learner has done what it should not, or has not done what it should.
    fn drop_learner(&mut self, link: LinkId, reason: &str, turn: &mut LeaderTurn<'_>) {
        turn.outbox.push(Output::CloseLink { link });
        self.closed(link, reason, turn);
    }

    fn give_up(&mut self, reason: String, turn: &mut LeaderTurn<'_>) {
        self.phase = Phase::Ended;
        turn.events.push(LeaderEvent::Gone { reason });
    }

    fn is_relay(&self) -> bool {
        matches!(self.phase, Phase::Relay)
    }

    fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }
}

/// Views.
impl Leader {
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
        match self.phase {
            Phase::Discovery(_) | Phase::Promise(_) => LeaderPhase::Discovery,
            Phase::Synchronisation(_) => LeaderPhase::Synchronisation,
            Phase::Broadcast | Phase::Relay => LeaderPhase::Broadcast,
            Phase::Ended => LeaderPhase::Ended,
        }
    }

    /// Who learns from it.
    pub fn learners(&self) -> impl Iterator<Item = LearnerView> + '_ {
        self.learners.iter().filter_map(|(link, handler)| {
            let who = handler.introduction?;
            let is_synced = handler.step == Step::Serving;
            let is_synchronising = matches!(handler.step, Step::Loading(..) | Step::Synchronising);
            Some(LearnerView { link: *link, sid: who.sid, kind: who.kind, is_synced, is_synchronising })
        })
    }

    /// The configurations that it leads under.
    pub fn members(&self) -> &Memberships {
        &self.members
    }

    /// How many proposals are not committed yet.
    pub fn outstanding(&self) -> usize {
        self.proposals.outstanding().len()
    }

    /// How long they were so far.
    pub fn proposal_sizes(&self) -> ProposalSizes {
        self.proposals.sizes()
    }

    /// `srst`: as before the first.
    pub fn forget_proposal_sizes(&mut self) {
        self.proposals.forget_sizes();
    }

    /// The last proposal, or the end of its first history.
    pub fn last_proposed(&self) -> Zxid {
        self.proposals.last_proposed()
    }

    /// The last txn that it said is committed, or the end of its first history.
    pub fn last_committed(&self) -> Zxid {
        self.proposals.last_committed()
    }

    /// How many syncs wait.
    pub fn pending_syncs(&self) -> usize {
        self.rounds.pending_syncs()
    }
}
