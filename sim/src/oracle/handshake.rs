//! Handshakes: what each must bring (`client-protocol.md` §3.3).

use super::history::History;
use super::logged::server_of;
use super::view::View;
use crate::checkers::Verdict;
use crate::checkers::no_early_expiry::Touched;
use crate::checkers::session_validity::{self, Expected, negotiated};
use crate::checkers::{local_sessions, require, violated};
use crate::model::password;
use quorate_core::jute::{ConnectRequest, ConnectResponse};
use quorate_core::vocabulary::{ConnId, SessionId};

impl View {
    pub(super) fn connecting(&mut self, conn: ConnId, request: ConnectRequest, history: &mut History) {
        let timeout = negotiated(request.timeout, self.config.min_timeout, self.config.max_timeout);
        let session = request.session_id;
        let knows = request.password.as_deref() == Some(&password(session));
        let expected = if request.last_zxid_seen > self.model.zxid || self.is_refused_reader(&request) {
            Expected::Refused
        } else if session == SessionId::NONE && (self.config.local_sessions || self.is_read_only) {
            Expected::NewLocal { timeout }
        } else if session == SessionId::NONE {
            *history.handshakes.entry((self.server, timeout)).or_default() += 1;
            Expected::New { timeout }
        } else {
            self.take_over(conn, session);
            history.claimed.insert(session, conn);
            let is_local = self.local.holds(session);
            match &mut self.lead {
                _ if is_local && knows => {
                    let touched = Touched { timeout_ms: timeout as u64, last: self.now.mono };
                    self.local.sessions.insert(session, touched);
                    Expected::Attached { session, timeout }
                }
                _ if is_local => Expected::Invalid,
                Some(lead) if lead.is_alive(session) && knows => {
                    lead.touch(session, Some(timeout as u64), self.now.mono);
                    lead.owners.insert(session, self.server);
                    Expected::Attached { session, timeout }
                }
                None if knows && !self.is_read_only => {
                    // A leader that was deposed and does not know it may take the session for alive.
                    let ended = history.ended.get(&session);
                    let has_ended = ended.is_some_and(|epoch| self.leader_epoch >= *epoch);
                    Expected::AskedOfLeader { session, timeout, has_ended }
                }
                _ => Expected::Invalid,
            }
        };
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.may_close |=
            matches!(expected, Expected::Refused | Expected::Invalid | Expected::AskedOfLeader { .. });
        connection.handshake = Some((request, expected));
    }

    /// It is at a server that serves only reads, and does not accept that, or has a session of the ensemble.
    fn is_refused_reader(&self, request: &ConnectRequest) -> bool {
        let is_accepted = request.read_only == Some(true);
        self.is_read_only && (!is_accepted || self.model.sessions.contains_key(&request.session_id))
    }

    /// Any other connection that holds the session is closed.
    fn take_over(&mut self, conn: ConnId, session: SessionId) {
        for (other, connection) in &mut self.connections {
            connection.may_close |= *other != conn && connection.session == session;
        }
    }

    pub(super) fn connected(
        &mut self,
        conn: ConnId,
        response: &ConnectResponse,
        history: &mut History,
    ) -> Verdict {
        let Some(connection) = self.connections.get(&conn) else {
            return violated("session_validity", format!("{conn:?} is answered and not open"));
        };
        let Some((request, expected)) = connection.handshake.clone() else {
            return violated("session_validity", format!("{conn:?} is answered and never asked"));
        };
        let session = response.session_id;
        if let Expected::AskedOfLeader { session, .. } = expected
            && response.timeout > 0
        {
            local_sessions::accepted(session, history.created.contains(&session))?;
        }
        let created = match (&expected, history.unclaimed.get(&session).copied()) {
            (Expected::New { timeout }, Some((zxid, created_with)))
                if created_with == *timeout && (history.is_alone || server_of(session) == self.server) =>
            {
                self.advance(zxid, history)?;
                history.unclaimed.remove(&session);
                Some(session)
            }
            (Expected::NewLocal { .. }, _) => Some(self.made_local(response, history)?),
            _ => None,
        };
        if let Expected::AskedOfLeader { session, .. } = expected {
            let is_closing = history.closing.contains(&session);
            let is_known = self.model.sessions.contains_key(&session);
            session_validity::refusal(session, response, is_known && !is_closing)?;
        }
        session_validity::response(&expected, (&request, self.is_read_only), response, created)?;
        let connection = self.connections.get_mut(&conn).expect("it was open a moment ago");
        require("session_validity", !connection.is_established, || format!("{conn:?} is answered twice"))?;
        connection.is_established = response.timeout > 0;
        connection.session = response.session_id;
        if response.timeout > 0 {
            let expected_at_once = !matches!(expected, Expected::AskedOfLeader { .. });
            connection.may_close &= expected_at_once;
            let before = history.attached.insert(session, (self.server, conn));
            if before.is_some_and(|(server, _)| server != self.server) {
                history.probes.push("session_moved_to_another_server");
            }
            if expected_at_once {
                history.claimed.insert(session, conn);
            }
        }
        Ok(())
    }
}
