//! States of an ensemble, and what follows them.
//!
//! A state is a few numbers: of each server's state, of what each two servers have between them, of what is known of history, and of how much
//! may still happen. What they stand for is kept once. What a stimulus does to a server, and a change to a pair, is worked out once and looked up
//! from then on: servers share nothing, so most of the states of an ensemble differ in how those of servers are put together.

mod judge;
mod words;

use super::Bounds;
use super::choice::Choice;
use super::disk::{Entry, SEED};
use super::links::{Change, MessageNumber, Number, Pair, Waiting};
use super::print::{Print, Printer};
use super::server::{Act, Message, Rig, Server, Step, Stimulus, Timer};
use super::shelf::Shelf;
use super::table::{Table, next};
use crate::checkers::{Verdict, Violation, require, violated};
use quorate_core::contract::{Lane, Port};
use quorate_core::vocabulary::{Epoch, LookupMap, ServerId, SessionId};
use std::rc::Rc;

/// A message of an election leads to at most so many.
const MOST_WORDS: u32 = 10_000;

/// So many states of servers are kept for now, some 20 kB each.
const KEPT: usize = 1 << 16;

/// What is known of a server's state without looking at it.
#[derive(Clone, Copy, Debug)]
struct Facts {
    is_up: bool,
    leads: bool,
    timer: Timer,
    has_log: bool,
    has_epoch: bool,
    /// Its durable history, by number.
    durable: u32,
    /// What it serves.
    serves: Option<u32>,
}

/// What a server does, by numbers.
#[derive(Clone, Copy, Debug)]
enum Effect {
    Send { link: Number, message: MessageNumber },
    Close { link: Number },
    Dial { port: Port, to: ServerId },
    Leads { epoch: Epoch },
    Answers { session: SessionId },
}

/// What a stimulus comes to.
#[derive(Clone, Debug)]
struct Outcome {
    next: u32,
    effects: Rc<[Effect]>,
    broken: Option<Box<Violation>>,
    events: Rc<[String]>,
}

/// What has happened, as far as rules need it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Known {
    /// What is committed, as the number of a history.
    committed: u32,
    leaders: Vec<(Epoch, ServerId)>,
}

/// How much has happened, and which server is cut off.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    txns: u8,
    crashes: u8,
    cuts: u8,
    timers: u8,
    cut_off: u8,
}

impl Spent {
    fn pack(self) -> u32 {
        let [txns, crashes, cuts, timers, cut_off] =
            [self.txns, self.crashes, self.cuts, self.timers, self.cut_off].map(u32::from);
        txns << 24 | crashes << 20 | cuts << 16 | timers << 8 | cut_off
    }

    fn unpack(packed: u32) -> Self {
        Spent {
            txns: (packed >> 24) as u8,
            crashes: (packed >> 20) as u8 & 15,
            cuts: (packed >> 16) as u8 & 15,
            timers: (packed >> 8) as u8,
            cut_off: packed as u8,
        }
    }
}

/// What was told of a step, for a reader of the path.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    pub(super) lines: Vec<String>,
}

/// See the module's words. A state's numbers stand in this order: servers, pairs, what is known, what is spent.
#[derive(Debug)]
pub(super) struct Space {
    bounds: Bounds,
    rig: Rig,
    /// The two servers of each pair, the lower number first.
    ends: Vec<[usize; 2]>,
    printer: Printer,
    server_numbers: LookupMap<Print, u32>,
    /// States of servers, and what is known of each without looking at it.
    servers: Shelf<Server, Stimulus>,
    facts: Vec<Facts>,
    outcomes: LookupMap<(u32, Stimulus), Outcome>,
    messages: Table<Message>,
    histories: Table<Vec<Entry>>,
    /// Whether one history begins with another, and whether two match up.
    prefixes: LookupMap<(u32, u32), bool>,
    matches: LookupMap<(u32, u32), bool>,
    pairs: Table<Pair>,
    pair_changes: LookupMap<(u32, Change), u32>,
    known: Table<Known>,
    /// While a path is told, what happens.
    pub(super) story: Option<Story>,
    worked_out: u64,
}

impl Space {
    pub(super) fn new(bounds: &Bounds) -> Self {
        let servers = usize::from(bounds.servers);
        let ends = (0..servers).flat_map(|low| (low + 1..servers).map(move |high| [low, high])).collect();
        Space {
            bounds: bounds.clone(),
            rig: Rig::new(bounds),
            ends,
            printer: Printer::default(),
            server_numbers: LookupMap::new(SEED),
            servers: Shelf::new(KEPT),
            facts: Vec::new(),
            outcomes: LookupMap::new(SEED),
            messages: Table::new(),
            histories: Table::new(),
            prefixes: LookupMap::new(SEED),
            matches: LookupMap::new(SEED),
            pairs: Table::new(),
            pair_changes: LookupMap::new(SEED),
            known: Table::new(),
            story: None,
            worked_out: 0,
        }
    }

    fn count(&self) -> usize {
        usize::from(self.bounds.servers)
    }

    fn pair_count(&self) -> usize {
        self.ends.len()
    }

    /// How many numbers a state has.
    pub(super) fn width(&self) -> usize {
        self.count() + self.pair_count() + 2
    }

    /// States of single servers, messages, and what was worked out with a peer.
    pub(super) fn sizes(&self) -> (usize, usize, u64) {
        (self.servers.len(), self.messages.len(), self.worked_out)
    }

    fn known_at(&self) -> usize {
        self.count() + self.pair_count()
    }

    fn spent(&self, state: &[u32]) -> Spent {
        Spent::unpack(state[self.known_at() + 1])
    }

    fn set_spent(&self, state: &mut [u32], spent: Spent) {
        state[self.known_at() + 1] = spent.pack();
    }

    fn pair_of(&self, one: usize, other: usize) -> usize {
        let (low, high) = (one.min(other), one.max(other));
        low * (2 * self.count() - low - 1) / 2 + high - low - 1
    }

    /// The servers of a pair.
    fn ends_of(&self, pair: usize) -> [usize; 2] {
        self.ends[pair]
    }

    fn facts(&self, state: &[u32], server: usize) -> Facts {
        self.facts[state[server] as usize]
    }

    /// A server's state, in words.
    pub(super) fn state_of(&self, state: &[u32], server: usize) -> String {
        self.servers.peek(state[server]).map_or_else(String::new, Server::state)
    }

    /// All servers have just started, with empty disks.
    pub(super) fn scratch(&mut self) -> Result<Vec<u32>, Violation> {
        let mut state = Vec::new();
        for server in 0..self.count() {
            state.push(self.number(Server::new(ServerId(server as u8 + 1)), None));
        }
        let empty = self.pairs.number(Pair::default());
        state.resize(self.known_at(), empty);
        let committed = self.histories.number(Vec::new());
        state.push(self.known.number(Known { committed, leaders: Vec::new() }));
        state.push(Spent::default().pack());
        for server in 0..self.count() {
            self.feed(&mut state, server, Stimulus::Restart)?;
        }
        self.settle(&mut state)?;
        Ok(state)
    }

    /// The same, and then whatever comes first in a fixed order, until one leads, the others follow, and nobody has anything to do.
    pub(super) fn elected(&mut self) -> Result<Vec<u32>, Violation> {
        let mut state = self.scratch()?;
        let is_free = |choice: &Choice| {
            matches!(
                choice,
                Choice::Deliver { .. } | Choice::Log { .. } | Choice::Epoch { .. } | Choice::Timer { .. }
            )
        };
        let mut choices = Vec::new();
        let bounds = std::mem::replace(&mut self.bounds.timers, 0);
        loop {
            self.choices(&state, &mut choices);
            let Some(choice) = choices.iter().copied().find(is_free) else { break };
            self.happen(&mut state, choice)?;
        }
        self.bounds.timers = bounds;
        Ok(state)
    }

    /// The same with a planted bug.
    #[cfg(test)]
    pub(super) fn forgetful(bounds: &Bounds) -> Self {
        let mut space = Space::new(bounds);
        space.rig.forgets = true;
        space
    }

    /// What can happen next, in a fixed order.
    pub(super) fn choices(&self, state: &[u32], choices: &mut Vec<Choice>) {
        choices.clear();
        let spent = self.spent(state);
        for pair in 0..self.pair_count() {
            let ends = self.ends_of(pair);
            for ready in self.pairs.at(state[self.count() + pair]).ready() {
                if ready.link.port() == Port::Election && !self.bounds.all_elections {
                    continue;
                }
                let to = ends[usize::from(ready.end)] as u8 + 1;
                choices.push(Choice::Deliver { to, link: ready.link });
                if ready.may_break {
                    choices.push(Choice::Break { to, link: ready.link });
                }
            }
        }
        for at in 0..self.count() {
            let (facts, server) = (self.facts(state, at), at as u8 + 1);
            if !facts.is_up {
                choices.push(Choice::Restart { server });
                continue;
            }
            let has_timer = match facts.timer {
                Timer::None => false,
                Timer::Finalize => true,
                Timer::Other => spent.timers < self.bounds.timers,
            };
            let all = [
                (facts.has_log, Choice::Log { server }),
                (facts.has_epoch, Choice::Epoch { server }),
                (has_timer, Choice::Timer { server }),
                (facts.leads && spent.txns < self.bounds.txns, Choice::Write { server }),
                (spent.crashes < self.bounds.crashes, Choice::Crash { server }),
                (spent.cut_off == 0 && spent.cuts < self.bounds.cuts, Choice::Cut { server }),
            ];
            choices.extend(all.into_iter().filter_map(|(can_be, choice)| can_be.then_some(choice)));
        }
        if spent.cut_off != 0 {
            choices.push(Choice::Heal);
        }
    }

    /// Lets something happen, with all that follows at once.
    ///
    /// # Errors
    /// The rule that is broken by it.
    pub(super) fn happen(&mut self, state: &mut [u32], choice: Choice) -> Verdict {
        let at = |server: u8| usize::from(server) - 1;
        let mut spent = self.spent(state);
        match choice {
            Choice::Deliver { to, link } => self.deliver(state, at(to), link)?,
            Choice::Break { to, link } => {
                let end = self.end_of(at(to), link);
                self.change(state, link.pair(), Change::Lose { link, end });
                self.deliver(state, at(to), link)?;
            }
            Choice::Log { server } => self.feed(state, at(server), Stimulus::Stored { lane: Lane::Log })?,
            Choice::Epoch { server } => {
                self.feed(state, at(server), Stimulus::Stored { lane: Lane::Epoch })?
            }
            Choice::Timer { server } => {
                if self.facts(state, at(server)).timer == Timer::Other {
                    spent.timers += 1;
                }
                self.set_spent(state, spent);
                self.feed(state, at(server), Stimulus::Timer)?;
            }
            Choice::Crash { server } => {
                spent.crashes += 1;
                self.set_spent(state, spent);
                self.feed(state, at(server), Stimulus::Crash)?;
                for other in (0..self.count()).filter(|other| *other != at(server)) {
                    let end = u8::from(at(server) > other);
                    self.change(state, self.pair_of(at(server), other), Change::Crash { end });
                }
            }
            Choice::Restart { server } => self.feed(state, at(server), Stimulus::Restart)?,
            Choice::Cut { server } => {
                (spent.cuts, spent.cut_off) = (spent.cuts + 1, server);
                self.set_spent(state, spent);
                for other in (0..self.count()).filter(|other| *other != at(server)) {
                    self.change(state, self.pair_of(at(server), other), Change::Cut);
                }
            }
            Choice::Heal => {
                spent.cut_off = 0;
                self.set_spent(state, spent);
            }
            Choice::Write { server } => {
                spent.txns += 1;
                self.set_spent(state, spent);
                self.feed(state, at(server), Stimulus::Write { conn: u32::from(spent.txns) })?;
            }
        }
        self.settle(state)
    }

    /// Elections go on by themselves, unless all their orders are asked for.
    fn settle(&mut self, state: &mut [u32]) -> Verdict {
        if self.bounds.all_elections {
            return Ok(());
        }
        for _ in 0..MOST_WORDS {
            let waiting = (0..self.pair_count()).find_map(|pair| {
                let mut ready = self.pairs.at(state[self.count() + pair]).ready();
                let ready = ready.find(|ready| ready.link.port() == Port::Election)?;
                Some((self.ends_of(pair)[usize::from(ready.end)], ready.link))
            });
            let Some((to, link)) = waiting else { return Ok(()) };
            self.deliver(state, to, link)?;
        }
        violated("livelock", "an election goes on and on without anybody's time passing".to_owned())
    }

    /// Which end of a connection a server has.
    fn end_of(&self, server: usize, link: Number) -> u8 {
        u8::from(self.ends_of(link.pair())[1] == server)
    }

    fn deliver(&mut self, state: &mut [u32], to: usize, link: Number) -> Verdict {
        let end = self.end_of(to, link);
        let pair = self.pairs.at(state[self.count() + link.pair()]);
        match pair.waiting(link, end) {
            Some(Waiting::Message(message)) => {
                self.change(state, link.pair(), Change::Take { link, end });
                self.feed(state, to, Stimulus::Message { link, message })
            }
            Some(Waiting::Closed) => {
                self.change(state, link.pair(), Change::Close { link, end });
                self.feed(state, to, Stimulus::Closed { link })
            }
            None => Ok(()),
        }
    }

    fn change(&mut self, state: &mut [u32], pair: usize, change: Change) {
        let at = self.count() + pair;
        let key = (state[at], change);
        state[at] = match self.pair_changes.get(&key) {
            Some(next) => *next,
            None => {
                let changed = self.pairs.at(state[at]).changed(change);
                let next = self.pairs.number(changed);
                self.pair_changes.insert(key, next);
                next
            }
        };
    }

    /// Something happens to a server, and what it does then to the world.
    fn feed(&mut self, state: &mut [u32], server: usize, stimulus: Stimulus) -> Verdict {
        let before = self.facts_of(state[server]);
        let outcome = self.outcome(state[server], stimulus);
        state[server] = outcome.next;
        if let Some(story) = &mut self.story {
            story.lines.extend(outcome.events.iter().map(|event| format!("server {} {event}", server + 1)));
        }
        if let Some(broken) = outcome.broken {
            let detail = format!("server {}: {}", server + 1, broken.detail);
            return Err(Violation { detail, ..*broken });
        }
        let leads = outcome.effects.iter().find_map(|effect| match effect {
            Effect::Leads { epoch } => Some(*epoch),
            _ => None,
        });
        if let Some(epoch) = leads {
            self.established(state, server, epoch)?;
        }
        let after = self.facts_of(state[server]);
        if before.is_none_or(|before| before.serves != after.and_then(|after| after.serves)) {
            self.served(state, server)?;
        }
        for effect in outcome.effects.iter() {
            self.take_effect(state, server, *effect)?;
        }
        Ok(())
    }

    fn facts_of(&self, number: u32) -> Option<Facts> {
        self.facts.get(number as usize).copied()
    }

    fn take_effect(&mut self, state: &mut [u32], server: usize, effect: Effect) -> Verdict {
        match effect {
            Effect::Send { link, message } => {
                let from = self.end_of(server, link);
                self.change(state, link.pair(), Change::Send { link, from, message });
            }
            Effect::Close { link } => {
                let end = self.end_of(server, link);
                self.change(state, link.pair(), Change::Close { link, end });
            }
            Effect::Dial { port, to } => {
                let other = usize::from(to.0) - 1;
                let cut_off = usize::from(self.spent(state).cut_off);
                let is_cut = [server + 1, other + 1].contains(&cut_off);
                if is_cut || !self.facts(state, other).is_up {
                    let port_is_quorum = port == Port::Quorum;
                    return self.feed(state, server, Stimulus::DialFailed { port_is_quorum, to });
                }
                let pair = self.pair_of(server, other);
                let link = self.pairs.at(state[self.count() + pair]).free(pair, port);
                self.change(state, pair, Change::Open(link));
                self.feed(state, other, Stimulus::Accepted { link })?;
                self.feed(state, server, Stimulus::Dialled { to, link })?;
            }
            Effect::Answers { session } => {
                let known = self.known.at(state[self.known_at()]);
                let committed = self.histories.at(known.committed);
                let is_there = committed.iter().any(|entry| entry.read().header.session == session);
                return require("commit_before_visible", is_there, || {
                    format!(
                        "server {} has told a client of session {session}, which is not committed",
                        server + 1
                    )
                });
            }
            Effect::Leads { .. } => {}
        }
        Ok(())
    }

    /// What a stimulus comes to, worked out once.
    fn outcome(&mut self, number: u32, stimulus: Stimulus) -> Outcome {
        let key = (number, stimulus);
        if let Some(outcome) = self.outcomes.get(&key) {
            return outcome.clone();
        }
        let message = message_of(&self.messages, stimulus);
        let step = self.server(number).step(&self.rig, stimulus, message.as_deref());
        self.worked_out += 1;
        let Step { server, acts, events, verdict } = step;
        let effects = acts.into_iter().map(|act| match act {
            Act::Send { link, message } => Effect::Send { link, message: self.messages.number(message) },
            Act::Close { link } => Effect::Close { link },
            Act::Dial { port, to } => Effect::Dial { port, to },
            Act::Leads { epoch } => Effect::Leads { epoch },
            Act::Answers { session } => Effect::Answers { session },
        });
        let effects: Rc<[Effect]> = effects.collect();
        let broken = verdict.err().map(Box::new);
        let outcome =
            Outcome { next: self.number(server, Some(key)), effects, broken, events: events.into() };
        self.outcomes.insert(key, outcome.clone());
        outcome
    }

    /// A server's state.
    fn server(&mut self, number: u32) -> Rc<Server> {
        let Space { servers, rig, messages, .. } = self;
        servers.get(number, |server, stimulus| {
            server.step(rig, stimulus, message_of(messages, stimulus).as_deref()).server
        })
    }

    /// The number of a server's state.
    fn number(&mut self, server: Server, origin: Option<(u32, Stimulus)>) -> u32 {
        server.show(&mut self.printer);
        let print = self.printer.print();
        if let Some(number) = self.server_numbers.get(&print) {
            return *number;
        }
        let facts = Facts {
            is_up: server.is_up(),
            leads: server.leads(),
            timer: server.timer(),
            has_log: server.has_pending(Lane::Log),
            has_epoch: server.has_pending(Lane::Epoch),
            durable: self.histories.number(server.disk.history.clone()),
            serves: server.serves().map(|history| self.histories.number(history)),
        };
        let number = next(self.servers.len());
        self.server_numbers.insert(print, number);
        self.servers.add(server, origin);
        self.facts.push(facts);
        number
    }
}

/// The message that comes, if one does.
fn message_of(messages: &Table<Message>, stimulus: Stimulus) -> Option<Rc<Message>> {
    match stimulus {
        Stimulus::Message { message, .. } => Some(Rc::clone(messages.at(message))),
        _ => None,
    }
}
