//! One server of the small cluster: what a peer is to the two machines, without sessions and clients. It logs and applies what they say,
//! and tells them what has become durable.

use super::disk::{Disk, Done, LogOp, apply};
use super::ghost::Ghost;
use super::history::{Entry, entry_of, history_of, txn};
use bytes::Bytes;
use quorate_core::contract::{EpochKind, Epochs, Outbox, Port};
use quorate_core::jute::{ForwardedRequest, OpCode, QuorumPacket};
use quorate_core::quorum::Memberships;
use quorate_core::tree::Database;
use quorate_core::vocabulary::{Epoch, Millis, Mono, ServerId, SessionId, Xid, Zxid};
use quorate_core::zab::{
    CommittedLog, Ground, Leader, LeaderEvent, LeaderPhase, LeaderTurn, Learner, LearnerConfig, LearnerEvent,
    LearnerKind, LearnerPhase, LearnerTurn, Standing, SyncToken, ZabConfig,
};
use std::collections::VecDeque;

pub(crate) const TICK: Millis = Millis(200);
/// Small, so that the log is asked, too.
const RING: usize = 6;

pub(crate) enum Role {
    Looking,
    Draining,
    Leading(Box<Leader>),
    Learning(Box<Learner>),
}

pub(crate) struct Server {
    pub(crate) id: ServerId,
    pub(crate) kind: LearnerKind,
    pub(crate) alive: bool,
    pub(crate) incarnation: u64,
    pub(crate) disk: Disk,
    pub(crate) role: Role,
    pub(crate) outbox: Outbox,
    pub(crate) is_established: bool,
    epochs: Epochs,
    database: Database,
    /// Logged, or being logged, and not applied.
    unapplied: VecDeque<(Zxid, Bytes)>,
    ring: CommittedLog,
    /// When so many log ops have been done, the history is stored.
    history_mark: Option<u64>,
    /// Syncs of its clients: how much had been committed anywhere when each was asked for.
    syncs: VecDeque<usize>,
}

impl Server {
    pub(crate) fn new(id: ServerId, kind: LearnerKind) -> Self {
        let mut server = Server {
            id,
            kind,
            alive: true,
            incarnation: 0,
            disk: Disk::new(),
            role: Role::Looking,
            outbox: Outbox::new(),
            is_established: false,
            epochs: Epochs::default(),
            database: super::disk::empty_database(),
            unapplied: VecDeque::new(),
            ring: CommittedLog::new(Zxid::ZERO, RING, 1 << 20),
            history_mark: None,
            syncs: VecDeque::new(),
        };
        server.start();
        server
    }

    /// Reads everything from disk.
    pub(crate) fn start(&mut self) {
        self.alive = true;
        self.incarnation += 1;
        self.outbox = Outbox::new();
        self.role = Role::Looking;
        self.is_established = false;
        self.epochs = self.disk.epochs;
        self.history_mark = None;
        self.syncs.clear();
        self.reload();
    }

    fn reload(&mut self) {
        self.database = self.disk.recover();
        self.unapplied.clear();
        self.ring.refill(self.database.last_zxid(), self.disk.recent().cloned());
    }

    /// The end of what is logged, or being logged.
    pub(crate) fn last_zxid(&self) -> Zxid {
        self.unapplied.back().map_or(self.database.last_zxid(), |(zxid, _)| *zxid)
    }

    pub(crate) fn standing(&self) -> Standing {
        Standing { epochs: self.epochs, last_zxid: self.last_zxid() }
    }

    pub(crate) fn applied(&self) -> Vec<Entry> {
        history_of(&self.database)
    }

    /// Applied, and logged or being logged.
    pub(crate) fn history(&self) -> Vec<Entry> {
        let mut history = self.applied();
        history.extend(self.unapplied.iter().map(|(_, txn)| entry_of(txn)));
        history
    }

    pub(crate) fn freeze(&self) -> Database {
        self.database.clone()
    }

    fn config(&self) -> ZabConfig {
        ZabConfig { init_limit: 5, sync_limit: 3, ..ZabConfig::new(self.id, TICK) }
    }

    pub(crate) fn begin_leading(&mut self, now: Mono, members: &Memberships, ghost: &mut Ghost) {
        let (config, standing, mut events) = (self.config(), self.standing(), Vec::new());
        let ground = Ground { committed_log: &self.ring, image: &|| self.database.image() };
        let mut turn = LeaderTurn { now, ground, outbox: &mut self.outbox, events: &mut events };
        let leader = Leader::new(config, members.clone(), standing, &mut turn);
        self.role = Role::Leading(Box::new(leader));
        self.leader_events(now, events, ghost);
    }

    pub(crate) fn begin_learning(&mut self, now: Mono, leader: ServerId, ghost: &mut Ghost) {
        let (zab, mut events) = (self.config(), Vec::new());
        let config = LearnerConfig {
            zab,
            kind: self.kind,
            leader,
            port: Port::Quorum,
            config_version: Default::default(),
        };
        let standing = self.standing();
        let mut turn = LearnerTurn { now, outbox: &mut self.outbox, events: &mut events };
        let learner = Learner::new(config, standing, &mut turn);
        self.role = Role::Learning(Box::new(learner));
        self.learner_events(now, events, ghost);
    }

    pub(crate) fn lead(
        &mut self,
        now: Mono,
        ghost: &mut Ghost,
        act: impl FnOnce(&mut Leader, &mut LeaderTurn<'_>),
    ) {
        let Role::Leading(leader) = &mut self.role else { return };
        let mut events = Vec::new();
        let ground = Ground { committed_log: &self.ring, image: &|| self.database.image() };
        act(leader, &mut LeaderTurn { now, ground, outbox: &mut self.outbox, events: &mut events });
        self.leader_events(now, events, ghost);
    }

    pub(crate) fn learn(
        &mut self,
        now: Mono,
        ghost: &mut Ghost,
        act: impl FnOnce(&mut Learner, &mut LearnerTurn<'_>),
    ) {
        let Role::Learning(learner) = &mut self.role else { return };
        let mut events = Vec::new();
        act(learner, &mut LearnerTurn { now, outbox: &mut self.outbox, events: &mut events });
        self.learner_events(now, events, ghost);
    }

    fn leader_events(&mut self, now: Mono, events: Vec<LeaderEvent>, ghost: &mut Ghost) {
        for event in events {
            match event {
                LeaderEvent::StoreEpoch { kind, epoch } => self.store_epoch(kind, epoch),
                LeaderEvent::Established { epoch } => {
                    self.is_established = true;
                    assert_eq!(self.disk.epochs.current, epoch, "S18: {:?} counts itself too early", self.id);
                    ghost.established(self.id, epoch, &self.history());
                }
                LeaderEvent::Commit { zxid, txn } => {
                    ghost.committed_by_leader(self.id, entry_of(&txn));
                    self.commit(zxid, txn);
                }
                LeaderEvent::Request { request, .. } => self.propose(now, request.cxid, ghost),
                LeaderEvent::Revalidate { link, session, .. } => {
                    let Role::Leading(leader) = &mut self.role else { continue };
                    leader.revalidated(link, session, true, &mut self.outbox);
                }
                LeaderEvent::Synced(_) => self.synced(ghost),
                LeaderEvent::Touched(_)
                | LeaderEvent::Synchronises { .. }
                | LeaderEvent::LearnerGone { .. } => {}
                LeaderEvent::Gone { reason } => return self.leave(&reason, ghost),
            }
        }
    }

    fn learner_events(&mut self, now: Mono, events: Vec<LearnerEvent>, ghost: &mut Ghost) {
        for event in events {
            match event {
                LearnerEvent::StoreEpoch { kind, epoch } => self.store_epoch(kind, epoch),
                LearnerEvent::Truncate { to } => {
                    ghost.count("TRUNC");
                    assert!(self.history().iter().any(|(zxid, _)| *zxid == to), "A7: {to} is not in the log");
                    self.disk.log_queue.push_back(LogOp::Truncate(to));
                }
                LearnerEvent::Replace(database) => {
                    ghost.count("SNAP");
                    self.disk.log_queue.push_back(LogOp::Replace(database.clone()));
                    self.database = *database;
                    self.unapplied.clear();
                    self.ring = CommittedLog::new(self.database.last_zxid(), RING, 1 << 20);
                }
                LearnerEvent::Append { zxid, txn } => self.append(zxid, txn),
                LearnerEvent::Commit { zxid, txn } => {
                    if self.is_established {
                        ghost.committed_by_learner(self.id, entry_of(&txn));
                    }
                    self.commit(zxid, txn);
                }
                LearnerEvent::LeaderConfig(text) => assert!(text.starts_with(b"server.")),
                LearnerEvent::HistoryComplete => {
                    ghost.received(self.id, self.epoch(), self.history());
                    self.history_mark = Some(self.disk.log_ops_asked());
                    self.tell_history_stored(now, ghost);
                }
                LearnerEvent::Established { epoch } => {
                    self.is_established = true;
                    ghost.follows(self.id, epoch, &self.applied());
                }
                LearnerEvent::Ping { zxid } => {
                    let Role::Learning(learner) = &mut self.role else { continue };
                    learner.answer_ping(zxid, vec![(SessionId(1), 4)], &mut self.outbox);
                }
                LearnerEvent::Synced => self.synced(ghost),
                LearnerEvent::Revalidated { .. } => {}
                LearnerEvent::Unreachable { reason } | LearnerEvent::Failed { reason } => {
                    return self.leave(&reason, ghost);
                }
                LearnerEvent::Fatal { code, reason } => panic!("{:?} exits with {code:?}: {reason}", self.id),
            }
        }
    }

    fn store_epoch(&mut self, kind: EpochKind, epoch: Epoch) {
        match kind {
            EpochKind::Accepted => self.epochs.accepted = epoch,
            EpochKind::Current => self.epochs.current = epoch,
        }
        self.disk.epoch_queue.push_back((kind, epoch));
    }

    fn append(&mut self, zxid: Zxid, txn: Bytes) {
        assert!(self.last_zxid().may_precede(zxid), "S21: {zxid} logged behind {}", self.last_zxid());
        self.disk.log_queue.push_back(LogOp::Append(zxid, txn.clone()));
        self.unapplied.push_back((zxid, txn));
    }

    fn commit(&mut self, zxid: Zxid, txn: Bytes) {
        let (next, logged) = self.unapplied.pop_front().expect("what is committed was logged");
        assert_eq!((next, &logged), (zxid, &txn), "S4: applied in order");
        apply(&mut self.database, &txn);
        self.ring.push(zxid, txn);
    }

    fn synced(&mut self, ghost: &mut Ghost) {
        let asked_at = self.syncs.pop_front().expect("it was asked for");
        ghost.synced(self.id, asked_at, &self.applied());
    }

    /// The leader's epoch, or the learner's.
    pub(crate) fn epoch(&self) -> Epoch {
        match &self.role {
            Role::Leading(leader) => leader.epoch(),
            Role::Learning(learner) => learner.epoch(),
            Role::Looking | Role::Draining => self.epochs.current,
        }
    }

    /// A client's write.
    pub(crate) fn write(&mut self, now: Mono, ghost: &mut Ghost) {
        match &mut self.role {
            Role::Leading(leader) if leader.phase() == LeaderPhase::Broadcast => {
                self.propose(now, Xid(0), ghost)
            }
            Role::Learning(learner) if learner.phase() == LearnerPhase::Broadcast => {
                learner.request(request(OpCode::Create), &mut self.outbox);
            }
            _ => {}
        }
    }

    /// A client's sync.
    pub(crate) fn sync(&mut self, now: Mono, ghost: &mut Ghost) {
        let committed = ghost.committed.len();
        match &mut self.role {
            Role::Leading(leader) if leader.phase() == LeaderPhase::Broadcast => {
                self.syncs.push_back(committed);
                self.lead(now, ghost, |leader, turn| leader.sync(SyncToken(0), turn));
            }
            Role::Learning(learner) if learner.phase() == LearnerPhase::Broadcast => {
                self.syncs.push_back(committed);
                learner.request(request(OpCode::Sync), &mut self.outbox);
            }
            _ => {}
        }
    }

    fn propose(&mut self, now: Mono, _: Xid, ghost: &mut Ghost) {
        let Role::Leading(leader) = &mut self.role else { return };
        let (last, epoch) = (leader.last_proposed(), leader.epoch());
        let zxid = if last.epoch() == epoch { last.next() } else { Zxid::new(epoch, 1) };
        let txn = txn(ghost.propose(self.id, zxid));
        self.append(zxid, txn.clone());
        self.lead(now, ghost, |leader, turn| leader.propose(zxid, txn, turn));
    }

    /// The oldest op of the log's lane is durable.
    pub(crate) fn log_done(&mut self, now: Mono, done: &Done, ghost: &mut Ghost) {
        match done {
            Done::Appended(zxid) => {
                let zxid = *zxid;
                if let Role::Learning(learner) = &mut self.role {
                    learner.logged(zxid, &mut self.outbox);
                }
                self.lead(now, ghost, |leader, turn| leader.logged(zxid, turn));
            }
            Done::Replaced => {}
            Done::Truncated(_) | Done::Refused => {
                ghost.count(if *done == Done::Refused { "refused TRUNC" } else { "truncated" });
                assert!(self.disk.log_queue.is_empty(), "nothing is appended meanwhile");
                self.reload();
                let last = self.last_zxid();
                self.learn(now, ghost, |learner, turn| learner.truncated(last, turn));
            }
        }
        self.tell_history_stored(now, ghost);
        self.look_when_drained();
    }

    fn tell_history_stored(&mut self, now: Mono, ghost: &mut Ghost) {
        if self.history_mark.take_if(|mark| *mark <= self.disk.log_ops_done).is_some() {
            self.learn(now, ghost, |learner, turn| learner.history_stored(turn));
        }
    }

    pub(crate) fn epoch_done(&mut self, now: Mono, kind: EpochKind, epoch: Epoch, ghost: &mut Ghost) {
        self.lead(now, ghost, |leader, turn| leader.epoch_stored(kind, epoch, turn));
        self.learn(now, ghost, |learner, turn| learner.epoch_stored(kind, epoch, turn));
        self.look_when_drained();
    }

    fn leave(&mut self, reason: &str, ghost: &mut Ghost) {
        ghost.role_ended(reason);
        match &mut self.role {
            Role::Leading(leader) => leader.stop(&mut self.outbox),
            Role::Learning(learner) => learner.stop(&mut self.outbox),
            Role::Looking | Role::Draining => {}
        }
        self.role = Role::Draining;
        self.is_established = false;
        self.history_mark = None;
        self.syncs.clear();
        self.look_when_drained();
    }

    /// What is logged is applied once the disk is idle.
    fn look_when_drained(&mut self) {
        let is_idle = self.disk.log_queue.is_empty() && self.disk.epoch_queue.is_empty();
        if !matches!(self.role, Role::Draining) || !is_idle {
            return;
        }
        for (zxid, txn) in std::mem::take(&mut self.unapplied) {
            apply(&mut self.database, &txn);
            self.ring.push(zxid, txn);
        }
        assert_eq!(self.applied(), self.disk.history(), "A11: the database is what the log is");
        self.role = Role::Looking;
    }

    pub(crate) fn next_timeout(&self) -> Option<Mono> {
        match &self.role {
            Role::Leading(leader) => leader.next_timeout(),
            Role::Learning(learner) => learner.next_timeout(),
            Role::Looking | Role::Draining => None,
        }
    }

    pub(crate) fn timeout(&mut self, now: Mono, ghost: &mut Ghost) {
        self.lead(now, ghost, |leader, turn| leader.timeout(turn));
        self.learn(now, ghost, |learner, turn| learner.timeout(turn));
    }

    /// Something left for another server: what it promises is on disk.
    pub(crate) fn check_sent(&self, packet: &QuorumPacket, ghost: &Ghost) {
        let accepted = self.disk.epochs.accepted;
        match (packet, &self.role) {
            (QuorumPacket::LeaderInfo { epoch }, _) => {
                assert!(accepted >= *epoch, "S15: {:?} proposes {epoch:?}, which it may forget", self.id);
            }
            (QuorumPacket::AckEpoch { .. }, Role::Learning(learner)) => {
                assert!(accepted >= learner.epoch(), "S16: {:?} promises what it may forget", self.id);
            }
            (QuorumPacket::Ack { zxid }, Role::Learning(learner)) => {
                assert!(learner.epoch() >= accepted, "S16: {:?} promised itself further", self.id);
                ghost.acknowledged(self.id, (learner.epoch(), *zxid), &self.disk);
            }
            _ => {}
        }
    }
}

fn request(opcode: OpCode) -> ForwardedRequest {
    ForwardedRequest {
        session: SessionId(1),
        cxid: Xid(1),
        opcode: opcode.code(),
        body: Bytes::new(),
        identities: Vec::new(),
    }
}
