//! Learning: what the learner's machine wants, and what this server's clients want of the leader (`quorum-protocol.md` §5.6, §6.2,
//! §6.3, §6.7, §7.2).
//!
//! A write goes to the leader and comes back as a txn, which is matched with who asked by session and number when it is applied.
//! Reads are answered here. A session that comes from another server is asked about first.

use super::{Peer, Stance, SyncAsker};
use crate::contract::{ExitCode, Outbox, PeerEvent, Port, StoreOp};
use crate::jute::{
    ConnectRequest, CreateKind, Decode as _, Encode as _, FieldLimit, ForwardedRequest, MultiOp, OpCode,
    PeerState, Reader, Request, Txn, TxnHeader, WirePath,
};
use crate::metrics::{Advanced, Basic, Counter};
use crate::peer::Ending;
use crate::peer::local::refusal;
use crate::pipeline::{Connection, Greeting, Origin, PauseReason, Pending, Proposal, Slot};
use crate::quorum::{Membership, Role as Part};
use crate::session::SessionOwner;
use crate::tree::Database;
use crate::vocabulary::{Epoch, ErrorCode, Millis, Now, SessionId, Xid, Zxid};
use crate::zab::{Learner, LearnerEvent, LearnerTurn, SyncToken};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

impl Peer {
    /// Does something with the learner, and what that wants done.
    pub(super) fn learn(
        &mut self,
        now: Now,
        outbox: &mut Outbox,
        act: impl FnOnce(&mut Learner, &mut LearnerTurn<'_>),
    ) {
        let Stance::Learning(learning) = &mut self.member_mut().stance else { return };
        let mut events = Vec::new();
        act(&mut learning.learner, &mut LearnerTurn { now: now.mono, outbox, events: &mut events });
        self.learner_events(now, events, outbox);
    }

    pub(super) fn learner_events(&mut self, now: Now, events: Vec<LearnerEvent>, outbox: &mut Outbox) {
        for event in events {
            if self.ending == Ending::Ended || !matches!(self.member_mut().stance, Stance::Learning(_)) {
                return;
            }
            match event {
                LearnerEvent::StoreEpoch { kind, epoch } => self.store_epoch(kind, epoch, outbox),
                LearnerEvent::Truncate { to } => {
                    let seq = self.store_log(StoreOp::Truncate { to }, outbox);
                    self.member_mut().truncating = Some(seq);
                }
                LearnerEvent::Replace(database) => self.replace(now, *database, outbox),
                LearnerEvent::Append { zxid, txn } => {
                    self.state.metrics.count(Counter::LearnerProposalReceivedCount);
                    self.note_latency(Advanced::ProposalLatency, now, &txn);
                    self.learned(zxid, txn, outbox);
                }
                LearnerEvent::Commit { zxid, txn } => {
                    self.state.metrics.count(Counter::LearnerCommitReceivedCount);
                    self.note_latency(Advanced::CommitPropagationLatency, now, &txn);
                    self.commit(zxid, txn.clone());
                    self.inform_observers(now, zxid, &txn, outbox);
                }
                LearnerEvent::LeaderConfig(config) => self.meet_leader_config(&config, outbox),
                LearnerEvent::HistoryComplete => self.history_complete(now, outbox),
                LearnerEvent::Established { epoch } => self.established(now, epoch, outbox),
                LearnerEvent::Ping { zxid } => self.answer_ping(zxid, outbox),
                LearnerEvent::Synced => self.synced(now, outbox),
                LearnerEvent::Revalidated { session, valid } => {
                    self.revalidated(now, session, valid, outbox);
                }
                LearnerEvent::Unreachable { reason } => {
                    let member = self.member_mut();
                    let tried = now.mono.millis_since(member.since).min(member.zab.init_span());
                    // That a follower serves no observers says nothing against it.
                    if let Some((leader, Port::Quorum)) = member.learns_at() {
                        member.election.avoid(now.mono, leader, tried);
                    }
                    self.leave(now, reason, outbox);
                }
                LearnerEvent::Failed { reason } => self.leave(now, reason, outbox),
                LearnerEvent::Fatal { code, reason } => self.exit(code, reason, outbox),
            }
        }
    }

    /// Java writes databases while it applies txns: until the history is complete, some of what follows may be in the tree already. That
    /// is so behind a SNAP, and behind any other beginning too: this server may have ended between a SNAP and what followed it, or
    /// have started over a snapshot of Java's whose log had lost its end.
    pub(super) fn expect_fuzziness(&mut self) {
        self.state.fuzzy_until = Zxid(i64::MAX);
        self.state.database.begin_replay();
    }

    /// The leader's database takes the place of everything, here and on disk.
    fn replace(&mut self, now: Now, database: Database, outbox: &mut Outbox) {
        self.adopt(now, database, VecDeque::new());
        self.expect_fuzziness();
        let image = self.state.database.image();
        self.store_log(StoreOp::Replace(image), outbox);
    }

    /// A txn of the leader's goes to the log, and waits for its commit.
    fn learned(&mut self, zxid: Zxid, bytes: Bytes, outbox: &mut Outbox) {
        let limit = FieldLimit(self.state.config.limits.max_field());
        let txn = match Txn::decode_all(&mut Reader::with_limit(bytes.clone(), limit)) {
            Ok(txn) if txn.header.zxid == zxid => txn,
            other => {
                let reason =
                    format!("the leader proposed {zxid}, which is no txn that is known here: {other:?}");
                return self.exit(ExitCode::UnexpectedError, reason, outbox);
            }
        };
        let member = self.member_mut();
        let is_logged = member.config.role == Part::Participant || member.config.observer_logs;
        let seq = if is_logged { self.append(zxid, &bytes, outbox) } else { self.log_seq };
        self.commit.push(Proposal { seq, txn, bytes, origin: Origin::Leader, wakes: Vec::new() });
    }

    /// The history is the leader's; when it is durable, that is acknowledged.
    fn history_complete(&mut self, now: Now, outbox: &mut Outbox) {
        if self.state.database.last_zxid() < self.committed {
            self.state.fuzzy_until = self.committed;
        } else {
            self.end_fuzziness();
        }
        let (stored, asked) = (self.log_stored, self.log_seq);
        if stored >= asked {
            return self.learn(now, outbox, |learner, turn| learner.history_stored(turn));
        }
        if let Stance::Learning(learning) = &mut self.member_mut().stance {
            learning.history_ends = Some(asked);
        }
    }

    /// A version says that the ensemble can be reconfigured. Where that has made others decide than this server thinks, its vote and
    /// its reign would count by a quorum that is none.
    fn meet_leader_config(&mut self, config: &[u8], outbox: &mut Outbox) {
        let text = String::from_utf8_lossy(config);
        let theirs = match Membership::parse(&text) {
            Ok(theirs) => theirs,
            Err(error) => {
                let reason = format!(
                    "who votes can't be read from the leader's configuration ({error}), so it is not followed: {}",
                    text.replace('\n', " ")
                );
                return self.exit(ExitCode::UnexpectedError, reason, outbox);
            }
        };
        let members = &mut self.member_mut().members;
        if theirs.version() <= members.committed().version() {
            return;
        }
        if theirs.decides_like(members.committed()) {
            // A leader of an older version is followed by nobody who has this one.
            members.commit(theirs);
            return;
        }
        let lines = theirs.to_string().replace('\n', " ");
        let reason = format!(
            "the leader's configuration has other voters, groups or weights than this server's: start it again with {lines}"
        );
        self.exit(ExitCode::UnexpectedError, reason, outbox);
    }

    fn established(&mut self, now: Now, epoch: Epoch, outbox: &mut Outbox) {
        let member = self.member_mut();
        let unavailable_ms = member.become_available(now);
        member.masters.found();
        member.election.update_epoch(i64::from(epoch.0));
        let state = match member.config.role {
            Part::Participant => PeerState::Following,
            Part::Observer => PeerState::Observing,
        };
        let leader = member.learns_from().expect("it learns from somebody");
        let took = now.mono.millis_since(member.since);
        outbox.event(PeerEvent::Serving { state, leader, epoch, took });
        let summary =
            if state == PeerState::Following { Basic::FollowerSyncTime } else { Basic::ObserverSyncTime };
        self.state.metrics.add(summary, took.0 as i64);
        self.state.metrics.add(Basic::UnavailableTime, unavailable_ms);
        self.begin_mastering(now, epoch, outbox);
    }

    /// How long ago the leader prepared a txn, by the wall clocks; where they disagree there may be nothing to say.
    pub(super) fn note_latency(&mut self, metric: Advanced, now: Now, txn: &Bytes) {
        if let Ok(header) = TxnHeader::decode(&mut Reader::new(txn.clone()))
            && now.wall >= header.time
        {
            self.state.metrics.add_advanced(metric, now.wall.0 - header.time.0);
        }
    }

    fn answer_ping(&mut self, zxid: Zxid, outbox: &mut Outbox) {
        let touched = self.state.sessions.take_touched();
        let mut touched: Vec<_> =
            touched.into_iter().map(|(session, timeout)| (session, timeout.to_int())).collect();
        if let Stance::Learning(learning) = &mut self.member_mut().stance {
            if let Some(mastering) = &mut learning.mastering {
                touched = mastering.take_touched(touched);
            }
            learning.learner.answer_ping(zxid, touched, outbox);
        }
    }

    fn ask_leader(&mut self, slot: Slot, cxid: Xid, opcode: i32, body: Bytes, outbox: &mut Outbox) {
        let Connection { session, identities, .. } = self.state.connections.at(slot);
        let identities = identities.iter().cloned().collect();
        self.forward_request(ForwardedRequest { session: *session, cxid, opcode, body, identities }, outbox);
    }

    pub(super) fn forward_request(&mut self, request: ForwardedRequest, outbox: &mut Outbox) {
        if let Stance::Learning(learning) = &mut self.member_mut().stance {
            learning.learner.request(request, outbox);
        }
    }

    /// A client's write, on its way to the leader.
    pub(in crate::peer) fn forward(
        &mut self,
        now: Now,
        slot: Slot,
        (xid, request): (Xid, Request),
        may_own: Result<(), ErrorCode>,
        outbox: &mut Outbox,
    ) {
        let opcode = request.opcode();
        let is_create2 =
            |op: &MultiOp| matches!(op, MultiOp::Create(create) if create.kind == CreateKind::Create2);
        let create2_places = match &request {
            Request::Multi(ops) => (0..ops.len()).filter(|place| is_create2(&ops[*place])).collect(),
            _ => Vec::new(),
        };
        let refusal = refusal(may_own);
        let pending = Pending::Forwarded { xid, opcode, arrived: now.mono, create2_places, refusal };
        self.state.connections.enqueue(slot, pending);
        self.ask_leader(slot, xid, opcode, request.to_bytes(), outbox);
        self.throttle(slot, outbox);
    }

    /// A client's wish to see everything that was committed before, anywhere.
    pub(in crate::peer) fn ask_sync(
        &mut self,
        now: Now,
        slot: Slot,
        (xid, path): (Xid, WirePath),
        outbox: &mut Outbox,
    ) {
        let request = Request::Sync { path: path.clone() };
        let pending = Pending::Sync { xid, path, arrived: now.mono, ready_at: None };
        let conn = self.state.connections.at(slot).id();
        self.await_sync(now, slot, (xid, request), pending, outbox);
        if let Some(slot) = self.state.connections.slot(conn) {
            self.throttle(slot, outbox);
        }
    }

    /// A session that this server alone knows of has come back: what it asked the leader for over another connection comes before
    /// all that it asks for now, by the same numbers perhaps. Nobody else could say how far that has come, so a sync does.
    pub(in crate::peer) fn catch_up(&mut self, now: Now, slot: Slot, outbox: &mut Outbox) {
        let request = Request::Sync { path: Some("/".to_owned()) };
        self.await_sync(now, slot, (Xid(0), request), Pending::OwnSync { ready_at: None }, outbox);
    }

    fn await_sync(
        &mut self,
        now: Now,
        slot: Slot,
        (xid, request): (Xid, Request),
        pending: Pending,
        outbox: &mut Outbox,
    ) {
        self.state.connections.enqueue(slot, pending);
        let connection = self.state.connections.at_mut(slot);
        connection.is_syncing = true;
        let conn = connection.id();
        self.state.pause(conn, PauseReason::Handshake, outbox);
        let member = self.member_mut();
        member.syncs.push_back(SyncAsker::Here(conn));
        member.sync_tokens += 1;
        let token = SyncToken(member.sync_tokens);
        match member.stance {
            Stance::Leading(_) => self.lead(now, outbox, |leader, turn| leader.sync(token, turn)),
            _ => self.ask_leader(slot, xid, request.opcode(), request.to_bytes(), outbox),
        }
        self.go_on(now, outbox);
    }

    /// A new session is the leader's to make; the answer leaves when its txn is applied here.
    pub(in crate::peer) fn forward_session(
        &mut self,
        now: Now,
        slot: Slot,
        read_only: Option<bool>,
        outbox: &mut Outbox,
    ) {
        let connection = self.state.connections.at_mut(slot);
        connection.greeting = Some(Greeting { read_only, arrived: now.mono });
        let (session, timeout) = (connection.session, connection.timeout);
        self.ask_for_session(session, timeout, outbox);
    }

    /// A session is to be the ensemble's. Nobody's identities go with it, for no ACL is asked: as in ZooKeeper.
    pub(in crate::peer) fn ask_for_session(
        &mut self,
        session: SessionId,
        timeout: Millis,
        outbox: &mut Outbox,
    ) {
        let mut body = BytesMut::new();
        crate::jute::Writer::new(&mut body).int(timeout.to_int());
        let (opcode, body) = (OpCode::CreateSession.code(), body.freeze());
        let request = ForwardedRequest { session, cxid: Xid(0), opcode, body, identities: Vec::new() };
        self.forward_request(request, outbox);
    }

    /// A session comes from another server: the leader knows whether it lives.
    pub(in crate::peer) fn ask_revalidation(
        &mut self,
        now: Now,
        slot: Slot,
        request: &ConnectRequest,
        outbox: &mut Outbox,
    ) {
        let session = request.session_id;
        let connection = self.state.connections.at_mut(slot);
        connection.greeting = Some(Greeting { read_only: request.read_only, arrived: now.mono });
        let (conn, timeout) = (connection.id(), connection.timeout().to_int());
        self.state.pause(conn, PauseReason::Handshake, outbox);
        self.state.sessions.take_over(session, SessionOwner::Here);
        self.ask_about(session, timeout, SessionOwner::Here, outbox);
        let Stance::Learning(learning) = &mut self.member_mut().stance else { return };
        if let Some(other) = learning.revalidating.insert(session, conn) {
            self.drop_connection(other, "its session came back on another connection", outbox);
        }
    }

    /// Answers come in the order of the questions.
    pub(super) fn ask_about(
        &mut self,
        session: SessionId,
        timeout: i32,
        asker: SessionOwner,
        outbox: &mut Outbox,
    ) {
        if let Stance::Learning(learning) = &mut self.member_mut().stance {
            learning.learner.revalidate(session, timeout, outbox);
            learning.asked_about.push_back((session, asker));
        }
    }

    fn revalidated(&mut self, now: Now, session: SessionId, valid: bool, outbox: &mut Outbox) {
        let Stance::Learning(learning) = &mut self.member_mut().stance else { return };
        let place = learning.asked_about.iter().position(|(asked, _)| *asked == session);
        let asker = place.and_then(|place| learning.asked_about.remove(place));
        if let Some((_, SessionOwner::Learner(link))) = asker {
            return self.revalidated_there(link, (session, valid), outbox);
        }
        let Some(conn) = learning.revalidating.remove(&session) else { return };
        let Some(slot) = self.state.connections.slot(conn) else { return };
        let connection = self.state.connections.at_mut(slot);
        let timeout = connection.timeout();
        let Greeting { read_only, arrived } = connection.greeting.expect("who is revalidated waits for it");
        if !valid {
            return self.refuse_session((conn, slot), (session, read_only), "no such session", outbox);
        }
        // Whatever was proposed before the leader's answer was asked for over another connection.
        connection.floor = self.commit.last_zxid().unwrap_or(self.state.database.last_zxid());
        self.state.connections.attach(slot, session);
        self.state.sessions.reattach(session, timeout, now.mono);
        if !self.state.database.sessions().contains_key(&session) {
            return;
        }
        self.state.greet(slot, read_only, (arrived, now), outbox);
        outbox.event(PeerEvent::SessionReattached { session, conn, timeout });
        self.admit_early(now, conn, outbox);
    }
}
