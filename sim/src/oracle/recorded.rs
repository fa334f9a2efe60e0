//! A recording of real servers ([`crate::recorded`]): the model executes what is on their disks, and what clients saw is judged by it.
//!
//! Three walks: over the txns, in their order, with the reads that stand between them; over each session's connections; and over
//! all that was said, in the order of time.

use super::connection::makes_txn;
use super::execute::execute;
use super::execute::{SESSION_MOVED, is_refusal};
use super::history::{Asked, Cause, History, Origin};
use super::logged::server_of;
use crate::checkers::linearizable_writes::RealTime;
use crate::checkers::session_order::SessionOrder;
use crate::checkers::session_validity::{self, Expected, negotiated};
use crate::checkers::session_view::SessionView;
use crate::checkers::{
    Verdict, Violation, ephemerals, executed_at_most_once, no_early_expiry, recovered_state,
    replies_match_model, require, session_moved, txns_match_model,
};
use crate::model::{Model, ModelConfig, Outcome, Who};
use crate::recorded::{RecordedConnection, RecordedCounts, RecordedHistory, RecordedReply, RecordedRequest};
use bytes::Bytes;
use quorate_core::jute::{OpCode, Reader, Request, Response, Txn, TxnRecord};
use quorate_core::vocabulary::{ConnId, SessionId, Xid, Zxid};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Where a request stands in the recording: its connection, and its place there.
type At = (usize, usize);

/// Judges a recording; see [`crate::recorded::judge`].
pub(crate) fn judge_recorded(recorded: &RecordedHistory) -> Result<RecordedCounts, Violation> {
    let mut judging = Judging::new(recorded)?;
    judging.walk_txns()?;
    judging.walk_sessions()?;
    judging.walk_time()?;
    judging.compare_databases()?;
    Ok(judging.counts)
}

struct Judging<'a> {
    recorded: &'a RecordedHistory,
    txns: Vec<Txn>,
    history: History,
    model: Model,
    /// Requests by session and xid.
    requests: BTreeMap<(SessionId, Xid), At>,
    /// The txn of each request that has one, and what the model makes of it.
    executed: BTreeMap<At, (Zxid, Option<Outcome>)>,
    /// Answered requests that are no txns, by where they were answered.
    reads: BTreeMap<Zxid, Vec<At>>,
    /// Where sessions end.
    closed: BTreeMap<SessionId, Zxid>,
    counts: RecordedCounts,
}

fn who() -> Who {
    Who::new(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// The session that it was asked for, or the new one, if it was told.
fn session_of(connection: &RecordedConnection) -> SessionId {
    match (connection.handshake.session_id, &connection.answer) {
        (SessionId::NONE, Some((_, response))) => response.session_id,
        (asked, _) => asked,
    }
}

fn decode(bytes: &[Bytes]) -> Result<Vec<Txn>, Violation> {
    let mut txns: Vec<Txn> = Vec::with_capacity(bytes.len());
    for bytes in bytes {
        let before = txns.last().map_or(Zxid::ZERO, |txn| txn.header.zxid);
        let txn = Txn::decode_all(&mut Reader::new(bytes.clone())).map_err(|error| {
            txns_match_model::not_decoded(before.next(), &error.to_string()).expect_err("it always is")
        })?;
        txns_match_model::next(&txn, txn.header.zxid, before, txn.header.zxid.epoch())?;
        txns.push(txn);
    }
    Ok(txns)
}

impl<'a> Judging<'a> {
    fn new(recorded: &'a RecordedHistory) -> Result<Self, Violation> {
        let config = ModelConfig {
            extended_types: false,
            enforce_quota: false,
            super_digest: None,
            container_max_never_used_ms: 0,
        };
        let history = History::new(config, false);
        let mut judging = Judging {
            recorded,
            txns: decode(&recorded.txns)?,
            model: history.fresh(),
            history,
            requests: BTreeMap::new(),
            executed: BTreeMap::new(),
            reads: BTreeMap::new(),
            closed: BTreeMap::new(),
            counts: RecordedCounts::default(),
        };
        judging.counts.txns = judging.txns.len();
        judging.counts.epochs =
            judging.txns.iter().map(|txn| txn.header.zxid.epoch()).collect::<BTreeSet<_>>().len();
        for txn in &judging.txns {
            if let TxnRecord::CloseSession { .. } = txn.record {
                judging.closed.entry(txn.header.session).or_insert(txn.header.zxid);
            }
        }
        for (index, connection) in recorded.connections.iter().enumerate() {
            judging.take_in(index, connection);
        }
        Ok(judging)
    }

    /// What was asked on a connection may be executed.
    fn take_in(&mut self, index: usize, connection: &RecordedConnection) {
        let settings = &self.recorded.settings;
        let asked = &connection.handshake;
        if asked.session_id == SessionId::NONE {
            let timeout =
                negotiated(asked.timeout, settings.min_session_timeout, settings.max_session_timeout);
            *self.history.handshakes.entry((connection.server, timeout)).or_default() += 1;
        }
        let session = session_of(connection);
        for (place, RecordedRequest { xid, request, reply, .. }) in connection.requests.iter().enumerate() {
            self.requests.insert((session, *xid), (index, place));
            if makes_txn(request) {
                let what = (Arc::new(request.clone()), who());
                self.history.ask(session, *xid, (connection.server, ConnId(index as u64)), what);
            } else if let Some(reply) = reply {
                self.reads.entry(reply.header.zxid).or_default().push((index, place));
            }
        }
    }

    fn request(&self, (connection, place): At) -> &'a RecordedRequest {
        &self.recorded.connections[connection].requests[place]
    }
}

/// In the order of history.
impl Judging<'_> {
    fn walk_txns(&mut self) -> Verdict {
        let moved = self.moved();
        let mut before = Zxid::ZERO;
        for (position, txn) in std::mem::take(&mut self.txns).into_iter().enumerate() {
            let header = txn.header;
            let at = self.requests.get(&(header.session, header.cxid)).copied();
            let cause = self.cause(&txn)?;
            let moved_to = at.and_then(|at| moved.get(&at).copied()).filter(|_| !is_refusal(&txn.record));
            let origin = Origin {
                bytes: self.recorded.txns[position].clone(),
                cause,
                applied: before,
                before,
                proposer: 0,
                no_ephemeral: None,
                moved_to: moved_to.filter(|_| session_moved::needs_owner(&txn.record)),
            };
            if self.closed.get(&header.session).is_some_and(|closed| *closed < header.zxid) {
                ephemerals::behind_its_close(header.session, &txn.record)?;
            }
            let executed = execute(&mut self.model, &txn, &origin)?;
            self.history.propose(txn, origin)?;
            self.history.commit(header.zxid)?;
            self.history.judge(position, &self.model, executed.outcome.as_ref())?;
            if let Some(at) = at {
                self.executed.insert(at, (header.zxid, executed.outcome));
            }
            before = header.zxid;
            self.judge_reads(header.zxid)?;
        }
        // What was answered at any other place was answered out of nothing.
        match self.reads.keys().next() {
            Some(zxid) => self.history.visible(*zxid),
            None => Ok(()),
        }
    }

    /// Requests that were executed behind what a later connection of their session, at another server, had asked: who has it then.
    fn moved(&self) -> BTreeMap<At, usize> {
        let mut by_session: BTreeMap<SessionId, Vec<(u64, usize)>> = BTreeMap::new();
        for (index, connection) in self.recorded.connections.iter().enumerate() {
            if let Some((at, response)) = &connection.answer {
                by_session.entry(response.session_id).or_default().push((*at, index));
            }
        }
        let zxids: BTreeMap<At, Zxid> = (self.txns.iter())
            .filter_map(|txn| {
                let at = self.requests.get(&(txn.header.session, txn.header.cxid))?;
                (!is_refusal(&txn.record)).then_some((*at, txn.header.zxid))
            })
            .collect();
        let mut moved = BTreeMap::new();
        for connections in by_session.values_mut() {
            connections.sort_unstable();
            // The first txn of all later connections, and the server it came in at.
            let mut first: Option<(Zxid, usize)> = None;
            for (_, index) in connections.iter().rev() {
                let server = self.recorded.connections[*index].server;
                let own: Vec<(At, Zxid)> =
                    zxids.range((*index, 0)..=(*index, usize::MAX)).map(|(at, zxid)| (*at, *zxid)).collect();
                if let Some((later, elsewhere)) = first {
                    let late = own.iter().filter(|(_, zxid)| *zxid > later && elsewhere != server);
                    moved.extend(late.map(|(at, _)| (*at, elsewhere)));
                }
                let earliest = own.iter().map(|(_, zxid)| (*zxid, server)).min();
                first = first.into_iter().chain(earliest).min();
            }
        }
        moved
    }

    fn cause(&mut self, txn: &Txn) -> Result<Cause, Violation> {
        let header = &txn.header;
        let unasked = || executed_at_most_once::unasked(header).expect_err("it always is");
        if header.session == SessionId::NONE {
            return Err(unasked());
        }
        if header.opcode == OpCode::CreateSession {
            self.counts.sessions += 1;
            return self.history.created_session(txn, server_of(header.session));
        }
        match self.history.take_asked(header.session, header.cxid, None) {
            Some(asked) => {
                self.judge_refusal(txn, &asked)?;
                Ok(Cause::Request(asked))
            }
            None if header.opcode == OpCode::CloseSession && header.cxid == Xid(0) => {
                self.judge_expiry(txn)?;
                Ok(Cause::Expiry)
            }
            None => Err(unasked()),
        }
    }

    /// A leader refuses only for a move, or an end, that has been.
    fn judge_refusal(&self, txn: &Txn, asked: &Asked) -> Verdict {
        let header = &txn.header;
        match txn.record {
            TxnRecord::Error { err: SESSION_MOVED } => {
                let elsewhere = self.recorded.connections.iter().find(|connection| {
                    connection.handshake.session_id == header.session && connection.server != asked.server
                });
                let first = self.recorded.connections.iter().find(|connection| {
                    session_of(connection) == header.session && connection.server != asked.server
                });
                let owner = elsewhere.or(first).map(|connection| connection.server);
                session_moved::refused(header, asked.server, owner)
            }
            TxnRecord::Error { .. } if is_refusal(&txn.record) => {
                let has_ended = self.closed.get(&header.session).is_some_and(|closed| *closed < header.zxid);
                session_moved::expired(header, !has_ended)
            }
            _ => Ok(()),
        }
    }

    /// A session that the ensemble ends by itself was silent for its timeout, as far as a leader can hear.
    fn judge_expiry(&mut self, txn: &Txn) -> Verdict {
        self.counts.expired += 1;
        self.judge_silence(txn.header.session, (u64::MAX, txn.header.time.0))
    }

    /// At `at`, which the wall clock calls `wall_ms`, it may be said that this session is over.
    fn judge_silence(&self, session: SessionId, (at, wall_ms): (u64, i64)) -> Verdict {
        let settings = &self.recorded.settings;
        let (mut heard, mut timeout) = (0, 0);
        for connection in self.recorded.connections.iter().filter(|known| session_of(known) == session) {
            let Some((_, response)) = connection.answer.as_ref().filter(|(_, response)| response.timeout > 0)
            else {
                continue;
            };
            timeout = timeout.max(i64::from(response.timeout));
            let answered = connection.requests.iter().filter(|request| request.reply.is_some());
            let sent =
                answered.map(|request| request.sent).chain([connection.sent]).filter(|sent| *sent < at);
            heard = sent.fold(heard, u64::max);
        }
        let silent_ms = wall_ms - settings.wall_at_zero_ms - (heard / 1_000_000) as i64;
        no_early_expiry::recorded(session, silent_ms, timeout, settings.unheard_ms)
    }

    /// What was read where history stands.
    fn judge_reads(&mut self, zxid: Zxid) -> Verdict {
        if let Some((first, _)) = self.reads.first_key_value()
            && *first < zxid
        {
            return self.history.visible(*first);
        }
        for at in self.reads.remove(&zxid).unwrap_or_default() {
            let connection = &self.recorded.connections[at.0];
            let asked = self.request(at);
            let Some(reply) = &asked.reply else { continue };
            let conn = ConnId(at.0 as u64);
            let (result, _) = self.model.read(conn, session_of(connection), &who(), &asked.request);
            compare(&asked.request, result.as_ref().map_err(|error| *error), reply)?;
            match asked.request {
                Request::Sync { .. } => self.counts.syncs += 1,
                _ => self.counts.reads += 1,
            }
        }
        Ok(())
    }
}

fn compare(request: &Request, expected: Result<&Response, i32>, reply: &RecordedReply) -> Verdict {
    replies_match_model::compare(request, expected, (reply.header, Reader::new(reply.body.clone())))
}

/// Connection by connection.
impl Judging<'_> {
    fn walk_sessions(&mut self) -> Verdict {
        for (index, connection) in self.recorded.connections.iter().enumerate() {
            self.judge_handshake(connection)?;
            let mut order = SessionOrder::default();
            for (place, asked) in connection.requests.iter().enumerate() {
                self.counts.requests += 1;
                let executed = self.executed.get(&(index, place));
                let Some(reply) = &asked.reply else {
                    self.counts.unknown += 1;
                    self.counts.executed_unanswered += usize::from(executed.is_some());
                    continue;
                };
                order.reply(Some(asked.xid), reply.header.xid, reply.header.zxid)?;
                if makes_txn(&asked.request) {
                    self.counts.writes += 1;
                    self.judge_write(asked, reply, executed)?;
                }
            }
        }
        Ok(())
    }

    /// What was acknowledged is in history, as it was acknowledged.
    fn judge_write(
        &self,
        asked: &RecordedRequest,
        reply: &RecordedReply,
        executed: Option<&(Zxid, Option<Outcome>)>,
    ) -> Verdict {
        self.history.visible(reply.header.zxid)?;
        let zxid = executed.map(|(zxid, _)| *zxid);
        require("replies_match_model", zxid == Some(reply.header.zxid), || {
            format!("{asked:?} was executed at {zxid:?}, of all that is committed")
        })?;
        match executed {
            Some((_, Some(outcome))) => {
                let expected = outcome.response.as_ref().ok_or(outcome.error);
                compare(&asked.request, expected, reply)
            }
            _ => require("close_session", reply.header.err == 0 && reply.body.is_empty(), || {
                format!("closeSession is answered {:?}", reply.header)
            }),
        }
    }

    fn has_asked_to_close(&self, session: SessionId) -> bool {
        let own = self.recorded.connections.iter().filter(|known| session_of(known) == session);
        own.flat_map(|known| &known.requests).any(|asked| asked.request == Request::CloseSession)
    }

    fn judge_handshake(&mut self, connection: &RecordedConnection) -> Verdict {
        let RecordedConnection { handshake, answer: Some((_, response)), .. } = connection else {
            return Ok(());
        };
        let settings = &self.recorded.settings;
        let timeout =
            negotiated(handshake.timeout, settings.min_session_timeout, settings.max_session_timeout);
        let session = handshake.session_id;
        if session == SessionId::NONE {
            let created = self.history.unclaimed.remove(&response.session_id).map(|_| response.session_id);
            return session_validity::response(
                &Expected::New { timeout },
                (handshake, false),
                response,
                created,
            );
        }
        let closed = self.closed.get(&session).copied();
        if response.timeout <= 0 && closed.is_none() && !self.has_asked_to_close(session) {
            // A leader that was deposed may have been about to expire it, which was lost with that leader.
            let wall_ms = settings.wall_at_zero_ms + (connection.sent / 1_000_000) as i64;
            self.judge_silence(session, (connection.sent, wall_ms))?;
        }
        // Who was served where history had come past its end was taken up behind it.
        let is_behind = |asked: &RecordedRequest| {
            let reply = asked.reply.as_ref().filter(|reply| reply.header.err == 0);
            reply.zip(closed).is_some_and(|(reply, closed)| reply.header.zxid >= closed)
                && asked.request != Request::CloseSession
        };
        let has_ended = connection.requests.iter().any(is_behind);
        self.counts.reattached += usize::from(response.timeout > 0);
        session_validity::response(
            &Expected::AskedOfLeader { session, timeout, has_ended },
            (handshake, false),
            response,
            None,
        )
    }
}

/// What happened to a request, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happened {
    /// Of two things at one time nobody knows which was first.
    Sent,
    Answered,
}

/// In the order of time.
impl Judging<'_> {
    fn walk_time(&self) -> Verdict {
        let mut happened: Vec<(u64, Happened, At)> = Vec::new();
        for (index, connection) in self.recorded.connections.iter().enumerate() {
            for (place, asked) in connection.requests.iter().enumerate() {
                happened.push((asked.sent, Happened::Sent, (index, place)));
                if let Some(reply) = &asked.reply {
                    happened.push((reply.at, Happened::Answered, (index, place)));
                }
            }
        }
        happened.sort_unstable();
        let mut real_time = RealTime::new(true, false);
        let mut floors: BTreeMap<At, Zxid> = BTreeMap::new();
        let mut views: BTreeMap<SessionId, SessionView> = BTreeMap::new();
        for (_, what, at) in happened {
            if what == Happened::Sent {
                floors.insert(at, real_time.floor());
                continue;
            }
            let asked = self.request(at);
            let Some(RecordedReply { header, .. }) = &asked.reply else { continue };
            let floor = floors.remove(&at).unwrap_or_default();
            let view = views.entry(session_of(&self.recorded.connections[at.0])).or_default();
            if matches!(asked.request, Request::Sync { .. }) && header.err == 0 {
                view.synced(floor);
            }
            let named = |violation: Violation| Violation {
                detail: format!(
                    "{}: {asked:?} at server {}",
                    violation.detail,
                    self.recorded.connections[at.0].server + 1
                ),
                ..violation
            };
            view.answered(header.zxid).map_err(named)?;
            real_time.answered(makes_txn(&asked.request), floor, header.zxid).map_err(named)?;
        }
        Ok(())
    }

    /// All servers have what history says, and nothing else.
    fn compare_databases(&self) -> Verdict {
        for database in &self.recorded.databases {
            recovered_state::equals("state_equality", database, &self.model)?;
            ephemerals::owned(database)?;
        }
        Ok(())
    }
}
