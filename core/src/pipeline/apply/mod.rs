//! Apply: a committed txn changes the database, its watchers hear of it, and then its client gets the answer
//! (`client-protocol.md` §9, §13.2, §16.3). Nothing is visible before this, and it comes only after the commit.
//!
//! Order, on every connection: the events of a txn, the reply to its request, then the replies of what waited behind.

mod notify;
mod result;
mod session;

use super::connection::{Connection, ConnectionState, Greeting, Pending};
use super::proposal::{Origin, Proposal};
use super::reply::Asked;
use super::state::ServerState;
use crate::contract::{Outbox, PeerEvent};
use crate::jute::{OpCode, Txn, TxnRecord};
use crate::metrics::{Advanced, BasicSet, Counter};
use crate::session::SessionScope;
use crate::tree::Applied;
use crate::vocabulary::{ConnId, ErrorCode, Millis, Mono, Now};
use notify::Notifier;

impl ServerState {
    /// Applies the next txn of history and answers whoever asked for it, who is returned.
    ///
    /// What its leader proposed may not fit the tree of a learner: Java's proposes a createTTL that it can't apply either, and deletes
    /// ephemerals of unknown sessions without a txn. The learner tells it, and goes on. The leader's database would not help where its
    /// own tree does not take the txn, and a client that asks again and again would have it sent again and again.
    ///
    /// # Panics
    /// When a txn that was prepared here can't be applied: it was validated against exactly the tree that it meets.
    pub(crate) fn apply(&mut self, proposal: Proposal, now: Now, outbox: &mut Outbox) -> Origin {
        let Proposal { mut txn, origin, wakes, .. } = proposal;
        let last = self.database.last_zxid();
        assert!(last.may_precede(txn.header.zxid), "{} is applied behind {last}", txn.header.zxid);
        let is_leaders = origin == Origin::Leader;
        let origin = if is_leaders { self.claim(&mut txn) } else { origin };
        let mut notifier = Notifier {
            watches: &mut self.watches,
            connections: &mut self.connections,
            metrics: &mut self.metrics,
            auth: &self.auth,
            outbox,
        };
        let mismatches = self.database.digest_mismatches();
        let applied = self.database.apply(&txn, &mut notifier);
        self.judge_tree(&txn, &applied, mismatches, outbox);
        let applied = match applied {
            Ok(applied) => applied,
            Err(_) if txn.header.zxid <= self.fuzzy_until => return origin,
            Err(error) if is_leaders => Applied::Error(error.code()),
            Err(error) => panic!("a prepared txn can't be applied: {error:?}, {txn:?}"),
        };
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
            Origin::Server | Origin::Elsewhere | Origin::Leader => {}
        }
        if let TxnRecord::CreateSession { timeout } = txn.record
            && self.sessions.scope(txn.header.session) != Some(SessionScope::Global)
        {
            // Who came back before anybody here knew of it has asked for a timeout of its own.
            let asked = match origin {
                Origin::Handshake { conn, .. } => self.connections.get(conn).map(Connection::timeout),
                _ => None,
            };
            let timeout = asked.unwrap_or(Millis::from_int(timeout));
            self.sessions.create(txn.header.session, timeout, now.mono);
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
        origin
    }

    /// Who waits here for a txn that was asked of another server: by session and number, and only whose turn it is.
    fn claim(&self, txn: &mut Txn) -> Origin {
        let conn = self.connections.of_session(txn.header.session);
        let Some(connection) = conn.and_then(|conn| self.connections.get(conn)) else {
            return Origin::Leader;
        };
        let conn = connection.id;
        if let (ConnectionState::Establishing, Some(greeting), TxnRecord::CreateSession { .. }) =
            (connection.state, connection.greeting, &txn.record)
        {
            let Greeting { read_only, arrived } = greeting;
            return Origin::Handshake { conn, read_only, arrived };
        }
        match connection.queue.front() {
            Some(Pending::Forwarded { xid, opcode, arrived, create2_places, .. })
                if *xid == txn.header.cxid
                    && txn.header.zxid > connection.floor
                    && answers(*opcode, txn.header.opcode) =>
            {
                if let TxnRecord::Multi(ops) = &mut txn.record {
                    for (_, (made, _)) in
                        ops.iter_mut().enumerate().filter(|(at, _)| create2_places.contains(at))
                    {
                        *made = if *made == OpCode::Create { OpCode::Create2 } else { *made };
                    }
                }
                Origin::Request { conn, opcode: *opcode, arrived: *arrived }
            }
            _ => Origin::Leader,
        }
    }

    /// Counts and tells it when the tree behind a txn is not the one that whoever prepared it had: its digest says so, or something of it
    /// could not be done. `mismatches` is how many there were before.
    pub(crate) fn judge_tree(
        &mut self,
        txn: &Txn,
        applied: &Result<Applied, ErrorCode>,
        mismatches: u64,
        outbox: &mut Outbox,
    ) {
        let zxid = txn.header.zxid;
        if zxid <= self.fuzzy_until {
            return;
        }
        if !is_done(&txn.record, applied) && self.database.digest_mismatches() == mismatches {
            self.database.count_mismatch();
        }
        if self.database.digest_mismatches() > mismatches {
            self.metrics.count(Counter::DigestMismatchesCount);
            outbox.event(PeerEvent::DigestMismatch { zxid });
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
        let (is_ours, refusal) = match head {
            Some(Pending::Write { zxid, refusal }) => (zxid == txn.header.zxid, refusal),
            Some(Pending::Forwarded { xid, refusal, .. }) => (xid == txn.header.cxid, refusal),
            _ => (false, None),
        };
        assert!(is_ours, "the txn {} is not what {conn:?} waits for: {head:?}", txn.header.zxid);
        if matches!(applied, Applied::Error(code) if *code == ErrorCode::SessionMoved.code()) {
            let reason = "its session has moved to another server";
            outbox.event(PeerEvent::ConnectionDropped { conn, reason });
            return self.close(conn, outbox);
        }
        let asked = Asked { slot, xid: txn.header.cxid, opcode, arrived, now };
        let mut replier = self.replier(outbox);
        match applied {
            Applied::Error(code) => {
                replier.fail(&asked, txn.header.zxid, refusal.map_or(*code, ErrorCode::code));
            }
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

/// Whether all of a txn was done; of a multi that has failed that is nothing.
fn is_done(record: &TxnRecord, applied: &Result<Applied, ErrorCode>) -> bool {
    match (record, applied) {
        (_, Err(_)) => false,
        (TxnRecord::Multi(ops), Ok(Applied::Multi(results))) => {
            ops.iter().any(|(_, op)| matches!(op, TxnRecord::Error { .. }))
                || !results.iter().any(|result| matches!(result, Applied::Error(_)))
        }
        _ => true,
    }
}

/// Whether a txn of this kind can be what was asked for.
fn answers(asked: i32, made: OpCode) -> bool {
    made == OpCode::Error || made.code() == asked
}
