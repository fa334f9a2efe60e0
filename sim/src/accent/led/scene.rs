//! What happens next, chosen among all that may: something arrives, a disk makes a call, a vote is told, a learner connects, asks or
//! leaves. Time passes with it, and jumps when nothing may happen.

use super::super::host::{self, Host, OTHERS, clocks};
use super::super::story::{Crash, Telling};
use super::learner::{JavaLearner, Stage};
use super::network::Wire;
use super::rules;
use super::truth::Truth;
use crate::checkers::{Verdict, Violation, violated};
use crate::chooser::{Choice, Draws};
use quorate_core::contract::{Input, Lane};
use quorate_core::jute::{ElectionDecoder, Notification};
use quorate_core::vocabulary::{Epoch, LinkId, Zxid};
use std::collections::{BTreeMap, VecDeque};

const STEP_NS: u64 = 1_000_000;
const MOST_STEPS: u64 = 100_000;
const MOST_JUMPS: u64 = 1000;
/// A late learner connects when so many packets have arrived.
const LATE: u32 = 60;
/// So many steps long a request is likely to wait for others.
const HURRY: u64 = 3;

/// Something that may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Disk(Lane),
    /// Old txns are read back.
    Load,
    Vote,
    /// Of what the leader said to this learner something arrives.
    ToLearner(usize),
    /// Of what this learner said.
    ToLeader(usize),
    Syncs(usize),
    Connects(usize),
    Asks(usize),
    Breaks(usize),
    Dies(usize),
}

/// Of one learner, what of its plan has been.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    breaks: u32,
    kills: u32,
    has_slept: bool,
    wakes_at: u64,
}

/// What the leader has said of its epoch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    /// LEADERINFO of this epoch, when its history ended here.
    pub(super) epoch: Epoch,
    pub(super) mark: Zxid,
    /// UPTODATE.
    pub(super) is_established: bool,
    pub(super) committed: Zxid,
}

/// See the module's words.
pub(super) struct Scene<'a, 'b> {
    pub(super) tell: &'b mut Telling<'a>,
    crash: Option<Crash>,
    pub(super) host: Host,
    pub(super) learners: Vec<JavaLearner<'a>>,
    pub(super) used: Vec<Used>,
    pub(super) wires: BTreeMap<usize, Wire>,
    /// Election links, and what the leader says over them.
    pub(super) links: BTreeMap<LinkId, (u8, ElectionDecoder)>,
    pub(super) votes: VecDeque<(LinkId, Notification)>,
    pub(super) links_made: u64,
    pub(super) truth: Truth,
    pub(super) said: Said,
    pub(super) arrived: u32,
    ends: usize,
    silences: u32,
    pub(super) now: u64,
    pub(super) steps: u64,
    jumps: u64,
}

/// Tells it once; returns how many calls the leader's disk has had.
pub(in super::super) fn tell(tell: &mut Telling<'_>, crash: Option<Crash>) -> Result<u64, Violation> {
    let (plan, led) = (tell.plan, &tell.accent.led);
    let learners: Vec<_> =
        led.learners.iter().zip(OTHERS).map(|(plan, sid)| JavaLearner::new(plan, sid)).collect();
    let observers: Vec<u8> =
        learners.iter().filter(|learner| learner.plan.is_observer).map(|learner| learner.sid).collect();
    let mut ensemble = host::ensemble(learners.iter().map(|learner| learner.sid), &observers);
    ensemble.commit_log_count = led.commit_log_count as usize;
    let mut scene = Scene {
        host: Host::new(plan, ensemble),
        tell,
        crash,
        used: vec![Used::default(); learners.len()],
        learners,
        wires: BTreeMap::new(),
        links: BTreeMap::new(),
        votes: VecDeque::new(),
        links_made: 0,
        truth: Truth::default(),
        said: Said::default(),
        arrived: 0,
        ends: 0,
        silences: 0,
        now: 0,
        steps: 0,
        jumps: 0,
    };
    for learner in scene.learners.iter_mut().filter(|learner| learner.plan.promised > 0) {
        scene.tell.counters.probe("java_learner_promised_beyond");
        learner.disk.accepted = Epoch(learner.plan.promised);
    }
    scene.start()?;
    scene.run()?;
    Ok(scene.host.disk.calls())
}

impl Scene<'_, '_> {
    fn run(&mut self) -> Verdict {
        loop {
            self.steps += 1;
            self.now += STEP_NS;
            if self.steps > MOST_STEPS || self.jumps > MOST_JUMPS {
                let stages = self.learners.iter().map(|learner| learner.state()).collect::<Vec<_>>();
                let detail = format!("Java's learners get nowhere: {stages:?}, leading {}", self.leads());
                return violated("liveness", detail);
            }
            if self.host.next_timeout().is_some_and(|due| due <= clocks(self.now).mono) {
                self.handle(Input::Timeout)?;
                continue;
            }
            let next = self.all_that_may();
            if !next.is_empty() {
                let index = self.draws(12).below(next.len() as u64) as usize;
                self.happen(next[index])?;
                self.maybe_end(false)?;
            } else if self.could_be_elected() {
                if self.is_over() {
                    return self.ends_well();
                }
                if self.is_quiet() && self.maybe_end(true)? {
                    continue;
                }
                self.jump()?;
            } else {
                // The election is another's: this half has no leader but one.
                self.tell.counters.probe("java_would_be_elected");
                return self.counts();
            }
        }
    }

    pub(super) fn draws(&mut self, about: u64) -> Draws<'_> {
        Draws::new(&mut *self.tell.chooser, Choice::Scene, (about, self.steps))
    }

    pub(super) fn leads(&self) -> bool {
        self.host.process.as_ref().is_some_and(|process| process.peer.status().leader().is_some())
    }

    fn all_that_may(&mut self) -> Vec<Next> {
        let mut next: Vec<Next> = self.host.busy().into_iter().map(Next::Disk).collect();
        if self.host.is_loading() {
            next.push(Next::Load);
        }
        if !self.votes.is_empty() {
            next.push(Next::Vote);
        }
        let (leads, is_rare) = (self.leads(), self.draws(13).below(8) == 0);
        let is_asking = self.draws(14).below(HURRY) == 0;
        for (at, learner) in self.learners.iter().enumerate() {
            let (plan, used) = (learner.plan, &self.used[at]);
            if used.wakes_at > self.now {
                continue;
            }
            let wire = self.wires.get(&at);
            if wire.is_some_and(|wire| !wire.is_quiet()) {
                next.push(Next::ToLearner(at));
            }
            if wire.is_some() && !learner.out.is_empty() {
                next.push(Next::ToLeader(at));
            }
            if wire.is_some() && learner.has_to_sync() {
                next.push(Next::Syncs(at));
            }
            let is_early = plan.is_late && self.arrived < LATE && self.quorum_without(at);
            if wire.is_none() && leads && !is_early {
                next.push(Next::Connects(at));
            }
            if learner.stage == Stage::Serving && is_asking && learner.clients.asked() < plan.requests {
                next.push(Next::Asks(at));
            }
            if wire.is_some() && is_rare && used.breaks < plan.breaks {
                next.push(Next::Breaks(at));
            }
            if is_rare && used.kills < plan.kills && self.arrived > 0 {
                next.push(Next::Dies(at));
            }
        }
        next
    }

    /// Whether the others are a quorum with the leader: who comes late is not needed.
    fn quorum_without(&self, at: usize) -> bool {
        let is_other = |(other, learner): &(usize, &JavaLearner<'_>)| {
            *other != at && !learner.plan.is_observer && !learner.plan.is_late
        };
        let others = self.learners.iter().enumerate().filter(is_other).count();
        others + 1 > rules::voters(&self.learners) / 2
    }

    fn happen(&mut self, next: Next) -> Verdict {
        match next {
            Next::Disk(_) | Next::Load => {
                let input = match next {
                    Next::Disk(lane) => self.host.step(lane),
                    _ => self.host.load(),
                };
                input.map_or(Ok(()), |input| self.handle(input))
            }
            Next::Vote => self.vote(),
            Next::ToLearner(at) => self.reach_learner(at).and_then(|()| self.maybe_sleep(at)),
            Next::ToLeader(at) => self.reach_leader(at),
            Next::Syncs(at) => {
                self.learners[at].sync();
                Ok(())
            }
            Next::Connects(at) => self.connects(at),
            Next::Asks(at) => {
                let learner = &mut self.learners[at];
                let mut draws = Draws::new(&mut *self.tell.chooser, Choice::Scene, (15, self.steps));
                let request = learner.clients.ask(learner.sid, &learner.database, &mut draws);
                learner.out.extend(request);
                Ok(())
            }
            Next::Breaks(at) => {
                self.used[at].breaks += 1;
                let is_silent = self.draws(16).chance(300);
                let probe = if is_silent { "java_learner_vanished" } else { "java_learner_hung_up" };
                self.tell.counters.probe(probe);
                self.leaves(at, is_silent)
            }
            Next::Dies(at) => {
                self.used[at].kills += 1;
                self.tell.counters.probe("java_learner_died");
                let is_silent = self.learners[at].plan.loses_power;
                self.leaves(at, is_silent)?;
                self.learners[at].dies(&mut self.truth)
            }
        }
    }

    /// Once, behind something that was said to it, it stands still.
    fn maybe_sleep(&mut self, at: usize) -> Verdict {
        let ms = self.learners[at].plan.sleeps_ms;
        if ms > 0 && !self.used[at].has_slept && self.draws(17).below(6) == 0 {
            self.used[at].has_slept = true;
            self.used[at].wakes_at = self.now + ms * 1_000_000;
            self.tell.counters.probe("java_learner_stood_still");
        }
        Ok(())
    }

    /// Nothing may happen but by a time-out.
    fn jump(&mut self) -> Verdict {
        self.jumps += 1;
        if self.is_quiet() {
            self.silences += 1;
        }
        let wakes =
            self.used.iter().map(|used| Some(used.wakes_at)).filter(|at| at.is_some_and(|at| at > self.now));
        let due = self.host.next_timeout().map(|due| due.0 - clocks(0).mono.0);
        match wakes.flatten().chain(due).min() {
            Some(due) => {
                self.now = self.now.max(due);
                Ok(())
            }
            None => violated("liveness", "the leader waits for nothing".to_string()),
        }
    }

    /// Whether a quorum of votes may be for it: no server that votes for it has a history that is ahead.
    fn could_be_elected(&self) -> bool {
        let Some(process) = &self.host.process else { return true };
        let status = process.peer.status();
        if status.leader().is_some() {
            return true;
        }
        let mine = (status.epochs().map_or(Epoch(0), |epochs| epochs.current), status.last_zxid());
        let votes = |learner: &&JavaLearner<'_>| !learner.plan.is_observer && learner.vote() <= mine;
        self.learners.iter().filter(votes).count() + 1 > rules::voters(&self.learners) / 2
    }

    /// Whether everybody serves, and nobody owes anything.
    fn is_quiet(&self) -> bool {
        let is_done = |(at, learner): (usize, &JavaLearner<'_>)| {
            let has_heard = self.wires.get(&at).is_some_and(Wire::is_quiet);
            has_heard && learner.is_quiet() && !learner.clients.wait() && self.used[at].wakes_at <= self.now
        };
        self.host.is_serving() && self.learners.iter().enumerate().all(is_done)
    }

    fn is_over(&self) -> bool {
        let led = &self.tell.accent.led;
        self.is_quiet() && self.ends == led.ends.len() && self.silences >= led.silences
    }

    fn ends_well(&mut self) -> Verdict {
        self.host.check_full()?;
        let database = self.host.database().expect("it serves");
        rules::all_alike(&self.learners, database, self.truth.committed())?;
        let survivors = self.host.survivors()?;
        rules::has_what_was_committed(&mut self.truth, &survivors.database)?;
        self.truth.has_tree("the leader's disk", &survivors.database)?;
        self.tell.counters.probe("java_learners_alike");
        self.counts()
    }

    fn counts(&mut self) -> Verdict {
        self.tell.counters.commits += self.truth.commits();
        self.tell.counters.simulated_ns += self.now;
        Ok(())
    }

    /// Its process ends, at the call of the disk or the packet that was planned for it; in silence whatever is left of the plan is due.
    fn maybe_end(&mut self, is_due: bool) -> Result<bool, Violation> {
        if let Some(crash) = self.crash.take_if(|crash| self.host.disk.calls() >= crash.at_call) {
            self.tell.counters.fault(if crash.with_power { "power_loss" } else { "kill" });
            return self.dies(crash.with_power).map(|()| true);
        }
        let due = self.tell.accent.led.ends.get(self.ends).copied();
        let Some((_, with_power)) = due.filter(|(after, _)| is_due || self.arrived >= *after) else {
            return Ok(false);
        };
        self.ends += 1;
        self.arrived = 0;
        self.tell.counters.probe("java_learners_leader_ended");
        self.dies(with_power).map(|()| true)
    }

    fn dies(&mut self, with_power: bool) -> Verdict {
        self.note("dies", [self.host.life, self.host.disk.calls(), 0]);
        match with_power {
            true => self.host.dies(Some(&mut *self.tell.chooser)),
            false => self.host.dies(None),
        }
        self.links.clear();
        self.votes.clear();
        self.said = Said::default();
        for (at, _) in std::mem::take(&mut self.wires) {
            self.learners[at].loses(&mut self.truth)?;
        }
        self.start()
    }

    fn start(&mut self) -> Verdict {
        let crash_at = self.crash.map(|crash| crash.at_call);
        let found = self.host.start((self.tell.plan.seed, clocks(self.now)), crash_at)?;
        let Some((epochs, database)) = found else {
            return self.maybe_end(false).map(drop);
        };
        self.note("starts", [self.host.life, host::end(&database).0 as u64, u64::from(epochs.current.0)]);
        self.truth.has_tree("the leader's disk", &database)?;
        if self.could_be_elected() {
            rules::has_what_was_committed(&mut self.truth, &database)?;
            self.tell.counters.probe(if self.host.life > 0 { "java_elects_again" } else { "java_elects" });
        }
        let voters = self.learners.iter().filter(|learner| !learner.plan.is_observer);
        voters.map(|learner| learner.sid).collect::<Vec<_>>().into_iter().try_for_each(|sid| self.call(sid))
    }

    pub(super) fn note(&mut self, what: &'static str, numbers: [u64; 3]) {
        self.tell.counters.events += 1;
        self.tell.trace.event(self.now, what, numbers);
    }

    /// One input of the leader, and what it brings about.
    pub(super) fn handle(&mut self, input: Input) -> Verdict {
        self.note("input", [self.host.life, self.host.disk.calls(), 1]);
        self.tell.trace.words(|| format!("{input:?}"));
        for output in self.host.handle(clocks(self.now), input)? {
            self.carry_out(output)?;
        }
        match self.host.database() {
            Some(database) => self.truth.has_tree("the leader", database),
            None => Ok(()),
        }
    }
}
