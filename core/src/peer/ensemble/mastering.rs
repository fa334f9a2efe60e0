//! Serving observers as a follower (`observerMasterPort`), and the choice that an observer has (`quorum-protocol.md` §6.3).
//!
//! What observers ask for goes on to the leader in the order in which it came, between what this server's own clients ask for, and each
//! answer goes back to whoever asked. To the leader all of them are this server's clients; that one of them has moved from one observer to
//! another, or to this server, is seen only here, so what the one that it left still sends in its name goes no further.

use super::{Member, Peer, Stance};
use crate::contract::{Outbox, PeerEvent, Port, SyncMode};
use crate::jute::{ForwardedRequest, OpCode};
use crate::metrics::Counter;
use crate::peer::role::Role;
use crate::quorum::{EnsembleConfig, Role as Part};
use crate::session::SessionOwner;
use crate::vocabulary::{Epoch, ErrorCode, LinkId, Now, ServerId, SessionId, Zxid};
use crate::zab::{Ground, LeaderEvent, LeaderTurn, ObserverMaster, Standing};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// A follower's master, with what waits for commits and for the leader.
#[derive(Clone, Debug)]
pub(super) struct Mastering {
    pub(super) master: ObserverMaster,
    /// Answers about sessions that observers wait for, each until this txn is committed, in order.
    late_answers: VecDeque<(Zxid, LinkId, SessionId)>,
    /// Sessions that observers have heard of since the leader was told, with their timeouts.
    touched: BTreeMap<SessionId, i32>,
}

/// In which order an observer tries the followers that serve observers: one after the other, as Java does, from a place that its id
/// decides, so that observers spread. The leader serves none at that port; when nobody else is left it is asked as by anybody.
#[derive(Clone, Debug)]
pub(super) struct Masters {
    voters: Vec<ServerId>,
    next: usize,
    /// How many have been tried since the last one that served.
    tried: usize,
}

impl Masters {
    pub(super) fn new(config: &EnsembleConfig, me: ServerId) -> Self {
        let has_masters = config.observer_masters && config.role == Part::Observer;
        let voters = if has_masters { config.membership.voters().iter().collect() } else { Vec::new() };
        Masters { voters, next: usize::from(me.0), tried: 0 }
    }

    /// Whom to learn from under this leader, and at which port.
    pub(super) fn choose(&mut self, leader: ServerId) -> (ServerId, Port) {
        let followers = self.voters.iter().filter(|voter| **voter != leader).count();
        if self.tried >= followers {
            self.tried = 0;
            return (leader, Port::Quorum);
        }
        self.tried += 1;
        loop {
            let voter = self.voters[self.next % self.voters.len()];
            self.next = (self.next + 1) % self.voters.len();
            if voter != leader {
                return (voter, Port::ObserverMaster);
            }
        }
    }

    /// Somebody serves.
    pub(super) fn found(&mut self) {
        self.tried = 0;
    }
}

impl Mastering {
    /// The leader is to hear of these, with what this server has heard of itself.
    pub(super) fn take_touched(&mut self, own: Vec<(SessionId, i32)>) -> Vec<(SessionId, i32)> {
        let mut touched = std::mem::take(&mut self.touched);
        touched.extend(own);
        touched.into_iter().collect()
    }
}

impl Member {
    /// The observers that learn from this follower.
    pub(in crate::peer) fn master(&self) -> Option<&ObserverMaster> {
        let Stance::Learning(learning) = &self.stance else { return None };
        learning.mastering.as_ref().map(|mastering| &mastering.master)
    }

    /// The same, with what waits.
    pub(super) fn mastering_mut(&mut self) -> Option<&mut Mastering> {
        let Stance::Learning(learning) = &mut self.stance else { return None };
        learning.mastering.as_mut()
    }
}

impl Peer {
    /// This follower is established: observers may come, if they are to.
    pub(super) fn begin_mastering(&mut self, now: Now, epoch: Epoch, outbox: &mut Outbox) {
        let Role::Member(member) = &mut self.role else { return };
        if !member.config.observer_masters || member.config.role != Part::Participant {
            return;
        }
        let Stance::Learning(learning) = &mut member.stance else { return };
        let mut events = Vec::new();
        let database = &self.state.database;
        let ground = Ground { committed_log: &member.committed_log, image: &|| database.image() };
        let mut turn = LeaderTurn { now: now.mono, ground, outbox, events: &mut events };
        let mut config = member.zab;
        config.backlog_close = member.config.observer_backlog_close;
        let mut standing = Standing { epochs: member.epochs, last_zxid: member.committed_log.last() };
        standing.epochs.current = epoch;
        let master = ObserverMaster::new(config, member.members.clone(), standing, &mut turn);
        let (late_answers, touched) = (VecDeque::new(), BTreeMap::new());
        learning.mastering = Some(Mastering { master, late_answers, touched });
    }

    /// Does something with the master, if this server is one, and what that wants done.
    pub(super) fn serve_observers(
        &mut self,
        now: Now,
        outbox: &mut Outbox,
        act: impl FnOnce(&mut ObserverMaster, &mut LeaderTurn<'_>),
    ) {
        let Role::Member(member) = &mut self.role else { return };
        let Stance::Learning(learning) = &mut member.stance else { return };
        let Some(mastering) = &mut learning.mastering else { return };
        let mut events = Vec::new();
        let database = &self.state.database;
        let ground = Ground { committed_log: &member.committed_log, image: &|| database.image() };
        act(&mut mastering.master, &mut LeaderTurn { now: now.mono, ground, outbox, events: &mut events });
        for event in events {
            self.master_event(event, outbox);
        }
    }

    fn master_event(&mut self, event: LeaderEvent, outbox: &mut Outbox) {
        match event {
            LeaderEvent::Request { link, request, .. } => self.hand_on(link, request, outbox),
            LeaderEvent::Revalidate { link, session, timeout } => {
                self.state.sessions.take_over(session, SessionOwner::Learner(link));
                if let Some(conn) = self.state.connections.of_session(session) {
                    self.drop_connection(conn, "its session has moved to another server", outbox);
                }
                self.ask_about(session, timeout, SessionOwner::Learner(link), outbox);
            }
            LeaderEvent::Touched(sessions) => {
                if let Some(mastering) = self.member_mut().mastering_mut() {
                    mastering.touched.extend(sessions);
                }
            }
            LeaderEvent::Synchronises { sid, by } => {
                self.state.metrics.count(match by {
                    // As Java counts them.
                    SyncMode::Diff | SyncMode::Trunc => Counter::DiffCount,
                    SyncMode::Snap => Counter::SnapCount,
                });
                outbox.event(PeerEvent::LearnerSynchronises { sid, by });
            }
            LeaderEvent::LearnerGone { link, sid, reason } => {
                outbox.event(PeerEvent::LearnerGone { link, sid, reason });
            }
            LeaderEvent::StoreEpoch { .. }
            | LeaderEvent::Established { .. }
            | LeaderEvent::Commit { .. }
            | LeaderEvent::Synced(_)
            | LeaderEvent::Gone { .. } => unreachable!("an observer master decides nothing: {event:?}"),
        }
    }

    /// An observer's client wants something that the leader decides.
    fn hand_on(&mut self, link: LinkId, request: ForwardedRequest, outbox: &mut Outbox) {
        let owner = SessionOwner::Learner(link);
        let (session, opcode) = (request.session, request.opcode);
        if opcode == OpCode::Sync.code() {
            self.member_mut().syncs.push_back(super::SyncAsker::Observer(link));
        } else if opcode != OpCode::CloseSession.code()
            && self.state.sessions.check_owner(session, owner) == Err(ErrorCode::SessionMoved)
        {
            // Its client has left that observer, and waits for nothing there.
            return;
        }
        self.forward_request(request, outbox);
    }

    /// The leader has answered a question about a session that an observer asked. That observer hears of txns when they are committed:
    /// what its client asked for elsewhere comes before the answer, as at a leader.
    pub(super) fn revalidated_there(
        &mut self,
        link: LinkId,
        (session, valid): (SessionId, bool),
        outbox: &mut Outbox,
    ) {
        if valid {
            self.state.sessions.take_over(session, SessionOwner::Learner(link));
        }
        let committed = self.committed;
        let last = self.commit.last_zxid().filter(|last| valid && *last > committed);
        let Some(mastering) = self.member_mut().mastering_mut() else { return };
        match last {
            Some(last) => mastering.late_answers.push_back((last, link, session)),
            None => mastering.master.revalidated(link, session, valid, outbox),
        }
    }

    /// A txn is committed: observers hear of it, and answers that waited for it leave.
    pub(super) fn inform_observers(&mut self, now: Now, zxid: Zxid, txn: &Bytes, outbox: &mut Outbox) {
        self.serve_observers(now, outbox, |master, turn| master.committed(zxid, txn.clone(), turn));
        let Some(Mastering { master, late_answers, .. }) = self.member_mut().mastering_mut() else { return };
        while let Some((_, link, session)) = late_answers.pop_front_if(|late| late.0 <= zxid) {
            master.revalidated(link, session, true, outbox);
        }
    }
}
