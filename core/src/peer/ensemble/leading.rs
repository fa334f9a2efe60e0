//! Leading: what the leader's machine wants, requests that learners forward, sessions of the whole ensemble
//! (`quorum-protocol.md` §6.1, §6.7, §7.3).

use super::{Peer, Stance};
use crate::auth::Identities;
use crate::contract::{Outbox, PeerEvent, SyncMode};
use crate::jute::{FieldLimit, ForwardedRequest, OpCode, PeerState, Reader, Request};
use crate::metrics::{Advanced, Basic, Counter};
use crate::peer::requests::{grows_data, makes_txn};
use crate::peer::role::Role;
use crate::pipeline::{Asker, Ground, Origin, Prep, Prepared};
use crate::session::{Noted, SessionOwner};
use crate::vocabulary::{Epoch, ErrorCode, LinkId, Millis, Now, SessionId, Zxid};
use crate::zab::{self, Leader, LeaderEvent, LeaderTurn, LearnerKind, LearnerView};
use bytes::Bytes;

impl Peer {
    /// Does something with the leader, and what that wants done.
    pub(super) fn lead(
        &mut self,
        now: Now,
        outbox: &mut Outbox,
        act: impl FnOnce(&mut Leader, &mut LeaderTurn<'_>),
    ) {
        let Role::Member(member) = &mut self.role else { return };
        let Stance::Leading(leading) = &mut member.stance else { return };
        let mut events = Vec::new();
        let database = &self.state.database;
        let ground = zab::Ground { committed_log: &member.committed_log, image: &|| database.image() };
        act(&mut leading.leader, &mut LeaderTurn { now: now.mono, ground, outbox, events: &mut events });
        self.leader_events(now, events, outbox);
    }

    pub(super) fn leader_events(&mut self, now: Now, events: Vec<LeaderEvent>, outbox: &mut Outbox) {
        for event in events {
            if !self.member_mut().is_leading() {
                return;
            }
            match event {
                LeaderEvent::StoreEpoch { kind, epoch } => self.store_epoch(kind, epoch, outbox),
                LeaderEvent::Established { epoch } => self.establish(now, epoch, outbox),
                LeaderEvent::Commit { zxid, txn } => {
                    self.state.metrics.count(Counter::CommitCount);
                    self.note_latency(Advanced::QuorumAckLatency, now, &txn);
                    self.commit(zxid, txn);
                    self.answer_late(zxid, outbox);
                }
                LeaderEvent::Request { link, request, .. } => self.requested(now, link, request, outbox),
                LeaderEvent::Revalidate { link, session, timeout } => {
                    self.revalidate(now, link, (session, timeout), outbox);
                }
                LeaderEvent::Touched(sessions) => {
                    for (session, timeout) in sessions {
                        self.state.sessions.reattach(session, Millis::from_int(timeout), now.mono);
                    }
                }
                LeaderEvent::Synced(_) => self.synced(now, outbox),
                LeaderEvent::Synchronises { sid, by } => {
                    self.note_synchronisation(by);
                    outbox.event(PeerEvent::LearnerSynchronises { sid, by });
                }
                LeaderEvent::LearnerGone { link, sid, reason } => {
                    outbox.event(PeerEvent::LearnerGone { link, sid, reason });
                }
                LeaderEvent::Gone { reason } => self.leave(now, reason, outbox),
            }
        }
    }

    /// A learner is sent what it lacks: how, and how many that goes for at the moment, as Java counts them.
    fn note_synchronisation(&mut self, by: SyncMode) {
        let learners =
            self.as_member().and_then(|member| member.leader()).into_iter().flat_map(Leader::learners);
        let syncing = learners.filter(|learner| learner.is_synchronising).count();
        let (count, inflight) = match by {
            SyncMode::Diff | SyncMode::Trunc => (Counter::DiffCount, Basic::InflightDiffCount),
            SyncMode::Snap => (Counter::SnapCount, Basic::InflightSnapCount),
        };
        self.state.metrics.count(count);
        self.state.metrics.add(inflight, i64::try_from(syncing).unwrap_or(i64::MAX));
    }

    /// The ensemble has taken over this server's history: clients are served from here on.
    fn establish(&mut self, now: Now, epoch: Epoch, outbox: &mut Outbox) {
        assert!(self.commit.is_empty(), "an epoch begins with everything applied");
        self.prep = Prep::new(self.seed, Zxid::new(epoch, 0), self.state.database.tree.digest());
        let has_local = self.state.config.switches.local_sessions;
        self.track_sessions(now, if has_local { Noted::Ended } else { Noted::Nothing });
        let member = self.member_mut();
        let unavailable_ms = member.become_available(now);
        member.election.update_epoch(i64::from(epoch.0));
        let took = now.mono.millis_since(member.since);
        outbox.event(PeerEvent::Serving { state: PeerState::Leading, leader: member.me, epoch, took });
        self.state.metrics.add(Basic::UnavailableTime, unavailable_ms);
        self.state.metrics.add(Basic::LeaderUnavailableTime, unavailable_ms);
        for session in self.state.database.orphans() {
            self.close_session(now, session, outbox);
        }
    }

    /// A txn that was prepared here goes to the learners.
    pub(in crate::peer) fn propose(&mut self, now: Now, zxid: Zxid, bytes: &Bytes, outbox: &mut Outbox) {
        if let Role::Member(_) = self.role {
            self.state.metrics.count(Counter::ProposalCount);
            self.lead(now, outbox, |leader, turn| leader.propose(zxid, bytes.clone(), turn));
        }
    }

    /// `srst` of a leader.
    pub(in crate::peer) fn forget_proposal_sizes(&mut self) {
        if let Role::Member(member) = &mut self.role
            && let Stance::Leading(leading) = &mut member.stance
        {
            leading.leader.forget_proposal_sizes();
        }
    }

    /// Whether a txn can be prepared: at the end of an epoch's numbers there is no room, and the leader's part ends.
    pub(in crate::peer) fn has_room(&self) -> bool {
        self.as_member().and_then(|member| member.leader()).is_none_or(Leader::has_room)
    }

    /// A learner's client wants a write, or a session.
    fn requested(&mut self, now: Now, link: LinkId, request: ForwardedRequest, outbox: &mut Outbox) {
        if !self.is_serving() || !self.has_room() || self.is_ending() {
            return;
        }
        let ForwardedRequest { session, cxid, opcode, body, identities } = request;
        let owner = SessionOwner::Learner(link);
        let identities = Identities::forwarded(identities);
        let asker = Asker::global(session, cxid, &identities);
        let limit = FieldLimit(self.state.config.limits.max_field());
        let mut reader = Reader::with_limit(body, limit);
        let prepared = if session == SessionId::NONE || self.state.sessions.is_local(session) {
            // No server means that: one is nobody's, the other only this server's.
            self.prep.refuse(Ground::of(&self.state, now), asker, ErrorCode::SessionExpired)
        } else if opcode == OpCode::CreateSession.code() {
            let timeout = Millis::from_int(reader.int().unwrap_or(0));
            self.state.sessions.create(session, timeout, now.mono);
            self.state.sessions.take_over(session, owner);
            self.prep.create_session(Ground::of(&self.state, now), asker, timeout)
        } else if opcode == OpCode::CloseSession.code() {
            // Whoever asks: the session's end is what its client wanted last, wherever it is by now. As in ZooKeeper.
            self.begin_closing(now, session, outbox);
            if !self.has_room() {
                return;
            }
            self.prep.request(Ground::of(&self.state, now), asker, &Request::CloseSession)
        } else {
            self.prepare_forwarded(now, asker, (owner, opcode), &mut reader)
        };
        self.note_quota(now, outbox);
        self.submit(now, prepared, Origin::Elsewhere, outbox);
    }

    fn prepare_forwarded(
        &mut self,
        now: Now,
        asker: Asker<'_>,
        (owner, opcode): (SessionOwner, i32),
        body: &mut Reader,
    ) -> Prepared {
        let may_own = self.state.sessions.check_owner(asker.session, owner);
        let ground = Ground::of(&self.state, now);
        if let Err(code) = may_own
            && !self.may_be_local_elsewhere(asker.session)
        {
            return self.prep.refuse(ground, asker, code);
        }
        let asker = Asker { may_own, ..asker };
        match Request::decode(opcode, body) {
            Ok(request) if self.pressure.is_space_low && grows_data(&request) => {
                self.prep.refuse(ground, asker, ErrorCode::QuotaExceeded)
            }
            Ok(request) if makes_txn(&request) => self.prep.request(ground, asker, &request),
            // A learner forwards nothing else: what it means can't be known.
            Ok(_) => self.prep.refuse(ground, asker, ErrorCode::Unimplemented),
            Err(_) => self.prep.refuse(ground, asker, ErrorCode::MarshallingError),
        }
    }

    /// A client that has moved to a learner wants to go on with its session there. Whatever still comes another way is too late.
    fn revalidate(
        &mut self,
        now: Now,
        link: LinkId,
        (session, timeout): (SessionId, i32),
        outbox: &mut Outbox,
    ) {
        self.state.metrics.count(Counter::RevalidateCount);
        let valid = self.is_serving()
            && !self.state.sessions.is_local(session)
            && self.state.sessions.reattach(session, Millis::from_int(timeout), now.mono);
        if valid {
            self.state.sessions.take_over(session, SessionOwner::Learner(link));
            if let Some(conn) = self.state.connections.of_session(session) {
                self.drop_connection(conn, "its session has moved to another server", outbox);
            }
        }
        let committed = self.committed;
        let last = self.commit.last_zxid().filter(|last| valid && *last > committed);
        let Stance::Leading(leading) = &mut self.member_mut().stance else { return };
        let observes = |learner: &LearnerView| learner.link == link && learner.kind == LearnerKind::Observer;
        match last {
            // An observer hears of a txn when it is committed. What its client asked for elsewhere has to come before the answer, or
            // it would be taken for what the client asks for there, by the same number.
            Some(last) if leading.leader.learners().any(|learner| observes(&learner)) => {
                leading.late_answers.push_back((last, link, session));
            }
            _ => leading.leader.revalidated(link, session, valid, outbox),
        }
    }

    fn answer_late(&mut self, committed: Zxid, outbox: &mut Outbox) {
        let Stance::Leading(leading) = &mut self.member_mut().stance else { return };
        while let Some((_, link, session)) = leading.late_answers.pop_front_if(|late| late.0 <= committed) {
            leading.leader.revalidated(link, session, true, outbox);
        }
    }
}
