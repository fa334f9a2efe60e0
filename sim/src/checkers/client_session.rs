//! The core's session machine, judged by both its sides (`client-protocol.md` §16.6, §23): each request that it was given ends
//! exactly once, with the reply that came for it or with the loss of its connection, and replies in the order of requests; a
//! session's end is told once, and its expiry only where the server said so or was silent for four thirds of the timeout;
//! watches that stood when a connection was lost are all named, and no others, behind the next handshake, and the events for
//! which one stands are told, each once.
//!
//! What stands on the wire is read by decoders of the checker's own.

use super::session_order::SessionOrder;
use super::{Verdict, Violation, require, violated};
use crate::counters::Counters;
use crate::model::Watching;
use quorate_core::client::{ClientError, KeeperState, RequestId};
use quorate_core::jute::{
    ClientDecoder, ClientMessage, ConnectResponse, FieldLimit, ReplyDecoder, ReplyHeader, Request, Response,
    ServerMessage, WatcherEvent,
};
use quorate_core::vocabulary::{SessionId, Xid, Zxid};
use std::collections::{BTreeSet, VecDeque};

const NAME: &str = "client_session";

/// One connection, as it is on the wire.
#[derive(Debug)]
struct Wire {
    from_client: ClientDecoder,
    from_server: ReplyDecoder,
    sent: VecDeque<(Xid, Request)>,
    order: SessionOrder,
    /// What setWatches has named.
    named: Watching,
    /// The handshake was answered, by what is being heard now.
    is_fresh: bool,
}

/// What one session has been asked, has said and has heard.
#[derive(Debug)]
pub(crate) struct ClientSessionRules {
    wire: Wire,
    /// Requests without an end, in order.
    asked: VecDeque<RequestId>,
    /// The same of credentials: their answers may overtake, and wait for another connection.
    presented: BTreeSet<RequestId>,
    /// Replies to requests that have not ended any yet.
    answers: VecDeque<(Zxid, i32)>,
    /// Events with a watch that have not been told yet.
    events: VecDeque<(WatcherEvent, Zxid)>,
    session: SessionId,
    timeout_ns: u64,
    last_heard: u64,
    is_said_expired: bool,
    is_over: bool,
    watching: Watching,
    last_zxid: Zxid,
    last_event: Zxid,
}

impl Wire {
    fn new() -> Self {
        Wire {
            from_client: ClientDecoder::new(i32::MAX as u32, FieldLimit::default()),
            from_server: ReplyDecoder::new(i32::MAX as u32),
            sent: VecDeque::new(),
            order: SessionOrder::default(),
            named: Watching::default(),
            is_fresh: false,
        }
    }

    /// The request that a reply is for: the first, but that auth may overtake.
    fn answered(&mut self, header: &ReplyHeader) -> Result<Option<Request>, Violation> {
        let auth = self.sent.iter().position(|(xid, _)| *xid == Xid::AUTH);
        let index = if header.xid == Xid::AUTH { auth.unwrap_or(0) } else { 0 };
        let sent = self.sent.remove(index);
        self.order.reply(sent.as_ref().map(|(xid, _)| *xid), header.xid, header.zxid)?;
        Ok(sent.map(|(_, request)| request))
    }
}

/// What goes through the machine.
impl ClientSessionRules {
    pub(crate) fn new() -> Self {
        ClientSessionRules {
            wire: Wire::new(),
            asked: VecDeque::new(),
            presented: BTreeSet::new(),
            answers: VecDeque::new(),
            events: VecDeque::new(),
            session: SessionId::NONE,
            timeout_ns: 0,
            last_heard: 0,
            is_said_expired: false,
            is_over: false,
            watching: Watching::default(),
            last_zxid: Zxid::ZERO,
            last_event: Zxid::ZERO,
        }
    }

    /// The machine was handed a request.
    pub(crate) fn asked(&mut self, id: RequestId) {
        self.asked.push_back(id);
    }

    /// The machine was handed credentials.
    pub(crate) fn presented(&mut self, id: RequestId) {
        self.presented.insert(id);
    }

    /// It has a new connection.
    pub(crate) fn connects(&mut self) {
        self.wire = Wire::new();
    }

    /// It wants these bytes sent.
    pub(crate) fn says(&mut self, bytes: &[u8]) -> Verdict {
        self.wire.from_client.push(bytes);
        loop {
            match self.wire.from_client.poll() {
                Ok(None) => return Ok(()),
                Ok(Some(ClientMessage::Connect(request))) => require(
                    NAME,
                    request.session_id == self.session && request.last_zxid_seen == self.last_zxid,
                    || format!("{request:?} for {:?}, last seen {}", self.session, self.last_zxid),
                )?,
                Ok(Some(ClientMessage::Request { xid, request, .. })) => {
                    if let Request::SetWatches(list) | Request::SetWatches2(list) = &request {
                        self.wire.named.named(list);
                        require(NAME, list.relative_zxid == self.last_zxid, || {
                            format!("{list:?}, last seen {}", self.last_zxid)
                        })?;
                    }
                    self.wire.sent.push_back((xid, request));
                }
                Ok(Some(other)) => return violated(NAME, format!("says {other:?}")),
                Err(error) => return violated(NAME, format!("what it says can't be decoded: {error}")),
            }
        }
    }

    /// These bytes come for it.
    pub(crate) fn hears(&mut self, now: u64, bytes: &[u8], counters: &mut Counters) -> Verdict {
        self.last_heard = now;
        self.wire.from_server.push(bytes);
        loop {
            let message = self.wire.from_server.poll().map_err(|error| Violation {
                checker: "client_understands",
                detail: format!("a session can't decode: {error}"),
            })?;
            match message {
                None => return Ok(()),
                Some(ServerMessage::Connected(response)) => self.attached(&response, counters),
                Some(ServerMessage::Event { zxid, event }) => {
                    require("watch_order", zxid.0 <= 0 || zxid >= self.last_event, || {
                        format!("a session is told of {zxid} behind {}", self.last_event)
                    })?;
                    self.last_event = self.last_event.max(zxid);
                    if self.watching.fired(&event) {
                        self.events.push_back((event, zxid));
                    }
                }
                Some(ServerMessage::Reply { header, .. }) => self.replied(&header)?,
            }
        }
    }

    fn attached(&mut self, response: &ConnectResponse, counters: &mut Counters) {
        if response.timeout <= 0 {
            self.is_said_expired = true;
            return;
        }
        if self.session == response.session_id {
            counters.probe("machine_reattached");
        }
        self.session = response.session_id;
        self.timeout_ns = response.timeout as u64 * 1_000_000;
        self.wire.is_fresh = true;
    }

    fn replied(&mut self, header: &ReplyHeader) -> Verdict {
        let Some(request) = self.wire.answered(header)? else { return Ok(()) };
        if !matches!(header.xid, Xid::PING | Xid::AUTH) {
            self.last_zxid = self.last_zxid.max(header.zxid);
        }
        if header.xid.0 > 0 && request != Request::CloseSession {
            self.answers.push_back((header.zxid, header.err));
        }
        let opcode = request.opcode();
        match request {
            Request::Exists { path: Some(path), watch: true }
            | Request::GetData { path: Some(path), watch: true }
            | Request::GetChildren { path: Some(path), watch: true }
            | Request::GetChildren2 { path: Some(path), watch: true } => {
                self.watching.answered(opcode, path, -1, header.err);
            }
            Request::AddWatch { path: Some(path), mode } => {
                self.watching.answered(opcode, path, mode, header.err);
            }
            Request::RemoveWatches { path: Some(path), kind } if header.err == 0 => {
                self.watching.removed(kind, &path);
            }
            _ => {}
        }
        Ok(())
    }
}

/// What comes of it.
impl ClientSessionRules {
    /// A request came to its end.
    pub(crate) fn completed(
        &mut self,
        id: RequestId,
        zxid: Option<Zxid>,
        result: &Result<Response, ClientError>,
    ) -> Verdict {
        if self.presented.remove(&id) {
            return Ok(());
        }
        let Some(place) = self.asked.iter().position(|asked| *asked == id) else {
            return violated(NAME, format!("{id:?} ends, which was not asked or has ended"));
        };
        self.asked.remove(place);
        let is_first = place == 0;
        let told = || format!("{id:?} ends at {zxid:?} with {result:?}, {place} before it have not");
        let err = match (zxid, result) {
            (None, Err(ClientError::NotSent(_))) => return Ok(()),
            (None, Err(ClientError::OutcomeUnknown(_))) => return require(NAME, is_first, told),
            (Some(_), Ok(_)) => 0,
            (Some(_), Err(ClientError::Refused(code))) => code.code(),
            (Some(_), Err(ClientError::RefusedStrangely(code))) => *code,
            _ => return violated(NAME, told()),
        };
        require(NAME, is_first, told)?;
        let answer = self.answers.pop_front();
        require(NAME, answer.is_some() && answer == zxid.map(|zxid| (zxid, err)), || {
            format!("{}; the reply next in line says {answer:?}", told())
        })
    }

    /// An event was told to the application.
    pub(crate) fn event(&mut self, event: &WatcherEvent, zxid: Zxid) -> Verdict {
        let next = self.events.pop_front();
        require(NAME, next.as_ref().is_some_and(|(next, at)| next == event && *at == zxid), || {
            format!("{event:?} of {zxid} is told, {next:?} is next in line")
        })
    }

    /// The session's state was told.
    pub(crate) fn told(&mut self, now: u64, state: KeeperState, counters: &mut Counters) -> Verdict {
        require(NAME, !self.is_over, || format!("{state:?} is told of a session that is over"))?;
        self.is_over = matches!(state, KeeperState::Expired | KeeperState::AuthFailed | KeeperState::Closed);
        match state {
            KeeperState::Expired if self.is_said_expired => counters.probe("machine_expired"),
            KeeperState::Expired => {
                counters.probe("machine_gives_session_up");
                let silence = now - self.last_heard;
                let is_long =
                    self.session != SessionId::NONE && silence * 3 >= self.timeout_ns * 4 - 3_000_000;
                require(NAME, is_long, || format!("expired by itself after {silence} ns"))?;
            }
            // What came behind the refusal is no longer heard.
            KeeperState::AuthFailed => {
                self.answers.clear();
                self.events.clear();
            }
            _ => {}
        }
        Ok(())
    }

    /// An input was handled, which `lost` the connection or did not.
    pub(crate) fn handled(&mut self, lost: bool, counters: &mut Counters) -> Verdict {
        let answers = &self.answers;
        require(NAME, answers.is_empty(), || format!("replies came that ended nothing: {answers:?}"))?;
        let events = &self.events;
        require(NAME, events.is_empty(), || format!("events came and were not told: {events:?}"))?;
        let asked = &self.asked;
        require(NAME, !(lost || self.is_over) || asked.is_empty(), || {
            format!("{asked:?} have not ended, the connection is lost")
        })?;
        require(NAME, !self.is_over || self.presented.is_empty(), || {
            format!("{:?} have not ended, the session is over", self.presented)
        })?;
        require(NAME, !self.is_said_expired || self.is_over, || {
            "the server said that the session is no more, and it is not over".to_string()
        })?;
        if std::mem::take(&mut self.wire.is_fresh) {
            let (named, stood) = (&self.wire.named, &self.watching);
            require(NAME, named == stood, || format!("{named:?} are registered again, {stood:?} stood"))?;
            if !stood.is_empty() {
                counters.probe("machine_reregistered_watches");
            }
        }
        Ok(())
    }

    /// Whether the end was told.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }
}
