//! The end of a part: clients and links go, the disk says how far history reaches, and the tree becomes what the log is
//! (`quorum-protocol.md` §6.6; ZOOKEEPER-2845, -4541, -4712).

use super::{Peer, Stance};
use crate::contract::{Outbox, PeerEvent};
use crate::peer::Ending;
use crate::peer::role::Role;
use crate::pipeline::{ConnectionState, Prep};
use crate::session::Noted;
use crate::tree::{Database, Unobserved};
use crate::vocabulary::{ConnId, Now, Zxid};
use bytes::Bytes;
use std::collections::VecDeque;

impl Peer {
    /// The part ends. Clients look for a server that serves.
    pub(super) fn leave(&mut self, now: Now, reason: String, outbox: &mut Outbox) {
        self.end_role(outbox);
        let member = self.member_mut();
        member.syncs.clear();
        let lasted = now.mono.millis_since(member.since);
        member.turn_to(Stance::Draining, now);
        outbox.event(PeerEvent::RoleEnded { reason, lasted });
        self.send_clients_away(outbox);
        self.look_when_drained(now, outbox);
    }

    /// Closes every connection that was served.
    pub(super) fn send_clients_away(&mut self, outbox: &mut Outbox) {
        let served = |state| !matches!(state, ConnectionState::Accepted { .. } | ConnectionState::FourLetter);
        let clients = self.state.connections.iter().filter(|connection| served(connection.state()));
        let clients: Vec<ConnId> = clients.map(|connection| connection.id()).collect();
        for conn in clients {
            self.state.close(conn, outbox);
        }
        self.state.connections.unfinished.clear();
    }

    /// Closes the part's links; of a server alone there are none.
    pub(in crate::peer) fn end_role(&mut self, outbox: &mut Outbox) {
        let Role::Member(member) = &mut self.role else { return };
        match &mut member.stance {
            Stance::Leading(leading) => leading.leader.stop(outbox),
            Stance::Learning(learning) => {
                learning.learner.stop(outbox);
                if let Some(mastering) = &mut learning.mastering {
                    mastering.master.stop(outbox);
                }
            }
            Stance::Draining | Stance::Looking => {}
        }
    }

    /// Whether the disk has confirmed everything that it was given.
    pub(super) fn is_drained(&self) -> bool {
        let is_idle = |member: &super::Member| member.epoch_ops.is_empty() && member.truncating.is_none();
        self.log_stored == self.log_seq && self.as_member().is_some_and(is_idle)
    }

    /// Looks for a leader, unless something is still on its way to the disk: a vote is a promise.
    pub(super) fn look_when_drained(&mut self, now: Now, outbox: &mut Outbox) {
        let is_draining = matches!(self.member_mut().stance, Stance::Draining);
        if !is_draining || !self.is_drained() || self.ending != Ending::Serving {
            return;
        }
        self.fast_forward(now, outbox);
        self.start_looking(now, outbox);
    }

    /// Applies what was logged and is not known to be committed: the next leader decides about it, and may be this server.
    fn fast_forward(&mut self, now: Now, outbox: &mut Outbox) {
        for proposal in self.commit.take() {
            let zxid = proposal.zxid();
            self.end_fuzziness_before(zxid);
            let mismatches = self.state.database.digest_mismatches();
            let applied = self.state.database.apply(&proposal.txn, &mut Unobserved);
            self.state.judge_tree(&proposal.txn, &applied, mismatches, outbox);
            if zxid > self.committed {
                self.commit(zxid, proposal.bytes);
            }
        }
        self.member_mut().logging.clear();
        self.reset_prep();
        self.track_sessions(now, Noted::Touched);
    }

    /// Another database takes the place of this one. Nothing is under way, and nobody is served.
    pub(super) fn adopt(&mut self, now: Now, database: Database, recent: VecDeque<(Zxid, Bytes)>) {
        let last = database.last_zxid();
        self.commit.take();
        self.state.database = database;
        self.committed = last;
        self.mismatches_at_start = self.state.database.digest_mismatches();
        let member = self.member_mut();
        member.logging.clear();
        member.committed_log.refill(last, recent);
        self.reset_prep();
        self.track_sessions(now, Noted::Touched);
    }

    fn reset_prep(&mut self) {
        let database = &self.state.database;
        self.prep = Prep::new(self.seed, database.last_zxid(), database.tree.digest());
    }
}
