//! A member of an ensemble: the part it plays, and how one part follows another (`quorum-protocol.md` §2.6, §6.6).
//!
//! ```text
//! Draining ──(the disk has confirmed everything)──▶ Looking ──(elected)──▶ Leading or Learning ──(it ends)──▶ Draining
//! ```
//!
//! - `links`: what comes from and goes to other servers, and whom it concerns;
//! - `looking`: elections;
//! - `leading`, `learning`: what the machines of [`crate::zab`] want, and what clients want of them;
//! - `mastering`: observers that a follower serves;
//! - `draining`: the end of a part;
//! - `read_only`: who is served while nobody leads.
//!
//! History belongs to the member, not to its part: log, tree and the ring of recent txns stay when a leader becomes a follower.
//! Invariants: nobody is served but under an established leader, or read-only; while nothing is under way the tree is what the log
//! is, and that is what an election votes with; an epoch file is asked for only after the history that it promises.
//!
//! Caveats: the configuration is what the file says, and no reconfig changes it.

mod draining;
mod leading;
mod learning;
mod links;
mod looking;
mod mastering;
mod read_only;

use super::Peer;
use super::status::Mode;
use crate::contract::{EpochKind, Epochs, Lane, Outbox, Output, Port, StoreOp, StoreSeq};
use crate::election::{ElectionLinks, FastLeaderElection, Round};
use crate::quorum::{EnsembleConfig, Memberships, Role as Part};
use crate::session::SessionOwner;
use crate::vocabulary::{ConnId, Epoch, LinkId, Mono, Now, PeerConfig, ServerId, SessionId, Zxid};
use crate::zab::{CommittedLog, Leader, Learner, ZabConfig};
use bytes::Bytes;
use links::Newcomer;
use mastering::{Mastering, Masters};
use std::collections::{BTreeMap, VecDeque};

/// Bytes of recent txns that are kept for learners.
const COMMITTED_LOG_BYTES: usize = 64 << 20;

/// What a member does at the moment.
#[derive(Clone, Debug)]
enum Stance {
    /// The last part has ended, or none has begun; what the disk was given has to be confirmed.
    Draining,
    /// A leader is being elected.
    Looking,
    /// It leads.
    Leading(Box<Leading>),
    /// It follows or observes.
    Learning(Box<Learning>),
}

/// A leader, with what waits for commits.
#[derive(Clone, Debug)]
struct Leading {
    leader: Leader,
    /// Answers about sessions that observers wait for, each until this txn is committed, in order.
    late_answers: VecDeque<(Zxid, LinkId, SessionId)>,
}

/// A learner, with what waits for its leader.
#[derive(Clone, Debug)]
struct Learning {
    learner: Learner,
    /// Sessions that come from another server, and the connections that they are to be attached to.
    revalidating: BTreeMap<SessionId, ConnId>,
    /// Sessions that the leader was asked about, and for whom, oldest first.
    asked_about: VecDeque<(SessionId, SessionOwner)>,
    /// Observers that are served here.
    mastering: Option<Mastering>,
    /// The log has to be durable up to this op before the leader's history counts as taken over.
    history_ends: Option<StoreSeq>,
}

/// Who waits for a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SyncAsker {
    /// A client of this server.
    Here(ConnId),
    /// A client of an observer that is served here.
    Observer(LinkId),
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) struct Member {
    me: ServerId,
    config: EnsembleConfig,
    zab: ZabConfig,
    members: Memberships,
    election: FastLeaderElection,
    links: ElectionLinks,
    /// What was asked of the epoch files last, and what of that is not confirmed yet.
    epochs: Epochs,
    epoch_ops: VecDeque<(StoreSeq, EpochKind, Epoch)>,
    epoch_seq: StoreSeq,
    committed_log: CommittedLog,
    /// Txns that the log was given and has not confirmed.
    logging: VecDeque<(StoreSeq, Zxid)>,
    /// The op that cuts the log, until it is confirmed: the tree is not what it will be.
    truncating: Option<StoreSeq>,
    stance: Stance,
    is_established: bool,
    /// Whether it looks for a leader, and serves reads meanwhile.
    is_read_only: bool,
    /// Since when it does what it does.
    since: Mono,
    /// Since when there is no established leader that it knows of; while there is one, nothing.
    unavailable_since: Option<Mono>,
    /// Who connected to the quorum port before anybody knows whether this server leads.
    newcomers: BTreeMap<LinkId, Newcomer>,
    /// Whose syncs the leader, or a quorum, was asked about, oldest first.
    syncs: VecDeque<SyncAsker>,
    sync_tokens: u64,
    /// Whom it learns from, as an observer.
    masters: Masters,
}

impl Member {
    pub(super) fn new(
        config: &PeerConfig,
        ensemble: EnsembleConfig,
        epochs: Epochs,
        last: Zxid,
        recent: VecDeque<(Zxid, Bytes)>,
        now: Now,
    ) -> Self {
        let me = config.server_id;
        let addresses = ensemble.membership.server(me).map_or_else(Vec::new, |server| {
            let address = |address: &crate::quorum::ServerAddresses| match address.host.contains(':') {
                true => format!("[{}]:{}", address.host, address.election_port),
                false => format!("{}:{}", address.host, address.election_port),
            };
            server.addresses.iter().map(address).collect()
        });
        let mut zab = ZabConfig::new(me, config.tick_time);
        (zab.init_limit, zab.sync_limit) = (ensemble.init_limit, ensemble.sync_limit);
        zab.last_counter = ensemble.last_counter;
        let mut committed_log = CommittedLog::new(last, ensemble.commit_log_count, COMMITTED_LOG_BYTES);
        committed_log.refill(last, recent);
        Member {
            me,
            zab,
            members: Memberships::new(ensemble.membership.clone()),
            election: FastLeaderElection::new(me, ensemble.election),
            links: ElectionLinks::new(me, addresses),
            masters: Masters::new(&ensemble, me),
            config: ensemble,
            epochs,
            epoch_ops: VecDeque::new(),
            epoch_seq: StoreSeq(0),
            committed_log,
            logging: VecDeque::new(),
            truncating: None,
            stance: Stance::Draining,
            is_established: false,
            is_read_only: false,
            since: now.mono,
            unavailable_since: Some(now.mono),
            newcomers: BTreeMap::new(),
            syncs: VecDeque::new(),
            sync_tokens: 0,
        }
    }

    pub(super) fn mode(&self) -> Mode {
        match (&self.stance, self.config.role) {
            (Stance::Looking, _) if self.is_read_only => Mode::ReadOnly,
            (Stance::Draining | Stance::Looking, _) => Mode::Looking,
            (Stance::Leading(_), _) => Mode::Leader,
            (Stance::Learning(_), Part::Participant) => Mode::Follower,
            (Stance::Learning(_), Part::Observer) => Mode::Observer,
        }
    }

    /// Whether clients are served: the leader, itself or another, is established, or the service is read-only.
    pub(super) fn is_serving(&self) -> bool {
        self.is_established || self.is_read_only
    }

    pub(super) fn is_leading(&self) -> bool {
        matches!(self.stance, Stance::Leading(_))
    }

    /// The leader that it is.
    pub(super) fn leader(&self) -> Option<&Leader> {
        match &self.stance {
            Stance::Leading(leading) => Some(&leading.leader),
            _ => None,
        }
    }

    /// Whom it learns from.
    pub(super) fn learns_from(&self) -> Option<ServerId> {
        match &self.stance {
            Stance::Learning(learning) => Some(learning.learner.leader()),
            _ => None,
        }
    }

    /// The same, and at which of its ports.
    fn learns_at(&self) -> Option<(ServerId, Port)> {
        match &self.stance {
            Stance::Learning(learning) => Some((learning.learner.leader(), learning.learner.port())),
            _ => None,
        }
    }

    /// Since when it does what it does.
    pub(super) fn since(&self) -> Mono {
        self.since
    }

    /// The logical clock of its elections.
    pub(super) fn election_round(&self) -> Round {
        self.election.round()
    }

    /// The epoch files, as they were asked for last.
    pub(super) fn epochs(&self) -> Epochs {
        self.epochs
    }

    /// The log was given a txn: it is known again when it is durable.
    pub(super) fn note_logging(&mut self, seq: StoreSeq, zxid: Zxid) {
        self.logging.push_back((seq, zxid));
    }

    fn role_timeout(&self) -> Option<Mono> {
        match &self.stance {
            Stance::Draining => None,
            Stance::Looking => self.election.next_timeout(),
            Stance::Leading(leading) => leading.leader.next_timeout(),
            Stance::Learning(learning) => {
                let master =
                    learning.mastering.as_ref().and_then(|mastering| mastering.master.next_timeout());
                [learning.learner.next_timeout(), master].into_iter().flatten().min()
            }
        }
    }

    /// The leader is established: how long there was none.
    fn become_available(&mut self, now: Now) -> i64 {
        self.is_established = true;
        let since = self.unavailable_since.take().expect("an established leader is new");
        i64::try_from(now.mono.millis_since(since).0).unwrap_or(i64::MAX)
    }

    /// The stance changes.
    fn turn_to(&mut self, stance: Stance, now: Now) {
        self.stance = stance;
        (self.is_established, self.is_read_only) = (false, false);
        self.since = now.mono;
        self.unavailable_since.get_or_insert(now.mono);
    }
}

impl Peer {
    /// The member that this is.
    ///
    /// # Panics
    /// For a server alone, which has no links and asks for nothing that only members get.
    fn member_mut(&mut self) -> &mut Member {
        self.as_member_mut().expect("a server alone has no ensemble")
    }

    fn as_member_mut(&mut self) -> Option<&mut Member> {
        match &mut self.role {
            super::role::Role::Member(member) => Some(member),
            super::role::Role::Standalone => None,
        }
    }

    pub(super) fn as_member(&self) -> Option<&Member> {
        match &self.role {
            super::role::Role::Member(member) => Some(member),
            super::role::Role::Standalone => None,
        }
    }

    /// When a member has something to do by itself.
    pub(super) fn member_timeout(&self) -> Option<Mono> {
        let member = self.as_member()?;
        if matches!(member.stance, Stance::Draining) && self.is_drained() {
            return Some(self.started.mono);
        }
        let newcomers = member.newcomers.values().map(Newcomer::deadline).min();
        [member.role_timeout(), newcomers, self.read_only_at()].into_iter().flatten().min()
    }

    /// Time-outs of elections and of both machines.
    pub(super) fn time_passes(&mut self, now: Now, outbox: &mut Outbox) {
        let Some(member) = self.as_member() else { return };
        let has_used_up_its_zxids = member.leader().is_some_and(Leader::has_used_up_its_zxids);
        match member.stance {
            Stance::Draining => self.look_when_drained(now, outbox),
            // What is committed is applied and answered before its part ends with that.
            Stance::Leading(_) if has_used_up_its_zxids && self.commit.has_committed(self.committed) => {}
            Stance::Looking => self.look(now, outbox, |election, members, out| {
                election.timeout(now.mono, members, out);
            }),
            Stance::Leading(_) => self.lead(now, outbox, |leader, turn| leader.timeout(turn)),
            Stance::Learning(_) => {
                self.learn(now, outbox, |learner, turn| learner.timeout(turn));
                self.serve_observers(now, outbox, |master, turn| master.timeout(turn));
            }
        }
        self.expire_newcomers(now, outbox);
        self.read_only_if_due(now, outbox);
        self.go_on(now, outbox);
    }

    /// Asks for an epoch file.
    fn store_epoch(&mut self, kind: EpochKind, epoch: Epoch, outbox: &mut Outbox) {
        let member = self.member_mut();
        member.epoch_seq = StoreSeq(member.epoch_seq.0 + 1);
        let seq = member.epoch_seq;
        match kind {
            EpochKind::Accepted => member.epochs.accepted = epoch,
            EpochKind::Current => member.epochs.current = epoch,
        }
        member.epoch_ops.push_back((seq, kind, epoch));
        outbox.push(Output::Store { lane: Lane::Epoch, seq, op: StoreOp::Epoch { kind, epoch } });
    }

    /// An epoch file is durable.
    pub(super) fn epoch_stored(&mut self, now: Now, seq: StoreSeq, outbox: &mut Outbox) {
        while let Some((_, kind, epoch)) = self.member_mut().epoch_ops.pop_front_if(|(op, ..)| *op <= seq) {
            match self.member_mut().stance {
                Stance::Leading(_) => {
                    self.lead(now, outbox, |leader, turn| leader.epoch_stored(kind, epoch, turn))
                }
                Stance::Learning(_) => {
                    self.learn(now, outbox, |learner, turn| learner.epoch_stored(kind, epoch, turn));
                }
                Stance::Draining | Stance::Looking => {}
            }
        }
        self.look_when_drained(now, outbox);
        self.go_on(now, outbox);
    }

    /// The log has confirmed more.
    pub(super) fn history_stored(&mut self, now: Now, outbox: &mut Outbox) {
        let stored = self.log_stored;
        let member = self.member_mut();
        let mut logged = None;
        while let Some((_, zxid)) = member.logging.pop_front_if(|(seq, _)| *seq <= stored) {
            logged = Some(zxid);
        }
        match &mut member.stance {
            Stance::Draining => self.look_when_drained(now, outbox),
            Stance::Looking => {}
            Stance::Leading(_) => {
                if let Some(zxid) = logged {
                    self.lead(now, outbox, |leader, turn| leader.logged(zxid, turn));
                }
            }
            Stance::Learning(learning) => {
                if let Some(zxid) = logged {
                    learning.learner.logged(zxid, outbox);
                }
                if learning.history_ends.take_if(|end| *end <= stored).is_some() {
                    self.learn(now, outbox, |learner, turn| learner.history_stored(turn));
                }
            }
        }
    }

    /// This txn is committed, and so is every one before it.
    fn commit(&mut self, zxid: Zxid, txn: Bytes) {
        self.member_mut().committed_log.push(zxid, txn);
        self.committed = zxid;
    }

    /// Syncs in the order in which they were asked for: the oldest may be answered when what is committed by now is applied.
    fn synced(&mut self, now: Now, outbox: &mut Outbox) {
        let committed = self.committed;
        let conn = match self.member_mut().syncs.pop_front() {
            None => return,
            Some(SyncAsker::Here(conn)) => conn,
            Some(SyncAsker::Observer(link)) => {
                if let Some(mastering) = self.member_mut().mastering_mut() {
                    mastering.master.synced(link, outbox);
                }
                return;
            }
        };
        let Some(connection) = self.state.connections.get_mut(conn) else { return };
        connection.sync_answered(committed);
        if !self.commit.wake_behind(committed, conn) {
            self.state.drain_queue(conn, now, outbox);
        }
    }
}
