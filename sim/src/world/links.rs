//! Connections between servers, as TCP has them: two ordered streams of bytes, windows, acknowledgements that may be cut off by
//! themselves, and a limit to how long anything is tried again.
//!
//! - A way from one server to another may be cut, for each port apart, and may be slow or lossy. What is lost is sent again, and holds
//!   up what is behind it. What travels over a cut way waits; what travels against one is delivered until a window of it waits for its acknowledgement.
//! - What waits longer than the retry limit ends the connection, at both ends.
//! - A snapshot is written in chunks, as the window takes them; what is sent behind it waits.
//!
//! What happens when something arrives is in `wires.rs`.

use super::net::RETRY_LIMIT;
use super::numbered::Numbered;
use crate::chooser::{Choice, Chooser, Key};
use bytes::{Bytes, BytesMut};
use quorate_core::contract::{Port, QuorumDecoder};
use quorate_core::jute::ElectionDecoder;
use quorate_core::tree::{SnapshotEncoder, SnapshotImage};
use quorate_core::vocabulary::LinkId;
use std::collections::VecDeque;

/// Bytes that may be on their way without an acknowledgement.
const WINDOW: u64 = 8 << 10;
/// How long the sender of a segment waits for its acknowledgement before it sends it again; after each time twice as long.
const RESEND_NS: u64 = 200_000_000;
/// So often a segment is lost at most: TCP does not give up before.
const MOST_LOSSES: u64 = 6;
/// The most servers that there are.
const SERVERS: usize = 9;
/// Ports that servers talk to each other on.
const PORTS: usize = 3;

/// What arrives at once.
#[derive(Debug)]
pub(super) enum Parcel {
    Data(Bytes),
    End,
    /// The connection breaks behind what came before.
    Break,
}

/// What an end was given and the window has not taken.
#[derive(Debug)]
enum Outgoing {
    Bytes(Bytes),
    Snapshot(Box<SnapshotEncoder>),
    Close,
    /// The connection breaks behind what was given before.
    Break,
}

/// What makes messages of bytes.
#[derive(Debug)]
pub(super) enum Decoder {
    Election(ElectionDecoder),
    Quorum(Box<QuorumDecoder>),
}

/// How far an end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The connection is being made.
    Opening,
    /// Its process reads and writes it.
    Open,
    /// Its process has closed it, and the end of the stream is on its way, or about to be.
    Ended,
    /// Nobody knows of it any more: whoever sends something is told so.
    Gone,
}

/// One end, and the way from it to the other.
#[derive(Debug)]
pub(super) struct End {
    pub(super) server: usize,
    pub(super) life: u64,
    pub(super) phase: Phase,
    pub(super) decoder: Option<Decoder>,
    pub(super) reported_backlog: u64,
    outgoing: VecDeque<Outgoing>,
    parcels: VecDeque<Parcel>,
    offset: u64,
    last_arrival: u64,
    /// Bytes on their way, and bytes that arrived and whose acknowledgement did not come.
    in_flight: u64,
    unacknowledged: u64,
    /// Arrivals that a cut has held up.
    held: u32,
    /// The snapshot that is announced does not come whole, or nothing does behind it.
    pub(super) breaks_at_snapshot: bool,
    /// Since when something waits for its acknowledgement.
    pub(super) stuck_since: Option<u64>,
    /// The other end is gone, and the word of it was lost, or came while this one was being made.
    pub(super) is_owed_reset: bool,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) port: Port,
    /// The one that dialled, and the other.
    pub(super) ends: [End; 2],
}

/// Which ways are cut, and how slow they are, by servers and port.
#[derive(Debug, Default)]
pub(super) struct Ways {
    cuts: [[[u8; PORTS]; SERVERS]; SERVERS],
    delays: [[[u64; PORTS]; SERVERS]; SERVERS],
    losses: [[[u64; PORTS]; SERVERS]; SERVERS],
    /// A server whose system accepts connections to its quorum port, and acknowledges what comes over them, though a cut way leads there.
    pub(super) accepting: Option<usize>,
}

impl Ways {
    pub(super) fn cut(&mut self, (from, to): (usize, usize), port: Port, is_cut: bool) {
        let cuts = &mut self.cuts[from][to][port as usize];
        *cuts = if is_cut { *cuts + 1 } else { cuts.saturating_sub(1) };
    }

    pub(super) fn slow(&mut self, (from, to): (usize, usize), port: Port, ns: u64, is_slow: bool) {
        let delay = &mut self.delays[from][to][port as usize];
        *delay = if is_slow { *delay + ns } else { delay.saturating_sub(ns) };
    }

    pub(super) fn lose(&mut self, (from, to): (usize, usize), port: Port, permille: u64, is_lossy: bool) {
        let loss = &mut self.losses[from][to][port as usize];
        *loss = if is_lossy { *loss + permille } else { loss.saturating_sub(permille) };
    }

    pub(super) fn is_cut(&self, from: usize, to: usize, port: Port) -> bool {
        self.cuts[from][to][port as usize] > 0
    }

    /// Whether what goes wrong between these two is hidden from their systems.
    pub(super) fn is_hidden(&self, from: usize, to: usize, port: Port) -> bool {
        port == Port::Quorum && [Some(from), Some(to)].contains(&self.accepting)
    }

    pub(super) fn delay(&self, from: usize, to: usize, port: Port) -> u64 {
        self.delays[from][to][port as usize]
    }

    /// How many segments get lost, in a thousand.
    fn loss(&self, from: usize, to: usize, port: Port) -> u64 {
        self.losses[from][to][port as usize].min(900)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Links {
    pub(super) by_id: Numbered<LinkId, Link>,
    pub(super) ways: Ways,
}

impl End {
    fn new(server: usize, life: u64) -> Self {
        End {
            server,
            life,
            phase: Phase::Opening,
            decoder: None,
            reported_backlog: 0,
            outgoing: VecDeque::new(),
            parcels: VecDeque::new(),
            offset: 0,
            last_arrival: 0,
            in_flight: 0,
            unacknowledged: 0,
            held: 0,
            breaks_at_snapshot: false,
            stuck_since: None,
            is_owed_reset: false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Bytes that the window has not taken, a snapshot's not counted.
    pub(super) fn backlog(&self) -> u64 {
        let bytes = |outgoing: &Outgoing| match outgoing {
            Outgoing::Bytes(bytes) => bytes.len() as u64,
            Outgoing::Snapshot(_) | Outgoing::Close | Outgoing::Break => 0,
        };
        self.outgoing.iter().map(bytes).sum()
    }

    pub(super) fn is_written(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Its process is gone: what it had not given to the system is lost.
    pub(super) fn abandon(&mut self) {
        self.phase = Phase::Gone;
        self.decoder = None;
        self.outgoing.clear();
    }
}

impl Link {
    pub(super) fn ways(&self, from_end: usize) -> (usize, usize) {
        (self.ends[from_end].server, self.ends[1 - from_end].server)
    }

    /// The end of a server in this life.
    pub(super) fn end_of(&self, server: usize, life: u64) -> Option<usize> {
        self.ends.iter().position(|end| end.server == server && end.life == life)
    }
}

impl Links {
    pub(super) fn dial(&mut self, (from, life): (usize, u64), to: usize, port: Port) -> LinkId {
        self.by_id.add(Link { port, ends: [End::new(from, life), End::new(to, u64::MAX)] })
    }

    pub(super) fn give(&mut self, link: LinkId, end: usize, bytes: Bytes) {
        if let Some(link) = self.by_id.get_mut(link) {
            link.ends[end].outgoing.push_back(Outgoing::Bytes(bytes));
        }
    }

    pub(super) fn give_snapshot(&mut self, link: LinkId, end: usize, image: SnapshotImage) {
        if let Some(link) = self.by_id.get_mut(link) {
            link.ends[end].outgoing.push_back(Outgoing::Snapshot(Box::new(image.stream())));
        }
    }

    /// Of a snapshot only the beginning is to come: so many in a thousand of the bytes of its first chunk.
    pub(super) fn give_torn_snapshot(
        &mut self,
        link: LinkId,
        end: usize,
        image: SnapshotImage,
        permille: u64,
    ) {
        let mut chunk = BytesMut::new();
        image.stream().next_chunk(&mut chunk);
        chunk.truncate(chunk.len() * permille as usize / 1000);
        self.give(link, end, chunk.freeze());
        self.give_break(link, end);
    }

    /// The connection is to break behind everything that was given before.
    pub(super) fn give_break(&mut self, link: LinkId, end: usize) {
        if let Some(link) = self.by_id.get_mut(link) {
            link.ends[end].outgoing.push_back(Outgoing::Break);
        }
    }

    /// The process closes its end, behind everything that it gave before.
    pub(super) fn close(&mut self, link: LinkId, end: usize) {
        if let Some(link) = self.by_id.get_mut(link) {
            let end = &mut link.ends[end];
            end.phase = Phase::Ended;
            end.decoder = None;
            end.outgoing.push_back(Outgoing::Close);
        }
    }

    /// Puts on its way what the window takes; returns when it arrives.
    pub(super) fn pump(
        &mut self,
        chooser: &mut dyn Chooser,
        (now, link, end): (u64, LinkId, usize),
        mut travel: Travel,
    ) -> Vec<u64> {
        let Some(Link { port, ends }) = self.by_id.get_mut(link) else { return Vec::new() };
        let (from, to) = (ends[end].server, ends[1 - end].server);
        travel.latency += self.ways.delay(from, to, *port);
        travel.loss_permille = self.ways.loss(from, to, *port);
        let from = &mut ends[end];
        let mut arrivals = Vec::new();
        while from.in_flight + from.unacknowledged < WINDOW
            && let Some(outgoing) = from.outgoing.pop_front()
        {
            match outgoing {
                Outgoing::Bytes(bytes) => {
                    from.send(chooser, (now, link, end), travel, bytes, &mut arrivals);
                }
                Outgoing::Break => {
                    arrivals.push(from.put(now + travel.latency, Parcel::Break));
                }
                Outgoing::Close => {
                    arrivals.push(from.put(now + travel.latency, Parcel::End));
                }
                Outgoing::Snapshot(mut encoder) => {
                    let mut chunk = BytesMut::new();
                    if encoder.next_chunk(&mut chunk) {
                        from.send(chooser, (now, link, end), travel, chunk.freeze(), &mut arrivals);
                        from.outgoing.push_front(Outgoing::Snapshot(encoder));
                    }
                }
            }
        }
        arrivals
    }

    /// Something should arrive now at the end that is not `from_end`.
    pub(super) fn arrive(&mut self, link: LinkId, from_end: usize, now: u64, is_lost: bool) -> Arrival {
        let Some(Link { port, ends }) = self.by_id.get_mut(link) else { return Arrival::Nothing };
        let (from, to) = (ends[from_end].server, ends[1 - from_end].server);
        let is_cut = self.ways.is_cut(from, to, *port) || is_lost;
        let is_hidden = self.ways.is_hidden(from, to, *port);
        let is_unheard = self.ways.is_cut(to, from, *port) && !is_hidden;
        let from = &mut ends[from_end];
        if is_cut || (is_unheard && from.unacknowledged >= WINDOW) {
            from.held += 1;
            let gives_up = if is_hidden { None } else { from.is_stuck(now) };
            return Arrival::Held { gives_up };
        }
        let Some(parcel) = from.parcels.pop_front() else { return Arrival::Nothing };
        let length = match &parcel {
            Parcel::Data(bytes) => bytes.len() as u64,
            Parcel::End | Parcel::Break => 0,
        };
        from.in_flight -= length;
        if is_unheard {
            from.unacknowledged += length;
            return Arrival::Parcel { parcel, gives_up: from.is_stuck(now) };
        }
        (from.unacknowledged, from.stuck_since) = (0, None);
        Arrival::Parcel { parcel, gives_up: None }
    }

    /// What was held up goes on, but not to the servers that are `dark`: for each link, the end that it comes from and how many
    /// parcels.
    pub(super) fn release(&mut self, dark: &[bool]) -> Vec<(LinkId, usize, u32)> {
        let mut freed = Vec::new();
        for (id, link) in self.by_id.iter_mut() {
            for index in 0..2 {
                let (from, to) = link.ways(index);
                let end = &mut link.ends[index];
                let is_idle = end.held == 0 && end.stuck_since.is_none();
                if is_idle || dark[to] || self.ways.is_cut(from, to, link.port) {
                    continue;
                }
                if !self.ways.is_cut(to, from, link.port) {
                    (end.unacknowledged, end.stuck_since) = (0, None);
                }
                freed.push((id, index, std::mem::take(&mut end.held)));
            }
        }
        freed
    }

    /// Forgets a link that nothing travels over any more.
    pub(super) fn tidy(&mut self, link: LinkId) {
        let is_over = |end: &End| {
            end.phase == Phase::Gone
                || (end.phase == Phase::Ended && end.is_written() && end.parcels.is_empty())
        };
        if self.by_id.get(link).is_some_and(|link| link.ends.iter().all(is_over)) {
            self.by_id.remove(link);
        }
    }
}

/// What comes of an arrival, and when the sender gives up if nothing changes.
#[derive(Debug)]
pub(super) enum Arrival {
    Nothing,
    Held { gives_up: Option<u64> },
    Parcel { parcel: Parcel, gives_up: Option<u64> },
}

/// How bytes travel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Travel {
    pub(super) latency: u64,
    pub(super) jitter: u64,
    pub(super) split_permille: u64,
    pub(super) loss_permille: u64,
}

impl End {
    /// Notes that something waits; returns when that has waited too long, if that is news.
    fn is_stuck(&mut self, now: u64) -> Option<u64> {
        if self.stuck_since.is_some() {
            return None;
        }
        self.stuck_since = Some(now);
        Some(now + RETRY_LIMIT)
    }

    fn put(&mut self, wanted: u64, parcel: Parcel) -> u64 {
        let at = wanted.max(self.last_arrival);
        self.last_arrival = at;
        if let Parcel::Data(bytes) = &parcel {
            self.offset += bytes.len() as u64;
            self.in_flight += bytes.len() as u64;
        }
        self.parcels.push_back(parcel);
        at
    }

    /// Cuts `bytes` where the chooser says, and sends the pieces.
    fn send(
        &mut self,
        chooser: &mut dyn Chooser,
        (now, link, end): (u64, LinkId, usize),
        travel: Travel,
        mut bytes: Bytes,
        arrivals: &mut Vec<u64>,
    ) {
        while !bytes.is_empty() {
            let key = |about: u64| Key(link.0 * 2 + end as u64, self.offset, about);
            let is_split =
                bytes.len() > 1 && chooser.chance(Choice::LinkSplit, key(0), travel.split_permille);
            let length = match is_split {
                true => chooser.pick(Choice::LinkSplit, key(1), bytes.len() as u64 - 1) as usize + 1,
                false => bytes.len(),
            };
            let jitter = match travel.jitter {
                0 => 0,
                jitter => chooser.pick(Choice::LinkLatency, key(2), jitter),
            };
            let piece = bytes.split_to(length);
            let resent = (0..MOST_LOSSES)
                .take_while(|loss| chooser.chance(Choice::LinkLoss, key(*loss), travel.loss_permille));
            let late = resent.map(|loss| RESEND_NS << loss).sum::<u64>();
            arrivals.push(self.put(now + travel.latency + jitter + late, Parcel::Data(piece)));
        }
    }
}
