//! Sessions that a server alone knows of, as far as its own inputs and outputs tell.

use super::connection::Awaited;
use super::history::{Asked, History};
use super::logged::server_of;
use super::view::View;
use crate::checkers::no_early_expiry::{self, Touched};
use crate::checkers::{Verdict, Violation, ephemerals, local_sessions, require};
use quorate_core::jute::{ConnectResponse, ReplyHeader, Request};
use quorate_core::vocabulary::{ConnId, SessionId};
use std::collections::{BTreeMap, BTreeSet};

/// What an ephemeral of a local session is answered: by who can tell that it is one, and by a leader that only finds it is none of its
/// own.
pub(super) const EPHEMERAL_ON_LOCAL_SESSION: i32 = -120;
const SESSION_EXPIRED: i32 = -112;

/// A server's own sessions.
#[derive(Debug, Default)]
pub(super) struct Local {
    pub(super) sessions: BTreeMap<SessionId, Touched>,
    /// Upgraded, and their createSession is not applied here.
    pub(super) upgrading: BTreeSet<SessionId>,
}

impl Local {
    pub(super) fn holds(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }
}

impl View {
    /// A client is greeted with a session that no txn has begun.
    pub(super) fn made_local(
        &mut self,
        response: &ConnectResponse,
        history: &mut History,
    ) -> Result<SessionId, Violation> {
        let session = response.session_id;
        let is_used = history.created.contains(&session) || !history.locals.insert(session);
        local_sessions::made(session, (self.server, server_of(session)), is_used)?;
        let touched = Touched { timeout_ms: response.timeout.max(0) as u64, last: self.now.mono };
        self.local.sessions.insert(session, touched);
        history.probes.push(if self.is_read_only { "read_only_session" } else { "local_session" });
        Ok(session)
    }

    /// A session's request comes in, whatever becomes of it.
    pub(super) fn heard_of(&mut self, session: SessionId) {
        let now = self.now.mono;
        if let Some(lead) = &mut self.lead {
            lead.touch(session, None, now);
        }
        if let Some(touched) = self.local.sessions.get_mut(&session) {
            touched.last = now;
        }
    }

    /// A request of a session comes in, over a connection that may have asked for an upgrade before.
    pub(super) fn asked_of_local(
        &mut self,
        (conn, session): (ConnId, SessionId),
        request: &Request,
        history: &mut History,
    ) {
        if self.local.upgrading.contains(&session) && matches!(request, Request::CloseSession) {
            history.probes.push("closed_during_upgrade");
        }
        if !self.local.holds(session) {
            return;
        }
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        connection.may_upgrade |= self.config.local_sessions_upgrading
            && !self.is_read_only
            && local_sessions::wants_ephemeral(request);
        // What comes behind the end of a local session is ignored.
        connection.is_condemned |= matches!(request, Request::CloseSession) && !connection.may_upgrade;
    }

    /// The server says that it upgrades a session.
    pub(super) fn upgraded(&mut self, session: SessionId, history: &mut History) -> Verdict {
        let touched = self.local.sessions.remove(&session);
        let mut connections = self.connections.values();
        let is_wanted = connections.any(|connection| connection.session == session && connection.may_upgrade);
        local_sessions::upgraded(session, (touched.is_some(), is_wanted))?;
        self.local.upgrading.insert(session);
        history.upgrades.insert(session);
        Ok(())
    }

    /// The server says that a session has expired; of those that have a txn, that is judged.
    pub(super) fn said_expired(&mut self, session: SessionId, history: &mut History) -> Verdict {
        let Some(touched) = self.local.sessions.remove(&session) else { return Ok(()) };
        history.probes.push("local_session_expired");
        no_early_expiry::expired(session, touched, self.now.mono)
    }

    /// The server has had its chance to expire local sessions. One whose client waits for something may have been heard of since.
    pub(super) fn local_expiry_is_due(&self) -> Verdict {
        for (session, touched) in &self.local.sessions {
            let mut connections = self.connections.values();
            let waits = connections.any(|one| one.session == *session && !one.queue.is_empty());
            if !waits {
                no_early_expiry::spared(*session, *touched, (self.now.mono, self.config.tick_ms))?;
            }
        }
        Ok(())
    }

    /// A closeSession is answered that no txn has done.
    pub(super) fn closed_local(&mut self, session: SessionId, header: ReplyHeader) -> Verdict {
        ephemerals::ended_without_a_txn(session, self.local.sessions.remove(&session).is_some())?;
        require("close_session", header.err == 0 && header.zxid == self.model.zxid, || {
            format!("closeSession of {session} is answered {header:?}")
        })
    }

    /// What the leader makes of an ephemeral that is asked for here; `None` when the session can own one, or may do nothing at all.
    pub(super) fn no_ephemeral(
        &self,
        session: SessionId,
        asked: &Asked,
        history: &History,
    ) -> Result<Option<i32>, Violation> {
        let is_known = self.lead.as_ref().is_some_and(|lead| lead.sessions.contains_key(&session));
        if !self.config.local_sessions || is_known {
            return Ok(None);
        }
        let is_own = self.local.holds(session);
        let is_over = history.created.contains(&session) || (!is_own && server_of(session) == self.server);
        if is_over {
            return Ok(None);
        }
        let wants = local_sessions::wants_ephemeral(&asked.request);
        let must_be_upgraded = wants && self.config.local_sessions_upgrading;
        local_sessions::left_local(session, &asked.request, must_be_upgraded)?;
        Ok(Some(if is_own && wants { EPHEMERAL_ON_LOCAL_SESSION } else { SESSION_EXPIRED }))
    }

    /// What a client hears of a request that failed, if not what its txn says.
    pub(super) fn refused_as(&self, session: SessionId, awaited: &Awaited) -> Option<i32> {
        let is_one_too_many = self.local.holds(session) && local_sessions::wants_ephemeral(&awaited.request);
        (is_one_too_many && !self.config.local_sessions_upgrading).then_some(EPHEMERAL_ON_LOCAL_SESSION)
    }
}
