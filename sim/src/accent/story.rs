//! One telling of the story: leaders come and go, the learner is brought up to date by each, and once at most it crashes.
//!
//! Something happens at a time, chosen among all that may: a packet or a part of one arrives, a lane of the storage makes a call, a vote is
//! told, the leader does something by itself. Time passes with it, and jumps when nothing may happen.

use super::history::JavaHistory;
use super::host::{self, Host, ME, OTHERS, clocks};
use super::leader::{Around, Leader, Promise};
use super::rules;
use crate::checkers::{Verdict, Violation, violated};
use crate::chooser::{Choice, Chooser, Draws};
use crate::counters::Counters;
use crate::plan::{AccentPlan, Plan};
use crate::trace::Trace;
use bytes::Bytes;
use quorate_core::contract::QuorumMessage;
use quorate_core::contract::{ExitCode, Input, Lane, Output, Port, QuorumDecoder};
use quorate_core::jute::{ElectionMessage, FieldLimit, InitialMessage, Notification, PeerState};
use quorate_core::vocabulary::{Epoch, LinkId, ServerId, Zxid};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const STEP_NS: u64 = 1_000_000;
/// No story has more steps.
const MOST_STEPS: u64 = 100_000;
/// What a leader does by itself once the learner owes nothing takes so many silent spans at most.
const MOST_JUMPS: u64 = 200;

/// Where the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crash {
    /// At this call of the disk.
    pub(super) at_call: u64,
    /// Whether with the power.
    pub(super) with_power: bool,
}

/// What all tellings have in common.
pub(super) struct Telling<'a> {
    pub(super) plan: &'a Plan,
    pub(super) accent: &'a AccentPlan,
    pub(super) chooser: &'a mut dyn Chooser,
    pub(super) trace: &'a mut Trace,
    pub(super) counters: &'a mut Counters,
}

/// The connection to the leader's quorum port.
struct Wire {
    link: LinkId,
    to_learner: QuorumDecoder,
    to_leader: QuorumDecoder,
}

/// Something that may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Arrives,
    Disk(Lane),
    Vote,
    Leader,
}

/// See the module's words.
struct Story<'a, 'b> {
    tell: &'b mut Telling<'a>,
    crash: Option<Crash>,
    host: Host,
    leader: Leader<'a>,
    reign: usize,
    /// Packets that have arrived in this reign, and whether its connection has broken as planned.
    arrived: u32,
    has_broken: bool,
    wire: Option<Wire>,
    /// Election links by server, and who has to answer.
    links: BTreeMap<u8, LinkId>,
    votes: VecDeque<u8>,
    links_made: u64,
    now: u64,
    steps: u64,
    jumps: u64,
    /// What was acknowledged and not taken away by a leader since.
    promised: Zxid,
    /// Where the history has to end that goes with an epoch on disk.
    marks: BTreeMap<Epoch, Zxid>,
    /// The tree is what the log is: nothing fuzzy is on its way.
    is_exact: bool,
}

/// Tells it once; returns how many calls the disk has had.
pub(super) fn tell(tell: &mut Telling<'_>, crash: Option<Crash>) -> Result<u64, Violation> {
    let (plan, accent) = (tell.plan, tell.accent);
    let history = JavaHistory::new(accent.has_digests);
    let mut draws = Draws::new(&mut *tell.chooser, Choice::Scene, (1, 0));
    let leader = Leader::new(&accent.reigns[0], Epoch(1), history, &mut draws);
    let mut story = Story {
        host: Host::new(plan, host::ensemble(OTHERS, if accent.is_observer { &[ME.0] } else { &[] })),
        tell,
        crash,
        leader,
        reign: 0,
        arrived: 0,
        has_broken: false,
        wire: None,
        links: BTreeMap::new(),
        votes: VecDeque::new(),
        links_made: 0,
        now: 0,
        steps: 0,
        jumps: 0,
        promised: Zxid::ZERO,
        marks: BTreeMap::new(),
        is_exact: true,
    };
    story.start()?;
    story.run()?;
    Ok(story.host.disk.calls())
}

impl Story<'_, '_> {
    fn run(&mut self) -> Verdict {
        loop {
            self.steps += 1;
            self.now += STEP_NS;
            if self.steps > MOST_STEPS || self.jumps > MOST_JUMPS {
                return violated("liveness", format!("the learner of leader {} gets nowhere", self.reign));
            }
            if self.host.next_timeout().is_some_and(|due| due <= clocks(self.now).mono) {
                self.handle(Input::Timeout)?;
                continue;
            }
            let next = self.all_that_may();
            if next.is_empty() {
                if self.leader.is_done() {
                    if self.reign_ends()? {
                        return Ok(());
                    }
                    continue;
                }
                self.jump()?;
                continue;
            }
            let index = self.draw(2, next.len() as u64) as usize;
            self.happen(next[index])?;
            self.maybe_crash()?;
            self.maybe_break()?;
        }
    }

    fn draw(&mut self, about: u64, n: u64) -> u64 {
        Draws::new(&mut *self.tell.chooser, Choice::Scene, (about, self.steps)).below(n)
    }

    fn all_that_may(&mut self) -> Vec<Next> {
        let mut next: Vec<Next> = self.host.busy().into_iter().map(Next::Disk).collect();
        if self.wire.is_some() && !self.leader.out.is_empty() {
            next.extend([Next::Arrives; 2]);
        }
        if !self.votes.is_empty() {
            next.push(Next::Vote);
        }
        if self.leader.has_something_to_do() {
            next.push(Next::Leader);
        }
        next
    }

    fn happen(&mut self, next: Next) -> Verdict {
        match next {
            Next::Disk(lane) => match self.host.step(lane) {
                Some(input) => self.handle(input),
                None => Ok(()),
            },
            Next::Arrives => self.arrives(),
            Next::Vote => self.vote(),
            Next::Leader => {
                let mut draws = Draws::new(&mut *self.tell.chooser, Choice::Scene, (3, self.steps));
                self.leader.act(&mut Around { draws: &mut draws, counters: self.tell.counters });
                Ok(())
            }
        }
    }

    /// Nothing may happen but by a time-out.
    fn jump(&mut self) -> Verdict {
        self.jumps += 1;
        match self.host.next_timeout() {
            Some(due) => {
                self.now = self.now.max(due.0 - clocks(0).mono.0);
                Ok(())
            }
            None => violated("liveness", "the learner waits for nothing".to_string()),
        }
    }

    fn note(&mut self, what: &'static str, numbers: [u64; 3]) {
        self.tell.counters.events += 1;
        self.tell.trace.event(self.now, what, numbers);
    }

    /// One input of the learner, and what it brings about.
    fn handle(&mut self, input: Input) -> Verdict {
        self.note(name(&input), [self.reign as u64, self.host.life, self.host.disk.calls()]);
        self.tell.trace.words(|| format!("{input:?}"));
        for output in self.host.handle(clocks(self.now), input)? {
            self.carry_out(output)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, output: Output) -> Verdict {
        match output {
            Output::Dial { port: Port::Election, to } => {
                // Whoever has the larger number calls back.
                self.handle(Input::DialFailed {
                    port: Port::Election,
                    to,
                    reason: "it calls back".to_string(),
                })?;
                self.call(to.0)
            }
            Output::Dial { port: Port::Quorum, to } => self.dialled(to),
            Output::SendLink { link, bytes } => self.sent(link, bytes),
            Output::CloseLink { link } => {
                if self.wire.as_ref().is_some_and(|wire| wire.link == link) {
                    self.wire = None;
                    self.leader.loses();
                }
                self.links.retain(|_, known| *known != link);
                Ok(())
            }
            Output::Exit { code, reason } => self.exits(code, &reason),
            _ => Ok(()),
        }
    }

    fn new_link(&mut self) -> LinkId {
        self.links_made += 1;
        LinkId(self.links_made)
    }

    /// A Java server connects to the learner's election port.
    fn call(&mut self, sid: u8) -> Verdict {
        if self.host.process.is_none() {
            return Ok(());
        }
        let link = self.new_link();
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, sid)), 50_000);
        self.handle(Input::LinkAccepted { port: Port::Election, link, address })?;
        self.links.insert(sid, link);
        let initial = InitialMessage { sid: i64::from(sid), addresses: vec![format!("10.0.0.{sid}:3888")] };
        self.handle(Input::Election { link, message: ElectionMessage::Initial(initial) })
    }

    /// The sid of whoever leads.
    fn leader_id(&self) -> ServerId {
        ServerId(2 + (self.reign % 4) as u8)
    }

    fn dialled(&mut self, to: ServerId) -> Verdict {
        if to != self.leader_id() {
            let reason = "it leads no more".to_string();
            return self.handle(Input::DialFailed { port: Port::Quorum, to, reason });
        }
        let link = self.new_link();
        let to_learner = self.host.decoder(link.0);
        let to_leader = QuorumDecoder::accepted(FieldLimit(1 << 20));
        self.wire = Some(Wire { link, to_learner, to_leader });
        self.leader.meets();
        self.handle(Input::Dialled { port: Port::Quorum, to, link })
    }

    /// The learner says something, to its leader or in an election.
    fn sent(&mut self, link: LinkId, bytes: Bytes) -> Verdict {
        self.tell.trace.bytes(&bytes);
        if let Some((sid, _)) = self.links.iter().find(|(_, known)| **known == link) {
            self.votes.push_back(*sid);
            return self.handle(Input::LinkWritten { link });
        }
        let Some(wire) = self.wire.as_mut().filter(|wire| wire.link == link) else { return Ok(()) };
        wire.to_leader.push(&bytes);
        loop {
            let Some(wire) = self.wire.as_mut().filter(|wire| wire.link == link) else { return Ok(()) };
            let message = wire.to_leader.poll();
            let packet = match message {
                Ok(Some(QuorumMessage::Packet(packet))) => packet,
                Ok(_) => return Ok(()),
                Err(error) => return violated("servers_understand", error.to_string()),
            };
            self.note("packet", [0; 3]);
            self.tell.trace.words(|| format!("{packet:?}"));
            let mut draws = Draws::new(&mut *self.tell.chooser, Choice::Scene, (4, self.steps));
            let mut around = Around { draws: &mut draws, counters: &mut *self.tell.counters };
            let promise = self.leader.hear(packet, &mut around)?;
            if std::mem::take(&mut self.leader.has_taken_away) {
                self.promised = Zxid::ZERO;
                self.is_exact = false;
            }
            if let Some(mark) = self.leader.first_mark {
                self.marks.insert(self.leader.epoch, mark);
            }
            if let Some(promise) = promise {
                self.promises(promise)?;
            }
        }
    }

    /// What it acknowledges has to survive whatever happens now.
    fn promises(&mut self, promise: Promise) -> Verdict {
        let end = match promise {
            Promise::NewLeader(mark) => {
                self.is_exact = true;
                mark
            }
            Promise::Proposal(zxid) => zxid,
        };
        self.promised = self.promised.max(end);
        let survivors = self.host.survivors()?;
        let epoch = survivors.epochs.current;
        rules::ack_durable(end, (self.leader.epoch, epoch), &survivors.database)?;
        rules::recovered(&self.leader.history, &survivors.database, true)
    }

    /// A server of the ensemble says who leads.
    fn vote(&mut self) -> Verdict {
        let Some(sid) = self.votes.pop_front() else { return Ok(()) };
        let Some(link) = self.links.get(&sid).copied() else { return Ok(()) };
        let leader = self.leader_id();
        let is_leader = leader.0 == sid;
        let notification = Notification {
            state: if is_leader { PeerState::Leading } else { PeerState::Following },
            leader: i64::from(leader.0),
            zxid: self.leader.history.end(self.leader.history.committed),
            election_epoch: 1 + self.reign as i64,
            peer_epoch: i64::from(self.leader.epoch.0),
            version: 2,
            config: Bytes::from(self.host.ensemble.membership.to_string()),
        };
        self.handle(Input::Election { link, message: ElectionMessage::Notification(notification) })
    }

    /// The next packet of the leader arrives, or a part of it.
    fn arrives(&mut self) -> Verdict {
        let Some(front) = self.leader.out.front().cloned() else { return Ok(()) };
        let is_split = self.draw(5, 1000) < self.tell.accent.split_permille && front.len() > 1;
        let length = if is_split { 1 + self.draw(6, front.len() as u64 - 1) as usize } else { front.len() };
        match is_split {
            true => self.leader.out[0] = front.slice(length..),
            false => drop(self.leader.out.pop_front()),
        }
        self.arrived += 1;
        let Some(wire) = &mut self.wire else { return Ok(()) };
        let link = wire.link;
        wire.to_learner.push(&front[..length]);
        loop {
            let Some(wire) = self.wire.as_mut().filter(|wire| wire.link == link) else { return Ok(()) };
            match wire.to_learner.poll() {
                Ok(Some(message)) => self.handle(Input::Quorum { link, message })?,
                Ok(None) => return Ok(()),
                Err(error) => return violated("servers_understand", error.to_string()),
            }
        }
    }

    fn hang_up(&mut self) -> Verdict {
        self.leader.loses();
        match self.wire.take() {
            Some(Wire { link, .. }) => self.handle(Input::LinkClosed { link, reason: "broken".to_string() }),
            None => Ok(()),
        }
    }

    fn maybe_break(&mut self) -> Verdict {
        let reign = &self.tell.accent.reigns[self.reign];
        if self.has_broken || reign.breaks_after.is_none_or(|after| self.arrived < after) {
            return Ok(());
        }
        self.has_broken = true;
        self.tell.counters.probe("java_connection_broken");
        if reign.ends_broken {
            return self.next_leader();
        }
        self.hang_up()
    }

    /// The learner owes its leader nothing. True: it was the last.
    fn reign_ends(&mut self) -> Result<bool, Violation> {
        self.host.check_full()?;
        let database = self.host.database().expect("it follows");
        rules::state_equality(&self.leader, database)?;
        if self.reign + 1 < self.tell.accent.reigns.len() {
            return self.next_leader().map(|()| false);
        }
        rules::serves(self.host.is_serving())?;
        let survivors = self.host.survivors()?;
        rules::log_is_verbatim(&self.leader.history, &survivors)?;
        self.tell.counters.commits += self.leader.history.committed as u64;
        self.tell.counters.simulated_ns += self.now;
        Ok(true)
    }

    fn next_leader(&mut self) -> Verdict {
        self.reign += 1;
        self.jumps = 0;
        (self.arrived, self.has_broken) = (0, false);
        let history = std::mem::replace(&mut self.leader.history, JavaHistory::new(false));
        let epoch = Epoch(self.leader.epoch.0 + 1);
        let mut draws = Draws::new(&mut *self.tell.chooser, Choice::Scene, (7, self.steps));
        let plan = &self.tell.accent.reigns[self.reign];
        self.leader.loses();
        self.leader = Leader::new(plan, epoch, history, &mut draws);
        self.hang_up()
    }

    /// The learner's process ends by itself, which it may only where the leader changes the configuration.
    fn exits(&mut self, code: ExitCode, reason: &str) -> Verdict {
        let may = self.leader.has_told_reconfig && code == ExitCode::UnexpectedError;
        if !may {
            return violated("exits_have_a_reason", format!("{code:?}: {reason}"));
        }
        self.tell.counters.probe("java_reconfig_left");
        self.dies(None)
    }

    fn maybe_crash(&mut self) -> Verdict {
        match self.crash {
            Some(crash) if self.host.disk.calls() >= crash.at_call => {
                self.crash = None;
                self.tell.counters.fault(if crash.with_power { "power_loss" } else { "kill" });
                if !self.is_exact {
                    self.tell.counters.probe("java_crash_during_sync");
                }
                self.dies(Some(crash.with_power))
            }
            _ => Ok(()),
        }
    }

    /// The process ends, with the power or without, and starts again.
    fn dies(&mut self, crash: Option<bool>) -> Verdict {
        self.note("dies", [self.host.life, self.host.disk.calls(), 0]);
        match crash {
            Some(true) => self.host.dies(Some(&mut *self.tell.chooser)),
            _ => self.host.dies(None),
        }
        self.wire = None;
        self.leader.loses();
        self.links.clear();
        self.votes.clear();
        self.start()
    }

    fn start(&mut self) -> Verdict {
        let crash_at = self.crash.map(|crash| crash.at_call);
        let Some((epochs, database)) = self.host.start((self.tell.plan.seed, clocks(self.now)), crash_at)?
        else {
            return self.maybe_crash();
        };
        self.note("starts", [self.host.life, host::end(&database).0 as u64, u64::from(epochs.current.0)]);
        rules::recovered(&self.leader.history, &database, self.is_exact)?;
        rules::keeps_what_it_promised(self.promised, &database)?;
        rules::epoch_implies_history(&self.marks, epochs, &database, self.promised)?;
        OTHERS.into_iter().try_for_each(|sid| self.call(sid))
    }
}

fn name(input: &Input) -> &'static str {
    match input {
        Input::Stored { .. } => "stored",
        Input::Truncated { .. } => "truncated",
        Input::Quorum { .. } => "quorum",
        Input::Election { .. } => "election",
        Input::Dialled { .. } => "dialled",
        Input::LinkClosed { .. } => "link closed",
        Input::Timeout => "timeout",
        _ => "input",
    }
}
