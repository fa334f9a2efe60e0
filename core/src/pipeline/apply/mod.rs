//! Apply: a committed txn changes the database, its watchers hear of it, and then its client gets the answer
//! (`client-protocol.md` §9, §13.2, §16.3). Nothing is visible before this, and it comes only after the commit.
//!
//! Order, on every connection: the events of a txn, the reply to its request, then the replies of what waited behind.

mod notify;
mod result;
mod session;

use super::connection::Pending;
use super::proposal::{Origin, Proposal};
use super::reply::Asked;
use super::state::ServerState;
use crate::contract::Outbox;
use crate::jute::{Txn, TxnRecord};
use crate::metrics::{Advanced, BasicSet};
use crate::tree::Applied;
use crate::vocabulary::{ConnId, Mono, Now};
use notify::Notifier;

impl ServerState {
    /// Applies the next txn of history and answers whoever asked for it.
    ///
    /// # Panics
    /// When it can't be applied: it was validated against exactly the tree that it meets here.
    pub(crate) fn apply(&mut self, proposal: Proposal, now: Now, outbox: &mut Outbox) {
        let Proposal { txn, origin, wakes, .. } = proposal;
        assert!(txn.header.zxid == self.database.last_zxid().next(), "txns are applied without a gap");
        let mut notifier = Notifier {
            watches: &mut self.watches,
            connections: &mut self.connections,
            metrics: &mut self.metrics,
            auth: &self.auth,
            outbox,
        };
        let applied = self
            .database
            .apply(&txn, &mut notifier)
            .unwrap_or_else(|error| panic!("a prepared txn can't be applied: {error:?}, {txn:?}"));
        self.count_written(&txn.record);
        let latency = now.wall.0 - txn.header.time.0;
        if latency >= 0 {
            self.metrics.add_advanced(Advanced::PropagationLatency, latency);
        }
        match origin {
            Origin::Request { conn, opcode, arrived } => {
                self.answer_write((conn, arrived), opcode, (&txn, &applied), now, outbox);
            }
            Origin::Handshake { conn, read_only, arrived } => {
                self.finish_handshake((conn, arrived), read_only, now, outbox);
            }
            Origin::Server => {}
        }
        if let TxnRecord::CloseSession { .. } = txn.record {
            self.end_session(txn.header.session, matches!(origin, Origin::Request { .. }), outbox);
        }
        if let Origin::Request { conn, .. } = origin {
            self.drain_queue(conn, now, outbox);
        }
        for conn in wakes {
            self.drain_queue(conn, now, outbox);
        }
    }

    /// The reply to a write, if its connection is still there.
    fn answer_write(
        &mut self,
        (conn, arrived): (ConnId, Mono),
        opcode: i32,
        (txn, applied): (&Txn, &Applied),
        now: Now,
        outbox: &mut Outbox,
    ) {
        let Some(slot) = self.connections.slot(conn) else { return };
        let head = self.connections.dequeue(slot);
        let is_ours = matches!(head, Some(Pending::Write { zxid }) if zxid == txn.header.zxid);
        assert!(is_ours, "the txn {} is not what {conn:?} waits for: {head:?}", txn.header.zxid);
        let asked = Asked { slot, xid: txn.header.cxid, opcode, arrived, now };
        let mut replier = self.replier(outbox);
        match applied {
            Applied::Error(code) => replier.fail(&asked, txn.header.zxid, *code),
            _ => replier.succeed(&asked, txn.header.zxid, |out| result::write(txn, applied, out)),
        }
    }

    /// Counts what creates and sets data; the notifier hears of everything that is deleted.
    fn count_written(&mut self, record: &TxnRecord) {
        let (path, bytes) = match record {
            TxnRecord::Create(create) => (&create.path, create.data.as_ref().map_or(0, |data| data.len())),
            TxnRecord::SetData { path, data, .. } => (path, data.as_ref().map_or(0, |data| data.len())),
            // With an error in it, nothing of it is done.
            TxnRecord::Multi(ops) if ops.iter().any(|(_, op)| matches!(op, TxnRecord::Error { .. })) => {
                return;
            }
            TxnRecord::Multi(ops) => return ops.iter().for_each(|(_, op)| self.count_written(op)),
            _ => return,
        };
        self.metrics.add_path(BasicSet::WritePerNamespace, path, bytes as i64);
    }
}
