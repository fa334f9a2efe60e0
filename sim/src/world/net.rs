//! TCP as far as it matters: each direction of a connection is an ordered stream of bytes that arrives in pieces cut anywhere,
//! late, held back, or not at all.
//!
//! A direction that is cut delivers nothing while it lasts; the other flows until a window of bytes waits for its
//! acknowledgement. What waits longer than the retry limit ends the connection at both ends.

use super::numbered::Numbered;
use crate::chooser::{Choice, Chooser, Key};
use crate::plan::NetworkPlan;
use bytes::Bytes;
use quorate_core::vocabulary::ConnId;
use std::collections::VecDeque;

/// Bytes that may be on their way without an acknowledgement.
const WINDOW: u64 = 64 << 10;
/// How long TCP tries before it gives a connection up, ns.
pub(super) const RETRY_LIMIT: u64 = 15_000_000_000;

/// What arrives at once.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    /// The beginning of the connection.
    Start,
    /// Some bytes.
    Data(Bytes),
    /// The end of the stream.
    End,
}

/// One direction of a connection. Pieces arrive in the order of `queue`, whatever the times that were planned for them.
#[derive(Clone, Debug, Default)]
struct Direction {
    queue: VecDeque<Piece>,
    /// Bytes sent so far.
    offset: u64,
    /// When the last piece arrives: none may arrive before it.
    last_arrival: u64,
    /// Nothing arrives before this.
    held_until: u64,
    /// Bytes on their way.
    in_flight: u64,
}

/// A connection, as long as one end is open.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) client: usize,
    pub(super) server: usize,
    to_server: Direction,
    to_client: Direction,
    /// Whether the end has it open.
    pub(super) open_at_server: bool,
    pub(super) open_at_client: bool,
    /// The client's end is gone without a word: nothing arrives at it, and nothing comes back.
    pub(super) is_half_open: bool,
}

/// All connections.
#[derive(Debug)]
pub(super) struct Net {
    pub(super) plan: NetworkPlan,
    pub(super) links: Numbered<ConnId, Link>,
}

impl Net {
    pub(super) fn new(plan: NetworkPlan) -> Self {
        Net { plan, links: Numbered::default() }
    }

    pub(super) fn open(&mut self, client: usize, server: usize) -> ConnId {
        self.links.add(Link {
            client,
            server,
            to_server: Direction::default(),
            to_client: Direction::default(),
            open_at_server: false,
            open_at_client: true,
            is_half_open: false,
        })
    }

    fn direction(&mut self, conn: ConnId, to_server: bool) -> Option<&mut Direction> {
        let link = self.links.get_mut(conn)?;
        Some(if to_server { &mut link.to_server } else { &mut link.to_client })
    }

    /// When something sent now arrives, if nothing is held back.
    pub(super) fn latency(&self, chooser: &mut dyn Chooser, conn: ConnId, salt: u64) -> u64 {
        let jitter = match self.plan.jitter_us {
            0 => 0,
            jitter => chooser.pick(Choice::NetLatency, Key(conn.0, salt, 0), jitter * 1000),
        };
        self.plan.latency_us * 1000 + jitter
    }

    /// Sends bytes one way; returns when the pieces arrive that they are cut into.
    pub(super) fn send(
        &mut self,
        chooser: &mut dyn Chooser,
        (now, conn, to_server): (u64, ConnId, bool),
        mut bytes: Bytes,
    ) -> [Option<u64>; 2] {
        let Some(offset) = self.direction(conn, to_server).map(|direction| direction.offset) else {
            return [None, None];
        };
        let salt = offset * 2 + u64::from(to_server);
        let latency = self.latency(chooser, conn, salt);
        let key = Key(conn.0, salt, 1);
        let split = (bytes.len() > 1 && chooser.chance(Choice::NetSplit, key, self.plan.split_permille))
            .then(|| {
                chooser.pick(Choice::NetSplit, Key(conn.0, salt, 2), bytes.len() as u64 - 1) as usize + 1
            });
        let second = split.map(|at| bytes.split_off(at));
        let later = if second.is_some() { self.latency(chooser, conn, salt + (1 << 40)) } else { 0 };
        let direction = self.direction(conn, to_server).expect("it was there a moment ago");
        let first = direction.plan(now + latency, Piece::Data(bytes));
        let second = second.map(|bytes| direction.plan(now + later, Piece::Data(bytes)));
        [Some(first), second]
    }

    /// Sends the beginning or the end of a stream; returns when it arrives.
    pub(super) fn signal(
        &mut self,
        now: u64,
        (conn, to_server): (ConnId, bool),
        piece: Piece,
    ) -> Option<u64> {
        let latency = self.plan.latency_us * 1000;
        Some(self.direction(conn, to_server)?.plan(now + latency, piece))
    }

    /// The next piece has arrived.
    pub(super) fn arrive(&mut self, conn: ConnId, to_server: bool) -> Option<Piece> {
        let direction = self.direction(conn, to_server)?;
        let piece = direction.queue.pop_front()?;
        if let Piece::Data(bytes) = &piece {
            direction.in_flight -= bytes.len() as u64;
        }
        Some(piece)
    }

    /// Bytes on their way.
    pub(super) fn in_flight(&mut self, conn: ConnId, to_server: bool) -> u64 {
        self.direction(conn, to_server).map_or(0, |direction| direction.in_flight)
    }

    /// Holds one direction back until `until`.
    pub(super) fn hold(&mut self, conn: ConnId, to_server: bool, until: u64) {
        if let Some(direction) = self.direction(conn, to_server) {
            direction.held_until = direction.held_until.max(until);
        }
    }

    /// Cuts one direction; the other is held back as soon as a window of it waits.
    pub(super) fn cut(&mut self, conn: ConnId, to_server: bool, until: u64) {
        self.hold(conn, to_server, until);
        if self.direction(conn, !to_server).is_some_and(|direction| direction.in_flight > WINDOW) {
            self.hold(conn, !to_server, until);
        }
    }

    /// Until when a piece that should arrive now has to wait.
    pub(super) fn held_until(&mut self, conn: ConnId, to_server: bool) -> u64 {
        self.direction(conn, to_server).map_or(0, |direction| direction.held_until)
    }

    /// The connection of a client that is open at its end.
    pub(super) fn of_client(&self, client: usize) -> Option<ConnId> {
        let open = |link: &Link| link.client == client && link.open_at_client;
        self.links.iter().find(|(_, link)| open(link)).map(|(conn, _)| conn)
    }

    /// Forgets a connection that is open nowhere.
    pub(super) fn tidy(&mut self, conn: ConnId) {
        if self.links.get(conn).is_some_and(|link| !link.open_at_client && !link.open_at_server) {
            self.links.remove(conn);
        }
    }
}

impl Direction {
    fn plan(&mut self, wanted: u64, piece: Piece) -> u64 {
        let at = wanted.max(self.last_arrival).max(self.held_until);
        self.last_arrival = at;
        if let Piece::Data(bytes) = &piece {
            self.offset += bytes.len() as u64;
            self.in_flight += bytes.len() as u64;
        }
        self.queue.push_back(piece);
        at
    }
}
