//! A client's request: authentication at once, writes to prep, reads to the tree or behind their connection's writes
//! (`client-protocol.md` §4.3, §9, §15.5, §15.8).
//!
//! Requests of a session that is closing or gone are dropped without a reply.

use super::Peer;
use super::local::refusal;
use super::role::Role;
use crate::auth::{Identities, authenticate};
use crate::contract::{Outbox, PeerEvent};
use crate::jute::{AuthPacket, Encode, Malformed, MalformedReason, MultiOp, OpCode, ReplyHeader, Request};
use crate::metrics::{Counter, CounterSet};
use crate::pipeline::{
    Asker, ConnectionState, Early, Ground, Origin, PauseReason, Pending, Prepared, Proposal, Slot,
};
use crate::vocabulary::{ConnId, ErrorCode, Now, SessionId, Xid, Zxid};
use std::sync::Arc;

impl Peer {
    pub(super) fn request(
        &mut self,
        now: Now,
        conn: ConnId,
        (xid, request, frame_length): (Xid, Request, u32),
        outbox: &mut Outbox,
    ) {
        let Some(slot) = self.state.connections.slot(conn) else { return };
        let is_ending = self.is_ending();
        let connection = self.state.connections.at_mut(slot);
        connection.stats.received += 1;
        self.state.metrics.server.packets_received += 1;
        self.state.metrics.count_by(Counter::BytesReceivedCount, u64::from(frame_length) + 4);
        match connection.state {
            ConnectionState::Establishing => connection.early.push_back(Early { xid, request }),
            _ if is_ending => {}
            ConnectionState::Established if connection.is_syncing || !connection.early.is_empty() => {
                connection.early.push_back(Early { xid, request });
            }
            ConnectionState::Established => self.admit(now, slot, (xid, request), outbox),
            // It is ignored, but heard of.
            ConnectionState::Condemned if tells_of_life(&request) => {
                let session = connection.session;
                self.state.sessions.touch(session, now.mono);
            }
            ConnectionState::Condemned | ConnectionState::FourLetter => {}
            ConnectionState::Accepted { .. } => {
                self.drop_connection(conn, "a request before the handshake", outbox);
            }
        }
    }

    /// What came while the session was being established, or behind a sync, as far as one input may go; behind it the connection is read again.
    pub(super) fn admit_early(&mut self, now: Now, conn: ConnId, outbox: &mut Outbox) {
        while let Some(slot) = self.state.connections.slot(conn)
            && !self.state.connections.at(slot).is_syncing
            && !self.state.connections.at(slot).early.is_empty()
        {
            if self.state.is_part_full(outbox) {
                return self.state.connections.unfinished.push_back(conn);
            }
            let connection = self.state.connections.at_mut(slot);
            let Early { xid, request } = connection.early.pop_front().expect("it is not empty");
            if connection.state == ConnectionState::Established {
                self.admit(now, slot, (xid, request), outbox);
            }
        }
        if self.state.connections.get(conn).is_some_and(|connection| !connection.is_syncing) {
            self.state.resume(conn, PauseReason::Handshake, outbox);
        }
    }

    fn admit(&mut self, now: Now, slot: Slot, (xid, request): (Xid, Request), outbox: &mut Outbox) {
        match request {
            Request::Auth(packet) => return self.authenticate(slot, xid, &packet, outbox),
            Request::Sasl { .. } => return self.answer_sasl(slot, xid, outbox),
            _ => {}
        }
        if !self.state.sessions.touch(self.state.connections.at(slot).session, now.mono) {
            return self.state.metrics.count(Counter::StaleRequestsDropped);
        }
        if self.is_read_only() && self.is_refused_read_only(now, slot, (xid, &request), outbox) {
            return;
        }
        let is_local_close = self.is_local_close(slot, &request);
        if makes_txn(&request) && !is_local_close {
            self.write(now, slot, (xid, request), outbox);
        } else {
            if is_local_close || matches!(request, Request::Unknown { .. }) {
                self.state.connections.at_mut(slot).state = ConnectionState::Condemned;
            }
            self.read(now, slot, (xid, request), outbox);
        }
    }

    fn read(&mut self, now: Now, slot: Slot, (xid, request): (Xid, Request), outbox: &mut Outbox) {
        if let (Request::Sync { path }, Role::Member(_)) = (&request, &self.role) {
            return self.ask_sync(now, slot, (xid, path.clone()), outbox);
        }
        if self.state.connections.at(slot).queue.is_empty() {
            let identities = Arc::clone(&self.state.connections.at(slot).identities);
            return self.state.read((slot, xid, now.mono), &request, &identities, now, outbox);
        }
        let identities = Arc::clone(&self.state.connections.at(slot).identities);
        let pending = Pending::Read { xid, request, identities, arrived: now.mono };
        self.state.connections.enqueue(slot, pending);
        self.throttle(slot, outbox);
    }

    fn write(&mut self, now: Now, slot: Slot, (xid, request): (Xid, Request), outbox: &mut Outbox) {
        let opcode = request.opcode();
        if self.pressure.is_space_low && grows_data(&request) {
            return self.refuse(now, slot, (xid, opcode), outbox);
        }
        if self.decides() && !self.has_room() {
            return self.ignore_from_here(slot);
        }
        let connection = self.state.connections.at(slot);
        let (conn, session) = (connection.id, connection.session);
        let may_own = match self.state.sessions.is_local(session) {
            true => self.upgrade_if_wanted(now, slot, &request, outbox),
            false => Ok(()),
        };
        if !self.decides() {
            return self.forward(now, slot, (xid, request), may_own, outbox);
        }
        // The session's upgrade may have been the last txn of the epoch.
        if !self.has_room() {
            return self.ignore_from_here(slot);
        }
        if let Request::CloseSession = request {
            self.begin_closing(now, session, outbox);
            if !self.has_room() {
                return self.ignore_from_here(slot);
            }
        }
        let connection = self.state.connections.at(slot);
        let asker = Asker { session, cxid: xid, identities: &connection.identities, may_own };
        let prepared = self.prep.request(Ground::of(&self.state, now), asker, &request);
        let zxid = prepared.txn.header.zxid;
        self.note_quota(now, outbox);
        self.state.connections.enqueue(slot, Pending::Write { zxid, refusal: refusal(may_own) });
        self.submit(now, prepared, Origin::Request { conn, opcode, arrived: now.mono }, outbox);
        self.throttle(slot, outbox);
    }

    /// A write can't become a txn of this epoch any more, and what is asked behind it must not be answered before it. The connection
    /// ends with the leader's part.
    fn ignore_from_here(&mut self, slot: Slot) {
        self.state.connections.at_mut(slot).state = ConnectionState::Condemned;
    }

    /// The disk is nearly full: the write is answered in its turn, and is no txn.
    fn refuse(&mut self, now: Now, slot: Slot, (xid, opcode): (Xid, i32), outbox: &mut Outbox) {
        let code = ErrorCode::QuotaExceeded.code();
        if self.state.connections.at(slot).queue.is_empty() {
            return self.state.refuse((slot, xid, now.mono), (opcode, code), now, outbox);
        }
        let refused = Pending::Refused { xid, opcode, code, arrived: now.mono };
        self.state.connections.enqueue(slot, refused);
        self.throttle(slot, outbox);
    }

    /// From here on the session can't do anything (ZOOKEEPER-1208); ephemerals that no closeSession could list go first. Where their
    /// deletions use up the epoch's zxids there is no closeSession, and the session lives on under the next leader.
    pub(super) fn begin_closing(&mut self, now: Now, session: SessionId, outbox: &mut Outbox) {
        self.state.sessions.set_closing(session);
        let asker = Asker::global(session, Xid(0), Identities::server());
        while self.has_room()
            && let Some(prepared) = self.prep.shed_ephemerals(Ground::of(&self.state, now), asker)
        {
            self.submit(now, prepared, Origin::Server, outbox);
        }
    }

    /// Sends a txn on its way: to the learners, to the log, and into the queue of those that are not committed.
    pub(super) fn submit(&mut self, now: Now, prepared: Prepared, origin: Origin, outbox: &mut Outbox) {
        let Prepared { txn, bytes } = prepared;
        let zxid = txn.header.zxid;
        self.propose(now, zxid, &bytes, outbox);
        let seq = self.append(zxid, &bytes, outbox);
        self.commit.push(Proposal { seq, txn, bytes, origin, wakes: Vec::new() });
    }

    pub(super) fn note_quota(&mut self, now: Now, outbox: &mut Outbox) {
        let Some(note) = self.prep.take_quota_note() else { return };
        if note.hard {
            self.state.metrics.count_path(CounterSet::QuotaExceededErrorPerNamespace, &note.path);
        }
        if self.pressure.may_tell_quota(now.mono) {
            outbox.event(PeerEvent::QuotaExceeded { path: note.path, hard: note.hard });
        }
    }

    /// Answered at once, ahead of earlier requests, as in ZooKeeper.
    fn authenticate(&mut self, slot: Slot, xid: Xid, packet: &AuthPacket, outbox: &mut Outbox) {
        let connection = self.state.connections.at_mut(slot);
        let conn = connection.id;
        let result = authenticate(Arc::make_mut(&mut connection.identities), packet, &self.state.auth);
        let err = result.err().map_or(0, ErrorCode::code);
        let header = ReplyHeader { xid, zxid: Zxid(0), err };
        self.state.replier(outbox).send(slot, |out| header.encode(out));
        if err != 0 {
            self.state.metrics.server.auth_failed += 1;
            outbox.event(PeerEvent::AuthFailed { conn, scheme: packet.scheme.clone().unwrap_or_default() });
            self.state.close(conn, outbox);
        }
    }

    /// Without a JAAS section ZooKeeper's server says yes and gives no token.
    fn answer_sasl(&mut self, slot: Slot, xid: Xid, outbox: &mut Outbox) {
        let header = ReplyHeader { xid, zxid: Zxid(0), err: 0 };
        self.state.replier(outbox).send(slot, |out| {
            header.encode(out);
            out.buffer(None);
        });
    }
}

/// Whether a request goes through prep. Of the malformed ones an undecodable multi does.
pub(super) fn makes_txn(request: &Request) -> bool {
    match request {
        Request::Create(_)
        | Request::Delete { .. }
        | Request::SetData { .. }
        | Request::SetAcl { .. }
        | Request::Multi(_)
        | Request::Reconfig { .. }
        | Request::CloseSession => true,
        Request::Malformed(Malformed { opcode, reason }) => {
            *opcode == OpCode::Multi && *reason == MalformedReason::Undecodable
        }
        _ => false,
    }
}

/// Whether the request says of its session that it lives: what is about the connection alone does not.
fn tells_of_life(request: &Request) -> bool {
    !matches!(request, Request::Auth(_) | Request::Sasl { .. })
}

/// Whether a write may make the data larger.
pub(super) fn grows_data(request: &Request) -> bool {
    match request {
        Request::Create(_) | Request::SetData { .. } | Request::SetAcl { .. } => true,
        Request::Multi(ops) => {
            ops.iter().any(|op| matches!(op, MultiOp::Create(_) | MultiOp::SetData { .. }))
        }
        _ => false,
    }
}
