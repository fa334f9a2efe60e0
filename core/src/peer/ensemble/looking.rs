//! Elections: what the machine wants told, and the part that its end gives this server.

use super::{Leading, Learning, Peer, Stance};
use crate::contract::{Outbox, PeerEvent};
use crate::election::{Candidacy, ElectionOutput, FastLeaderElection, Vote};
use crate::metrics::{Basic, Counter};
use crate::quorum::{Memberships, Role as Part};
use crate::vocabulary::Now;
use crate::zab::{Leader, LeaderTurn, Learner, LearnerConfig, LearnerKind, LearnerTurn, Standing};
use std::collections::{BTreeMap, VecDeque};

impl Peer {
    /// Begins an election. The vote is what the log holds, all of it durable.
    pub(super) fn start_looking(&mut self, now: Now, outbox: &mut Outbox) {
        self.end_fuzziness();
        let zxid = self.state.database.last_zxid();
        self.state.metrics.count(Counter::LookingCount);
        let member = self.member_mut();
        let candidacy = Candidacy { zxid, current_epoch: i64::from(member.epochs.current.0) };
        member.turn_to(Stance::Looking, now);
        outbox.event(PeerEvent::Looking { zxid, epoch: candidacy.current_epoch });
        self.look(now, outbox, |election, members, out| election.start(now.mono, candidacy, members, out));
    }

    /// Does something with the election, and what that wants done. It also answers others' questions when there is none.
    pub(super) fn look(
        &mut self,
        now: Now,
        outbox: &mut Outbox,
        act: impl FnOnce(&mut FastLeaderElection, &Memberships, &mut Vec<ElectionOutput>),
    ) {
        let member = self.member_mut();
        let mut wanted = Vec::new();
        act(&mut member.election, &member.members, &mut wanted);
        for output in wanted {
            match output {
                ElectionOutput::Send { to, notification } => {
                    self.with_links(outbox, |links, out| links.send(to, &notification, out));
                }
                ElectionOutput::Elected(vote) => self.elected(now, vote, outbox),
                ElectionOutput::Lasts { heard, silent } => {
                    let looking = now.mono.millis_since(self.member_mut().since);
                    outbox.event(PeerEvent::NoLeader { looking, heard, silent });
                }
            }
        }
    }

    fn elected(&mut self, now: Now, vote: Vote, outbox: &mut Outbox) {
        self.end_read_only(now, outbox);
        let last_zxid = self.state.database.last_zxid();
        let took = now.mono.millis_since(self.member_mut().since);
        self.state.metrics.add(Basic::ElectionTime, took.0 as i64);
        let member = self.member_mut();
        let leader = vote.leader.expect("an election ends with somebody");
        let standing = Standing { epochs: member.epochs, last_zxid };
        outbox.event(PeerEvent::Elected { leader, took });
        if leader == member.me {
            return self.begin_leading(now, standing, outbox);
        }
        let kind = match member.config.role {
            Part::Participant => LearnerKind::Follower,
            Part::Observer => LearnerKind::Observer,
        };
        let config_version = member.members.committed().version();
        let (leader, port) = member.masters.choose(leader);
        let config = LearnerConfig { zab: member.zab, kind, leader, port, config_version };
        let mut events = Vec::new();
        let learner =
            Learner::new(config, standing, &mut LearnerTurn { now: now.mono, outbox, events: &mut events });
        let learning = Learning {
            learner,
            revalidating: BTreeMap::new(),
            asked_about: VecDeque::new(),
            mastering: None,
            history_ends: None,
        };
        self.member_mut().turn_to(Stance::Learning(Box::new(learning)), now);
        self.expect_fuzziness();
        self.dismiss_newcomers(outbox);
        self.learner_events(now, events, outbox);
    }

    fn begin_leading(&mut self, now: Now, standing: Standing, outbox: &mut Outbox) {
        let mut events = Vec::new();
        let database = &self.state.database;
        let member = match &mut self.role {
            crate::peer::role::Role::Member(member) => member,
            crate::peer::role::Role::Standalone => unreachable!("a server alone is not elected"),
        };
        let ground = crate::zab::Ground { committed_log: &member.committed_log, image: &|| database.image() };
        let mut turn = LeaderTurn { now: now.mono, ground, outbox, events: &mut events };
        let leader = Leader::new(member.zab, member.members.clone(), standing, &mut turn);
        member.turn_to(Stance::Leading(Box::new(Leading { leader, late_answers: VecDeque::new() })), now);
        self.leader_events(now, events, outbox);
        self.welcome_newcomers(now, outbox);
    }
}
