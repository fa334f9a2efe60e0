//! Read-only mode (`readonlymode.enabled`): a member that has looked for a leader for a while serves what its tree holds, to clients that
//! said they accept that (`client-protocol.md` §19; C19, Z24, Z75 and Z80 of `zab-invariants.md`).
//!
//! What Java 3.9.5 shows, with `localSessionsEnabled`, and so does this:
//! - it begins 2 s, or a tick if that is longer, after the election has; `isro` says `ro`;
//! - whoever has not set the byte is closed without a word, and so is whoever comes with a session of the ensemble, whatever its
//!   password; any other session that this server has not made is no more, as the answer says with the byte set (without
//!   `localSessionsEnabled` Java takes such a session, and answers a new one with an error that no client can read);
//! - creates, deletes, setData, setACL, multis, reconfig and sync are answered -119, malformed or not, at the last zxid, and the
//!   connection stays; everything else is answered as ever, in its turn (Java's -119 may come before it);
//! - its sessions are its own: no txn begins or ends them; silent ones expire, with their connections;
//! - when the election is over every connection is closed, and nobody knows those sessions any more.
//!
//! The session tracker holds only these sessions meanwhile, so that those of the ensemble can't expire here.

use super::{Peer, Stance};
use crate::contract::{Outbox, PeerEvent};
use crate::jute::{Malformed, OpCode, Request};
use crate::peer::requests::makes_txn;
use crate::pipeline::Slot;
use crate::session::Noted;
use crate::vocabulary::{ErrorCode, Millis, Mono, Now, Xid};
use std::iter::empty;

/// For so long an election may last before anybody is served without a leader.
const PATIENCE: Millis = Millis(2_000);

impl Peer {
    /// Whether only reads are served, and only to those who accept that.
    pub(in crate::peer) fn is_read_only(&self) -> bool {
        self.as_member().is_some_and(|member| member.is_read_only)
    }

    /// When an election has lasted long enough.
    pub(super) fn read_only_at(&self) -> Option<Mono> {
        let member = self.as_member()?;
        let config = &self.state.config;
        let is_due = config.switches.read_only_mode && !member.is_read_only;
        (is_due && matches!(member.stance, Stance::Looking))
            .then(|| member.since + PATIENCE.max(config.tick_time))
    }

    /// Begins to serve without a leader, when the time has come.
    pub(super) fn read_only_if_due(&mut self, now: Now, outbox: &mut Outbox) {
        if self.read_only_at().is_some_and(|due| due <= now.mono) {
            self.state.sessions.reset(empty(), now.mono, Noted::Nothing);
            self.member_mut().is_read_only = true;
            outbox.event(PeerEvent::ReadOnly { zxid: self.state.database.last_zxid() });
        }
    }

    /// The election is over: clients look for a server that serves, and the sessions are the ensemble's again.
    pub(super) fn end_read_only(&mut self, now: Now, outbox: &mut Outbox) {
        if std::mem::take(&mut self.member_mut().is_read_only) {
            self.send_clients_away(outbox);
            self.track_sessions(now, Noted::Touched);
        }
    }

    /// What is not a read is refused. Whether it was one of those.
    pub(in crate::peer) fn is_refused_read_only(
        &mut self,
        now: Now,
        slot: Slot,
        (xid, request): (Xid, &Request),
        outbox: &mut Outbox,
    ) -> bool {
        let is_refused = is_refused(request);
        if is_refused {
            let code = ErrorCode::NotReadOnly.code();
            self.state.refuse((slot, xid, now.mono), (request.opcode(), code), now, outbox);
        }
        is_refused
    }
}

/// Whether a request may not be asked here: it would change something, or wants what only a leader knows. Java looks at the number only.
fn is_refused(request: &Request) -> bool {
    match request {
        Request::Sync { .. } => true,
        Request::CloseSession => false,
        Request::Malformed(Malformed { opcode, .. }) => matches!(
            opcode,
            OpCode::Sync
                | OpCode::Create
                | OpCode::Create2
                | OpCode::CreateTtl
                | OpCode::CreateContainer
                | OpCode::Delete
                | OpCode::SetData
                | OpCode::SetAcl
                | OpCode::Multi
                | OpCode::Reconfig
        ),
        _ => makes_txn(request),
    }
}
