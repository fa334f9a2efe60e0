//! What servers do with connections to each other: dial, accept, hear, say, close; and what the loss of one is to them.

use super::links::{Arrival, Decoder, Parcel, Phase, Travel};
use super::partitions::ports;
use super::server::{Life, State};
use super::{Event, World};
use crate::checkers::{Verdict, servers_understand};
use crate::chooser::{Choice, Key};
use bytes::Bytes;
use quorate_core::contract::{Input, Port, QuorumDecoder};
use quorate_core::jute::{Decode as _, ElectionDecoder, FieldLimit, QuorumPacket, Reader};
use quorate_core::tree::SnapshotImage;
use quorate_core::vocabulary::{LinkId, LookupSeed, ServerId};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// `cnxTimeout`: how long a dial is tried.
pub(super) const CONNECT_NS: u64 = 5_000_000_000;
/// Between giving bytes to the system and hearing that they are written.
const WRITE_NS: u64 = 2_000;

/// The index of a server, and back.
pub(super) fn index(id: ServerId) -> usize {
    usize::from(id.0) - 1
}

pub(super) fn id(index: usize) -> ServerId {
    ServerId(index as u8 + 1)
}

impl World<'_> {
    fn travel(&self) -> Travel {
        let plan = &self.plan.network;
        let (latency, jitter) = (plan.latency_us * 1000, plan.jitter_us * 1000);
        Travel { latency, jitter, split_permille: plan.split_permille, loss_permille: 0 }
    }

    /// How long something without bytes takes from one server to another; `None` when the way is cut.
    fn crossing(&self, from: usize, to: usize, port: Port) -> Option<u64> {
        let delay = self.links.ways.delay(from, to, port);
        (!self.links.ways.is_cut(from, to, port)).then_some(self.now + self.travel().latency + delay)
    }

    pub(super) fn dial(&mut self, server: usize, port: Port, to: ServerId) {
        let life = self.life(server);
        let link = self.links.dial((server, life.number), index(to), port);
        self.note_at(server, "dial", [link.0, u64::from(to.0), port as u64]);
        let at = self.now + self.travel().latency + self.links.ways.delay(server, index(to), port);
        self.schedule(at, Event::DialArrives { link });
    }

    /// The system at the other end accepts, refuses, or is not there.
    pub(super) fn dial_arrives(&mut self, link: LinkId) -> Verdict {
        let Some(known) = self.links.by_id.get(link) else { return Ok(()) };
        let (port, (from, to)) = (known.port, known.ways(0));
        let is_there = !matches!(self.servers[to].state, State::Down { has_power: false });
        let ways = &self.links.ways;
        let is_open = !ways.is_cut(from, to, port) && !ways.is_cut(to, from, port);
        let way_back = (is_open || (port == Port::Quorum && ways.accepting == Some(to)))
            .then_some(self.now + self.travel().latency + ways.delay(to, from, port));
        let Some(at) = way_back.filter(|_| is_there) else {
            self.schedule(self.now + CONNECT_NS, Event::DialDone { link, is_through: false });
            return Ok(());
        };
        let is_listening =
            matches!(self.servers[to].state, State::Running(_)) && !self.refuses_link(to, port);
        self.schedule(at, Event::DialDone { link, is_through: is_listening });
        if !is_listening {
            return Ok(());
        }
        let life = self.servers[to].life;
        let limit = FieldLimit(self.servers[to].config.limits.max_field());
        let end = &mut self.links.by_id.get_mut(link).expect("it was there a moment ago").ends[1];
        (end.life, end.phase) = (life, Phase::Open);
        end.decoder = Some(match port {
            Port::Election => Decoder::Election(ElectionDecoder::new(true)),
            Port::Quorum | Port::ObserverMaster => Decoder::Quorum(Box::new(QuorumDecoder::accepted(limit))),
        });
        self.accept_link(link)
    }

    /// Whether the system refuses a dial that its process would hear of.
    fn refuses_link(&mut self, server: usize, port: Port) -> bool {
        let mut refusals = self.servers[server].troubles.refuse_links.iter();
        let is_refused = refusals.any(|(_, on)| ports(*on).contains(&port));
        if is_refused {
            self.counters.fault("refuse_links");
        }
        is_refused
    }

    /// The process hears of a connection that its system has accepted.
    pub(super) fn accept_link(&mut self, link: LinkId) -> Verdict {
        let Some(known) = self.links.by_id.get(link) else { return Ok(()) };
        let (port, (from, to)) = (known.port, known.ways(0));
        if !known.ends[1].is_open() || known.ends[1].life != self.servers[to].life {
            return Ok(());
        }
        if let Some(waiting) = &mut self.servers[to].waiting {
            waiting.push(Event::LinkAccepted { link });
            return Ok(());
        }
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, from as u8 + 1)), 50_000);
        self.handle(to, Input::LinkAccepted { port, link, address })
    }

    /// The dialler hears what became of it.
    pub(super) fn dial_done(&mut self, link: LinkId, is_through: bool) -> Verdict {
        let Some(known) = self.links.by_id.get(link) else { return Ok(()) };
        let (port, (server, to), life) = (known.port, known.ways(0), known.ends[0].life);
        if life != self.servers[server].life {
            self.gone(link, 0);
            self.tell_of_end(link, 0);
            return Ok(());
        }
        if let Some(waiting) = &mut self.servers[server].waiting {
            waiting.push(Event::DialDone { link, is_through });
            return Ok(());
        }
        let is_through = is_through && !known.ends[0].is_owed_reset;
        if !is_through {
            self.gone(link, 0);
            self.counters.probe("dial_failed");
            let reason = "refused, or not answered".to_string();
            return self.handle(server, Input::DialFailed { port, to: id(to), reason });
        }
        let decoder = self.dialled_decoder(server, port, link);
        let end = &mut self.links.by_id.get_mut(link).expect("it was there a moment ago").ends[0];
        (end.phase, end.decoder) = (Phase::Open, Some(decoder));
        self.handle(server, Input::Dialled { port, to: id(to), link })
    }

    fn dialled_decoder(&self, server: usize, port: Port, link: LinkId) -> Decoder {
        let machine = &self.servers[server];
        match port {
            Port::Election => Decoder::Election(ElectionDecoder::new(false)),
            Port::Quorum | Port::ObserverMaster => Decoder::Quorum(Box::new(QuorumDecoder::dialled(
                LookupSeed(link.0),
                machine.tree_options,
                FieldLimit(machine.config.limits.max_field()),
            ))),
        }
    }

    /// The end of a link at a server that runs; `None` when it is not open any more.
    fn open_end(&self, server: usize, link: LinkId) -> Option<usize> {
        let known = self.links.by_id.get(link)?;
        let end = known.end_of(server, self.servers[server].life)?;
        known.ends[end].is_open().then_some(end)
    }

    pub(super) fn send_link(&mut self, server: usize, link: LinkId, bytes: Bytes) {
        let Some(end) = self.open_end(server, link) else { return };
        self.trace.bytes(&bytes);
        if let (Some(timeline), Some(known)) = (&mut self.timeline, self.links.by_id.get(link)) {
            timeline.link_says(self.now, (link, known.port), known.ways(end), &bytes);
        }
        let breaks = self.breaks_sync(link, end, &bytes);
        self.links.give(link, end, breaks.map_or(bytes.clone(), |length| bytes.slice(..length)));
        if breaks.is_some() {
            self.links.give_break(link, end);
        }
        self.pump(link, end);
        self.note_written(server, link, end);
    }

    pub(super) fn send_snapshot(&mut self, server: usize, link: LinkId, image: SnapshotImage) {
        let Some(end) = self.open_end(server, link) else { return };
        self.counters.probe("snapshot_sent");
        let known = self.links.by_id.get_mut(link).expect("its end is open");
        match std::mem::take(&mut known.ends[end].breaks_at_snapshot) {
            false => self.links.give_snapshot(link, end, image),
            true => self.break_snapshot(link, end, image),
        }
        self.pump(link, end);
    }

    /// Of what brings a learner up to date so many bytes arrive before the connection breaks; of a snapshot that is announced here,
    /// that is decided when it comes. None when nothing breaks.
    fn breaks_sync(&mut self, link: LinkId, end: usize, bytes: &Bytes) -> Option<usize> {
        let known = self.links.by_id.get(link)?;
        let ends = known.ways(end);
        let permille =
            |server: usize| self.servers[server].troubles.break_sync.iter().map(|(_, permille)| *permille);
        let permille =
            permille(ends.0).chain(permille(ends.1)).max().filter(|_| known.port != Port::Election)?;
        let is_snapshot = match QuorumPacket::decode(&mut Reader::new(bytes.clone())) {
            Ok(QuorumPacket::Diff { .. } | QuorumPacket::Trunc { .. }) => false,
            Ok(QuorumPacket::Snap { .. }) => true,
            _ => return None,
        };
        let key = |about: u64| Key(link.0, end as u64, about);
        if !self.chooser.chance(Choice::LinkBreak, key(0), permille) {
            return None;
        }
        self.counters.fault("break_sync");
        if is_snapshot {
            let known = self.links.by_id.get_mut(link)?;
            known.ends[end].breaks_at_snapshot = true;
            return None;
        }
        Some(1 + self.chooser.pick(Choice::LinkBreak, key(1), bytes.len() as u64 - 1) as usize)
    }

    /// A snapshot comes in part, or whole and nothing behind it.
    fn break_snapshot(&mut self, link: LinkId, end: usize, image: SnapshotImage) {
        let key = |about: u64| Key(link.0, end as u64, about);
        if self.chooser.chance(Choice::LinkBreak, key(2), 500) {
            let permille = self.chooser.pick(Choice::LinkBreak, key(3), 1000);
            return self.links.give_torn_snapshot(link, end, image, permille);
        }
        self.links.give_snapshot(link, end, image);
        self.links.give_break(link, end);
    }

    pub(super) fn close_link(&mut self, server: usize, link: LinkId) {
        let Some(end) = self.open_end(server, link) else { return };
        self.links.close(link, end);
        self.pump(link, end);
    }

    fn pump(&mut self, link: LinkId, end: usize) {
        let travel = self.travel();
        for at in self.links.pump(&mut *self.chooser, (self.now, link, end), travel) {
            self.schedule(at, Event::LinkArrives { link, end });
        }
    }

    /// Of an election's link: everything is with the system.
    fn note_written(&mut self, server: usize, link: LinkId, end: usize) {
        let Some(known) = self.links.by_id.get(link) else { return };
        if known.port == Port::Election && known.ends[end].is_open() && known.ends[end].is_written() {
            let life = self.life(server);
            self.schedule(self.now + WRITE_NS, Event::LinkWritten { link, life });
        }
    }

    pub(super) fn link_written(&mut self, link: LinkId, life: Life) -> Verdict {
        if !self.is_current(life) {
            return Ok(());
        }
        if let Some(waiting) = &mut self.servers[life.server].waiting {
            waiting.push(Event::LinkWritten { link, life });
            return Ok(());
        }
        match self.open_end(life.server, link) {
            Some(_) => self.handle(life.server, Input::LinkWritten { link }),
            None => Ok(()),
        }
    }

    /// Tells the peer how much waits for another server, when it has doubled, and when it is gone.
    pub(super) fn report_link_backlog(&mut self, server: usize, link: LinkId) -> Verdict {
        let Some(end) = self.open_end(server, link) else { return Ok(()) };
        let known = self.links.by_id.get_mut(link).expect("its end is open");
        if known.port == Port::Election || self.servers[server].is_paused() {
            return Ok(());
        }
        let (bytes, reported) = (known.ends[end].backlog(), known.ends[end].reported_backlog);
        if bytes < 4096.max(reported * 2) && (reported == 0 || bytes > 0) {
            return Ok(());
        }
        known.ends[end].reported_backlog = bytes;
        self.counters.probe("link_backlog");
        self.handle(server, Input::LinkBacklog { link, bytes: bytes as usize })
    }

    /// Something that `from_end` sent should arrive at the other end.
    pub(super) fn link_arrives(&mut self, link: LinkId, from_end: usize) -> Verdict {
        let Some(known) = self.links.by_id.get(link) else { return Ok(()) };
        let (from, to) = known.ways(from_end);
        let to_end = 1 - from_end;
        let phase = known.ends[to_end].phase;
        if phase == Phase::Opening || (phase == Phase::Open && self.servers[to].is_paused()) {
            // It lies with the system until the process takes it.
            let event = Event::LinkArrives { link, end: from_end };
            match &mut self.servers[to].waiting {
                Some(waiting) => waiting.push(event),
                None => self.schedule(self.now + self.travel().latency, event),
            }
            return Ok(());
        }
        let is_lost = matches!(self.servers[to].state, State::Down { has_power: false });
        match self.links.arrive(link, from_end, self.now, is_lost) {
            Arrival::Nothing => Ok(()),
            Arrival::Held { gives_up } => {
                self.plan_giving_up(link, from_end, gives_up);
                Ok(())
            }
            Arrival::Parcel { parcel, gives_up } => {
                self.plan_giving_up(link, from_end, gives_up);
                match phase {
                    Phase::Open => self.deliver(link, to_end, parcel)?,
                    Phase::Gone => self.tell_of_end(link, to_end),
                    Phase::Opening | Phase::Ended => {}
                }
                self.pump(link, from_end);
                self.note_written(from, link, from_end);
                self.links.tidy(link);
                self.report_link_backlog(from, link)
            }
        }
    }

    fn plan_giving_up(&mut self, link: LinkId, end: usize, at: Option<u64>) {
        if let Some(at) = at {
            let since = self.now;
            self.schedule(at, Event::LinkGivesUp { link, end, since });
        }
    }

    fn deliver(&mut self, link: LinkId, end: usize, parcel: Parcel) -> Verdict {
        let bytes = match parcel {
            Parcel::Data(bytes) => bytes,
            Parcel::End => return self.link_lost(link, end, "closed by the other end"),
            Parcel::Break => {
                self.link_lost(link, end, "broken")?;
                return self.link_lost(link, 1 - end, "broken");
            }
        };
        let known = self.links.by_id.get_mut(link).expect("something was delivered over it");
        let server = known.ends[end].server;
        match &mut known.ends[end].decoder {
            Some(Decoder::Election(decoder)) => decoder.push(&bytes),
            Some(Decoder::Quorum(decoder)) => decoder.push(&bytes),
            None => return Ok(()),
        }
        while let Some(open) = self.open_end(server, link).filter(|open| *open == end)
            && let Some(decoder) =
                self.links.by_id.get_mut(link).and_then(|known| known.ends[open].decoder.as_mut())
        {
            let input = match decoder {
                Decoder::Election(decoder) => match decoder.poll() {
                    Ok(message) => message.map(|message| Input::Election { link, message }),
                    Err(violation) => return self.misunderstood(link, end, &violation.to_string()),
                },
                Decoder::Quorum(decoder) => match decoder.poll() {
                    Ok(message) => message.map(|message| Input::Quorum { link, message }),
                    Err(violation) => return self.misunderstood(link, end, &violation.to_string()),
                },
            };
            match input {
                Some(input) => self.handle(server, input)?,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// The decoder gives a connection up; no server says what another can't read.
    fn misunderstood(&self, link: LinkId, end: usize, what: &str) -> Verdict {
        let from = self.links.by_id.get(link).map_or(0, |known| known.ends[1 - end].server);
        servers_understand::not_decoded(from, what)
    }

    /// The connection is over, as the process at this end sees it; the other end is told, if the network lets it.
    pub(super) fn link_lost(&mut self, link: LinkId, end: usize, why: &str) -> Verdict {
        let Some(known) = self.links.by_id.get_mut(link) else { return Ok(()) };
        let (server, life, was_open) =
            (known.ends[end].server, known.ends[end].life, known.ends[end].is_open());
        known.ends[end].abandon();
        self.links.tidy(link);
        if !was_open || life != self.servers[server].life {
            return Ok(());
        }
        if self.servers[server].is_paused() {
            if let Some(waiting) = &mut self.servers[server].waiting {
                waiting.push(Event::LinkLost { link, life: Life { server, number: life } });
            }
            return Ok(());
        }
        self.handle(server, Input::LinkClosed { link, reason: why.to_string() })
    }

    /// A paused process goes on and hears that a connection is over.
    pub(super) fn heard_of_loss(&mut self, link: LinkId, life: Life) -> Verdict {
        if !self.is_current(life) {
            return Ok(());
        }
        if let Some(waiting) = &mut self.servers[life.server].waiting {
            waiting.push(Event::LinkLost { link, life });
            return Ok(());
        }
        self.handle(life.server, Input::LinkClosed { link, reason: "reset".to_string() })
    }

    /// Nobody knows this end any more.
    fn gone(&mut self, link: LinkId, end: usize) {
        if let Some(known) = self.links.by_id.get_mut(link) {
            known.ends[end].abandon();
        }
        self.links.tidy(link);
    }

    /// The system at this end tells the other that the connection is over.
    fn tell_of_end(&mut self, link: LinkId, end: usize) {
        let Some(known) = self.links.by_id.get(link) else { return };
        let (port, (from, to)) = (known.port, known.ways(end));
        match self.crossing(from, to, port) {
            Some(at) => self.schedule(at, Event::LinkReset { link, end: 1 - end }),
            // The word is lost, and said again as soon as it can be heard.
            None => {
                if let Some(known) = self.links.by_id.get_mut(link) {
                    known.ends[1 - end].is_owed_reset = true;
                }
            }
        }
    }

    /// An end learns that the connection is over.
    pub(super) fn link_reset(&mut self, link: LinkId, end: usize) -> Verdict {
        let Some(known) = self.links.by_id.get_mut(link) else { return Ok(()) };
        if known.ends[end].phase == Phase::Opening {
            // Who dialled hears of it as of a dial that failed.
            known.ends[end].is_owed_reset = true;
            return Ok(());
        }
        self.link_lost(link, end, "reset")
    }

    /// What `end` sent has waited for too long.
    pub(super) fn link_gives_up(&mut self, link: LinkId, end: usize, since: u64) -> Verdict {
        let Some(known) = self.links.by_id.get(link) else { return Ok(()) };
        if known.ends[end].stuck_since != Some(since) {
            return Ok(());
        }
        self.note("link gives up", [link.0, end as u64, 0]);
        self.counters.probe("link_gave_up");
        self.link_lost(link, end, "timed out")?;
        self.link_lost(link, 1 - end, "timed out")
    }

    /// A server's process is gone, and its ends with it; with the power even the system that would say so.
    pub(super) fn ends_gone(&mut self, server: usize, life: u64, has_power: bool) {
        let ends: Vec<(LinkId, usize)> =
            self.links.by_id.iter().filter_map(|(id, link)| Some((id, link.end_of(server, life)?))).collect();
        for (link, end) in ends {
            let known = self.links.by_id.get_mut(link).expect("it was just found");
            if known.ends[end].phase == Phase::Opening {
                continue;
            }
            // What the system has of it still arrives, or is thrown away at once.
            let key = Key(link.0, end as u64, 0);
            let is_kind = has_power && self.chooser.chance(Choice::LinkEnd, key, 500);
            if is_kind && known.ends[end].is_open() {
                self.links.close(link, end);
                self.pump(link, end);
                continue;
            }
            known.ends[end].abandon();
            if has_power {
                self.tell_of_end(link, end);
            }
            self.links.tidy(link);
        }
    }

    /// Ways are open again, or a machine is back: what waited goes on.
    pub(super) fn release_links(&mut self) {
        let is_dark = |server: &super::Server| matches!(server.state, State::Down { has_power: false });
        let dark: Vec<bool> = self.servers.iter().map(is_dark).collect();
        for (link, end, held) in self.links.release(&dark) {
            for _ in 0..held {
                self.schedule(self.now + self.travel().latency, Event::LinkArrives { link, end });
            }
            self.pump(link, end);
        }
        let owed = self.links.by_id.iter().flat_map(|(id, link)| {
            let is_owed = |end: &usize| link.ends[*end].is_owed_reset && link.ends[*end].phase == Phase::Open;
            (0..2).filter(is_owed).map(move |end| (id, end))
        });
        for (link, end) in owed.collect::<Vec<_>>() {
            self.tell_of_end(link, 1 - end);
        }
    }
}
