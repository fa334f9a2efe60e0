//! What was overheard, as exchanges: one thing that is said, and what comes back for it.

use super::quiet::{Unfit, quiet};
use crate::checkers::Violation;
use crate::plan::Plan;
use crate::world::{Overheard, overhear};
use bytes::Bytes;
use quorate_core::jute::{
    ConnectRequest, ConnectResponse, Decode, OpCode, Reader, ReplyDecoder, ReplyHeader, RequestHeader,
    ServerMessage, WatcherEvent,
};
use quorate_core::vocabulary::{ConnId, Xid, Zxid};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::{Display, Formatter};

/// Bytes of a request's header.
pub(super) const HEADER: usize = 8;

/// Something that a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The first thing on a connection.
    Handshake(ConnectRequest),
    /// A request, as a frame without its length.
    Request(RequestHeader, Bytes),
    /// Its end of the connection is closed.
    End,
}

impl Said {
    /// Whether this is the answer to it.
    pub fn is_answered_by(&self, heard: &Heard) -> bool {
        match (self, heard) {
            (Said::Handshake(_), Heard::Connected(_)) => true,
            (Said::Request(asked, _), Heard::Reply(header, _)) => asked.xid == header.xid,
            _ => false,
        }
    }
}

impl Display for Said {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Said::Handshake(ConnectRequest { session_id, timeout, .. }) => {
                write!(f, "handshake of session {:#x}, timeout {timeout}", session_id.0)
            }
            Said::Request(RequestHeader { xid, opcode }, frame) => {
                match OpCode::from_code(*opcode) {
                    Some(name) => write!(f, "{name:?}")?,
                    None => write!(f, "opcode {opcode}")?,
                }
                write!(f, " (xid {}): {:?}", xid.0, frame.slice(HEADER.min(frame.len())..))
            }
            Said::End => f.write_str("end"),
        }
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The handshake's answer.
    Connected(ConnectResponse),
    /// A reply and its body.
    Reply(ReplyHeader, Bytes),
    /// The server has hung up instead.
    HungUp,
}

/// Something that is said, and what comes back before anything else is said.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// On which connection, by its place in the script.
    pub connection: usize,
    /// What is said.
    pub said: Said,
    /// The answer; none to the end.
    pub heard: Option<Heard>,
    /// The events on this connection since the answer before.
    pub events: Vec<(Zxid, WatcherEvent)>,
}

/// A quiet run; see [the module](super).
#[derive(Clone, Debug)]
pub struct Script {
    /// In their order.
    pub exchanges: Vec<Exchange>,
}

impl Script {
    /// What a plan says below `directory`, and hears of the simulated server.
    ///
    /// # Errors
    /// When the plan is none of clients, or when its quiet run breaks a rule.
    pub fn of(plan: &Plan, directory: &str) -> Result<Result<Script, Violation>, Unfit> {
        let (overheard, violation) = overhear(&quiet(plan, directory)?);
        Ok(match violation {
            Some(violation) => Err(violation),
            None => Ok(Script { exchanges: exchanges(overheard) }),
        })
    }
}

/// A connection while it is overheard.
#[derive(Default)]
struct Connection {
    place: usize,
    decoder: Option<ReplyDecoder>,
    /// Exchanges that wait for their answers.
    waiting: VecDeque<usize>,
    events: Vec<(Zxid, WatcherEvent)>,
}

fn exchanges(overheard: Vec<Overheard>) -> Vec<Exchange> {
    let mut connections: BTreeMap<ConnId, Connection> = BTreeMap::new();
    let mut exchanges = Exchanges::default();
    for (now, heard) in overheard.into_iter().enumerate() {
        exchanges.now = now;
        let place = connections.len();
        let conn = match &heard {
            Overheard::ToServer(conn, _) | Overheard::ToClient(conn, _) | Overheard::EndOf(conn) => *conn,
        };
        let connection =
            connections.entry(conn).or_insert_with(|| Connection { place, ..Connection::default() });
        match heard {
            Overheard::ToServer(_, frame) => connection.says(frame, &mut exchanges),
            Overheard::ToClient(_, bytes) => connection.hears(&bytes, &mut exchanges),
            Overheard::EndOf(_) => connection.ends(&mut exchanges),
        }
    }
    // In the order in which the server was done with them: who connects may have been in another's way.
    exchanges.all.sort_by_key(|(at, _)| *at);
    let exchanges = exchanges.all.into_iter().map(|(_, exchange)| exchange);
    // What has no answer is not said elsewhere: there it might have one.
    let is_told = |exchange: &Exchange| exchange.said == Said::End || exchange.heard.is_some();
    exchanges.filter(|exchange| is_told(exchange) && !is_ping(&exchange.said)).collect()
}

/// Exchanges, and when each was over.
#[derive(Default)]
struct Exchanges {
    now: usize,
    all: Vec<(usize, Exchange)>,
}

impl Exchanges {
    fn begin(&mut self, connection: usize, said: Said) -> usize {
        self.all.push((self.now, Exchange { connection, said, heard: None, events: Vec::new() }));
        self.all.len() - 1
    }

    fn end(&mut self, place: usize, heard: Heard, events: Vec<(Zxid, WatcherEvent)>) {
        let (at, exchange) = &mut self.all[place];
        *at = self.now;
        exchange.heard = Some(heard);
        exchange.events = events;
    }
}

fn is_ping(said: &Said) -> bool {
    matches!(said, Said::Request(header, _) if header.xid == Xid::PING)
}

impl Connection {
    /// A frame, with its length.
    fn says(&mut self, frame: Bytes, exchanges: &mut Exchanges) {
        let frame = frame.slice(4.min(frame.len())..);
        let mut input = Reader::new(frame.clone());
        let said = match self.decoder {
            None => ConnectRequest::decode(&mut input).ok().map(Said::Handshake),
            Some(_) => RequestHeader::decode(&mut input).ok().map(|header| Said::Request(header, frame)),
        };
        self.decoder.get_or_insert_with(|| ReplyDecoder::new(i32::MAX as u32));
        let Some(said) = said else { return };
        self.waiting.push_back(exchanges.begin(self.place, said));
    }

    fn hears(&mut self, bytes: &Bytes, exchanges: &mut Exchanges) {
        let Some(decoder) = &mut self.decoder else { return };
        decoder.push(bytes);
        // The client under it has understood the same bytes.
        while let Ok(Some(message)) = decoder.poll() {
            let heard = match message {
                ServerMessage::Event { zxid, event } => {
                    self.events.push((zxid, event));
                    continue;
                }
                ServerMessage::Connected(response) => Heard::Connected(response),
                ServerMessage::Reply { header, body } => {
                    Heard::Reply(header, Bytes::copy_from_slice(body.rest()))
                }
            };
            let is_asked = |place: &usize| exchanges.all[*place].1.said.is_answered_by(&heard);
            let Some(index) = self.waiting.iter().position(is_asked) else { continue };
            let Some(place) = self.waiting.remove(index) else { continue };
            exchanges.end(place, heard, std::mem::take(&mut self.events));
        }
    }

    /// Whoever has closed it: what waits for an answer waits in vain.
    fn ends(&mut self, exchanges: &mut Exchanges) {
        for place in std::mem::take(&mut self.waiting) {
            exchanges.end(place, Heard::HungUp, std::mem::take(&mut self.events));
        }
        exchanges.begin(self.place, Said::End);
    }
}
