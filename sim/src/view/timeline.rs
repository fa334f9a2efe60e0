//! A run as it can be looked at: every event on the lane of whoever it happens to, every packet with its way, what each server is at
//! every time, and what is broken meanwhile.
//!
//! Kept only when asked for. It looks on: nothing that it keeps decides about anything, and no hash is made of it. Every event that
//! the outcome counts is here ([`Timeline::noted`]), and what servers and applications tell beside.

use super::packets::{Class, shortened};
use super::states::{ServerState, States};
use super::wires::Wires;
use quorate_core::vocabulary::Zxid;
use std::collections::BTreeMap;

/// A lane: everybody's, then each server's, then each client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane(pub(crate) u8);

/// Where things stand that happen to all.
pub(crate) const EVERYBODY: Lane = Lane(0);

/// Texts by number, each once; 0 is none.
#[derive(Debug)]
pub(crate) struct Strings {
    pub(super) list: Vec<String>,
    numbers: BTreeMap<String, u32>,
}

impl Default for Strings {
    fn default() -> Self {
        Strings { list: vec![String::new()], numbers: BTreeMap::from([(String::new(), 0)]) }
    }
}

impl Strings {
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(known) = self.numbers.get(text) {
            return *known;
        }
        let number = self.list.len() as u32;
        self.list.push(text.to_string());
        self.numbers.insert(text.to_string(), number);
        number
    }
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) at: u64,
    pub(super) lane: Lane,
    pub(super) kind: u32,
    pub(super) text: u32,
}

/// What came of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    OnItsWay,
    /// By this event, if there was one.
    Heard {
        at: u64,
        by: Option<u32>,
    },
    Lost {
        at: u64,
    },
}

/// A packet, from one lane to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) sent: u64,
    /// The event that brought it about, if that is on the sender's lane.
    pub(super) by: Option<u32>,
    pub(super) fate: Fate,
    pub(super) from: Lane,
    pub(super) to: Lane,
    pub(super) class: Class,
    pub(super) name: u32,
    pub(super) zxid: u32,
    pub(super) session: u32,
    pub(super) path: u32,
    pub(super) text: u32,
    /// The client's connection that it went over.
    pub(super) conn: Option<u32>,
}

/// Something that is broken for a while.
#[derive(Clone, Debug)]
pub(super) struct Band {
    pub(super) fault: Option<usize>,
    pub(super) name: &'static str,
    pub(super) text: String,
    pub(super) lanes: Vec<Lane>,
    pub(super) from: u64,
    /// None while it lasts.
    pub(super) until: Option<u64>,
}

/// See the module's words.
#[derive(Debug)]
pub struct Timeline {
    pub(super) servers: usize,
    pub(super) clients: usize,
    pub(super) strings: Strings,
    pub(super) events: Vec<Event>,
    pub(super) messages: Vec<Message>,
    pub(super) bands: Vec<Band>,
    pub(super) states: States,
    pub(super) wires: Wires,
    pub(super) end: u64,
    noted: u64,
    /// How much each client's applications had told when they were last asked.
    told: Vec<usize>,
}

impl Timeline {
    /// An empty one.
    pub(crate) fn new(servers: usize, clients: usize) -> Self {
        Timeline {
            servers,
            clients,
            strings: Strings::default(),
            events: Vec::new(),
            messages: Vec::new(),
            bands: Vec::new(),
            states: States::new(servers),
            wires: Wires::default(),
            end: 0,
            noted: 0,
            told: vec![0; clients],
        }
    }

    /// How many of the events are those that the outcome counts.
    pub fn noted(&self) -> u64 {
        self.noted
    }

    pub(crate) fn server(&self, server: usize) -> Lane {
        Lane((1 + server) as u8)
    }

    pub(crate) fn client(&self, client: usize) -> Lane {
        Lane((1 + self.servers + client) as u8)
    }

    /// An event that the outcome counts, of a server's or by its name.
    pub(crate) fn note(&mut self, at: u64, server: Option<usize>, what: &'static str, numbers: [u64; 3]) {
        self.noted += 1;
        let lane = server.map_or_else(|| self.lane_of(what, numbers), |server| self.server(server));
        let text = match (what, numbers) {
            (_, [0, 0, 0]) | ("fault" | "operation", _) => String::new(),
            ("request" | "closed" | "accepted", [conn, ..]) => format!("connection {conn}"),
            ("connect", [_, conn, server]) => format!("connection {conn} to server {server}"),
            ("to client" | "application says", [_, conn, bytes]) => {
                format!("connection {conn}, {bytes} bytes")
            }
            ("end at client", [_, conn, _]) => format!("connection {conn}"),
            ("election" | "quorum" | "link closed" | "link written", [_, link, _]) => format!("link {link}"),
            ("disk call" | "disk sync", [_, calls, _]) => format!("call {calls}"),
            ("recovered", [zxid, replayed, _]) => format!("up to {zxid:#x}, {replayed} txns replayed"),
            ("ping" | "client gives up" | "client looks elsewhere" | "machine leaves", _) => String::new(),
            ("machine says", [_, bytes, _]) => format!("{bytes} bytes"),
            ("timeout", [count, ..]) => format!("wants {count} things done"),
            ("dial", [link, id, _]) => format!("id {id}, link {link}"),
            ("restart" | "power loss" | "exit", [life, ..]) => format!("life {life}"),
            (_, numbers) => {
                let shown = numbers.iter().filter(|number| **number != 0);
                let shown: Vec<String> = shown.map(u64::to_string).collect();
                shown.join(" ")
            }
        };
        self.push(at, lane, what, &text);
    }

    /// Whose an event is that is no server's.
    fn lane_of(&self, what: &str, numbers: [u64; 3]) -> Lane {
        match what {
            "reset" => self.wires.client_of(numbers[0]).unwrap_or(EVERYBODY),
            "fault" | "end of faults" | "link gives up" => EVERYBODY,
            _ if (numbers[0] as usize) < self.clients => self.client(numbers[0] as usize),
            _ => EVERYBODY,
        }
    }

    /// Something that is told, and that no outcome counts.
    pub(crate) fn tell(&mut self, at: u64, lane: Lane, what: &str, text: String) {
        self.push(at, lane, what, &shortened(text));
    }

    fn push(&mut self, at: u64, lane: Lane, what: &str, text: &str) {
        let (kind, text) = (self.strings.number(what), self.strings.number(text));
        self.events.push(Event { at, lane, kind, text });
        self.end = self.end.max(at);
    }

    /// Says more of the last event.
    pub(crate) fn explain(&mut self, text: String) {
        let text = self.strings.number(&shortened(text));
        if let Some(last) = self.events.last_mut() {
            last.text = text;
        }
    }

    /// The last event, if it is this lane's.
    pub(super) fn cause(&self, lane: Lane) -> Option<u32> {
        let last = self.events.last()?;
        (last.lane == lane).then_some(self.events.len() as u32 - 1)
    }

    /// A server is this now.
    pub(crate) fn server_is(&mut self, at: u64, server: usize, state: ServerState) {
        let before = self.states.mode(server);
        let mode = state.mode;
        if !self.states.change((at, self.events.len() as u32), server, state) || before == Some(mode) {
            return;
        }
        // Everything else that changes is told by the server.
        if matches!(mode, "down" | "no power") {
            self.tell(
                at,
                self.server(server),
                "process gone",
                format!("{mode}, was {}", before.unwrap_or("")),
            );
        }
    }

    /// How much a client's applications have told so far.
    pub(crate) fn told_by(&self, client: usize) -> usize {
        self.told[client]
    }

    /// They have told something more.
    pub(crate) fn has_told(&mut self, client: usize) {
        self.told[client] += 1;
    }

    /// A server appends a txn to its log, by this number.
    pub(crate) fn appends(&mut self, server: usize, seq: u64, zxid: Zxid) {
        self.states.appends(server, seq, zxid);
    }

    /// Of what it has appended everything up to this number is durable: up to which zxid, if that is news.
    pub(crate) fn stored(&mut self, server: usize, seq: u64) -> Option<Zxid> {
        self.states.stored(server, seq)
    }

    /// Its log ends here, as its disk was found or cut.
    pub(crate) fn log_is(&mut self, server: usize, zxid: Zxid) {
        self.states.log_is(server, zxid);
    }

    /// Where its log ends that is durable.
    pub(crate) fn durable(&self, server: usize) -> Zxid {
        self.states.durable(server)
    }

    /// A fault of the plan begins; it ends by itself at `until`, if that is known.
    pub(crate) fn fault(
        &mut self,
        at: u64,
        index: Option<usize>,
        (name, text): (&'static str, String),
        lanes: Vec<Lane>,
        until: Option<u64>,
    ) {
        self.bands.push(Band { fault: index, name, text, lanes, from: at, until });
    }

    /// A fault of the plan is over.
    pub(crate) fn fault_over(&mut self, at: u64, index: usize) {
        for band in self.bands.iter_mut().filter(|band| band.fault == Some(index)) {
            band.until = Some(band.until.map_or(at, |until| until.min(at)));
        }
    }

    /// Nothing is broken any more.
    pub(crate) fn all_mended(&mut self, at: u64) {
        for band in &mut self.bands {
            band.until = Some(band.until.map_or(at, |until| until.min(at)));
        }
    }

    /// The run is over.
    pub(crate) fn ends(&mut self, at: u64) {
        self.end = self.end.max(at);
    }
}
