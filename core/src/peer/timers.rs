//! What happens by itself: handshakes run out of time, sessions expire, nodes are reaped, snapshots are tried again
//! (`client-protocol.md` §3.3, §4.3).
//!
//! Nothing ends but here, so that a server that was paused handles what waits for it first; and only so many sessions at
//! once, so that the end of thousands does not stop the world.

use super::Peer;
use crate::contract::{Outbox, PeerEvent};
use crate::jute::Request;
use crate::metrics::Counter;
use crate::pipeline::{Asker, Ground, Origin};
use crate::vocabulary::{Mono, Now, SessionId, Xid};

impl Peer {
    /// When [`crate::contract::Input::Timeout`] is due; none when nothing will happen by itself. It may lie in the past: then more is due
    /// than one input is allowed to do.
    pub fn next_timeout(&self) -> Option<Mono> {
        if self.is_ending() {
            return None;
        }
        let handshake = self.handshakes.first().map(|(deadline, _)| *deadline);
        [handshake, self.state.sessions.next_expiry(), self.snapshots.retry_at()]
            .into_iter()
            .flatten()
            .chain([self.reaper.next_timeout()])
            .min()
    }

    /// `Input::Timeout`. Harmless before its time.
    pub(super) fn timeout(&mut self, now: Now, outbox: &mut Outbox) {
        if self.is_ending() {
            return;
        }
        self.expire_handshakes(now, outbox);
        self.expire_sessions(now, outbox);
        self.reap(now, outbox);
        if self.snapshots.retry_at().is_some_and(|due| due <= now.mono) {
            self.snapshot(now, outbox);
        }
    }

    fn expire_handshakes(&mut self, now: Now, outbox: &mut Outbox) {
        let mut left = self.state.config.sequences.expiries_per_input;
        while left > 0
            && let Some((deadline, conn)) = self.handshakes.first().copied()
            && deadline <= now.mono
        {
            left -= 1;
            self.state.metrics.count(Counter::SessionlessConnectionsExpired);
            self.drop_connection(conn, "no handshake in time", outbox);
        }
    }

    fn expire_sessions(&mut self, now: Now, outbox: &mut Outbox) {
        let most = self.state.config.sequences.expiries_per_input;
        for session in self.state.sessions.expired(now.mono, most) {
            self.expire_session(now, session, outbox);
        }
    }

    fn expire_session(&mut self, now: Now, session: SessionId, outbox: &mut Outbox) {
        let timeout = self.state.sessions.timeout(session).expect("a session that expires is tracked");
        self.state.metrics.count(Counter::StaleSessionsExpired);
        outbox.event(PeerEvent::SessionExpired { session, timeout });
        self.begin_closing(now, session, outbox);
        let identities = crate::auth::Identities::server();
        let asker = Asker { session, cxid: Xid(0), identities: &identities };
        let prepared = self.prep.request(Ground::of(&self.state, now), asker, &Request::CloseSession);
        self.submit(prepared, Origin::Server, outbox);
    }
}
