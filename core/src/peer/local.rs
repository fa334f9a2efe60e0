//! Local sessions (`localSessionsEnabled`, `localSessionsUpgradingEnabled`): a member's own, until one wants an ephemeral
//! (`client-protocol.md` §20; `quorum-protocol.md` §6.7; A10 and Z66 of `zab-invariants.md`).
//!
//! What Java 3.9.5 shows, and so does this:
//! - every new session is local, at a leader and at a learner; a server alone has none, whatever its configuration says;
//! - no txn begins or ends it; its server alone touches and expires it, and any other says that it is no more;
//! - a create, a create2 or a multi that holds one, with an ephemeral flag, upgrades it first: a createSession of its own id goes
//!   before the request, which it keeps whatever comes of the request;
//! - without upgrading such a request is answered -120; of a multi at a learner its op is -112, for only the leader judges it;
//! - an ephemeral flag anywhere else (createContainer) upgrades nothing and is -112.
//!
//! From its upgrade on a session is nobody's own any more, though its createSession is not committed yet: what its client wants
//! next, its end above all, goes the way of every session's, behind the createSession (ZOOKEEPER-3471).
//!
//! A part in the ensemble ends with all its local sessions.

use super::Peer;
use super::role::Role;
use crate::auth::Identities;
use crate::contract::{Outbox, PeerEvent};
use crate::jute::{CreateFlag, CreateKind, CreateRequest, MultiOp, Request};
use crate::pipeline::{Asker, Ground, Origin, Slot};
use crate::session::SessionOwner;
use crate::vocabulary::{ErrorCode, Now, SessionId, Xid};

impl Peer {
    /// Whether new sessions are this server's own.
    pub(super) fn makes_local_sessions(&self) -> bool {
        let is_member = matches!(self.role, Role::Member(_));
        self.is_read_only() || (is_member && self.state.config.switches.local_sessions)
    }

    /// A session that only this server knows of, greeted at once.
    pub(super) fn create_local_session(
        &mut self,
        now: Now,
        slot: Slot,
        read_only: Option<bool>,
        outbox: &mut Outbox,
    ) {
        let connection = self.state.connections.at(slot);
        let (conn, session, timeout) = (connection.id(), connection.session, connection.timeout());
        self.state.sessions.create_local(session, timeout, now.mono);
        self.state.sessions.take_over(session, SessionOwner::Here);
        self.state.finish_handshake((conn, now.mono), read_only, now, outbox);
    }

    /// Whether a request ends a session that only this server knows of.
    pub(super) fn is_local_close(&self, slot: Slot, request: &Request) -> bool {
        matches!(request, Request::CloseSession)
            && self.state.sessions.is_local(self.state.connections.at(slot).session)
    }

    /// Upgrades the local session of a connection, if its request wants an ephemeral and that is allowed.
    ///
    /// # Errors
    /// What an ephemeral of the session is answered, for it is still local.
    pub(super) fn upgrade_if_wanted(
        &mut self,
        now: Now,
        slot: Slot,
        request: &Request,
        outbox: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        if !wants_ephemeral(request) {
            return Err(ErrorCode::SessionExpired);
        }
        if !self.state.config.switches.local_sessions_upgrading {
            return Err(ErrorCode::EphemeralOnLocalSession);
        }
        let session = self.state.connections.at(slot).session;
        let timeout = self.state.sessions.upgrade(session).expect("a local session can be upgraded");
        outbox.event(PeerEvent::SessionUpgraded { session });
        if self.decides() {
            let asker = Asker::global(session, Xid(0), Identities::server());
            let prepared = self.prep.create_session(Ground::of(&self.state, now), asker, timeout);
            self.submit(now, prepared, Origin::Elsewhere, outbox);
        } else {
            self.ask_for_session(session, timeout, outbox);
        }
        Ok(())
    }

    /// Whether a session that a learner forwards a request of, and that nobody here knows, may be that learner's own. One that this
    /// server has made is no more, and neither is one of the ensemble's that has ended: what its learner has forwarded before it
    /// knew, Java's leader takes for a local session's.
    pub(super) fn may_be_local_elsewhere(&self, session: SessionId) -> bool {
        self.state.sessions.may_be_local_elsewhere(session) && session.server() != self.state.config.server_id
    }
}

/// What a client hears of an error txn, if not what that says: without upgrading it is the ephemeral that was one too many, and a
/// leader elsewhere knows only that the session is none of its own.
pub(super) fn refusal(may_own: Result<(), ErrorCode>) -> Option<ErrorCode> {
    may_own.err().filter(|code| *code == ErrorCode::EphemeralOnLocalSession)
}

/// Whether a request is one of those that upgrade a session: ZooKeeper looks at no other kinds.
fn wants_ephemeral(request: &Request) -> bool {
    let creates = |create: &CreateRequest| {
        let is_asked = matches!(create.kind, CreateKind::Create | CreateKind::Create2);
        is_asked && CreateFlag::from_code(create.flags).is_some_and(CreateFlag::is_ephemeral)
    };
    match request {
        Request::Create(create) => creates(create),
        Request::Multi(ops) => ops.iter().any(|op| matches!(op, MultiOp::Create(create) if creates(create))),
        _ => false,
    }
}
