//! Connections between servers, and whom they concern: elections, the leader that this server is, the learner that it is.
//!
//! A dial's result that nobody waits for any more is closed. Who connects to the quorum port while it is open whether this server
//! leads waits, with the first thing it says, for as long as discovery may take: Java's learners dial a leader that does not know yet.

use super::{Peer, Stance};
use crate::contract::{History, LoadId, Outbox, Output, Port, QuorumMessage, StoreOp, StoreSeq};
use crate::election::LinkOutput;
use crate::jute::{ElectionMessage, QuorumPacket};
use crate::vocabulary::{LinkId, Mono, Now, ServerId};
use bytes::Bytes;

/// So many connections wait for this server to lead.
const MOST_NEWCOMERS: usize = 1000;

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) struct Newcomer {
    deadline: Mono,
    packet: Option<QuorumPacket>,
}

impl Newcomer {
    pub(super) fn deadline(&self) -> Mono {
        self.deadline
    }
}

impl Peer {
    pub(in crate::peer) fn dialled(
        &mut self,
        now: Now,
        (port, to): (Port, ServerId),
        link: LinkId,
        outbox: &mut Outbox,
    ) {
        if port == Port::Election {
            return self.with_links(outbox, |links, out| links.dialled(to, link, out));
        }
        let mut is_wanted = false;
        if self.member_mut().learns_at() == Some((to, port)) {
            self.learn(now, outbox, |learner, turn| is_wanted = learner.dialled(link, turn));
        }
        if !is_wanted {
            outbox.push(Output::CloseLink { link });
        }
    }

    pub(in crate::peer) fn dial_failed(
        &mut self,
        now: Now,
        (port, to): (Port, ServerId),
        reason: &str,
        outbox: &mut Outbox,
    ) {
        if port == Port::Election {
            return self.member_mut().links.failed(to);
        }
        if self.member_mut().learns_at() == Some((to, port)) {
            self.learn(now, outbox, |learner, turn| learner.dial_failed(reason, turn));
        }
    }

    /// Over the election port nothing happens before it is said who it is.
    pub(in crate::peer) fn link_accepted(&mut self, now: Now, port: Port, link: LinkId, outbox: &mut Outbox) {
        if port == Port::Election {
            return;
        }
        if port == Port::ObserverMaster {
            return match self.member_mut().master() {
                Some(_) => self.serve_observers(now, outbox, |master, turn| master.accepted(link, turn)),
                None => outbox.push(Output::CloseLink { link }),
            };
        }
        let deadline = now.mono + self.member_mut().zab.init_span();
        let member = self.member_mut();
        match member.stance {
            Stance::Leading(_) => self.lead(now, outbox, |leader, turn| leader.accepted(link, turn)),
            Stance::Draining | Stance::Looking if member.newcomers.len() < MOST_NEWCOMERS => {
                member.newcomers.insert(link, Newcomer { deadline, packet: None });
            }
            _ => outbox.push(Output::CloseLink { link }),
        }
    }

    pub(in crate::peer) fn election_message(
        &mut self,
        now: Now,
        link: LinkId,
        message: &ElectionMessage,
        outbox: &mut Outbox,
    ) {
        match message {
            ElectionMessage::Initial(initial) => {
                self.with_links(outbox, |links, out| links.accepted(link, initial, out));
            }
            ElectionMessage::Notification(notification) => {
                let member = self.member_mut();
                let Some(from) = member.links.peer_of(link) else { return };
                // Whoever drains tells nobody that it leads, or follows: soon it will not.
                if matches!(member.stance, Stance::Draining) {
                    return;
                }
                self.look(now, outbox, |election, members, out| {
                    election.receive(now.mono, from, notification, members, out);
                });
            }
            ElectionMessage::Malformed => {}
        }
    }

    pub(in crate::peer) fn quorum_message(
        &mut self,
        now: Now,
        link: LinkId,
        message: QuorumMessage,
        outbox: &mut Outbox,
    ) {
        let member = self.member_mut();
        if let Some(newcomer) = member.newcomers.get_mut(&link) {
            match message {
                QuorumMessage::Packet(packet) if newcomer.packet.is_none() => {
                    newcomer.packet = Some(packet);
                }
                _ => {
                    member.newcomers.remove(&link);
                    outbox.push(Output::CloseLink { link });
                }
            }
            return;
        }
        match (&member.stance, message) {
            (Stance::Leading(_), QuorumMessage::Packet(packet)) => {
                self.lead(now, outbox, |leader, turn| leader.packet(link, packet, turn));
            }
            (Stance::Learning(learning), message) if learning.learner.link() == Some(link) => {
                self.learn(now, outbox, |learner, turn| match message {
                    QuorumMessage::Packet(packet) => learner.packet(packet, turn),
                    QuorumMessage::SnapshotUnderWay => learner.heard(now.mono),
                    QuorumMessage::Snapshot(database) => learner.snapshot(database, turn),
                });
            }
            (Stance::Learning(_), QuorumMessage::Packet(packet)) => {
                self.serve_observers(now, outbox, |master, turn| master.packet(link, packet, turn));
            }
            // Of a link that was closed.
            _ => return,
        }
        self.go_on(now, outbox);
    }

    pub(in crate::peer) fn link_written(&mut self, link: LinkId, outbox: &mut Outbox) {
        self.with_links(outbox, |links, out| links.written(link, out));
    }

    pub(in crate::peer) fn link_backlog(
        &mut self,
        now: Now,
        link: LinkId,
        bytes: usize,
        outbox: &mut Outbox,
    ) {
        match self.member_mut().stance {
            Stance::Leading(_) => self.lead(now, outbox, |leader, turn| leader.backlog(link, bytes, turn)),
            _ => self.serve_observers(now, outbox, |master, turn| master.backlog(link, bytes, turn)),
        }
    }

    pub(in crate::peer) fn link_closed(&mut self, now: Now, link: LinkId, reason: &str, outbox: &mut Outbox) {
        let member = self.member_mut();
        member.newcomers.remove(&link);
        member.links.closed(link);
        match member.stance {
            Stance::Leading(_) => self.lead(now, outbox, |leader, turn| leader.closed(link, reason, turn)),
            Stance::Learning(_) => {
                self.learn(now, outbox, |learner, turn| learner.closed(link, reason, turn));
                self.serve_observers(now, outbox, |master, turn| master.closed(link, reason, turn));
            }
            Stance::Draining | Stance::Looking => {}
        }
        self.go_on(now, outbox);
    }

    pub(in crate::peer) fn loaded(
        &mut self,
        now: Now,
        id: LoadId,
        txns: Option<Vec<Bytes>>,
        outbox: &mut Outbox,
    ) {
        match self.member_mut().stance {
            Stance::Leading(_) => self.lead(now, outbox, |leader, turn| leader.loaded(id, txns, turn)),
            _ => self.serve_observers(now, outbox, |master, turn| master.loaded(id, txns, turn)),
        }
    }

    /// The log was cut: what is left takes the place of what was there.
    pub(in crate::peer) fn truncated(
        &mut self,
        now: Now,
        seq: StoreSeq,
        history: History,
        outbox: &mut Outbox,
    ) {
        self.log_stored = seq;
        let History { database, recent } = history;
        self.adopt(now, database, recent);
        self.expect_fuzziness();
        self.member_mut().truncating = None;
        self.tell_truncated(now, outbox);
    }

    /// The log can't be cut there: nothing was changed, and it is taken as it is. False when it was something else that failed.
    pub(in crate::peer) fn truncation_refused(
        &mut self,
        now: Now,
        seq: StoreSeq,
        outbox: &mut Outbox,
    ) -> bool {
        let Some(member) = self.as_member_mut() else { return false };
        if member.truncating.take_if(|truncating| *truncating == seq).is_none() {
            return false;
        }
        // Tells the log's lane to go on with what it has.
        self.store_log(StoreOp::Roll, outbox);
        self.tell_truncated(now, outbox);
        true
    }

    fn tell_truncated(&mut self, now: Now, outbox: &mut Outbox) {
        let last = self.state.database.last_zxid();
        match self.member_mut().stance {
            Stance::Learning(_) => self.learn(now, outbox, |learner, turn| learner.truncated(last, turn)),
            _ => self.look_when_drained(now, outbox),
        }
        self.go_on(now, outbox);
    }

    /// Those who waited for this server to lead: it does.
    pub(super) fn welcome_newcomers(&mut self, now: Now, outbox: &mut Outbox) {
        for (link, newcomer) in std::mem::take(&mut self.member_mut().newcomers) {
            self.lead(now, outbox, |leader, turn| leader.accepted(link, turn));
            if let Some(packet) = newcomer.packet {
                self.lead(now, outbox, |leader, turn| leader.packet(link, packet, turn));
            }
        }
    }

    /// Those who waited for this server to lead: it does not.
    pub(super) fn dismiss_newcomers(&mut self, outbox: &mut Outbox) {
        for (link, _) in std::mem::take(&mut self.member_mut().newcomers) {
            outbox.push(Output::CloseLink { link });
        }
    }

    pub(super) fn expire_newcomers(&mut self, now: Now, outbox: &mut Outbox) {
        let member = self.member_mut();
        member.newcomers.retain(|link, newcomer| {
            let may_stay = newcomer.deadline > now.mono;
            if !may_stay {
                outbox.push(Output::CloseLink { link: *link });
            }
            may_stay
        });
    }

    /// Does something with the election port's links, and what that wants done.
    pub(super) fn with_links(
        &mut self,
        outbox: &mut Outbox,
        act: impl FnOnce(&mut crate::election::ElectionLinks, &mut Vec<LinkOutput>),
    ) {
        let mut wanted = Vec::new();
        act(&mut self.member_mut().links, &mut wanted);
        for output in wanted {
            outbox.push(match output {
                LinkOutput::Dial(to) => Output::Dial { port: Port::Election, to },
                LinkOutput::Write(link, bytes) => Output::SendLink { link, bytes },
                LinkOutput::Close(link) => Output::CloseLink { link },
            });
        }
    }
}
