//! History: txns as they are logged, and the model's execution of what was asked.

use super::Oracle;
use super::connection::makes_txn;
use crate::checkers::{
    Verdict, Violation, durability, ephemerals, executed_at_most_once, multi_atomic, no_early_expiry,
    session_validity, txns_match_model, violated,
};
use crate::model::{ExpectedEvent, Outcome, Place, Who};
use quorate_core::contract::StoreSeq;
use quorate_core::jute::{MultiOp, OpCode, Reader, Request, Txn, TxnRecord};
use quorate_core::vocabulary::{ConnId, SessionId, Xid, Zxid};
use std::sync::Arc;

/// Who a txn was made for.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    Request { conn: ConnId, xid: Xid, request: Arc<Request>, who: Who },
    Handshake,
    Expiry,
    Reaper,
}

#[derive(Clone, Debug)]
pub(super) struct LoggedTxn {
    txn: Txn,
    cause: Cause,
    /// How far history was applied when it was prepared.
    applied: Zxid,
}

impl LoggedTxn {
    pub(super) fn zxid(&self) -> Zxid {
        self.txn.header.zxid
    }
}

impl Oracle {
    /// The server logs a txn.
    pub(super) fn logged(&mut self, seq: StoreSeq, zxid: Zxid, bytes: &bytes::Bytes) -> Verdict {
        let txn = match Txn::decode_all(&mut Reader::new(bytes.clone())) {
            Ok(txn) => txn,
            Err(error) => return txns_match_model::not_decoded(zxid, &error.to_string()),
        };
        txns_match_model::next(&txn, zxid, self.logged)?;
        self.judge_session(&txn)?;
        let before: Vec<&TxnRecord> = self.pending.iter().map(|logged| &logged.txn.record).collect();
        txns_match_model::fits(&txn.record, &before, &self.model.tree)?;
        let cause = self.cause(&txn)?;
        self.logged = zxid;
        self.unconfirmed.push_back((seq, zxid));
        self.pending.push_back(LoggedTxn { txn, cause, applied: self.model.zxid });
        Ok(())
    }

    /// A session that is closing, or gone, has nothing made in its name.
    fn judge_session(&self, txn: &Txn) -> Verdict {
        let session = txn.header.session;
        let is_alive = self.sessions.get(&session).is_some_and(|known| known.closing.is_none());
        if is_alive { Ok(()) } else { ephemerals::behind_its_close(session, &txn.record) }
    }

    fn cause(&mut self, txn: &Txn) -> Result<Cause, Violation> {
        let header = &txn.header;
        let unasked = || executed_at_most_once::unasked(header).expect_err("it always is");
        if header.opcode == OpCode::CreateSession {
            return self.created_session(txn).ok_or_else(unasked);
        }
        if header.session == SessionId::NONE {
            let is_reaper = matches!(header.opcode, OpCode::DeleteContainer | OpCode::Error);
            return if is_reaper { Ok(Cause::Reaper) } else { Err(unasked()) };
        }
        let asked = self.find_request(header.session, header.cxid);
        if header.opcode == OpCode::CloseSession {
            let Some(session) = self.sessions.get_mut(&header.session) else { return Err(unasked()) };
            if session.closing.is_some() {
                return Err(unasked());
            }
            session.closing = Some(header.zxid);
            if asked.is_none() {
                no_early_expiry::expired(header.session, session.touched, self.now.mono)?;
            }
        }
        match asked {
            Some((conn, index)) => {
                let awaited = &mut self.connections.get_mut(&conn).expect("it was just found").queue[index];
                awaited.zxid = Some(header.zxid);
                let (xid, request) = (awaited.xid, Arc::clone(&awaited.request));
                Ok(Cause::Request { conn, xid, request, who: self.model.who[&conn].clone() })
            }
            None if header.opcode == OpCode::CloseSession && header.cxid == Xid(0) => Ok(Cause::Expiry),
            None => Err(unasked()),
        }
    }

    /// The first request of this session and number that has no txn yet.
    fn find_request(&self, session: SessionId, xid: Xid) -> Option<(ConnId, usize)> {
        self.connections.iter().filter(|(_, connection)| connection.session == session).find_map(
            |(conn, connection)| {
                let index = connection.queue.iter().position(|awaited| {
                    awaited.xid == xid && awaited.zxid.is_none() && makes_txn(&awaited.request)
                })?;
                Some((*conn, index))
            },
        )
    }

    fn created_session(&mut self, txn: &Txn) -> Option<Cause> {
        let id = txn.header.session;
        let TxnRecord::CreateSession { timeout } = txn.record else { return None };
        if id == SessionId::NONE || self.sessions.contains_key(&id) {
            return None;
        }
        let conn = self.input_from?;
        let connection = self.connections.get_mut(&conn)?;
        let wanted = session_validity::Expected::New { timeout };
        let fits = connection.handshake.as_ref().is_some_and(|(_, expected)| *expected == wanted);
        if !fits || connection.created.is_some() {
            return None;
        }
        connection.created = Some((id, txn.header.zxid));
        connection.session = id;
        self.touch_new(id, timeout as u64);
        Some(Cause::Handshake)
    }

    /// Lets the model follow history up to `zxid`.
    pub(super) fn advance(&mut self, zxid: Zxid) -> Verdict {
        if zxid <= self.model.zxid {
            return Ok(());
        }
        durability::visible(zxid, self.confirmed)?;
        while let Some(next) = self.pending.front()
            && next.txn.header.zxid <= zxid
        {
            let next = self.pending.pop_front().expect("it has a front");
            self.execute(next)?;
        }
        txns_match_model::was_logged(zxid, self.model.zxid)
    }

    /// Executes a txn's request; what must come of it waits with the connection.
    pub(super) fn execute(&mut self, LoggedTxn { txn, cause, applied }: LoggedTxn) -> Verdict {
        let (zxid, time) = (txn.header.zxid, txn.header.time.0);
        let events = match (&cause, &txn.record) {
            (Cause::Handshake, TxnRecord::CreateSession { timeout }) => {
                self.model.create_session(zxid, txn.header.session, *timeout);
                Vec::new()
            }
            (Cause::Reaper, TxnRecord::Delete { path }) => match self.model.reap((zxid, time, applied), path)
            {
                Some(events) => events,
                None => return violated("reaping", format!("{path:?} is reaped at {zxid} and may not be")),
            },
            (Cause::Reaper, TxnRecord::Error { .. }) => {
                self.model.zxid = zxid;
                Vec::new()
            }
            (Cause::Request { .. } | Cause::Expiry, TxnRecord::CloseSession { paths }) => {
                self.close_session(&txn, paths.as_deref())?
            }
            (Cause::Request { conn, xid, request, who }, _) => {
                let place = Place { session: txn.header.session, who, zxid, time, applied };
                let outcome = self.model.write(place, request);
                self.judge_record(&txn, request, &outcome)?;
                let events = outcome.events.clone();
                self.keep_outcome(*conn, *xid, (zxid, outcome));
                events
            }
            _ => return txns_match_model::unlike_its_cause(&txn, &cause),
        };
        self.versions.committed(txn.header.opcode, &txn.record)?;
        self.history.push(txn);
        self.owe(events);
        Ok(())
    }

    fn owe(&mut self, events: Vec<(ConnId, ExpectedEvent)>) {
        for (conn, event) in events {
            if let Some(connection) = self.connections.get_mut(&conn) {
                connection.owed.push_back(event);
                self.owed += 1;
            }
        }
    }

    fn keep_outcome(&mut self, conn: ConnId, xid: Xid, (zxid, outcome): (Zxid, Outcome)) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let is_it = |zxid_of: Option<Zxid>, xid_of: Xid| zxid_of == Some(zxid) && xid_of == xid;
        if let Some(awaited) = connection.queue.iter_mut().find(|awaited| is_it(awaited.zxid, awaited.xid)) {
            awaited.outcome = Some(outcome);
        }
    }

    fn close_session(
        &mut self,
        txn: &Txn,
        paths: Option<&[String]>,
    ) -> Result<Vec<(ConnId, ExpectedEvent)>, Violation> {
        let session = txn.header.session;
        if let Some(paths) = paths {
            ephemerals::listed(session, paths, &self.model.tree.ephemerals(session))?;
        }
        self.sessions.remove(&session);
        Ok(self.model.close_session(txn.header.zxid, session, paths))
    }

    /// Whether the log says of a request what the model says.
    fn judge_record(&mut self, txn: &Txn, request: &Request, outcome: &Outcome) -> Verdict {
        if let Request::Multi(ops) = request {
            multi_atomic::committed(ops.len(), &txn.record)?;
        }
        txns_match_model::made_of(txn, request, outcome)?;
        match (&txn.record, request) {
            (TxnRecord::Multi(parts), Request::Multi(ops)) if !outcome.failed => {
                for (op, (_, part)) in ops.iter().zip(parts) {
                    if let (MultiOp::Create(request), TxnRecord::Create(created)) = (op, part) {
                        self.sequence_numbers.created(request, created)?;
                    }
                }
                Ok(())
            }
            (TxnRecord::Create(created), Request::Create(request)) => {
                self.sequence_numbers.created(request, created)
            }
            _ => Ok(()),
        }
    }
}
