//! The ways between lanes: which packets are on them, in their order, and what becomes of each.
//!
//! What is sent is read by the core's own decoders. Between servers, and from clients to servers, whoever hears says what it has heard,
//! one packet after the other as they were sent; to clients it is counted by bytes. What is left when an end is gone is lost.

use super::packets::{self, Class, Packet};
use super::timeline::{Fate, Lane, Message, Timeline};
use bytes::Bytes;
use quorate_core::contract::Port;
use quorate_core::jute::{
    ClientDecoder, Decode as _, ElectionDecoder, FieldLimit, QuorumPacket, Reader, ReplyDecoder,
    ServerMessage,
};
use quorate_core::vocabulary::{ConnId, LinkId, SessionId, Xid, Zxid};
use std::collections::{BTreeMap, VecDeque};

/// No frame of a simulation is longer.
const LONGEST_FRAME: u32 = i32::MAX as u32;

/// A link between servers, or a client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wire {
    Link(LinkId),
    Conn(ConnId),
}

/// A client's connection, and what its streams are read by.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: Lane,
    pub(super) server: Lane,
    pub(super) begun: u64,
    /// When its handshake was answered.
    pub(super) shaken: Option<u64>,
    pub(super) ended: Option<u64>,
    pub(super) session: Option<SessionId>,
    streams: Option<Box<Streams>>,
}

#[derive(Debug)]
struct Streams {
    to_server: Option<ClientDecoder>,
    to_client: Option<ReplyDecoder>,
    /// Bytes that the server has said, and that the client has heard; and where each packet ends that it has not.
    said: u64,
    heard: u64,
    ends: VecDeque<u64>,
    /// Requests that wait for their replies: number, name, path.
    asked: VecDeque<(Xid, String, Option<String>)>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Wires {
    /// What is on its way, by where it goes.
    on_the_way: BTreeMap<(Wire, Lane), VecDeque<u32>>,
    /// Of those that are open, what reads what is said in an election, by who says it.
    elections: BTreeMap<(LinkId, Lane), ElectionDecoder>,
    links: BTreeMap<LinkId, [Lane; 2]>,
    pub(super) connections: Vec<Connection>,
    /// Those that are not gone.
    by_id: BTreeMap<ConnId, usize>,
    /// What a txn was about, for those packets that only have its zxid.
    txns: BTreeMap<Zxid, (Option<SessionId>, Option<String>)>,
}

impl Wires {
    /// Whose a connection is.
    pub(super) fn client_of(&self, conn: u64) -> Option<Lane> {
        self.by_id.get(&ConnId(conn)).map(|index| self.connections[*index].client)
    }
}

impl Timeline {
    fn sent(&mut self, at: u64, wire: Wire, (from, to): (Lane, Lane), mut packet: Packet) {
        if let Some(zxid) = packet.zxid.filter(|_| packet.class == Class::Broadcast) {
            match self.wires.txns.get(&zxid) {
                Some((session, path)) => {
                    packet.session = packet.session.or(*session);
                    packet.path = packet.path.or_else(|| path.clone());
                }
                None if packet.session.is_some() => {
                    self.wires.txns.insert(zxid, (packet.session, packet.path.clone()));
                }
                None => {}
            }
        }
        let conn = match wire {
            Wire::Conn(conn) => self.wires.by_id.get(&conn).map(|index| *index as u32),
            Wire::Link(_) => None,
        };
        let strings = &mut self.strings;
        let zxid = packet.zxid.map_or(0, |zxid| strings.number(&zxid.to_string()));
        let session = packet.session.map_or(0, |session| strings.number(&session.to_string()));
        let path = packet.path.as_deref().map_or(0, |path| strings.number(path));
        let (name, text) = (strings.number(&packet.name), strings.number(&packet.text));
        let (class, by, fate) = (packet.class, self.cause(from), Fate::OnItsWay);
        let number = self.messages.len() as u32;
        self.messages.push(Message {
            sent: at,
            by,
            fate,
            from,
            to,
            class,
            name,
            zxid,
            session,
            path,
            text,
            conn,
        });
        self.wires.on_the_way.entry((wire, to)).or_default().push_back(number);
    }

    /// The next packet that goes there over this wire is heard, by the last event.
    fn heard(&mut self, at: u64, wire: Wire, to: Lane) {
        let next = self.wires.on_the_way.get_mut(&(wire, to)).and_then(VecDeque::pop_front);
        let by = self.cause(to);
        if let Some(number) = next {
            self.messages[number as usize].fate = Fate::Heard { at, by };
        }
    }

    /// Nothing that goes there over this wire will be heard any more.
    fn lost(&mut self, at: u64, wire: Wire, to: Lane) {
        for number in self.wires.on_the_way.remove(&(wire, to)).unwrap_or_default() {
            self.messages[number as usize].fate = Fate::Lost { at };
        }
    }

    /// A server says something to another.
    pub(crate) fn link_says(
        &mut self,
        at: u64,
        (link, port): (LinkId, Port),
        way: (usize, usize),
        bytes: &Bytes,
    ) {
        let (from, to) = (self.server(way.0), self.server(way.1));
        let ends = self.wires.links.entry(link).or_insert([from, to]);
        let is_accepted = ends[0] == from;
        let packets: Vec<Packet> = match port {
            Port::Election => {
                let fresh = || ElectionDecoder::new(is_accepted);
                let decoder = self.wires.elections.entry((link, from)).or_insert_with(fresh);
                decoder.push(bytes);
                std::iter::from_fn(|| decoder.poll().ok().flatten().map(|said| packets::election(&said)))
                    .collect()
            }
            Port::Quorum | Port::ObserverMaster => {
                let mut reader = Reader::with_limit(bytes.clone(), FieldLimit(LONGEST_FRAME));
                let next = || match reader.remaining() {
                    0 => None,
                    _ => QuorumPacket::decode(&mut reader).ok().map(|said| packets::quorum(&said)),
                };
                std::iter::from_fn(next).collect()
            }
        };
        packets.into_iter().for_each(|packet| self.sent(at, Wire::Link(link), (from, to), packet));
    }

    /// A server hears the next packet of a link.
    pub(crate) fn link_heard(&mut self, at: u64, link: LinkId, server: usize) {
        self.heard(at, Wire::Link(link), self.server(server));
    }

    /// Of an end of a link it is known that nobody hears anything there any more; `None` of both.
    pub(crate) fn link_is_deaf(&mut self, at: u64, link: LinkId, server: Option<usize>) {
        match server {
            Some(server) => self.lost(at, Wire::Link(link), self.server(server)),
            None => {
                for end in self.wires.links.remove(&link).into_iter().flatten() {
                    self.lost(at, Wire::Link(link), end);
                    self.wires.elections.remove(&(link, end));
                }
            }
        }
    }

    /// Links over which something was said, and that are not known to be gone.
    pub(crate) fn links(&self) -> Vec<LinkId> {
        self.wires.links.keys().copied().collect()
    }

    /// A client connects.
    pub(crate) fn connects(&mut self, at: u64, conn: ConnId, client: usize, server: usize) {
        let streams = Streams {
            to_server: Some(ClientDecoder::new(LONGEST_FRAME, FieldLimit(LONGEST_FRAME))),
            to_client: Some(ReplyDecoder::new(LONGEST_FRAME)),
            said: 0,
            heard: 0,
            ends: VecDeque::new(),
            asked: VecDeque::new(),
        };
        self.wires.by_id.insert(conn, self.wires.connections.len());
        let (client, server) = (self.client(client), self.server(server));
        self.wires.connections.push(Connection {
            client,
            server,
            begun: at,
            shaken: None,
            ended: None,
            session: None,
            streams: Some(Box::new(streams)),
        });
    }

    fn connection(&mut self, conn: ConnId) -> Option<&mut Connection> {
        let index = *self.wires.by_id.get(&conn)?;
        self.wires.connections.get_mut(index)
    }

    /// Something is said over a connection.
    pub(crate) fn says(&mut self, at: u64, (conn, to_server): (ConnId, bool), bytes: &[u8]) {
        match to_server {
            true => self.client_says(at, conn, bytes),
            false => self.server_says(at, conn, bytes),
        }
    }

    /// A client says something.
    fn client_says(&mut self, at: u64, conn: ConnId, bytes: &[u8]) {
        let Some(known) = self.connection(conn) else { return };
        let way = (known.client, known.server);
        let Some(streams) = known.streams.as_deref_mut() else { return };
        let Some(decoder) = &mut streams.to_server else { return };
        decoder.push(bytes);
        let mut said = Vec::new();
        loop {
            match decoder.poll() {
                Ok(Some(message)) => {
                    let (packet, xid) = packets::of_client(&message);
                    if let Some(xid) = xid {
                        streams.asked.push_back((xid, packet.name.clone(), packet.path.clone()));
                    }
                    said.push(packet);
                }
                Ok(None) => break,
                // The server will close the connection.
                Err(_) => {
                    streams.to_server = None;
                    said.push(Packet::new(Class::Client, "unreadable"));
                    break;
                }
            }
        }
        said.into_iter().for_each(|packet| self.sent(at, Wire::Conn(conn), way, packet));
    }

    /// A server hears the next packet of a client.
    pub(crate) fn client_heard(&mut self, at: u64, conn: ConnId, server: usize) {
        self.heard(at, Wire::Conn(conn), self.server(server));
    }

    /// A server says something to a client.
    fn server_says(&mut self, at: u64, conn: ConnId, bytes: &[u8]) {
        let Some(known) = self.connection(conn) else { return };
        let way = (known.server, known.client);
        let Some(streams) = known.streams.as_deref_mut() else { return };
        let Some(decoder) = &mut streams.to_client else { return };
        decoder.push(bytes);
        streams.said += bytes.len() as u64;
        let mut said = Vec::new();
        while let Ok(Some(message)) = decoder.poll() {
            streams.ends.push_back(streams.said - decoder.buffer_mut().len() as u64);
            said.push(match message {
                ServerMessage::Connected(response) => {
                    if response.timeout > 0 {
                        known.session = Some(response.session_id);
                    }
                    packets::connected(&response)
                }
                ServerMessage::Event { zxid, event } => packets::event(zxid, &event),
                ServerMessage::Reply { header, .. } => {
                    let asked = streams.asked.iter().position(|(xid, ..)| *xid == header.xid);
                    let asked = asked.and_then(|at| streams.asked.remove(at));
                    let asked = asked.as_ref().map(|(_, name, path)| (name.as_str(), path.as_deref()));
                    packets::reply(&header, asked)
                }
            });
        }
        said.into_iter().for_each(|packet| self.sent(at, Wire::Conn(conn), way, packet));
    }

    /// So many bytes have come to a client.
    pub(crate) fn reached_client(&mut self, at: u64, conn: ConnId, bytes: u64) {
        let Some(known) = self.connection(conn) else { return };
        let client = known.client;
        let mut is_greeted = known.shaken.is_some();
        let Some(streams) = known.streams.as_deref_mut() else { return };
        streams.heard += bytes;
        let whole = streams.ends.iter().take_while(|end| **end <= streams.heard).count();
        streams.ends.drain(..whole);
        for _ in 0..whole {
            if !std::mem::replace(&mut is_greeted, true)
                && let Some(known) = self.connection(conn)
            {
                known.shaken = Some(at);
            }
            self.heard(at, Wire::Conn(conn), client);
        }
    }

    /// Nobody hears anything at this end of a connection any more; the connection is over with its client's end.
    pub(crate) fn conn_is_deaf(&mut self, at: u64, conn: ConnId, is_client: bool) {
        let Some(known) = self.connection(conn) else { return };
        let (client, server) = (known.client, known.server);
        if is_client {
            known.ended.get_or_insert(at);
        }
        self.lost(at, Wire::Conn(conn), if is_client { client } else { server });
    }

    /// A connection is gone.
    pub(crate) fn conn_is_gone(&mut self, at: u64, conn: ConnId) {
        self.conn_is_deaf(at, conn, true);
        self.conn_is_deaf(at, conn, false);
        if let Some(known) = self.connection(conn) {
            known.streams = None;
        }
        self.wires.by_id.remove(&conn);
    }

    /// Connections that are not known to be gone.
    pub(crate) fn conns(&self) -> Vec<ConnId> {
        self.wires.by_id.keys().copied().collect()
    }
}
