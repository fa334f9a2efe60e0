//! Reads: answered from the applied tree, their replies written without a copy in between (`client-protocol.md` §12.6).
//!
//! No path syntax is asked for, but a NUL by exists; an empty path is the root; a null one is -5 for most.
//!
//! The end of a local session is among them: it waits for its turn, and makes no txn.

mod children;
mod identity;
mod multi_read;
mod node;
mod watches;

use super::connections::Slot;
use super::reply::{Asked, Replier};
use super::state::ServerState;
use crate::auth::{Identities, check_acl};
use crate::contract::Outbox;
use crate::jute::{Acl, Malformed, MalformedReason, MultiResult, Permissions, ReplyHeader, Request};
use crate::metrics::{BasicSet, Metrics};
use crate::vocabulary::{ErrorCode, Mono, Now, Xid, Zxid};

/// What ZooKeeper counts of each read besides the path and the data.
const STAT_BYTES: i64 = 68;

/// Counts a read that was granted: of data, or of the names of children.
fn count_read(metrics: &mut Metrics, path: &str, bytes: i64) {
    metrics.add_path(BasicSet::ReadPerNamespace, path, bytes + STAT_BYTES);
}

impl ServerState {
    /// Answers a request that makes no txn, for somebody who was known by `identities` when it came. The connection may be gone
    /// behind it.
    pub(crate) fn read(
        &mut self,
        (slot, xid, arrived): (Slot, Xid, Mono),
        request: &Request,
        identities: &Identities,
        now: Now,
        outbox: &mut Outbox,
    ) {
        let asked = Asked { slot, xid, opcode: request.opcode(), arrived, now };
        let who = (&asked, identities);
        let result = match request {
            Request::GetData { path, watch } => self.get_data(who, path.as_deref(), *watch, outbox),
            Request::Exists { path, watch } => self.exists(who, path.as_deref(), *watch, outbox),
            Request::GetChildren { path, watch } => self.get_children(who, path.as_deref(), *watch, outbox),
            Request::GetChildren2 { path, watch } => self.get_children2(who, path.as_deref(), *watch, outbox),
            Request::GetAcl { path } => self.get_acl(who, path.as_deref(), outbox),
            Request::GetAllChildrenNumber { path } => {
                self.get_all_children_number(who, path.as_deref(), outbox)
            }
            Request::GetEphemerals { prefix } => self.get_ephemerals(&asked, prefix.as_deref(), outbox),
            Request::MultiRead(ops) => self.multi_read(who, ops, outbox),
            Request::Sync { path } => self.sync(&asked, path.as_deref(), outbox),
            Request::Ping => self.ping(&asked, outbox),
            Request::WhoAmI => self.who_am_i(who, outbox),
            Request::SetWatches(watches) | Request::SetWatches2(watches) => {
                self.set_watches(&asked, watches, outbox)
            }
            Request::AddWatch { path, mode } => self.add_watch(&asked, path.as_deref(), *mode, outbox),
            Request::CheckWatches { path, kind } => {
                self.check_watches(&asked, path.as_deref(), *kind, outbox)
            }
            Request::RemoveWatches { path, kind } => {
                self.remove_watches(&asked, path.as_deref(), *kind, outbox)
            }
            Request::Malformed(malformed) => self.malformed(&asked, *malformed, outbox),
            Request::Unknown { .. } => return self.unknown(&asked, outbox),
            Request::CloseSession => return self.close_local_session(&asked, outbox),
            _ => unreachable!("{} is no read", request.opcode()),
        };
        if let Err(error) = result {
            self.fail(&asked, error, outbox);
        }
    }

    /// Asks for any of `wanted` under an ACL.
    fn require(&self, identities: &Identities, acl: &[Acl], wanted: Permissions) -> Result<(), ErrorCode> {
        if check_acl(&self.auth, identities, acl, wanted) { Ok(()) } else { Err(ErrorCode::NoAuth) }
    }

    /// -5; a multiRead of writes gets an empty list of results behind it.
    fn malformed(
        &mut self,
        asked: &Asked,
        malformed: Malformed,
        outbox: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        if malformed.reason != MalformedReason::UnusableWithEmptyResult {
            return Err(ErrorCode::MarshallingError);
        }
        self.malformed_list(asked, outbox);
        Ok(())
    }

    fn malformed_list(&mut self, asked: &Asked, outbox: &mut Outbox) {
        let zxid = self.database.last_zxid();
        let header = ReplyHeader { xid: asked.xid, zxid, err: ErrorCode::MarshallingError.code() };
        self.replier(outbox).reply(asked, header, |out| MultiResult::encode_list(&[], out));
    }

    /// The end of a session that no txn has begun. One that another server has made the ensemble's meanwhile, as none should, only
    /// loses its connection.
    fn close_local_session(&mut self, asked: &Asked, outbox: &mut Outbox) {
        let connection = self.connections.at(asked.slot);
        let (conn, session, zxid) = (connection.id(), connection.session, self.database.last_zxid());
        if !self.sessions.is_local(session) {
            return self.close(conn, outbox);
        }
        self.replier(outbox).succeed(asked, zxid, |_| {});
        self.end_session(session, true, outbox);
    }

    /// No opcode for clients: -6 without a zxid, then the end of the connection.
    fn unknown(&mut self, asked: &Asked, outbox: &mut Outbox) {
        self.replier(outbox).fail(asked, Zxid(-1), ErrorCode::Unimplemented.code());
        let conn = self.connections.at(asked.slot).id;
        self.close(conn, outbox);
    }
}
