//! Connections between election ports (`quorum-protocol.md` §1.2, §1.3): which of two stays, and what waits for whom.
//!
//! A connection that stays was opened by the server with the larger id: the smaller one, when it dials, says who it is, hangs up,
//! and is called back. For each server at most one notification waits, the newest; the last one that was sent is sent again over a
//! new connection, so what comes first over one may be stale.

use crate::jute::{Encode as _, InitialMessage, Notification, Writer, write_frame};
use crate::vocabulary::{LinkId, ServerId};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// What the connections want done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkOutput {
    /// Dial this server's election port; the answer is [`ElectionLinks::dialled`] or [`ElectionLinks::failed`].
    Dial(ServerId),
    /// Write these bytes, in one piece: Java reads the initial message by a single read.
    Write(LinkId, Bytes),
    /// Hang up, once what was written is out.
    Close(LinkId),
}

/// See the module's words.
#[derive(Clone, Debug)]
pub struct ElectionLinks {
    me: ServerId,
    /// What we introduce ourselves with.
    introduction: Bytes,
    peers: BTreeMap<ServerId, PeerLink>,
}

#[derive(Clone, Debug, Default)]
struct PeerLink {
    link: Option<LinkId>,
    dialling: bool,
    /// The newest word to it: sent last, or waiting.
    last: Option<Bytes>,
    /// A write is under way; until it is out, nothing else is written.
    writing: bool,
    /// The newest word came while that went on.
    waiting: bool,
}

impl ElectionLinks {
    /// No connections yet. `addresses` are our own election addresses, `host:port`.
    pub fn new(me: ServerId, addresses: Vec<String>) -> Self {
        let introduction = InitialMessage { sid: i64::from(me.0), addresses }.to_bytes();
        ElectionLinks { me, introduction, peers: BTreeMap::new() }
    }

    /// Whether a connection to this server stands.
    pub fn is_connected(&self, to: ServerId) -> bool {
        self.peers.get(&to).is_some_and(|peer| peer.link.is_some())
    }

    /// Tells a server, now or as soon as a connection stands; a newer word takes the place of an older one.
    pub fn send(&mut self, to: ServerId, notification: &Notification, out: &mut Vec<LinkOutput>) {
        assert_ne!(to, self.me, "nobody tells himself over a wire");
        let mut bytes = BytesMut::new();
        write_frame(&mut bytes, |frame: &mut Writer<'_>| notification.encode(frame));
        let bytes = bytes.freeze();
        let peer = self.peers.entry(to).or_default();
        peer.last = Some(bytes.clone());
        match peer.link {
            Some(_) if peer.writing => peer.waiting = true,
            Some(link) => {
                peer.writing = true;
                out.push(LinkOutput::Write(link, bytes));
            }
            None if !peer.dialling => {
                peer.dialling = true;
                out.push(LinkOutput::Dial(to));
            }
            None => {}
        }
    }

    /// Everything written to a connection is out.
    pub fn written(&mut self, link: LinkId, out: &mut Vec<LinkOutput>) {
        let Some(peer) = self.peers.values_mut().find(|peer| peer.link == Some(link)) else { return };
        peer.writing = std::mem::take(&mut peer.waiting);
        if let (true, Some(last)) = (peer.writing, &peer.last) {
            out.push(LinkOutput::Write(link, last.clone()));
        }
    }

    /// A dial came through.
    pub fn dialled(&mut self, to: ServerId, link: LinkId, out: &mut Vec<LinkOutput>) {
        self.peers.entry(to).or_default().dialling = false;
        out.push(LinkOutput::Write(link, self.introduction.clone()));
        if to > self.me {
            // It will call back.
            return out.push(LinkOutput::Close(link));
        }
        self.keep(to, link, out);
    }

    /// A dial came to nothing. The next word to that server dials again.
    pub fn failed(&mut self, to: ServerId) {
        self.peers.entry(to).or_default().dialling = false;
    }

    /// Somebody dialled us and said who it is. Whom we can't call by a number of our own we do not talk to.
    pub fn accepted(&mut self, link: LinkId, initial: &InitialMessage, out: &mut Vec<LinkOutput>) {
        let sid = u8::try_from(initial.sid).ok().map(ServerId);
        let Some(from) = sid.filter(|from| *from != self.me) else {
            return out.push(LinkOutput::Close(link));
        };
        if from > self.me {
            return self.keep(from, link, out);
        }
        out.push(LinkOutput::Close(link));
        let peer = self.peers.entry(from).or_default();
        if let Some(old) = peer.link.take() {
            out.push(LinkOutput::Close(old));
        }
        if !peer.dialling {
            peer.dialling = true;
            out.push(LinkOutput::Dial(from));
        }
    }

    /// A connection broke. Nobody reconnects before there is something to say.
    pub fn closed(&mut self, link: LinkId) {
        if let Some(peer) = self.peers.values_mut().find(|peer| peer.link == Some(link)) {
            *peer = PeerLink { last: peer.last.take(), dialling: peer.dialling, ..PeerLink::default() };
        }
    }

    /// Whom a connection leads to, as long as it stands.
    pub fn peer_of(&self, link: LinkId) -> Option<ServerId> {
        self.peers.iter().find(|(_, peer)| peer.link == Some(link)).map(|(id, _)| *id)
    }

    fn keep(&mut self, to: ServerId, link: LinkId, out: &mut Vec<LinkOutput>) {
        let peer = self.peers.entry(to).or_default();
        if let Some(old) = peer.link.replace(link) {
            out.push(LinkOutput::Close(old));
        }
        peer.waiting = false;
        peer.writing = peer.last.is_some();
        if let Some(last) = &peer.last {
            out.push(LinkOutput::Write(link, last.clone()));
        }
    }
}
