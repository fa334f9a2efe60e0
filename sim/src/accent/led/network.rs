//! Connections between the leader and the others, and what the leader's outputs come to.

use super::super::host::ME;
use super::learner::{Around, JavaLearner, Stage, Stay};
use super::rules;
use super::scene::{Said, Scene};
use crate::checkers::{Verdict, Violation, violated};
use crate::chooser::{Choice, Draws};
use bytes::{Bytes, BytesMut};
use quorate_core::contract::{Input, Output, Port, QuorumDecoder};
use quorate_core::jute::{
    Decode as _, ElectionDecoder, ElectionMessage, FieldLimit, InitialMessage, Notification, PeerState,
    QuorumPacket, Reader,
};
use quorate_core::vocabulary::{Epoch, LinkId, Zxid};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A connection to the leader's quorum port.
pub(super) struct Wire {
    link: LinkId,
    pub(super) to_learner: VecDeque<Bytes>,
    decoder: QuorumDecoder,
    to_leader: QuorumDecoder,
    /// The leader has closed it, and the learner will hear of that behind everything else.
    pub(super) is_closing: bool,
}

impl Wire {
    /// Whether the learner has heard everything.
    pub(super) fn is_quiet(&self) -> bool {
        self.to_learner.is_empty() && !self.is_closing
    }
}

fn address(sid: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, sid)), 50_000)
}

impl Scene<'_, '_> {
    fn new_link(&mut self) -> LinkId {
        self.links_made += 1;
        LinkId(self.links_made)
    }

    /// A Java server connects to the leader's election port.
    pub(super) fn call(&mut self, sid: u8) -> Verdict {
        if self.host.process.is_none() {
            return Ok(());
        }
        let link = self.new_link();
        self.handle(Input::LinkAccepted { port: Port::Election, link, address: address(sid) })?;
        self.links.insert(link, (sid, ElectionDecoder::new(false)));
        let initial = InitialMessage { sid: i64::from(sid), addresses: vec![format!("10.0.0.{sid}:3888")] };
        self.handle(Input::Election { link, message: ElectionMessage::Initial(initial) })
    }

    /// A voter whose own history is not ahead votes as it is asked to.
    pub(super) fn vote(&mut self) -> Verdict {
        let Some((link, asked)) = self.votes.pop_front() else { return Ok(()) };
        let Some((sid, _)) = self.links.get(&link) else { return Ok(()) };
        let proposed = (Epoch(asked.peer_epoch as u32), asked.zxid);
        let agrees = |learner: &&JavaLearner<'_>| {
            learner.sid == *sid && learner.stage == Stage::Away && learner.vote() <= proposed
        };
        if asked.state != PeerState::Looking || asked.leader != i64::from(ME.0) {
            return Ok(());
        }
        match self.learners.iter().find(agrees) {
            Some(_) => {
                let message = ElectionMessage::Notification(Notification { version: 2, ..asked });
                self.handle(Input::Election { link, message })
            }
            None => Ok(()),
        }
    }

    /// A learner connects to the quorum port.
    pub(super) fn connects(&mut self, at: usize) -> Verdict {
        let link = self.new_link();
        let wire = Wire {
            link,
            to_learner: VecDeque::new(),
            decoder: self.host.decoder(link.0),
            to_leader: QuorumDecoder::accepted(FieldLimit(1 << 20)),
            is_closing: false,
        };
        self.wires.insert(at, wire);
        let sid = self.learners[at].sid;
        self.learners[at].connects();
        self.handle(Input::LinkAccepted { port: Port::Quorum, link, address: address(sid) })
    }

    /// A learner's end is closed; in silence, the leader does not hear of that.
    pub(super) fn leaves(&mut self, at: usize, is_silent: bool) -> Verdict {
        let Some(wire) = self.wires.remove(&at) else { return Ok(()) };
        self.learners[at].loses(&mut self.truth)?;
        if is_silent || wire.is_closing {
            return Ok(());
        }
        self.handle(Input::LinkClosed { link: wire.link, reason: "broken".to_string() })
    }

    pub(super) fn carry_out(&mut self, output: Output) -> Verdict {
        match output {
            Output::Dial { port: Port::Election, to } => {
                // Whoever has the larger number calls back.
                let reason = "it calls back".to_string();
                self.handle(Input::DialFailed { port: Port::Election, to, reason })?;
                self.call(to.0)
            }
            Output::Dial { port, to } => {
                self.handle(Input::DialFailed { port, to, reason: "it does not lead".to_string() })
            }
            Output::SendLink { link, bytes } => self.sent(link, bytes),
            Output::SendSnapshot { link, image } => {
                let mut stream = image.stream();
                let mut bytes = BytesMut::new();
                while stream.next_chunk(&mut bytes) {}
                self.give(link, bytes.freeze());
                Ok(())
            }
            Output::CloseLink { link } => {
                if let Some(wire) = self.wires.values_mut().find(|wire| wire.link == link) {
                    wire.is_closing = true;
                }
                self.links.remove(&link);
                Ok(())
            }
            Output::Exit { code, reason } => {
                violated("exits_have_a_reason", format!("the leader ends by {code:?}: {reason}"))
            }
            _ => Ok(()),
        }
    }

    fn give(&mut self, link: LinkId, bytes: Bytes) {
        if let Some(wire) = self.wires.values_mut().find(|wire| wire.link == link && !wire.is_closing) {
            wire.to_learner.push_back(bytes);
        }
    }

    /// The leader says something.
    fn sent(&mut self, link: LinkId, bytes: Bytes) -> Verdict {
        self.tell.trace.bytes(&bytes);
        if let Some((_, decoder)) = self.links.get_mut(&link) {
            decoder.push(&bytes);
            while let Ok(Some(message)) = decoder.poll() {
                if let ElectionMessage::Notification(notification) = message {
                    self.votes.push_back((link, notification));
                }
            }
            return self.handle(Input::LinkWritten { link });
        }
        let mut packets = Reader::new(bytes.clone());
        while packets.remaining() > 0 {
            let packet = QuorumPacket::decode(&mut packets)
                .map_err(|error| Violation { checker: "servers_understand", detail: error.to_string() })?;
            self.promises(&packet)?;
        }
        self.give(link, bytes);
        Ok(())
    }

    /// What leaves has to be true, whatever happens now.
    fn promises(&mut self, packet: &QuorumPacket) -> Verdict {
        self.tell.trace.words(|| format!("{packet:?}"));
        match packet {
            QuorumPacket::LeaderInfo { epoch } if *epoch != self.said.epoch => {
                let survivors = self.host.survivors()?;
                let mark = self.host.database().map_or(Zxid::ZERO, |database| database.last_zxid());
                self.said = Said { epoch: *epoch, mark, ..Said::default() };
                rules::promised_by_itself(*epoch, &survivors)
            }
            QuorumPacket::UpToDate if !self.said.is_established => {
                self.said.is_established = true;
                let begun = (self.said.epoch, self.said.mark);
                rules::begun_by_a_quorum(begun, &self.learners, &self.host.survivors()?)
            }
            QuorumPacket::Proposal { zxid, txn } => self.truth.proposed(*zxid, txn),
            QuorumPacket::Commit { zxid } => self.commits(*zxid),
            QuorumPacket::Inform { zxid, txn } => {
                self.truth.proposed(*zxid, txn)?;
                self.commits(*zxid)
            }
            _ => Ok(()),
        }
    }

    fn commits(&mut self, zxid: Zxid) -> Verdict {
        // Before that, what a synchronisation brings is committed by NEWLEADER's quorum only.
        if zxid.epoch() != self.said.epoch || zxid <= self.said.committed {
            return Ok(());
        }
        self.said.committed = zxid;
        self.truth.commits_to(zxid)?;
        rules::committed_by_a_quorum(zxid, &self.learners, || self.host.survivors())
    }

    fn piece(&mut self, bytes: &Bytes) -> usize {
        let permille = self.tell.accent.led.split_permille;
        let length = bytes.len();
        let mut draws = self.draws(18);
        if length > 1 && draws.chance(permille) {
            1 + draws.below(length as u64 - 1) as usize
        } else {
            length
        }
    }

    /// The next piece of what the leader said arrives, or the end of it.
    pub(super) fn reach_learner(&mut self, at: usize) -> Verdict {
        let Some(front) = self.wires.get(&at).and_then(|wire| wire.to_learner.front().cloned()) else {
            return self.leaves(at, true);
        };
        let length = self.piece(&front);
        self.arrived += 1;
        let Some(wire) = self.wires.get_mut(&at) else { return Ok(()) };
        match length < front.len() {
            true => wire.to_learner[0] = front.slice(length..),
            false => drop(wire.to_learner.pop_front()),
        }
        wire.decoder.push(&front[..length]);
        loop {
            let Some(wire) = self.wires.get_mut(&at) else { return Ok(()) };
            let message = match wire.decoder.poll() {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(()),
                Err(error) => return violated("servers_understand", error.to_string()),
            };
            self.tell.trace.words(|| format!("to {at}: {message:?}"));
            let mut draws = Draws::new(&mut *self.tell.chooser, Choice::Scene, (19, self.steps));
            let counters = &mut *self.tell.counters;
            let mut around = Around { truth: &mut self.truth, draws: &mut draws, counters };
            if self.learners[at].hear(message, &mut around)? == Stay::Leaves {
                return self.leaves(at, false);
            }
        }
    }

    /// The next piece of what a learner said arrives.
    pub(super) fn reach_leader(&mut self, at: usize) -> Verdict {
        let Some(front) = self.learners[at].out.front().cloned() else { return Ok(()) };
        let length = self.piece(&front);
        self.arrived += 1;
        match length < front.len() {
            true => self.learners[at].out[0] = front.slice(length..),
            false => drop(self.learners[at].out.pop_front()),
        }
        let Some(wire) = self.wires.get_mut(&at) else { return Ok(()) };
        let link = wire.link;
        wire.to_leader.push(&front[..length]);
        loop {
            let Some(wire) = self.wires.get_mut(&at).filter(|wire| wire.link == link && !wire.is_closing)
            else {
                return Ok(());
            };
            match wire.to_leader.poll() {
                Ok(Some(message)) => self.handle(Input::Quorum { link, message })?,
                Ok(None) => return Ok(()),
                Err(error) => return violated("servers_understand", error.to_string()),
            }
        }
    }
}
