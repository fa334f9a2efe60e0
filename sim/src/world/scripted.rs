//! A scripted client: a small machine of the simulator's own that speaks the protocol as a library would, pipelines,
//! reconnects, re-registers its watches, and sometimes says what no library says.
//!
//! It keeps to `client-protocol.md` §23 where the server could tell; the product's client is in `machine.rs`.

use super::encode::{Memory, frame, is_write, name, path_of};
use crate::checkers::Verdict;
use crate::checkers::linearizable_writes::RealTime;
use crate::checkers::session_order::SessionOrder;
use crate::checkers::session_view::SessionView;
use crate::checkers::{Violation, require};
use crate::chooser::{Choice, Chooser, Key};
use crate::counters::Counters;
use crate::model::Watching;
use crate::plan::{ClientPlan, Operation};
use bytes::{Bytes, BytesMut};
use quorate_core::jute::{
    AuthPacket, ConnectRequest, ConnectResponse, Encode, OpCode, ReplyDecoder, ReplyHeader, Request,
    Response, ServerMessage, WatcherEvent, write_frame,
};
use quorate_core::vocabulary::{ConnId, SessionId, Xid, Zxid};
use std::collections::VecDeque;

/// The longest that a handshake may take, ns.
pub(super) const HANDSHAKE_NS: u64 = 5_000_000_000;
/// How long it stays with a server that serves only reads, before it looks for another, ns.
const READING_NS: u64 = 2_500_000_000;

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It connects again at this time.
    Away { until: u64 },
    /// It has sent its handshake.
    Handshaking(ConnId),
    /// It has a session.
    Connected(ConnId),
}

/// A request on its way.
#[derive(Debug)]
struct Sent {
    xid: Xid,
    opcode: i32,
    /// Its path, and whether a read leaves a watch there.
    path: Option<String>,
    watch: bool,
    mode: i32,
    is_write: bool,
    floor: Zxid,
    /// How much was committed then.
    committed: Zxid,
    at: u64,
}

/// What it knows of servers that serve only reads.
#[derive(Debug, Default)]
struct Reading {
    /// It is connected to one, since then.
    since: Option<u64>,
    /// It was, and was not anywhere else since.
    is_all_it_knows: bool,
    /// It has just found a server that serves everything.
    is_over: bool,
}

#[derive(Debug)]
pub(super) struct Scripted {
    pub(super) index: usize,
    plan: ClientPlan,
    pub(super) phase: Phase,
    session: SessionId,
    password: Bytes,
    timeout_ms: u64,
    last_zxid: Zxid,
    next_xid: i32,
    sent: VecDeque<Sent>,
    decoder: ReplyDecoder,
    last_sent: u64,
    last_heard: u64,
    watching: Watching,
    memory: Memory,
    order: SessionOrder,
    view: SessionView,
    last_event: Zxid,
    pub(super) attempts: u64,
    reading: Reading,
    is_closing: bool,
    last_answer: u64,
}

impl Scripted {
    pub(super) fn new(index: usize, plan: ClientPlan) -> Self {
        Scripted {
            index,
            phase: Phase::Away { until: 0 },
            session: SessionId::NONE,
            password: Bytes::from_static(&[0; 16]),
            timeout_ms: plan.timeout_ms.max(1000),
            plan,
            last_zxid: Zxid::ZERO,
            next_xid: 0,
            sent: VecDeque::new(),
            decoder: ReplyDecoder::new(i32::MAX as u32),
            last_sent: 0,
            last_heard: 0,
            watching: Watching::default(),
            memory: Memory::default(),
            order: SessionOrder::default(),
            view: SessionView::default(),
            last_event: Zxid::ZERO,
            attempts: 0,
            reading: Reading::default(),
            is_closing: false,
            last_answer: 0,
        }
    }

    pub(super) fn conn(&self) -> Option<ConnId> {
        match self.phase {
            Phase::Away { .. } => None,
            Phase::Handshaking(conn) | Phase::Connected(conn) => Some(conn),
        }
    }

    /// When it last had an answer.
    pub(super) fn last_answered(&self) -> u64 {
        self.last_answer
    }

    /// Since when it waits for the answer that is next in line; the end of time when it waits for none.
    pub(super) fn waits_since(&self) -> u64 {
        self.sent.front().map_or(u64::MAX / 2, |sent| sent.at)
    }

    /// The connection is lost, or is given up.
    pub(super) fn lost(&mut self, now: u64, chooser: &mut dyn Chooser) {
        self.attempts += 1;
        let key = |about: u64| Key(self.index as u64, self.attempts, about);
        let wait = chooser.pick(Choice::Client, key(0), 1_000_000_000);
        let is_only_read = self.reading.since.take().is_some();
        let keeps = chooser.chance(Choice::Client, key(1), self.plan.keeps_session_permille);
        // What only reads know of is no session anywhere else.
        if !keeps || self.is_closing || is_only_read {
            self.forget_session();
        }
        self.sent.clear();
        self.phase = Phase::Away { until: now + wait };
    }

    pub(super) fn forget_session(&mut self) {
        self.session = SessionId::NONE;
        self.password = Bytes::from_static(&[0; 16]);
        self.watching = Watching::default();
        self.last_zxid = Zxid::ZERO;
        self.view = SessionView::default();
        self.last_event = Zxid::ZERO;
        self.is_closing = false;
    }

    /// The handshake's frame. Now and then one that the server must refuse.
    pub(super) fn connect(&mut self, now: u64, conn: ConnId, chooser: &mut dyn Chooser) -> Bytes {
        self.phase = Phase::Handshaking(conn);
        if self.plan.restarts_xids {
            self.next_xid = 0;
        }
        self.decoder = ReplyDecoder::new(i32::MAX as u32);
        self.order = SessionOrder::default();
        (self.last_sent, self.last_heard) = (now, now);
        let odd = chooser.pick(Choice::Client, Key(self.index as u64, self.attempts, 2), 50);
        let password = if odd == 0 { Bytes::from_static(b"no such password") } else { self.password.clone() };
        let last_zxid_seen = if odd == 1 { Zxid(self.last_zxid.0 + 1_000_000) } else { self.last_zxid };
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen,
            timeout: self.plan.timeout_ms as i32,
            session_id: self.session,
            password: Some(password),
            read_only: (self.plan.read_only_byte || self.plan.accepts_read_only)
                .then_some(self.plan.accepts_read_only),
        };
        let mut out = BytesMut::new();
        write_frame(&mut out, |writer| request.encode(writer));
        out.freeze()
    }

    /// Whether it is connected to a server that serves only reads.
    pub(super) fn is_read_only(&self) -> bool {
        self.reading.since.is_some()
    }

    /// When it looks for a server that serves everything.
    pub(super) fn looks_elsewhere_at(&self) -> u64 {
        self.reading.since.map_or(u64::MAX, |since| since + READING_NS)
    }

    /// Whether it has just found such a server, behind one that served only reads.
    pub(super) fn is_back_from_reading(&mut self) -> bool {
        std::mem::take(&mut self.reading.is_over)
    }

    /// Whether it goes on in its session, by xids that the session has seen.
    pub(super) fn uses_xids_again(&self) -> bool {
        self.plan.restarts_xids && self.session != SessionId::NONE
    }

    /// When this client has something to do by itself.
    pub(super) fn next_timer(&self) -> u64 {
        let ms = |share: u64| self.timeout_ms * 1_000_000 / 3 * share;
        match self.phase {
            Phase::Away { until } => until,
            Phase::Handshaking(_) => self.last_heard + ms(2).clamp(200_000_000, HANDSHAKE_NS),
            Phase::Connected(_) => {
                (self.last_heard + ms(2)).min(self.last_sent + ms(1)).min(self.looks_elsewhere_at())
            }
        }
    }

    /// Whether nothing was heard for too long.
    pub(super) fn is_deaf(&self, now: u64) -> bool {
        let limit = self.timeout_ms * 1_000_000 / 3 * 2;
        let is_new = matches!(self.phase, Phase::Handshaking(_));
        let limit = if is_new { limit.clamp(200_000_000, HANDSHAKE_NS) } else { limit };
        self.conn().is_some() && now >= self.last_heard + limit
    }

    /// A ping, when nothing was sent for a while.
    pub(super) fn ping(&mut self, now: u64, real_time: &RealTime) -> Option<Bytes> {
        let Phase::Connected(_) = self.phase else { return None };
        if now < self.last_sent + self.timeout_ms * 1_000_000 / 3 {
            return None;
        }
        Some(self.send(now, Xid::PING, &Request::Ping, real_time))
    }

    fn send(&mut self, now: u64, xid: Xid, request: &Request, real_time: &RealTime) -> Bytes {
        self.last_sent = now;
        let (watch, mode) = match request {
            Request::Exists { watch, .. }
            | Request::GetData { watch, .. }
            | Request::GetChildren { watch, .. }
            | Request::GetChildren2 { watch, .. } => (*watch, -1),
            Request::AddWatch { mode, .. } => (true, *mode),
            _ => (false, -1),
        };
        let (path, is_write) = (path_of(request), is_write(request));
        self.is_closing |= matches!(request, Request::CloseSession);
        let opcode = request.opcode();
        let (floor, committed) = (real_time.floor(), real_time.committed);
        self.sent.push_back(Sent { xid, opcode, path, watch, mode, is_write, floor, committed, at: now });
        frame(xid, opcode, request)
    }

    /// Sends an operation, when there is a session to send it in.
    pub(super) fn operate(
        &mut self,
        now: u64,
        operation: &Operation,
        real_time: &RealTime,
        counters: &mut Counters,
    ) -> Option<Bytes> {
        let Phase::Connected(_) = self.phase else { return None };
        if self.is_closing {
            counters.probe("asked_behind_close");
        }
        counters.operation(name(operation));
        let xid = match operation {
            Operation::Auth { .. } => Xid::AUTH,
            _ => self.xid(),
        };
        let (floor, committed) = (real_time.floor(), real_time.committed);
        if let Operation::Raw { opcode, body } = operation {
            self.last_sent = now;
            let (path, watch, mode) = (None, false, -1);
            self.sent.push_back(Sent {
                xid,
                opcode: *opcode,
                path,
                watch,
                mode,
                is_write: false,
                floor,
                committed,
                at: now,
            });
            return Some(frame(xid, *opcode, body));
        }
        let request = self.memory.request(operation)?;
        Some(self.send(now, xid, &request, real_time))
    }

    fn xid(&mut self) -> Xid {
        self.next_xid += 1;
        Xid(self.next_xid)
    }

    /// Takes bytes of the server; returns what it makes the client say. An error of the stream ends the connection.
    pub(super) fn receive(
        &mut self,
        now: u64,
        bytes: &Bytes,
        real_time: &mut RealTime,
    ) -> Result<(Vec<Bytes>, bool), Violation> {
        self.last_heard = now;
        self.decoder.push(bytes);
        let mut answers = Vec::new();
        loop {
            let message = self.decoder.poll().map_err(|error| Violation {
                checker: "client_understands",
                detail: format!("client {} can't decode: {error}", self.index),
            })?;
            match message {
                None => return Ok((answers, true)),
                Some(ServerMessage::Connected(response)) => {
                    if !self.connected(now, &response, real_time, &mut answers) {
                        return Ok((answers, false));
                    }
                }
                Some(ServerMessage::Event { zxid, event }) => self.event(zxid, &event)?,
                Some(ServerMessage::Reply { header, body }) => {
                    self.last_answer = now;
                    self.reply(header, body, real_time)?;
                }
            }
        }
    }

    /// False when the session is no more.
    fn connected(
        &mut self,
        now: u64,
        response: &ConnectResponse,
        real_time: &RealTime,
        answers: &mut Vec<Bytes>,
    ) -> bool {
        if response.timeout <= 0 {
            self.forget_session();
            return false;
        }
        let Phase::Handshaking(conn) = self.phase else { return false };
        let is_back = self.session == response.session_id;
        self.phase = Phase::Connected(conn);
        let is_read_only = response.read_only == Some(true);
        self.reading.since = is_read_only.then_some(now);
        self.reading.is_over = !is_read_only && self.reading.is_all_it_knows;
        self.reading.is_all_it_knows = is_read_only;
        self.last_answer = now;
        self.timeout_ms = response.timeout as u64;
        self.session = response.session_id;
        self.password = response.password.clone();
        if let Some(user) = self.plan.user.clone() {
            let auth = Some(Bytes::from(user));
            let packet = Request::Auth(AuthPacket { kind: 0, scheme: Some("digest".to_string()), auth });
            answers.push(self.send(now, Xid::AUTH, &packet, real_time));
        }
        if is_back && let Some(request) = self.watching.set_watches(self.last_zxid) {
            let xid = self.xid();
            answers.push(self.send(now, xid, &request, real_time));
        }
        true
    }

    fn event(&mut self, zxid: Zxid, event: &WatcherEvent) -> Verdict {
        if zxid.0 > 0 {
            require("watch_order", zxid >= self.last_event, || {
                format!("client {} is told of {zxid} behind {}", self.index, self.last_event)
            })?;
            self.last_event = zxid;
        }
        self.watching.fired(event);
        Ok(())
    }

    fn reply(
        &mut self,
        header: ReplyHeader,
        body: quorate_core::jute::Reader,
        real_time: &mut RealTime,
    ) -> Verdict {
        let auth = self.sent.iter().position(|sent| sent.xid == Xid::AUTH);
        let index = if header.xid == Xid::AUTH { auth.unwrap_or(0) } else { 0 };
        let sent = self.sent.remove(index);
        self.order.reply(sent.as_ref().map(|sent| sent.xid), header.xid, header.zxid)?;
        let Some(sent) = sent else { return Ok(()) };
        if header.zxid.0 > 0 {
            let is_end = sent.opcode == OpCode::CloseSession.code() && real_time.has_local_sessions;
            let is_txn = sent.is_write && !is_end && !matches!(header.err, -5 | -119 | -125);
            real_time.answered(is_txn, sent.floor, header.zxid)?;
            if sent.opcode == OpCode::Sync.code() && header.err == 0 {
                self.view.synced(sent.committed);
            }
            self.view.answered(header.zxid)?;
            self.last_zxid = self.last_zxid.max(header.zxid);
        }
        if let Some(path) = sent.path.clone().filter(|_| sent.watch) {
            self.watching.answered(sent.opcode, path, sent.mode, header.err);
        }
        if header.err == 0 {
            self.learn(&sent, body);
        }
        Ok(())
    }

    fn learn(&mut self, sent: &Sent, mut body: quorate_core::jute::Reader) {
        let teaches = matches!(sent.opcode, 1 | 3 | 4 | 5 | 15 | 19 | 21);
        let Some(path) = sent.path.as_deref().filter(|_| teaches) else { return };
        if let Ok(response) = Response::decode(sent.opcode, &mut body) {
            self.memory.learn(path, &response);
        }
    }
}
