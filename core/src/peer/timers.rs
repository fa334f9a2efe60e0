//! What happens by itself: handshakes run out of time, sessions expire, nodes are reaped, snapshots are tried again
//! (`client-protocol.md` §3.3, §4.3).
//!
//! Nothing ends but here, so that a server that was paused handles what waits for it first. The end of thousands does not stop
//! the world: one input begins the end of a few, so many sessions and ephemerals may be on their way out at once, and the next follow
//! when those are committed. How much of its time the adapter gives to what is due is its own affair.

use super::role::Role;
use super::{Ending, Peer};
use crate::auth::Identities;
use crate::contract::{Outbox, PeerEvent};
use crate::jute::Request;
use crate::metrics::Counter;
use crate::pipeline::{Asker, Ground, Origin};
use crate::session::SessionScope;
use crate::vocabulary::{Mono, Now, SessionId, Xid};

/// So many connections without a session are ended by one input.
const ENDINGS_A_PART: usize = 16;
/// And as many sessions as make so many txns, counted with the nodes that those remove.
const EXPIRIES_A_PART: usize = 8;

impl Peer {
    /// When [`crate::contract::Input::Timeout`] is due; none when nothing will happen by itself. It may lie in the past: then more is due
    /// than one input is allowed to do.
    pub fn next_timeout(&self) -> Option<Mono> {
        if self.has_more() { Some(self.started.mono) } else { self.next_deadline() }
    }

    /// The same without what [`crate::contract::Input::GoOn`] could do.
    pub fn next_deadline(&self) -> Option<Mono> {
        if let Ending::Draining { until } = self.ending {
            return matches!(self.role, Role::Member(_)).then_some(until);
        }
        if self.is_ending() {
            return None;
        }
        let handshake = self.handshakes.first().map(|(deadline, _)| *deadline);
        let expiry = self.state.sessions.next_expiry(SessionScope::Global).filter(|_| self.may_expire());
        let local_expiry = self.state.sessions.next_expiry(SessionScope::Local).filter(|_| self.is_serving());
        let reaping = (self.decides() && self.has_room()).then(|| self.reaper.next_timeout());
        [handshake, expiry, local_expiry, reaping, self.snapshots.retry_at(), self.member_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    /// `Input::Timeout`. Harmless before its time.
    pub(super) fn timeout(&mut self, now: Now, outbox: &mut Outbox) {
        self.go_on(now, outbox);
        if self.is_ending() {
            return;
        }
        self.time_passes(now, outbox);
        self.expire_handshakes(now, outbox);
        self.expire_local_sessions(now, outbox);
        self.expire_sessions(now, outbox);
        self.reap(now, outbox);
        if self.snapshots.retry_at().is_some_and(|due| due <= now.mono) {
            self.snapshot(now, outbox);
        }
    }

    fn expire_handshakes(&mut self, now: Now, outbox: &mut Outbox) {
        let mut left = ENDINGS_A_PART;
        while left > 0
            && let Some((deadline, conn)) = self.handshakes.first().copied()
            && deadline <= now.mono
        {
            left -= 1;
            self.state.metrics.count(Counter::SessionlessConnectionsExpired);
            self.drop_connection(conn, "no handshake in time", outbox);
        }
    }

    /// Sessions that this server alone knows of end here, whoever leads, without a txn.
    fn expire_local_sessions(&mut self, now: Now, outbox: &mut Outbox) {
        let mut left = ENDINGS_A_PART;
        while left > 0
            && self.is_serving()
            && let Some(session) = self.state.sessions.expire_one(SessionScope::Local, now.mono)
        {
            left -= 1;
            self.tell_expired(session, outbox);
            self.state.end_session(session, false, outbox);
        }
    }

    fn expire_sessions(&mut self, now: Now, outbox: &mut Outbox) {
        let mut left = EXPIRIES_A_PART;
        while left > 0
            && self.may_expire()
            && let Some(session) = self.state.sessions.expire_one(SessionScope::Global, now.mono)
        {
            let before = self.commit.own_work();
            self.tell_expired(session, outbox);
            self.close_session(now, session, outbox);
            left = left.saturating_sub((self.commit.own_work() - before).max(1));
        }
    }

    fn may_expire(&self) -> bool {
        let is_room = self.commit.own_work() < self.state.config.sequences.expiries_under_way;
        self.decides() && is_room && self.has_room()
    }

    fn tell_expired(&mut self, session: SessionId, outbox: &mut Outbox) {
        let timeout = self.state.sessions.timeout(session).expect("a session that expires is tracked");
        self.state.metrics.count(Counter::StaleSessionsExpired);
        outbox.event(PeerEvent::SessionExpired { session, timeout });
    }

    /// Ends a session without its client's wish.
    pub(super) fn close_session(&mut self, now: Now, session: SessionId, outbox: &mut Outbox) {
        self.begin_closing(now, session, outbox);
        if !self.has_room() {
            return;
        }
        let asker = Asker::global(session, Xid(0), Identities::server());
        let prepared = self.prep.request(Ground::of(&self.state, now), asker, &Request::CloseSession);
        self.submit(now, prepared, Origin::Server, outbox);
    }
}
