//! Handshakes: what each must bring (`client-protocol.md` §3.3).

use super::Oracle;
use crate::checkers::Verdict;
use crate::checkers::session_validity::{self, Expected, negotiated};
use crate::checkers::{require, violated};
use crate::model::password;
use quorate_core::jute::{ConnectRequest, ConnectResponse};
use quorate_core::vocabulary::{ConnId, SessionId};

impl Oracle {
    pub(super) fn connecting(&mut self, conn: ConnId, request: ConnectRequest) {
        let timeout = negotiated(request.timeout, self.config.min_timeout, self.config.max_timeout);
        let session = request.session_id;
        let expected = if request.last_zxid_seen > self.model.zxid {
            Expected::Refused
        } else if session == SessionId::NONE {
            Expected::New { timeout }
        } else {
            self.take_over(conn, session);
            let is_alive = self.sessions.get(&session).is_some_and(|known| known.closing.is_none());
            let knows = request.password.as_deref() == Some(&password(session));
            if is_alive && knows { Expected::Attached { session, timeout } } else { Expected::Invalid }
        };
        if let Expected::Attached { .. } = expected
            && let Some(known) = self.sessions.get_mut(&session)
        {
            known.touched.timeout_ms = timeout as u64;
            known.touched.last = self.now.mono;
        }
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.may_close |= matches!(expected, Expected::Refused | Expected::Invalid);
        connection.handshake = Some((request, expected));
    }

    /// Any other connection that holds the session is closed.
    fn take_over(&mut self, conn: ConnId, session: SessionId) {
        for (other, connection) in &mut self.connections {
            connection.may_close |= *other != conn && connection.session == session;
        }
    }

    pub(super) fn connected(&mut self, conn: ConnId, response: &ConnectResponse) -> Verdict {
        let Some(connection) = self.connections.get(&conn) else {
            return violated("session_validity", format!("{conn:?} is answered and not open"));
        };
        let Some((request, expected)) = connection.handshake.clone() else {
            return violated("session_validity", format!("{conn:?} is answered and never asked"));
        };
        let created = connection.created;
        if let Some((_, zxid)) = created {
            self.advance(zxid)?;
        }
        session_validity::response(&expected, &request, response, created.map(|(session, _)| session))?;
        let connection = self.connections.get_mut(&conn).expect("it was open a moment ago");
        require("session_validity", !connection.is_established, || format!("{conn:?} is answered twice"))?;
        connection.is_established = response.timeout > 0;
        connection.session = response.session_id;
        Ok(())
    }
}
