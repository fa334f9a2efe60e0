//! What becomes of a server when something happens to it: inputs for its peer, what the peer asks for, and what the rules say of what it says.

use super::super::disk::{Entry, Op, SEED};
use super::super::links::Number;
use super::super::rules::{self, Owed};
use super::{Act, Life, Link, Message, NEVER, Rig, Step, Stimulus};
use crate::checkers::{Verdict, Violation, violated};
use bytes::{Bytes, BytesMut};
use quorate_core::contract::{
    Identity, Input, Lane, Outbox, Output, PeerEvent, Port, QuorumDecoder, QuorumMessage,
};
use quorate_core::jute::{
    ClientMessage, ConnectRequest, Decode as _, ElectionDecoder, ElectionMessage, FieldLimit, PeerState,
    QuorumPacket, Reader, ReplyDecoder, ServerMessage,
};
use quorate_core::peer::Mode;
use quorate_core::tree::TreeOptions;
use quorate_core::vocabulary::{ConnId, LinkId, Mono, Now, SessionId, Wall, Zxid};
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};

/// So often in a row something may be due at once.
const AT_ONCE: u32 = 64;

impl Step {
    pub(super) fn start(&mut self, rig: &Rig) -> Verdict {
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

    pub(super) fn happen(&mut self, stimulus: Stimulus, message: Option<&Message>) -> Verdict {
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
                life.forget(link);
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
                let joins = matches!(op, Op::Epoch { is_current: true, .. });
                let shown = format!("{op:?}");
                let Some(input) = self.server.disk.finish(lane, seq, op) else {
                    return violated("no_hole", format!("{} was asked of its disk", shortened(&shown)));
                };
                if joins {
                    rules::joined(&self.server.disk, &life.owed)?;
                }
                vec![input]
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
                let mut bytes = BytesMut::from(&message.bytes[..]);
                let mut stream = image.stream();
                while stream.next_chunk(&mut bytes) {}
                *message = Message { bytes: bytes.freeze(), stands_for: history };
            }
            Output::CloseLink { link } => {
                life.forget(link);
                self.acts.push(Act::Close { link: Number::of(link) });
            }
            Output::Send { bytes, .. } => self.answered(&bytes)?,
            Output::Event(event) => {
                if let PeerEvent::Serving { state: PeerState::Leading, epoch, .. } = event {
                    self.acts.push(Act::Leads { epoch });
                }
                self.events.extend(words(&event));
            }
            Output::Exit { code, reason } => {
                return violated("exits", format!("it ends with {code:?}: {reason}")).map(|()| None);
            }
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
    vec![Input::Accepted { conn, identity }, Input::Client { conn, message: ClientMessage::Connect(request) }]
}

/// What a reader of a path wants to know.
fn words(event: &PeerEvent) -> Option<String> {
    match event {
        PeerEvent::Looking { zxid, epoch } => {
            Some(format!("looks for a leader, with {zxid} of epoch {epoch}"))
        }
        PeerEvent::Elected { leader, .. } => Some(format!("has elected server {}", leader.0)),
        PeerEvent::Serving { epoch, .. } => Some(format!("serves in epoch {}", epoch.0)),
        PeerEvent::RoleEnded { reason, .. } => Some(format!("ends its part: {reason}")),
        PeerEvent::LearnerSynchronises { sid, by } => Some(format!("synchronises server {sid} by {by:?}")),
        PeerEvent::LearnerGone { sid: Some(sid), reason, .. } => {
            Some(format!("loses server {sid}: {reason}"))
        }
        _ => None,
    }
}
