//! Sessions at apply: the answer to a handshake, and the end of a session (`client-protocol.md` §3, §4.5, §22).

use crate::contract::{Outbox, Output, PeerEvent};
use crate::jute::{ConnectResponse, Encode, OpCode};
use crate::pipeline::connection::{ConnectionState, PauseReason};
use crate::pipeline::connections::Slot;
use crate::pipeline::reply::Asked;
use crate::pipeline::state::ServerState;
use crate::session::password;
use crate::vocabulary::{ConnId, Mono, Now, SessionId, Xid};
use bytes::Bytes;

impl ServerState {
    /// The session of a connection that is establishing exists: the client may go on.
    pub(crate) fn finish_handshake(
        &mut self,
        (conn, arrived): (ConnId, Mono),
        read_only: Option<bool>,
        now: Now,
        outbox: &mut Outbox,
    ) {
        let Some(slot) = self.connections.slot(conn) else { return };
        let connection = self.connections.at(slot);
        let (session, timeout) = (connection.session, connection.timeout);
        outbox.event(PeerEvent::SessionCreated { session, conn, timeout });
        self.greet(slot, read_only, (arrived, now), outbox);
    }

    /// Answers a handshake with the session that the connection has now, and with the byte if it is wanted.
    pub(crate) fn greet(
        &mut self,
        slot: Slot,
        read_only: Option<bool>,
        (arrived, now): (Mono, Now),
        outbox: &mut Outbox,
    ) {
        let connection = self.connections.at_mut(slot);
        let (conn, session) = (connection.id, connection.session);
        assert!(session != SessionId::NONE, "{conn:?} is greeted without a session");
        assert!(
            connection.state == ConnectionState::Establishing,
            "{conn:?} is answered a handshake it has not asked for"
        );
        connection.state = ConnectionState::Established;
        let response = ConnectResponse {
            protocol_version: 0,
            timeout: connection.timeout.to_int(),
            session_id: session,
            password: Bytes::copy_from_slice(&password(session)),
            read_only,
        };
        let asked = Asked { slot, xid: Xid(0), opcode: OpCode::CreateSession.code(), arrived, now };
        let zxid = self.database.last_zxid();
        self.replier(outbox).frame(&asked, zxid, |out| response.encode(out));
    }

    /// The closeSession txn is applied, or none is needed: nothing of the session is left, and its connection ends.
    pub(crate) fn end_session(&mut self, session: SessionId, by_client: bool, outbox: &mut Outbox) {
        self.sessions.remove(session);
        if by_client {
            outbox.event(PeerEvent::SessionClosed { session });
        }
        if let Some(conn) = self.connections.of_session(session) {
            self.close(conn, outbox);
        }
    }

    /// Ends a connection: what was sent before is still written, what was asked before is still done, unanswered.
    pub(crate) fn close(&mut self, conn: ConnId, outbox: &mut Outbox) {
        if self.forget(conn) {
            outbox.push(Output::Close { conn });
        }
    }

    /// Forgets a connection and its watches; false when it was not known. What it had asked for goes on without it; so does the
    /// end of a local session, which would have waited in the queue.
    pub(crate) fn forget(&mut self, conn: ConnId) -> bool {
        self.watches.remove_conn(conn);
        let Some(connection) = self.connections.remove(conn) else { return false };
        if self.sessions.is_local(connection.session) && connection.is_to_end() {
            self.sessions.remove(connection.session);
        }
        true
    }

    /// Stops reading from a connection for one more reason.
    pub(crate) fn pause(&mut self, conn: ConnId, reason: PauseReason, outbox: &mut Outbox) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        if connection.pauses == 0 {
            outbox.push(Output::PauseRead { conn });
        }
        connection.pauses |= reason as u8;
    }

    /// Takes back one reason; without any left the connection is read again.
    pub(crate) fn resume(&mut self, conn: ConnId, reason: PauseReason, outbox: &mut Outbox) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let was_paused = connection.pauses != 0;
        connection.pauses &= !(reason as u8);
        if was_paused && connection.pauses == 0 {
            outbox.push(Output::ResumeRead { conn });
        }
    }
}
