//! Sessions as their leader sees them: when each was last heard of, and whether it is closing.

use super::history::History;
use super::view::View;
use crate::checkers::Verdict;
use crate::checkers::no_early_expiry::{self, Touched};
use quorate_core::vocabulary::{Mono, SessionId};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) touched: Touched,
    /// Whether its closeSession is logged.
    pub(super) is_closing: bool,
}

/// What a leader knows of sessions, from its start on.
#[derive(Clone, Debug, Default)]
pub(super) struct Lead {
    pub(super) sessions: BTreeMap<SessionId, Session>,
    /// The server that each session is served at, as far as this leader was told.
    pub(super) owners: BTreeMap<SessionId, usize>,
}

impl Lead {
    /// A new leader gives every session its whole timeout.
    pub(super) fn new(sessions: &BTreeMap<SessionId, i32>, now: Mono) -> Self {
        let mut lead = Lead::default();
        for (session, timeout) in sessions {
            lead.created(*session, *timeout as u64, now);
        }
        lead
    }

    pub(super) fn created(&mut self, session: SessionId, timeout_ms: u64, now: Mono) {
        let touched = Touched { timeout_ms, last: now };
        self.sessions.insert(session, Session { touched, is_closing: false });
    }

    pub(super) fn ended(&mut self, session: SessionId) {
        self.sessions.remove(&session);
    }

    pub(super) fn is_alive(&self, session: SessionId) -> bool {
        self.sessions.get(&session).is_some_and(|known| !known.is_closing)
    }

    /// It was heard of, by the leader itself or by a learner that tells its timeout.
    pub(super) fn touch(&mut self, session: SessionId, timeout_ms: Option<u64>, now: Mono) {
        if let Some(known) = self.sessions.get_mut(&session) {
            known.touched.last = now;
            known.touched.timeout_ms = timeout_ms.unwrap_or(known.touched.timeout_ms);
        }
    }
}

impl View {
    /// The server has had its chance to expire sessions.
    pub(super) fn expiry_is_due(&self, history: &History) -> Verdict {
        self.local_expiry_is_due()?;
        let Some(lead) = &self.lead else { return Ok(()) };
        // In an ensemble so many may be on their way out, and wait for a quorum that does not come.
        if !history.is_alone && self.ledger.end > self.model.zxid {
            return Ok(());
        }
        for (id, session) in &lead.sessions {
            if !session.is_closing {
                no_early_expiry::spared(*id, session.touched, (self.now.mono, self.config.tick_ms))?;
            }
        }
        Ok(())
    }
}
