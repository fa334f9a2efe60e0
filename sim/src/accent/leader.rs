//! A leader as Java is one, over one connection at a time (`quorum-protocol.md` §5, §6): what it makes of what its learner says, and what it
//! does by itself. The rest of its ensemble is not there: what is to be committed is, and never by the learner's word alone.
//!
//! Where Java differs from Quorate as a leader, this is Java: TRUNC without asking whether the learner can, databases that are written
//! while txns are applied, PROPOSAL and COMMIT to observers until they are up to date, a configuration behind NEWLEADER, commits and
//! PINGs between NEWLEADER and UPTODATE, changes of the configuration.

use super::history::JavaHistory;
use super::host::{ME, OTHERS};
use super::sync::{Opening, choose};
use crate::checkers::Violation;
use crate::chooser::Draws;
use crate::counters::Counters;
use crate::plan::{ConfigText, ReignPlan};
use crate::world::fuzzy;
use bytes::Bytes;
use quorate_core::jute::{Encode as _, QuorumPacket};
use quorate_core::vocabulary::{Epoch, Zxid};
use std::collections::VecDeque;

/// What free choices and counts go through.
pub(super) struct Around<'a, 'd> {
    pub(super) draws: &'a mut Draws<'d>,
    pub(super) counters: &'a mut Counters,
}

/// The servers as the learner knows them; a version says that they can be reconfigured.
fn config_text(is_observer: bool, version: i64) -> Bytes {
    let me = if is_observer { "observer" } else { "participant" };
    let me = format!("server.{}=10.0.0.1:2888:3888:{me}\n", ME.0);
    let others = OTHERS.map(|id| format!("server.{id}=10.0.0.{id}:2888:3888:participant\n"));
    Bytes::from(me + &others.collect::<String>() + &format!("version={version:x}"))
}

/// How far the learner is, as its leader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// FOLLOWERINFO or OBSERVERINFO is to come.
    Met,
    /// ACKEPOCH is to come.
    Asked,
    /// NEWLEADER is on its way, with everything before it.
    Sent,
    /// It is acknowledged.
    Acknowledged,
    /// UPTODATE is on its way.
    Serving,
}

#[derive(Debug)]
struct Learner {
    stage: Stage,
    is_observer: bool,
    /// Proposals that it has to acknowledge, each by a packet of its own, in this order.
    unacked: VecDeque<Zxid>,
    pings: u32,
    /// Where the history ends that NEWLEADER stands behind.
    mark: Zxid,
}

/// What an acknowledgement promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// Everything up to here, and this epoch.
    NewLeader(Zxid),
    /// Everything up to here.
    Proposal(Zxid),
}

/// See the module's words.
#[derive(Debug)]
pub(super) struct Leader<'p> {
    plan: &'p ReignPlan,
    pub(super) epoch: Epoch,
    pub(super) history: JavaHistory,
    is_established: bool,
    learner: Option<Learner>,
    /// What was given to the connection, packet by packet.
    pub(super) out: VecDeque<Bytes>,
    live: u32,
    pings: u32,
    /// The change of the configuration, once it is proposed.
    pub(super) reconfig: Option<Zxid>,
    /// The learner was told of it while it was not history yet.
    pub(super) has_told_reconfig: bool,
    /// The learner was told to give a part of its history up, or all of it.
    pub(super) has_taken_away: bool,
    /// The end of what it had been sent when the first NEWLEADER of this epoch was.
    pub(super) first_mark: Option<Zxid>,
}

impl<'p> Leader<'p> {
    /// The next leader, of the epoch behind its predecessor's.
    pub(super) fn new(
        plan: &'p ReignPlan,
        epoch: Epoch,
        mut history: JavaHistory,
        draws: &mut Draws<'_>,
    ) -> Self {
        let inherited = history.committed + plan.inherits as usize;
        history.cut(inherited.min(history.len()));
        history.applied = history.len();
        let mut leader = Leader {
            plan,
            epoch,
            history,
            is_established: false,
            learner: None,
            out: VecDeque::new(),
            live: plan.live,
            pings: plan.pings,
            reconfig: None,
            has_told_reconfig: false,
            has_taken_away: false,
            first_mark: None,
        };
        if plan.is_established {
            leader.establish();
            (0..plan.missed).for_each(|_| leader.propose(draws));
            leader.history.committed = leader.history.len();
            leader.history.applied = leader.history.len();
        }
        leader
    }

    /// A quorum has taken its history over, which is committed by that.
    fn establish(&mut self) {
        self.is_established = true;
        self.history.committed = self.history.len();
        self.history.begins(Zxid::new(self.epoch, 0));
    }

    /// `lastProcessedZxid`.
    pub(super) fn last_processed(&self) -> Zxid {
        let applied = self.history.end(self.history.applied);
        if self.is_established { applied.max(Zxid::new(self.epoch, 0)) } else { applied }
    }

    fn next_zxid(&self) -> Zxid {
        self.history.end(self.history.len()).max(Zxid::new(self.epoch, 0)).next()
    }

    fn say(&mut self, packet: &QuorumPacket) {
        self.out.push_back(packet.to_bytes());
    }

    fn proposal(&self, at: usize) -> QuorumPacket {
        QuorumPacket::Proposal { zxid: self.history.zxid(at), txn: self.history.bytes(at) }
    }

    /// Whether the learner hears of what is proposed and committed.
    fn is_forwarding(&self) -> bool {
        self.learner.as_ref().is_some_and(|learner| learner.stage >= Stage::Sent)
    }

    /// One more txn; followers hear of it.
    fn propose(&mut self, draws: &mut Draws<'_>) {
        let zxid = self.next_zxid();
        self.history.propose(zxid, draws);
        self.tell_proposal(self.history.len() - 1);
    }

    fn tell_proposal(&mut self, at: usize) {
        if !self.is_forwarding() {
            return;
        }
        let packet = self.proposal(at);
        if let Some(learner) = self.learner.as_mut().filter(|learner| !learner.is_observer) {
            let zxid = self.history.zxid(at);
            learner.unacked.push_back(zxid);
            self.has_told_reconfig |= self.reconfig == Some(zxid);
            self.say(&packet);
        }
    }

    /// The oldest txn that is not committed is.
    fn commit(&mut self) {
        let at = self.history.committed;
        self.history.committed += 1;
        self.history.applied = self.history.committed;
        let zxid = self.history.zxid(at);
        let is_reconfig = self.reconfig == Some(zxid);
        if !self.is_forwarding() {
            return;
        }
        self.has_told_reconfig |= is_reconfig;
        let is_observer = self.learner.as_ref().is_some_and(|learner| learner.is_observer);
        let txn = self.history.bytes(at);
        let designated_leader = 5;
        let packet = match (is_observer, is_reconfig) {
            (false, false) => QuorumPacket::Commit { zxid },
            (false, true) => QuorumPacket::CommitAndActivate { zxid, designated_leader },
            (true, false) => QuorumPacket::Inform { zxid, txn },
            (true, true) => QuorumPacket::InformAndActivate { zxid, designated_leader, txn },
        };
        self.say(&packet);
    }

    /// A connection to its quorum port.
    pub(super) fn meets(&mut self) {
        self.out.clear();
        self.has_told_reconfig = false;
        self.learner = Some(Learner {
            stage: Stage::Met,
            is_observer: false,
            unacked: VecDeque::new(),
            pings: 0,
            mark: Zxid::ZERO,
        });
    }

    /// The connection is over.
    pub(super) fn loses(&mut self) {
        self.out.clear();
        self.learner = None;
    }

    /// What the learner says.
    pub(super) fn hear(
        &mut self,
        packet: QuorumPacket,
        around: &mut Around<'_, '_>,
    ) -> Result<Option<Promise>, Violation> {
        let stage = self.stage();
        match (stage, packet) {
            (Some(Stage::Met), QuorumPacket::FollowerInfo { accepted_epoch, .. }) => {
                self.introduced(accepted_epoch, false)
            }
            (Some(Stage::Met), QuorumPacket::ObserverInfo { accepted_epoch, .. }) => {
                self.introduced(accepted_epoch, true)
            }
            (Some(Stage::Asked), QuorumPacket::AckEpoch { last_zxid, .. }) => {
                if last_zxid == Zxid(-1) {
                    around.counters.probe("java_asked_for_its_database");
                }
                self.synchronise(last_zxid, around);
            }
            (Some(Stage::Sent | Stage::Acknowledged | Stage::Serving), QuorumPacket::Ack { zxid }) => {
                return self.acknowledged(zxid).map(Some).or_else(|none| none.map_or(Ok(None), Err));
            }
            (Some(Stage::Serving), QuorumPacket::Ping { touched, .. }) => {
                let learner = self.learner.as_mut().expect("it has a stage");
                if touched.is_none() || learner.pings == 0 {
                    return Err(wrong("a PING that nobody asked for, or whose data is null"));
                }
                learner.pings -= 1;
            }
            (stage, packet) => return Err(wrong(&format!("{packet:?} from a learner that is {stage:?}"))),
        }
        Ok(None)
    }

    fn introduced(&mut self, accepted: Epoch, is_observer: bool) {
        // Java's own learner handler fails where a learner has promised itself beyond; no story does that.
        assert!(accepted <= self.epoch, "epochs of this ensemble only grow");
        let learner = self.learner.as_mut().expect("it has said something");
        (learner.stage, learner.is_observer) = (Stage::Asked, is_observer);
        let epoch = self.epoch;
        self.say(&QuorumPacket::LeaderInfo { epoch });
    }

    /// The first acknowledgement is NEWLEADER's, UPTODATE's is like it and means nothing, and each proposal has one.
    fn acknowledged(&mut self, zxid: Zxid) -> Result<Promise, Option<Violation>> {
        let learner = self.learner.as_mut().expect("it has said something");
        let new_leader = Zxid::new(self.epoch, 0);
        match learner.stage {
            Stage::Sent if zxid == new_leader => {
                learner.stage = Stage::Acknowledged;
                Ok(Promise::NewLeader(learner.mark))
            }
            Stage::Sent => {
                Err(Some(wrong(&format!("ACK of {zxid} before that of NEWLEADER (ZOOKEEPER-4685)"))))
            }
            Stage::Serving if zxid == new_leader => Err(None),
            _ if self.reconfig == Some(zxid) => Err(Some(wrong("ACK of a change of the configuration"))),
            _ if learner.unacked.front() == Some(&zxid) => {
                learner.unacked.pop_front();
                Ok(Promise::Proposal(zxid))
            }
            _ => {
                Err(Some(wrong(&format!("ACK of {zxid}, and {:?} are to be acknowledged", learner.unacked))))
            }
        }
    }

    /// `syncFollower`, `startForwarding` and NEWLEADER.
    fn synchronise(&mut self, last: Zxid, around: &mut Around<'_, '_>) {
        let sync = choose(self.plan, (&self.history, self.last_processed()), last);
        let learner = self.learner.as_mut().expect("it has said something");
        learner.stage = Stage::Sent;
        let is_observer = learner.is_observer;
        let mut current = sync.current;
        match sync.opening {
            Opening::Diff => around.counters.probe("java_diff"),
            Opening::Trunc(to) => {
                around.counters.probe("java_trunc");
                if to.epoch() != last.epoch() {
                    around.counters.probe("java_trunc_across_epochs");
                }
                self.has_taken_away = true;
                self.say(&QuorumPacket::Trunc { zxid: to });
            }
            Opening::Snap => current = self.last_processed(),
        }
        if sync.opening == Opening::Diff {
            let zxid = self.history.end(self.history.applied);
            self.say(&QuorumPacket::Diff { zxid });
        }
        for at in sync.pairs {
            if is_observer {
                around.counters.probe("java_observer_proposals");
            }
            let (packet, zxid) = (self.proposal(at), self.history.zxid(at));
            self.say(&packet);
            self.say(&QuorumPacket::Commit { zxid });
        }
        // What is proposed beyond goes to participants only.
        for at in self.history.count_up_to(current).max(self.history.committed)..self.history.len() {
            self.tell_proposal(at);
        }
        if sync.opening == Opening::Snap {
            self.send_database(around);
        }
        self.new_leader();
    }

    fn new_leader(&mut self) {
        let is_observer = self.learner.as_ref().is_some_and(|learner| learner.is_observer);
        let config = match self.plan.config {
            ConfigText::None => None,
            ConfigText::Static => Some(config_text(is_observer, 0)),
            ConfigText::Versioned => Some(config_text(is_observer, 1 << 32)),
        };
        let zxid = Zxid::new(self.epoch, 0);
        self.say(&QuorumPacket::NewLeader { zxid, config });
        let committed = self.history.end(self.history.applied);
        let learner = self.learner.as_mut().expect("it is synchronised");
        learner.unacked.retain(|zxid| *zxid > committed);
        learner.mark = committed;
        self.first_mark.get_or_insert(committed);
    }

    /// SNAP: its zxid is read when the connection is registered already, and the tree is written while txns go on being applied.
    fn send_database(&mut self, around: &mut Around<'_, '_>) {
        self.has_taken_away = true;
        let queued = self.out.split_off(0);
        let mut budget = if self.is_established { self.plan.during_snap } else { 0 };
        let before = around.draws.below(u64::from(budget / 3) + 1) as u32;
        budget -= before;
        self.work(before, around);
        let zxid = self.last_processed();
        let at = self.history.applied;
        self.work(budget, around);
        let (behind, ahead) = (self.history.txns(0..at), self.history.txns(at..self.history.applied));
        let stream = fuzzy::stream((&behind, &ahead), super::history::empty(), around.draws);
        around.counters.probe("java_snap");
        if before > 0 {
            around.counters.probe("java_snap_holds_what_follows");
        }
        if stream.is_ahead {
            around.counters.probe("java_fuzzy_snap");
            if stream.misses_acls {
                around.counters.probe("java_fuzzy_snap_without_acls");
            }
        }
        let meanwhile = std::mem::replace(&mut self.out, queued);
        let packets = self.out.split_off(0);
        self.say(&QuorumPacket::Snap { zxid });
        self.out.push_back(stream.bytes.freeze());
        self.out.extend(packets);
        self.out.extend(meanwhile);
    }

    /// So many txns are proposed, and some of what is there is committed.
    fn work(&mut self, txns: u32, around: &mut Around<'_, '_>) {
        for _ in 0..txns {
            self.propose(around.draws);
            while self.history.committed < self.history.len() && around.draws.chance(600) {
                self.commit();
            }
        }
    }

    /// What it may do by itself: propose, commit, tell the learner that it may serve, ask it for a sign of life, have a quorum.
    fn wishes(&self) -> [u64; 5] {
        let stage = self.stage();
        let may_serve = self.is_established && stage == Some(Stage::Acknowledged);
        let may_ping = self.pings > 0 && stage >= Some(Stage::Sent);
        let may_rise =
            !self.is_established && self.plan.is_ever_established && stage >= Some(Stage::Acknowledged);
        [self.may_propose(), self.may_commit(), may_serve, may_ping, may_rise].map(u64::from)
    }

    /// Whether there is anything.
    pub(super) fn has_something_to_do(&self) -> bool {
        self.wishes().iter().any(|wish| *wish > 0)
    }

    /// Does one of these things.
    pub(super) fn act(&mut self, around: &mut Around<'_, '_>) {
        let stage = self.stage();
        match around.draws.weighted(&self.wishes()) {
            0 if self.is_reconfig_due() => {
                let zxid = self.next_zxid();
                self.history.reconfigure(zxid);
                self.reconfig = Some(zxid);
                self.live -= 1;
                around.counters.probe("java_reconfig");
                self.tell_proposal(self.history.len() - 1);
            }
            0 => {
                self.live -= 1;
                self.propose(around.draws);
            }
            1 => {
                if stage == Some(Stage::Acknowledged) {
                    around.counters.probe("java_commit_before_uptodate");
                }
                self.commit();
            }
            2 => {
                if let Some(learner) = &mut self.learner {
                    learner.stage = Stage::Serving;
                }
                self.say(&QuorumPacket::UpToDate);
            }
            3 => self.ping(around),
            _ => self.establish(),
        }
    }

    fn ping(&mut self, around: &mut Around<'_, '_>) {
        self.pings -= 1;
        let zxid = self.history.end(self.history.len());
        if let Some(learner) = &mut self.learner {
            match learner.stage {
                // Nobody answers before UPTODATE.
                Stage::Serving => learner.pings += 1,
                _ => around.counters.probe("java_ping_before_uptodate"),
            }
        }
        self.say(&QuorumPacket::Ping { zxid, touched: None });
    }

    fn is_reconfig_due(&self) -> bool {
        self.plan.reconfigures && self.reconfig.is_none() && self.live == 1
    }

    fn may_propose(&self) -> bool {
        self.is_established && self.live > 0
    }

    /// What is left at the end is never committed. A change of the configuration is when the learner has left for it.
    fn may_commit(&self) -> bool {
        let outstanding = self.history.len() - self.history.committed;
        let is_kept = self.live == 0 && outstanding <= self.plan.leaves as usize;
        let is_follower = self.learner.as_ref().is_some_and(|learner| !learner.is_observer);
        outstanding > 0 && self.is_established && !is_kept && !(self.has_told_reconfig && is_follower)
    }

    pub(super) fn stage(&self) -> Option<Stage> {
        self.learner.as_ref().map(|learner| learner.stage)
    }

    /// Whether its learner has come as far as this leader takes it, and owes nothing.
    pub(super) fn is_done(&self) -> bool {
        let Some(learner) = &self.learner else { return false };
        let goal = if self.plan.is_ever_established { Stage::Serving } else { Stage::Acknowledged };
        let is_quiet = self.out.is_empty() && learner.pings == 0 && learner.unacked.is_empty();
        learner.stage == goal && is_quiet && !self.may_propose() && !self.may_commit()
    }
}

fn wrong(what: &str) -> Violation {
    Violation { checker: "learner_speaks_in_turn", detail: what.to_string() }
}
