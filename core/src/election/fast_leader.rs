//! The rounds of an election, from the first proposal to a vote that a quorum shares.
//!
//! Where Java keeps a queue and waits inside of a loop, this machine keeps a deadline: votes that come while it waits for a better
//! one are counted, not dropped; and who is heard for the first time in a round is told our proposal. Both can only end an election
//! sooner.
//!
//! A server whose quorum port could not be reached, or is silent, is left out of our own proposals for a while
//! ([`FastLeaderElection::avoid`]): otherwise a server with the best vote that nobody can follow would be elected for ever. Its own
//! vote, and others' votes for it, still count. The while is the longer the longer we tried: others, who tried at the same time, are
//! done with it before ours is over, or no quorum would ever leave that server out at once. Who was only slow is proposed again then.
//! It ends early when somebody else's leadership is established: the epoch that begins has made the vote of whoever could not take part a
//! bad one, and whoever did take part could be reached.

use super::vote::{Round, Vote};
use crate::jute::{Notification, PeerState};
use crate::quorum::{ElectionTimes, Memberships, ServerSet};
use crate::vocabulary::{Millis, Mono, ServerId, Zxid};
use std::collections::BTreeMap;

/// A zxid that says that the server's data is missing (ZOOKEEPER-2325): it neither elects nor is elected.
const DATA_MISSING: Zxid = Zxid(-1);

/// An election that lasts longer is told of, with each telling of the proposal.
const LONG: Millis = Millis(5_000);

/// What a server brings into an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidacy {
    /// The last zxid of its durable history; -1 when its data is missing.
    pub zxid: Zxid,
    /// Its `currentEpoch` file.
    pub current_epoch: i64,
}

/// What an election wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElectionOutput {
    /// Tell another server; only the newest word to each matters.
    Send {
        /// Whom.
        to: ServerId,
        /// What.
        notification: Notification,
    },
    /// The election is over: lead, when the vote is for oneself, otherwise follow or observe.
    Elected(Vote),
    /// It has lasted for long, and goes on: an operator may want to know.
    Lasts {
        /// Of other voters that were heard the last vote, usable or not.
        heard: Vec<(ServerId, Option<ServerId>)>,
        /// The others.
        silent: Vec<ServerId>,
    },
}

/// See the module's words.
#[derive(Clone, Debug)]
pub struct FastLeaderElection {
    me: ServerId,
    times: ElectionTimes,
    round: Round,
    /// What is told to servers that ask while nobody is being elected: the last end, at first oneself.
    current: Vote,
    state: PeerState,
    looking: Option<Looking>,
    avoided: BTreeMap<ServerId, Mono>,
}

/// An election under way.
#[derive(Clone, Debug)]
struct Looking {
    since: Mono,
    own: Vote,
    proposal: Vote,
    /// What was heard in this round.
    votes: BTreeMap<ServerId, Vote>,
    /// What settled servers said, of whatever round.
    settled: BTreeMap<ServerId, Vote>,
    /// Whom each voter named last, in whatever way it counts.
    heard: BTreeMap<ServerId, Option<ServerId>>,
    interval: Millis,
    resend_at: Mono,
    /// When the proposal wins unless a better one comes.
    finalize_at: Option<Mono>,
}

impl FastLeaderElection {
    /// A server that has not looked for a leader yet.
    pub fn new(me: ServerId, times: ElectionTimes) -> Self {
        FastLeaderElection {
            me,
            times,
            round: Round::default(),
            current: Vote::nobody(),
            state: PeerState::Looking,
            looking: None,
            avoided: BTreeMap::new(),
        }
    }

    /// What this server does, as it tells others.
    pub fn state(&self) -> PeerState {
        self.state
    }

    /// The logical clock.
    pub fn round(&self) -> Round {
        self.round
    }

    /// What is told to those who ask.
    pub fn current_vote(&self) -> Vote {
        self.current
    }

    /// Begins an election.
    pub fn start(
        &mut self,
        now: Mono,
        candidacy: Candidacy,
        members: &Memberships,
        out: &mut Vec<ElectionOutput>,
    ) {
        // Behind the last number, which anybody may have told, the first comes, as in Java. Whoever is behind takes over the others' round.
        self.round.0 = self.round.0.wrapping_add(1);
        let own = match members.committed().is_voter(self.me) {
            true => Vote::own(self.me, candidacy.zxid, candidacy.current_epoch),
            false => Vote::nobody(),
        };
        if self.current.leader.is_none() {
            self.current = own;
        }
        self.state = PeerState::Looking;
        self.avoided.retain(|_, until| *until > now);
        let interval = self.times.min_interval;
        self.looking = Some(Looking {
            since: now,
            own,
            proposal: own,
            votes: BTreeMap::new(),
            settled: BTreeMap::new(),
            heard: BTreeMap::new(),
            interval,
            resend_at: now + interval,
            finalize_at: None,
        });
        self.propose(now, own, members, out);
    }

    /// This server could not be followed, and that took us so long: it is not proposed for as long again, and a while.
    pub fn avoid(&mut self, now: Mono, server: ServerId, tried: Millis) {
        self.avoided.insert(server, now + tried + self.times.avoid);
    }

    /// The leader reached broadcast, or this server follows it there: its epoch is told from now on, and nobody has to be left out.
    pub fn update_epoch(&mut self, epoch: i64) {
        self.current.peer_epoch = epoch;
        self.avoided.clear();
    }

    /// When [`FastLeaderElection::timeout`] has something to do.
    pub fn next_timeout(&self) -> Option<Mono> {
        let looking = self.looking.as_ref()?;
        Some(looking.finalize_at.map_or(looking.resend_at, |at| at.min(looking.resend_at)))
    }

    /// A deadline passed: the proposal wins, or is told again.
    pub fn timeout(&mut self, now: Mono, members: &Memberships, out: &mut Vec<ElectionOutput>) {
        let Some(looking) = self.looking.as_mut() else { return };
        if looking.finalize_at.is_some_and(|at| at <= now) {
            let vote = looking.proposal;
            return self.finish(vote, self.round, members, out);
        }
        if looking.resend_at <= now {
            looking.interval = Millis((looking.interval.0 * 2).min(self.times.max_interval.0));
            looking.resend_at = now + looking.interval;
            if now >= looking.since + LONG {
                let voters = members.voters();
                let others = || voters.iter().filter(|id| *id != self.me);
                let heard = others().filter_map(|id| Some((id, *looking.heard.get(&id)?))).collect();
                let silent = others().filter(|id| !looking.heard.contains_key(id)).collect();
                out.push(ElectionOutput::Lasts { heard, silent });
            }
            let proposal = looking.proposal;
            self.broadcast(proposal, members, out);
        }
    }

    /// A server told its vote. `config` of our own notifications is the committed configuration.
    pub fn receive(
        &mut self,
        now: Mono,
        from: ServerId,
        notification: &Notification,
        members: &Memberships,
        out: &mut Vec<ElectionOutput>,
    ) {
        let voters = members.voters();
        let vote = Vote::from_notification(notification);
        if !voters.contains(from) {
            // An observer or a joiner asks who leads.
            return out.push(self.tell(from, self.current, self.round, members));
        }
        let Some(looking) = &mut self.looking else {
            if vote.state == PeerState::Looking {
                out.push(self.tell(from, self.current, self.current.round, members));
            }
            return;
        };
        looking.heard.insert(from, vote.leader);
        let proposal = looking.proposal;
        if vote.state == PeerState::Looking && vote.round < self.round {
            out.push(self.tell(from, proposal, self.round, members));
        }
        if !vote.leader.is_some_and(|leader| voters.contains(leader)) {
            return;
        }
        match vote.state {
            PeerState::Looking => self.receive_looking(now, from, vote, members, out),
            PeerState::Following | PeerState::Leading => self.receive_settled(from, vote, members, out),
            PeerState::Observing => {}
        }
    }

    fn receive_looking(
        &mut self,
        now: Mono,
        from: ServerId,
        vote: Vote,
        members: &Memberships,
        out: &mut Vec<ElectionOutput>,
    ) {
        let avoided = vote.leader.is_some_and(|leader| self.is_avoided(now, leader));
        let Some(looking) = self.looking.as_mut() else { return };
        if looking.own.zxid == DATA_MISSING || vote.zxid == DATA_MISSING || vote.round < self.round {
            return;
        }
        if vote.round > self.round {
            self.round = vote.round;
            looking.votes.clear();
            let better = !avoided && vote.beats(&looking.own, members.committed());
            let proposal = if better { vote } else { looking.own };
            self.propose(now, proposal, members, out);
        } else if !avoided && vote.beats(&looking.proposal, members.committed()) {
            self.propose(now, vote, members, out);
        } else if !looking.votes.contains_key(&from) {
            // It may have begun to look only now, and have dropped our word: Java lets it wait until that is told again.
            let proposal = looking.proposal;
            out.push(self.tell(from, proposal, self.round, members));
        }
        let Some(looking) = self.looking.as_mut() else { return };
        looking.votes.insert(from, vote);
        self.tally(now, members);
    }

    fn receive_settled(
        &mut self,
        from: ServerId,
        vote: Vote,
        members: &Memberships,
        out: &mut Vec<ElectionOutput>,
    ) {
        let Some(looking) = self.looking.as_mut() else { return };
        if vote.round == self.round {
            looking.votes.insert(from, vote);
            if wins(&looking.votes, &vote, members) && self.is_led(true, &vote) {
                return self.finish(vote, vote.round, members, out);
            }
        }
        let Some(looking) = self.looking.as_mut() else { return };
        looking.settled.insert(from, vote);
        if wins(&looking.settled, &vote, members) && self.is_led(false, &vote) {
            self.finish(vote, vote.round, members, out);
        }
    }

    /// Whether the leader itself says that it leads; of oneself, whether the vote is of this round.
    fn is_led(&self, in_round: bool, vote: &Vote) -> bool {
        let (Some(looking), Some(leader)) = (&self.looking, vote.leader) else { return false };
        if leader == self.me {
            return vote.round == self.round;
        }
        let votes = if in_round { &looking.votes } else { &looking.settled };
        votes.get(&leader).is_some_and(|word| word.state == PeerState::Leading)
    }

    /// Arms the last wait when a quorum shares the proposal, and disarms it when none does.
    fn tally(&mut self, now: Mono, members: &Memberships) {
        let wait = self.times.finalize_wait;
        let Some(looking) = self.looking.as_mut() else { return };
        if !wins(&looking.votes, &looking.proposal, members) {
            looking.finalize_at = None;
        } else if looking.finalize_at.is_none() {
            looking.finalize_at = Some(now + wait);
        }
    }

    /// Proposes a candidate from now on, and tells everybody.
    fn propose(&mut self, now: Mono, candidate: Vote, members: &Memberships, out: &mut Vec<ElectionOutput>) {
        let proposal = Vote { round: self.round, state: PeerState::Looking, version: 0, ..candidate };
        let (me, round) = (self.me, self.round);
        let Some(looking) = self.looking.as_mut() else { return };
        looking.own.round = round;
        looking.proposal = proposal;
        looking.finalize_at = None;
        if members.committed().is_voter(me) {
            looking.votes.insert(me, proposal);
        }
        self.broadcast(proposal, members, out);
        self.tally(now, members);
    }

    fn broadcast(&self, proposal: Vote, members: &Memberships, out: &mut Vec<ElectionOutput>) {
        let others = members.voters();
        let others = others.iter().filter(|id| *id != self.me);
        let notification = proposal.to_notification(self.state, self.round, members.text());
        out.extend(others.map(|to| ElectionOutput::Send { to, notification: notification.clone() }));
    }

    fn tell(&self, to: ServerId, vote: Vote, round: Round, members: &Memberships) -> ElectionOutput {
        ElectionOutput::Send { to, notification: vote.to_notification(self.state, round, members.text()) }
    }

    fn is_avoided(&self, now: Mono, server: ServerId) -> bool {
        self.avoided.get(&server).is_some_and(|until| *until > now)
    }

    fn finish(&mut self, vote: Vote, round: Round, members: &Memberships, out: &mut Vec<ElectionOutput>) {
        assert!(self.looking.take().is_some(), "an election ends once");
        self.round = round;
        self.state = match (vote.leader == Some(self.me), members.committed().is_voter(self.me)) {
            (true, _) => PeerState::Leading,
            (false, true) => PeerState::Following,
            (false, false) => PeerState::Observing,
        };
        self.current = Vote { state: self.state, ..vote };
        out.push(ElectionOutput::Elected(self.current));
    }
}

/// Whether those who voted alike are a quorum.
fn wins(votes: &BTreeMap<ServerId, Vote>, vote: &Vote, members: &Memberships) -> bool {
    let supporters: ServerSet =
        votes.iter().filter(|(_, cast)| cast.supports(vote)).map(|(from, _)| *from).collect();
    members.have_quorums(&supporters)
}
