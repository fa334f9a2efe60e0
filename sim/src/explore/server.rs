//! One server: the real peer, its clock, its disk, and what is on its way to that. Everything that happens to it is a [`Stimulus`], and what it
//! comes to depends on nothing else: so it needs to be worked out once.
//!
//! What is due at once happens at once: the core's timeouts that lie in the past, the word that an election message is written, the answer of
//! the log to a question. Bytes go through the core's decoders at both ends, packet by packet.

use super::Bounds;
use super::disk::{Disk, Entry, Op, SEED};
use super::links::Number;
use super::rules::{self, Owed};
use crate::checkers::{Verdict, Violation, violated};
use bytes::Bytes;
use quorate_core::contract::{
    Identity, Input, Lane, Outbox, Output, PeerEvent, Port, QuorumDecoder, QuorumMessage, StoreSeq,
};
use quorate_core::jute::{
    ClientMessage, ConnectRequest, Decode as _, ElectionDecoder, ElectionMessage, FieldLimit, PeerState,
    QuorumPacket, Reader, ReplyDecoder, ServerMessage,
};
use quorate_core::peer::{Mode, Peer};
use quorate_core::quorum::{ElectionTimes, EnsembleConfig, Membership, Role};
use quorate_core::tree::TreeOptions;
use quorate_core::vocabulary::{
    ConnId, Entropy, Epoch, LinkId, Millis, Mono, Now, PeerConfig, ServerId, SessionId, Wall, Zxid,
};
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};

/// The last wait of an election, ms; every other timer of an ensemble is longer.
const FINALIZE_MS: u64 = 200;
/// Time-outs lie beyond everything that is explored.
const NEVER: Millis = Millis(1 << 30);
/// So often in a row something may be due at once.
const AT_ONCE: u32 = 64;

/// What all servers share.
#[derive(Debug)]
pub(super) struct Rig {
    membership: Membership,
    /// A planted bug: whoever crashes loses what was durable.
    #[cfg(test)]
    pub(super) forgets: bool,
}

impl Rig {
    pub(super) fn new(bounds: &Bounds) -> Self {
        let line = |id: u8| format!("server.{id}=10.0.0.{id}:2888:3888:participant");
        let lines: Vec<String> = (1..=bounds.servers).map(line).collect();
        Rig {
            membership: Membership::parse(&lines.join("\n")).expect("lines that can be read"),
            #[cfg(test)]
            forgets: false,
        }
    }

    fn peer(&self, me: ServerId, disk: &Disk, now: Now) -> Peer {
        let mut config = PeerConfig::standalone(Millis(2000));
        config.server_id = me;
        config.limits.connections_per_address = 0;
        config.max_session_timeout = NEVER;
        config.sequences.container_check_interval = NEVER;
        let mut ensemble = EnsembleConfig::new(self.membership.clone(), Role::Participant);
        (ensemble.init_limit, ensemble.sync_limit) = (1, 1);
        let interval = Millis(10_000);
        ensemble.election = ElectionTimes {
            min_interval: interval,
            max_interval: interval,
            finalize_wait: Millis(FINALIZE_MS),
            avoid: interval,
        };
        Peer::member(config, ensemble, disk.recover(), disk.epochs(), Entropy::new(1, me, 1), now)
    }
}

/// Something that happens to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stimulus {
    /// A message comes, by its number.
    Message { link: Number, message: u32 },
    Closed { link: Number },
    Accepted { link: Number },
    Dialled { to: ServerId, link: Number },
    DialFailed { port_is_quorum: bool, to: ServerId },
    /// The oldest op of a lane is durable.
    Stored { lane: Lane },
    Timer,
    /// A client connects and wants a session, over the connection of this number.
    Write { conn: u32 },
    Crash,
    Restart,
}

/// What goes over a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Message {
    pub(super) bytes: Bytes,
    /// The history that a database in it stands for.
    pub(super) stands_for: Vec<Entry>,
}

/// What a server does to the world around it.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Send { link: Number, message: Message },
    Close { link: Number },
    Dial { port: Port, to: ServerId },
    /// Its leadership is established.
    Leads { epoch: Epoch },
    /// A client was told of its new session.
    Answers { session: SessionId },
}

/// What a stimulus comes to.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) server: Server,
    pub(super) acts: Vec<Act>,
    /// For a reader of the path.
    pub(super) events: Vec<String>,
    pub(super) verdict: Verdict,
}

/// A connection, as the server has it.
#[derive(Clone, Copy, Debug)]
struct Link {
    has_dialled: bool,
    /// Whether the first message has gone this way, or come.
    has_spoken: bool,
    has_heard: bool,
}

/// A process.
#[derive(Clone, Debug)]
struct Life {
    peer: Peer,
    /// Its own clock, ns: it stands still but for its timers.
    clock: u64,
    log: VecDeque<(StoreSeq, Op)>,
    epoch: VecDeque<(StoreSeq, Op)>,
    links: BTreeMap<LinkId, Link>,
    owed: Owed,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) me: ServerId,
    pub(super) disk: Disk,
    life: Option<Box<Life>>,
}

/// When a server does something by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    None,
    /// An election ends.
    Finalize,
    /// Somebody's patience, or a heart beats.
    Other,
}

impl Server {
    pub(super) fn new(me: ServerId) -> Self {
        Server { me, disk: Disk::default(), life: None }
    }

    pub(super) fn is_up(&self) -> bool {
        self.life.is_some()
    }

    /// Its clock, and what its digest is made of.
    pub(super) fn show(&self, printer: &mut super::print::Printer) {
        use std::fmt::Write as _;
        printer.begin(self.life.as_ref().map_or(0, |life| life.clock));
        printer.bytes(&[self.me.0]);
        let Server { disk, life, .. } = self;
        write!(printer, "{disk:?}{:?}", life.as_ref().map(|life| (&life.peer, &life.log, &life.epoch)))
            .and_then(|()| write!(printer, "{:?}", life.as_ref().map(|life| (&life.links, &life.owed))))
            .expect("a printer takes everything");
    }

    pub(super) fn timer(&self) -> Timer {
        let Some(life) = &self.life else { return Timer::None };
        let Some(Mono(at)) = life.peer.next_timeout() else { return Timer::None };
        let is_looking = life.peer.status().mode() == Mode::Looking;
        match is_looking && at.saturating_sub(life.clock) <= FINALIZE_MS * 1_000_000 {
            true => Timer::Finalize,
            false => Timer::Other,
        }
    }

    pub(super) fn has_pending(&self, lane: Lane) -> bool {
        self.life.as_ref().is_some_and(|life| !life.lane(lane).is_empty())
    }

    /// Whether it serves clients, as a leader.
    pub(super) fn leads(&self) -> bool {
        let status = self.life.as_ref().map(|life| life.peer.status());
        status.is_some_and(|status| status.is_serving() && status.mode() == Mode::Leader)
    }

    /// What it serves, and so takes for committed: the beginning of its history, durable or not.
    pub(super) fn serves(&self) -> Option<Vec<Entry>> {
        let status = self.life.as_ref()?.peer.status();
        let committed = status.committed();
        let mut history = self.logged();
        history.retain(|entry| entry.zxid <= committed);
        status.is_serving().then_some(history)
    }

    /// Its history, with what is on its way to the disk.
    fn logged(&self) -> Vec<Entry> {
        let mut history = self.disk.history.clone();
        for (_, op) in self.life.iter().flat_map(|life| &life.log) {
            if op.change(&mut history).is_none() {
                break;
            }
        }
        history
    }

    /// In words.
    pub(super) fn state(&self) -> String {
        let Some(life) = &self.life else { return "down".to_owned() };
        let status = life.peer.status();
        let serves = if status.is_serving() { ", serving" } else { "" };
        format!("{:?}{serves}", status.mode()).to_lowercase()
    }

    /// What becomes of it.
    pub(super) fn step(&self, rig: &Rig, stimulus: Stimulus, message: Option<&Message>) -> Step {
        let mut step = Step { server: self.clone(), acts: Vec::new(), events: Vec::new(), verdict: Ok(()) };
        step.verdict = match stimulus {
            Stimulus::Crash => {
                step.server.life = None;
                #[cfg(test)]
                if rig.forgets {
                    step.server.disk = Disk::default();
                }
                Ok(())
            }
            Stimulus::Restart => step.start(rig),
            _ => step.happen(stimulus, message),
        };
        step
    }
}

impl Life {
    fn lane(&self, lane: Lane) -> &VecDeque<(StoreSeq, Op)> {
        if lane == Lane::Epoch { &self.epoch } else { &self.log }
    }

    fn now(&self) -> Now {
        Now { mono: Mono(self.clock), wall: Wall(1_700_000_000_000) }
    }

    /// Whether something is due.
    fn is_due(&self) -> bool {
        self.peer.next_timeout().is_some_and(|at| at.0 <= self.clock)
    }
}

impl Step {
    fn start(&mut self, rig: &Rig) -> Verdict {
        let clock = 1_000_000_000;
        let now = Now { mono: Mono(clock), wall: Wall(1_700_000_000_000) };
        let peer = rig.peer(self.server.me, &self.server.disk, now);
        self.server.life = Some(Box::new(Life {
            peer,
            clock,
            log: VecDeque::new(),
            epoch: VecDeque::new(),
            links: BTreeMap::new(),
            owed: Owed::default(),
        }));
        self.give(Vec::new(), &[])
    }

    fn happen(&mut self, stimulus: Stimulus, message: Option<&Message>) -> Verdict {
        let life = self.server.life.as_mut().expect("something happens to servers that run");
        let mut stands_for: &[Entry] = &[];
        let inputs = match stimulus {
            Stimulus::Message { link, .. } => {
                let message = message.expect("a message has a number");
                stands_for = &message.stands_for;
                self.receive(link, message)?
            }
            Stimulus::Closed { link } => {
                let link = link.id();
                life.links.remove(&link);
                vec![Input::LinkClosed { link, reason: "the other end is gone".to_owned() }]
            }
            Stimulus::Accepted { link } => {
                let (link, port) = (link.id(), link.port());
                life.links.insert(link, Link { has_dialled: false, has_spoken: true, has_heard: false });
                vec![Input::LinkAccepted { port, link, address: address() }]
            }
            Stimulus::Dialled { to, link } => {
                let (link, port) = (link.id(), link.port());
                life.links.insert(link, Link { has_dialled: true, has_spoken: false, has_heard: true });
                vec![Input::Dialled { port, to, link }]
            }
            Stimulus::DialFailed { port_is_quorum, to } => {
                let port = if port_is_quorum { Port::Quorum } else { Port::Election };
                vec![Input::DialFailed { port, to, reason: "nobody answers".to_owned() }]
            }
            Stimulus::Stored { lane } => {
                let queue = if lane == Lane::Epoch { &mut life.epoch } else { &mut life.log };
                let (seq, op) = queue.pop_front().expect("something is on its way to the disk");
                let shown = format!("{op:?}");
                match self.server.disk.finish(lane, seq, op) {
                    Some(input) => vec![input],
                    None => return violated("no_hole", format!("{} was asked of its disk", shortened(&shown))),
                }
            }
            Stimulus::Timer => {
                life.clock = life.clock.max(life.peer.next_timeout().map_or(0, |at| at.0));
                Vec::new()
            }
            Stimulus::Write { conn } => connect(conn),
            Stimulus::Crash | Stimulus::Restart => Vec::new(),
        };
        self.give(inputs, stands_for)
    }

    /// What a message says, and what follows from it for the rules.
    fn receive(&mut self, link: Number, message: &Message) -> Result<Vec<Input>, Violation> {
        let life = self.server.life.as_mut().expect("it runs");
        let id = link.id();
        let Some(end) = life.links.get_mut(&id) else { return Ok(Vec::new()) };
        let mut inputs = Vec::new();
        if link.port() == Port::Election {
            let mut decoder = ElectionDecoder::new(!std::mem::replace(&mut end.has_heard, true));
            decoder.push(&message.bytes);
            while let Some(message) = decoder.poll().map_err(|error| not_understood(&error))? {
                inputs.push(Input::Election { link: id, message });
            }
            return Ok(inputs);
        }
        let mut decoder = match end.has_dialled {
            true => QuorumDecoder::dialled(SEED, TreeOptions::default(), FieldLimit::default()),
            false => QuorumDecoder::accepted(FieldLimit::default()),
        };
        decoder.push(&message.bytes);
        while let Some(said) = decoder.poll().map_err(|error| not_understood(&error))? {
            if end.has_dialled {
                match &said {
                    QuorumMessage::Packet(packet) => life.owed.hears(packet, &self.server.disk.history),
                    QuorumMessage::Snapshot(_) => life.owed.begins(&message.stands_for),
                    QuorumMessage::SnapshotUnderWay => {}
                }
            }
            inputs.push(Input::Quorum { link: id, message: said });
        }
        assert_eq!(decoder.buffered(), 0, "packets come whole");
        Ok(inputs)
    }

    /// Gives the peer this and whatever follows at once, and does what it asks for.
    fn give(&mut self, inputs: Vec<Input>, stands_for: &[Entry]) -> Verdict {
        let mut inputs = VecDeque::from(inputs);
        let mut outbox = Outbox::new();
        let mut at_once = 0;
        loop {
            let life = self.server.life.as_mut().expect("it runs");
            let Some(input) = inputs.pop_front().or_else(|| life.is_due().then_some(Input::Timeout)) else {
                return Ok(());
            };
            at_once += 1;
            if at_once == AT_ONCE {
                return violated("livelock", format!("{input:?} and so on, without end"));
            }
            let now = life.now();
            life.peer.handle(now, input, &mut outbox);
            let outputs: Vec<Output> = outbox.drain().collect();
            for output in outputs {
                inputs.extend(self.carry_out(output, stands_for)?);
            }
            let life = self.server.life.as_ref().expect("it runs");
            life.peer.check().map_err(|detail| Violation { checker: "peer_check", detail })?;
        }
    }

    fn carry_out(&mut self, output: Output, stands_for: &[Entry]) -> Result<Option<Input>, Violation> {
        let life = self.server.life.as_mut().expect("it runs");
        match output {
            Output::Store { lane, seq, op } => {
                let queue = if lane == Lane::Epoch { &mut life.epoch } else { &mut life.log };
                queue.push_back((seq, Op::new(op, stands_for)));
            }
            Output::Load { id, after, up_to, .. } => {
                return Ok(Some(Input::Loaded { id, txns: self.server.disk.load(after, up_to) }));
            }
            Output::Dial { port, to } => self.acts.push(Act::Dial { port, to }),
            Output::SendLink { link, bytes } => return self.send(link, bytes),
            Output::SendSnapshot { image, .. } => {
                let mut history = self.server.logged();
                history.retain(|entry| entry.zxid <= image.zxid());
                let Some(Act::Send { message, .. }) = self.acts.last_mut() else {
                    unreachable!("a database follows a SNAP")
                };
                let mut bytes = bytes::BytesMut::from(&message.bytes[..]);
                let mut stream = image.stream();
                while stream.next_chunk(&mut bytes) {}
                *message = Message { bytes: bytes.freeze(), stands_for: history };
            }
            Output::CloseLink { link } => {
                life.links.remove(&link);
                self.acts.push(Act::Close { link: Number::of(link) });
            }
            Output::Send { bytes, .. } => self.answered(&bytes)?,
            Output::Event(event) => {
                if let PeerEvent::Serving { state: PeerState::Leading, epoch, .. } = event {
                    self.acts.push(Act::Leads { epoch });
                }
                self.events.extend(words(&event));
            }
            Output::Exit { code, reason } => return violated("exits", format!("it ends with {code:?}: {reason}")).map(|()| None),
            _ => {}
        }
        Ok(None)
    }

    /// Puts on its way what a peer says, and judges it. Over an election connection the next message waits for the word that this one is out.
    fn send(&mut self, link: LinkId, bytes: Bytes) -> Result<Option<Input>, Violation> {
        let life = self.server.life.as_mut().expect("it runs");
        let number = Number::of(link);
        let Some(end) = life.links.get_mut(&link) else { return Ok(None) };
        if number.port() == Port::Election {
            let is_idle = life.log.is_empty() && life.epoch.is_empty();
            let is_electing = is_idle && life.peer.status().mode() == Mode::Looking;
            let is_introduction = !std::mem::replace(&mut end.has_spoken, true);
            let mut decoder = ElectionDecoder::new(is_introduction);
            decoder.push(&bytes);
            while let Some(message) = decoder.poll().map_err(|error| not_understood(&error))? {
                // Over a new connection the last word is said again, even if that election is long over.
                if let ElectionMessage::Notification(vote) = &message
                    && is_electing
                {
                    rules::vote(self.server.me, vote, &self.server.disk)?;
                }
            }
            self.acts.push(Act::Send { link: number, message: Message { bytes, stands_for: Vec::new() } });
            return Ok(Some(Input::LinkWritten { link }));
        }
        let mut reader = Reader::with_limit(bytes.clone(), FieldLimit::default());
        while reader.remaining() > 0 {
            let begin = bytes.len() - reader.remaining();
            let packet = QuorumPacket::decode(&mut reader).map_err(|error| not_understood(&error))?;
            let end = bytes.len() - reader.remaining();
            rules::said(&packet, &self.server.disk, &mut life.owed)?;
            let message = Message { bytes: bytes.slice(begin..end), stands_for: Vec::new() };
            self.acts.push(Act::Send { link: number, message });
        }
        Ok(None)
    }

    fn answered(&mut self, bytes: &[u8]) -> Verdict {
        let mut decoder = ReplyDecoder::new(0xf_ffff);
        decoder.push(bytes);
        while let Some(message) = decoder.poll().map_err(|error| not_understood(&error))? {
            if let ServerMessage::Connected(response) = message
                && response.timeout > 0
            {
                self.acts.push(Act::Answers { session: response.session_id });
            }
        }
        Ok(())
    }
}

fn not_understood(error: &dyn std::fmt::Display) -> Violation {
    Violation { checker: "servers_understand", detail: error.to_string() }
}

fn shortened(text: &str) -> &str {
    text.get(..80).unwrap_or(text)
}

fn address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 9, 9, 9), 999))
}

/// A client connects, and asks for a session.
fn connect(conn: u32) -> Vec<Input> {
    let conn = ConnId(u64::from(conn));
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid::ZERO,
        timeout: NEVER.to_int(),
        session_id: SessionId::NONE,
        password: Some(Bytes::from_static(&[0; 16])),
        read_only: Some(false),
    };
    let identity = Identity { address: address(), certificate: None };
    vec![
        Input::Accepted { conn, identity },
        Input::Client { conn, message: ClientMessage::Connect(request) },
    ]
}

/// What a reader of a path wants to know.
fn words(event: &PeerEvent) -> Option<String> {
    match event {
        PeerEvent::Looking { zxid, epoch } => Some(format!("looks for a leader, with {zxid} of epoch {epoch}")),
        PeerEvent::Elected { leader, .. } => Some(format!("has elected server {}", leader.0)),
        PeerEvent::Serving { epoch, .. } => Some(format!("serves in epoch {}", epoch.0)),
        PeerEvent::RoleEnded { reason, .. } => Some(format!("ends its part: {reason}")),
        PeerEvent::LearnerSynchronises { sid, by } => Some(format!("synchronises server {sid} by {by:?}")),
        PeerEvent::LearnerGone { sid: Some(sid), reason, .. } => Some(format!("loses server {sid}: {reason}")),
        _ => None,
    }
}
