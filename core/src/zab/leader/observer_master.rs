//! An observer master: a follower that serves observers, so that their leader has less to do (`quorum-protocol.md` §6.3).
//!
//! To an observer it is a leader whose epoch is decided and whose history everybody has taken over: the handshake, the choice of DIFF,
//! TRUNC or SNAP, the PINGs and the time-outs are the leader's own. What a quorum decides is left to the leader that it follows: it
//! proposes nothing, counts no acknowledgement, and hands on what observers ask for.
//!
//! Invariants: it exists only while its server is established as a follower; an observer hears of a txn when that is committed, and of all
//! that follow what it was sent; an observer that is ahead of this follower waits, for what it has is committed.
//!
//! Caveats: Java's master keeps a queue of its own of committed packets and hangs up on whoever is further behind; here the ring of
//! committed txns, the log and the database bring everybody up to date.

use super::learners::Step;
use super::timers::Timers;
use super::{Leader, LeaderTurn, LearnerView, Phase, Proposals, Rounds};
use crate::contract::{LoadId, Outbox};
use crate::jute::{Encode as _, QuorumPacket, Writer};
use crate::quorum::Memberships;
use crate::vocabulary::{Epoch, LinkId, Mono, SessionId, Zxid};
use crate::zab::config::{Standing, ZabConfig};
use bytes::Bytes;
use std::collections::BTreeMap;

/// See the module's words. What it wants are [`crate::zab::LeaderEvent`]s: requests, syncs among them, questions about sessions, sessions
/// heard of, and learners that come and go.
#[derive(Clone, Debug)]
pub struct ObserverMaster {
    handlers: Leader,
}

impl ObserverMaster {
    /// The master of a follower that has just been established in the epoch of `standing`; all that it knows to be committed is in the
    /// committed log.
    pub fn new(
        config: ZabConfig,
        members: Memberships,
        standing: Standing,
        turn: &mut LeaderTurn<'_>,
    ) -> Self {
        let mut handlers = Leader {
            config,
            members,
            standing,
            epoch: standing.epochs.current,
            phase: Phase::Relay,
            learners: BTreeMap::new(),
            proposals: Proposals::new(turn.ground.committed_log.last()),
            rounds: Rounds::default(),
            timers: Timers::new(turn.now),
            loads: 0,
        };
        handlers.timers.next = turn.now + handlers.half_tick();
        ObserverMaster { handlers }
    }

    /// Somebody connected to the port for observers.
    pub fn accepted(&mut self, link: LinkId, turn: &mut LeaderTurn<'_>) {
        self.handlers.accepted(link, turn);
    }

    /// An observer's link is gone; of any other it is nothing.
    pub fn closed(&mut self, link: LinkId, reason: &str, turn: &mut LeaderTurn<'_>) {
        self.handlers.closed(link, reason, turn);
    }

    /// So many bytes wait to be written to an observer.
    pub fn backlog(&mut self, link: LinkId, bytes: usize, turn: &mut LeaderTurn<'_>) {
        self.handlers.backlog(link, bytes, turn);
    }

    /// An observer said something.
    pub fn packet(&mut self, link: LinkId, packet: QuorumPacket, turn: &mut LeaderTurn<'_>) {
        self.handlers.packet(link, packet, turn);
    }

    /// The leader has committed this txn, and it stands in the committed log.
    pub fn committed(&mut self, zxid: Zxid, txn: Bytes, turn: &mut LeaderTurn<'_>) {
        self.handlers.proposals.committed_elsewhere(zxid);
        self.handlers.tell_observers([(zxid, txn)].iter(), turn);
        let waiting = self.handlers.learners.iter();
        let waiting = waiting
            .filter(|(_, handler)| matches!(handler.step, Step::EpochAcked(last) if last <= zxid))
            .map(|(link, _)| *link);
        for link in waiting.collect::<Vec<_>>() {
            self.handlers.synchronise(link, turn);
        }
    }

    /// The leader has answered a sync that was handed on for this observer.
    pub fn synced(&self, link: LinkId, outbox: &mut Outbox) {
        if self.handlers.is_serving(link) {
            let answer = QuorumPacket::Sync { zxid: Zxid::ZERO };
            outbox.send_links([link], |out| answer.encode(&mut Writer::new(out)));
        }
    }

    /// The leader has answered a question about a session that was handed on for this observer.
    pub fn revalidated(&mut self, link: LinkId, session: SessionId, valid: bool, outbox: &mut Outbox) {
        self.handlers.revalidated(link, session, valid, outbox);
    }

    /// The answer to an `Output::Load` of this master; of another one it is nothing.
    pub fn loaded(&mut self, id: LoadId, txns: Option<Vec<Bytes>>, turn: &mut LeaderTurn<'_>) {
        self.handlers.loaded(id, txns, turn);
    }

    /// When [`ObserverMaster::timeout`] has something to do.
    pub fn next_timeout(&self) -> Option<Mono> {
        self.handlers.next_timeout()
    }

    /// That time has come.
    pub fn timeout(&mut self, turn: &mut LeaderTurn<'_>) {
        self.handlers.timeout(turn);
    }

    /// Its server follows no more: every link is closed.
    pub fn stop(&mut self, outbox: &mut Outbox) {
        self.handlers.stop(outbox);
    }

    /// Who learns from it.
    pub fn learners(&self) -> impl Iterator<Item = LearnerView> + '_ {
        self.handlers.learners()
    }

    /// In which epoch.
    pub fn epoch(&self) -> Epoch {
        self.handlers.epoch()
    }
}
