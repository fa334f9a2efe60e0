//! One established connection: what is in flight on it, and when it last was used (`client-protocol.md` §5).

use super::contract::{Attempt, ClientOutbox, RequestId};
use super::watches::Registration;
use crate::jute::{
    AddWatchMode, AuthPacket, Encode, OpCode, ReplyDecoder, Request, RequestHeader, WatcherType, write_frame,
};
use crate::vocabulary::{Mono, Xid};
use std::collections::VecDeque;

/// What an answer changes in the client itself. Paths are the client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    /// A read with a watch: what success registers, and what a missing node does.
    Watch {
        path: String,
        found: Registration,
        missing: Option<Registration>,
    },
    RemoveWatches {
        path: String,
        kind: WatcherType,
    },
    /// The session's own closeSession.
    Close,
}

/// A request that was sent and not answered.
#[derive(Clone, Debug)]
pub(super) struct InFlight {
    pub(super) xid: Xid,
    pub(super) opcode: i32,
    /// None for what the session sent by itself.
    pub(super) id: Option<RequestId>,
    pub(super) effect: Effect,
    pub(super) sent_at: Mono,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) attempt: Attempt,
    pub(super) decoder: ReplyDecoder,
    pub(super) in_flight: VecDeque<InFlight>,
    /// Places in the session's list of credentials, in the order in which they were sent.
    pub(super) auth_in_flight: VecDeque<usize>,
    /// When the pings that are not answered were sent, the oldest first.
    pub(super) pings: VecDeque<Mono>,
    pub(super) last_sent: Mono,
    pub(super) last_heard: Mono,
    pub(super) next_xid: i32,
}

impl Connection {
    pub(super) fn new(attempt: Attempt, decoder: ReplyDecoder, next_xid: i32, now: Mono) -> Self {
        Connection {
            attempt,
            decoder,
            in_flight: VecDeque::new(),
            auth_in_flight: VecDeque::new(),
            pings: VecDeque::new(),
            last_sent: now,
            last_heard: now,
            next_xid,
        }
    }

    /// Sends a request; its answer is awaited behind those of all before it.
    pub(super) fn send(
        &mut self,
        now: Mono,
        request: &Request,
        in_flight: (Option<RequestId>, Effect),
        outbox: &mut ClientOutbox,
    ) {
        let xid = match request {
            Request::SetWatches(_) | Request::SetWatches2(_) => Xid::SET_WATCHES,
            _ => self.take_xid(),
        };
        let (id, effect) = in_flight;
        self.write(now, xid, request, outbox);
        self.in_flight.push_back(InFlight { xid, opcode: request.opcode(), id, effect, sent_at: now });
    }

    /// Sends credentials; the answer may overtake others, so it has a queue of its own.
    pub(super) fn send_auth(
        &mut self,
        now: Mono,
        place: usize,
        packet: &AuthPacket,
        outbox: &mut ClientOutbox,
    ) {
        self.write(now, Xid::AUTH, &Request::Auth(packet.clone()), outbox);
        self.auth_in_flight.push_back(place);
    }

    pub(super) fn send_ping(&mut self, now: Mono, outbox: &mut ClientOutbox) {
        self.pings.push_back(now);
        self.write(now, Xid::PING, &Request::Ping, outbox);
    }

    fn write(&mut self, now: Mono, xid: Xid, request: &Request, outbox: &mut ClientOutbox) {
        self.last_sent = now;
        outbox.send(self.attempt, |out| {
            write_frame(out, |out| {
                RequestHeader { xid, opcode: request.opcode() }.encode(out);
                request.encode(out);
            });
        });
    }

    /// Positive numbers, counted over all connections of the session; behind the largest comes 1 again.
    fn take_xid(&mut self) -> Xid {
        let xid = Xid(self.next_xid);
        self.next_xid = self.next_xid.checked_add(1).unwrap_or(1);
        xid
    }

    /// Whether the session's own closeSession is in flight.
    pub(super) fn is_closing(&self) -> bool {
        self.in_flight.back().is_some_and(|last| last.effect == Effect::Close)
    }
}

impl Effect {
    /// What the answer to `request` (as submitted) will change.
    pub(super) fn of(request: &Request) -> Effect {
        let watch = |path: &Option<String>, found, missing| match path {
            Some(path) => Effect::Watch { path: path.clone(), found, missing },
            None => Effect::None,
        };
        match request {
            Request::Exists { path, watch: true } => {
                watch(path, Registration::Data, Some(Registration::Exist))
            }
            Request::GetData { path, watch: true } => watch(path, Registration::Data, None),
            Request::GetChildren { path, watch: true } | Request::GetChildren2 { path, watch: true } => {
                watch(path, Registration::Child, None)
            }
            Request::AddWatch { path, mode: 0 } => {
                watch(path, Registration::Added(AddWatchMode::Persistent), None)
            }
            Request::AddWatch { path, mode: 1 } => {
                watch(path, Registration::Added(AddWatchMode::PersistentRecursive), None)
            }
            Request::RemoveWatches { path: Some(path), kind } => match WatcherType::from_code(*kind) {
                Some(kind) => Effect::RemoveWatches { path: path.clone(), kind },
                None => Effect::None,
            },
            _ => Effect::None,
        }
    }
}

/// Whether an application may submit this request, rather than the session sending it by itself.
pub(super) fn is_submittable(request: &Request) -> bool {
    let opcode = OpCode::from_code(request.opcode());
    !matches!(
        opcode,
        Some(
            OpCode::Ping
                | OpCode::Auth
                | OpCode::Sasl
                | OpCode::SetWatches
                | OpCode::SetWatches2
                | OpCode::CloseSession
        )
    )
}
