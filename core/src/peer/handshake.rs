//! The handshake (`client-protocol.md` §3.3), in the order of its checks.
//!
//! Traps kept: a known session's other connection is closed before the password is looked at; a wrong password and an unknown
//! session are answered alike; a client from the future is closed without a word.

use super::Peer;
use crate::contract::{Outbox, PeerEvent};
use crate::jute::{ConnectRequest, ConnectResponse, Encode};
use crate::metrics::Counter;
use crate::pipeline::{Asker, ConnectionState, Ground, Origin, PauseReason, Pending, Slot};
use crate::session::{SessionOwner, SessionScope, password};
use crate::vocabulary::{ConnId, Millis, Now, SessionId, Xid};
use bytes::Bytes;

impl Peer {
    pub(super) fn connect(
        &mut self,
        now: Now,
        conn: ConnId,
        mut request: ConnectRequest,
        outbox: &mut Outbox,
    ) {
        let Some(slot) = self.state.connections.slot(conn) else { return };
        self.end_patience(conn);
        let connection = self.state.connections.at_mut(slot);
        connection.stats.received += 1;
        let is_first = matches!(connection.state, ConnectionState::Accepted { .. });
        self.state.metrics.server.packets_received += 1;
        self.state.metrics.count_by(Counter::BytesReceivedCount, frame_length(&request));
        if !is_first || self.is_ending() {
            return self.drop_connection(conn, "a handshake out of place", outbox);
        }
        if !self.is_serving() {
            return self.drop_connection(conn, "no leader is known: nobody is served yet", outbox);
        }
        self.state.metrics.count(Counter::ConnectionRequestCount);
        if let Some(reason) = self.reason_to_close(&request) {
            outbox.event(PeerEvent::HandshakeRefused { conn, session: request.session_id, reason });
            return self.state.close(conn, outbox);
        }
        // From here on it is the byte of the answer.
        request.read_only = request.read_only.map(|_| self.is_read_only());
        let connection = self.state.connections.at_mut(slot);
        connection.state = ConnectionState::Establishing;
        connection.timeout = negotiate(&self.state.config, request.timeout);
        if request.session_id == SessionId::NONE {
            self.create_session(now, slot, request.read_only, outbox);
        } else {
            self.reopen_session(now, conn, &request, outbox);
        }
    }

    /// Why a client is left without an answer.
    fn reason_to_close(&self, request: &ConnectRequest) -> Option<&'static str> {
        let database = &self.state.database;
        if self.is_read_only() && request.read_only != Some(true) {
            return Some("the client does not accept a read-only server");
        }
        if request.last_zxid_seen > database.last_zxid() {
            return Some("the client has seen a zxid that this server has not");
        }
        let is_global = self.is_read_only() && database.sessions().contains_key(&request.session_id);
        is_global.then_some("a session of the ensemble can't be renewed by a read-only server")
    }

    /// The answer leaves when the createSession txn is committed.
    fn create_session(&mut self, now: Now, slot: Slot, read_only: Option<bool>, outbox: &mut Outbox) {
        let database = &self.state.database;
        let session = self.state.sessions.next_id(|id| database.sessions().contains_key(&id));
        self.state.connections.attach(slot, session);
        let connection = self.state.connections.at(slot);
        let (conn, timeout) = (connection.id, connection.timeout);
        if self.makes_local_sessions() {
            return self.create_local_session(now, slot, read_only, outbox);
        }
        self.state.pause(conn, PauseReason::Handshake, outbox);
        if !self.decides() {
            return self.forward_session(now, slot, read_only, outbox);
        }
        if !self.has_room() {
            return self.drop_connection(conn, "the zxids of this epoch are used up", outbox);
        }
        self.state.sessions.create(session, timeout, now.mono);
        self.state.sessions.take_over(session, SessionOwner::Here);
        let connection = self.state.connections.at(slot);
        let ground = Ground::of(&self.state, now);
        let asker = Asker::global(session, Xid(0), &connection.identities);
        let prepared = self.prep.create_session(ground, asker, timeout);
        self.submit(now, prepared, Origin::Handshake { conn, read_only, arrived: now.mono }, outbox);
    }

    fn reopen_session(&mut self, now: Now, conn: ConnId, request: &ConnectRequest, outbox: &mut Outbox) {
        self.state.metrics.count(Counter::ConnectionRevalidateCount);
        let session = request.session_id;
        if let Some(other) = self.state.connections.of_session(session) {
            self.drop_connection(other, "its session came back on another connection", outbox);
        }
        let slot = self.state.connections.slot(conn).expect("it is not the connection that was dropped");
        let timeout = self.state.connections.at(slot).timeout;
        let knows = request.password.as_deref() == Some(&password(session)[..]);
        let is_asked = !self.decides() && !self.is_read_only() && !self.state.sessions.is_local(session);
        if knows && is_asked {
            return self.ask_revalidation(now, slot, request, outbox);
        }
        if !knows || !self.state.sessions.reattach(session, timeout, now.mono) {
            let reason = if knows { "no such session" } else { "wrong password" };
            return self.refuse_session((conn, slot), (session, request.read_only), reason, outbox);
        }
        self.state.sessions.take_over(session, SessionOwner::Here);
        self.state.connections.attach(slot, session);
        let is_global = self.state.sessions.scope(session) == Some(SessionScope::Global);
        if is_global && !self.state.database.sessions().contains_key(&session) {
            return self.await_session((conn, slot), now, request.read_only, outbox);
        }
        self.wait_for_writes((conn, slot));
        self.state.greet(slot, request.read_only, (now.mono, now), outbox);
        outbox.event(PeerEvent::SessionReattached { session, conn, timeout });
        if !self.decides() && !self.is_read_only() {
            self.catch_up(now, slot, outbox);
        }
    }

    /// Somebody comes back to a session that does not exist yet, for its createSession is not durable: the answer leaves when it is.
    fn await_session(
        &mut self,
        (conn, slot): (ConnId, Slot),
        now: Now,
        read_only: Option<bool>,
        outbox: &mut Outbox,
    ) {
        let session = self.state.connections.at(slot).session;
        self.state.pause(conn, PauseReason::Handshake, outbox);
        let is_awaited =
            self.commit.hand_over(session, Origin::Handshake { conn, read_only, arrived: now.mono });
        assert!(is_awaited, "{session} is tracked, and neither there nor under way");
        self.wait_for_writes((conn, slot));
    }

    /// What a connection asks is answered behind everything that its session may have asked over another one.
    fn wait_for_writes(&mut self, (conn, slot): (ConnId, Slot)) {
        if let Some(zxid) = self.commit.wake_behind_last(conn) {
            self.state.connections.enqueue(slot, Pending::Barrier { zxid });
        }
    }

    /// The session is no more: said by a timeout of 0.
    pub(super) fn refuse_session(
        &mut self,
        (conn, slot): (ConnId, Slot),
        (session, read_only): (SessionId, Option<bool>),
        reason: &'static str,
        outbox: &mut Outbox,
    ) {
        let response = ConnectResponse {
            protocol_version: 0,
            timeout: 0,
            session_id: SessionId::NONE,
            password: Bytes::from_static(&[0; 16]),
            read_only,
        };
        self.state.replier(outbox).send(slot, |out| response.encode(out));
        outbox.event(PeerEvent::HandshakeRefused { conn, session, reason });
        self.state.close(conn, outbox);
    }
}

/// Bytes of a handshake on the wire.
fn frame_length(request: &ConnectRequest) -> u64 {
    let fixed = 4 + 4 + 8 + 4 + 8 + 4 + u64::from(request.read_only.is_some());
    fixed + request.password.as_ref().map_or(0, |password| password.len() as u64)
}

/// The minimum is applied first, then the maximum.
fn negotiate(config: &crate::vocabulary::PeerConfig, wanted: i32) -> Millis {
    let wanted = Millis(u64::try_from(wanted).unwrap_or(0));
    wanted.max(config.min_session_timeout).min(config.max_session_timeout)
}
