//! A connection as the oracle sees it: what it asked and was not answered yet, what it is owed, why it may be closed.

use super::history::History;
use super::view::View;
use crate::checkers::session_order::SessionOrder;
use crate::checkers::session_validity::Expected;
use crate::checkers::{Verdict, require};
use crate::model::{ExpectedEvent, Outcome, Who, authenticate};
use quorate_core::jute::{ConnectRequest, MalformedReason, OpCode, ReplyDecoder, Request};
use quorate_core::vocabulary::{ConnId, Mono, SessionId, Xid, Zxid};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

/// A request that waits for its answer.
#[derive(Clone, Debug)]
pub(super) struct Awaited {
    pub(super) xid: Xid,
    pub(super) request: Arc<Request>,
    /// Who asked: what is proven behind a request is none of its own.
    pub(super) who: Who,
    /// Its number among all requests, when it may become a txn.
    pub(super) number: Option<u64>,
    /// The zxid of its txn, once it has one.
    pub(super) zxid: Option<Zxid>,
    /// What the model says, once it has executed it.
    pub(super) outcome: Option<Outcome>,
    /// Of an auth packet: whether it was accepted.
    pub(super) is_refused: bool,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) decoder: ReplyDecoder,
    pub(super) accepted: Mono,
    pub(super) handshake: Option<(ConnectRequest, Expected)>,
    pub(super) session: SessionId,
    pub(super) is_established: bool,
    pub(super) queue: VecDeque<Awaited>,
    pub(super) owed: VecDeque<ExpectedEvent>,
    /// Replayed events, until the setWatches that brings them is answered.
    pub(super) replayed: Vec<ExpectedEvent>,
    pub(super) order: SessionOrder,
    /// Whether there is a reason for the server to close it.
    pub(super) may_close: bool,
    /// Its session was local when something came that upgrades it.
    pub(super) may_upgrade: bool,
    /// A request that ends it was sent: what comes behind is ignored.
    pub(super) is_condemned: bool,
}

/// Whether a request becomes a txn: writes, closeSession, and a multi whose bytes end early.
pub(crate) fn makes_txn(request: &Request) -> bool {
    match request {
        Request::Create(_)
        | Request::Delete { .. }
        | Request::SetData { .. }
        | Request::SetAcl { .. }
        | Request::Multi(_)
        | Request::Reconfig { .. }
        | Request::CloseSession => true,
        Request::Malformed(malformed) => {
            malformed.opcode == OpCode::Multi && malformed.reason == MalformedReason::Undecodable
        }
        _ => false,
    }
}

impl Connection {
    /// The request of this number is executed, at `zxid`.
    pub(super) fn executed(&mut self, number: u64, zxid: Zxid, outcome: Option<Outcome>) {
        if let Some(awaited) = self.queue.iter_mut().find(|awaited| awaited.number == Some(number)) {
            (awaited.zxid, awaited.outcome) = (Some(zxid), outcome);
        }
    }
}

impl View {
    pub(super) fn accepted(&mut self, conn: ConnId, address: IpAddr) {
        self.model.who.insert(conn, Who::new(address));
        let connection = Connection {
            decoder: ReplyDecoder::new(i32::MAX as u32),
            accepted: self.now.mono,
            handshake: None,
            session: SessionId::NONE,
            is_established: false,
            queue: VecDeque::new(),
            owed: VecDeque::new(),
            replayed: Vec::new(),
            order: SessionOrder::default(),
            may_close: false,
            may_upgrade: false,
            is_condemned: false,
        };
        self.connections.insert(conn, connection);
    }

    pub(super) fn requested(&mut self, conn: ConnId, (xid, request): (Xid, &Request), history: &mut History) {
        let Some(connection) = self.connections.get(&conn) else { return };
        let (session, is_condemned) = (connection.session, connection.is_condemned);
        // What is ignored is heard of, too.
        if !matches!(request, Request::Auth(_) | Request::Sasl { .. }) {
            self.heard_of(session);
        }
        if is_condemned {
            return;
        }
        let mut is_refused = false;
        if let Request::Auth(packet) = request {
            let super_digest = self.model.config.super_digest.as_deref();
            let who = self.model.who.get_mut(&conn).expect("an open connection is somebody");
            is_refused = authenticate(who, packet, super_digest).is_err();
        }
        self.asked_of_local((conn, session), request, history);
        // Whatever a session asks that is closing is dropped, and nothing must come of it.
        let is_alive = self.is_alive(session);
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.is_condemned |= is_alive && matches!(request, Request::Unknown { .. });
        connection.may_close |=
            is_refused || matches!(request, Request::Unknown { .. } | Request::CloseSession);
        let who = self.model.who[&conn].clone();
        let request = Arc::new(request.clone());
        let asked = (Arc::clone(&request), who.clone());
        let number = makes_txn(&request).then(|| history.ask(session, xid, (self.server, conn), asked));
        connection.queue.push_back(Awaited {
            xid,
            request,
            who,
            number,
            zxid: None,
            outcome: None,
            is_refused,
        });
    }

    /// The connection is gone: nothing is owed to it any more. What it asked may still be executed, where it is with a leader.
    pub(super) fn forget(&mut self, conn: ConnId, history: &mut History) {
        if let Some(connection) = self.connections.remove(&conn) {
            self.owed -= connection.owed.len();
            // Its end needs no txn, and does not wait for a client that hangs up.
            if connection.queue.iter().any(|awaited| matches!(*awaited.request, Request::CloseSession)) {
                self.local.sessions.remove(&connection.session);
            }
            for awaited in &connection.queue {
                if let Some(number) = awaited.number {
                    history.forget_asked(connection.session, awaited.xid, number);
                }
            }
        }
        self.model.forget_connection(conn);
    }

    /// The server closes it.
    pub(super) fn closed(&mut self, conn: ConnId, history: &mut History) -> Verdict {
        if let Some(connection) = self.connections.get(&conn) {
            let waited = self.now.mono.millis_since(connection.accepted).0;
            let is_overdue = !connection.is_established && waited >= self.config.handshake_timeout_ms;
            let is_over = !self.is_alive(connection.session)
                || (self.lead.is_none() && history.closing.contains(&connection.session));
            let claimed = history.claimed.get(&connection.session);
            let is_elsewhere = !history.is_alone && claimed.is_some_and(|claimed| *claimed != conn);
            let is_leaving = self.is_ending || !self.is_serving;
            let may = connection.may_close || is_overdue || is_leaving || is_over || is_elsewhere;
            require("closes_have_a_reason", may, || {
                format!("{conn:?} of session {} is closed by the server for no reason", connection.session)
            })?;
        }
        self.forget(conn, history);
        Ok(())
    }
}
