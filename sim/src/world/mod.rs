//! The world: discrete events in nanoseconds of virtual time, in the total order of (time, class, sequence).
//!
//! What is simulated is the world, never the program: the server's process is the core's peer over the real storage code and the real
//! decoders, and many of its clients are the core's; network, disk, clocks and the others are made here. A run is over with its first violation, or when after the
//! end of all faults everything that was asked has been answered.

mod client;
mod clients;
mod clock;
mod damage;
mod encode;
mod faults;
pub(crate) mod fuzzy;
mod lanes;
mod links;
mod liveness;
mod lives;
mod machine;
mod member;
mod net;
mod numbered;
mod partitions;
mod process;
mod scripted;
mod server;
mod sockets;
mod traced;
mod watched;
mod wires;

use crate::app::{self, Programs, Workloads};
use crate::checkers::leadership::Reigns;
use crate::checkers::linearizable_writes::RealTime;
use crate::checkers::{Verdict, Violation, violated};
use crate::chooser::{Chooser, Seeded};
use crate::counters::Counters;
use crate::disk::Image;
use crate::oracle::{Checks, Oracle};
use crate::plan::{EnsemblePlan, Plan};
use crate::trace::Trace;
use crate::view::Timeline;
use bytes::Bytes;
use client::Client;
use lanes::Work;
use links::Links;
use member::ensemble_config;
use net::Net;
use partitions::WayOf;
use process::Aftermath;
use quorate_core::contract::Input;
use quorate_core::vocabulary::{ConnId, LinkId};
use server::{Life, Server};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
pub(crate) use traced::run_traced;
pub(crate) use watched::run_recorded;

/// How long, behind the end of all faults, the server has to serve and answer everything: a restart, reconnects, and slack.
const LIVENESS_NS: u64 = 20_000_000_000;

/// How long an answer may take then.
const PATIENCE_NS: u64 = 5_000_000_000;
/// So many events at one time are not progress.
const MOST_AT_ONCE: u64 = 100_000;

/// Something that happens.
#[derive(Debug)]
enum Event {
    /// A planned fault begins.
    Fault(usize),
    /// A fault that lasts is over.
    FaultOver(usize),
    /// The next piece of a connection arrives.
    Arrive { conn: ConnId, to_server: bool },
    /// Both ends of a connection learn that it is broken.
    Reset { conn: ConnId },
    /// The disk has finished a call of the storage, with this to tell the peer.
    DiskDone { work: Work, life: Life, input: Option<Box<Input>> },
    /// The disk has finished a call of recovery.
    Recovery { life: Life },
    /// The machine is switched on again.
    Restart { life: Life },
    /// A paused process goes on.
    Resume { life: Life, pause: u64 },
    /// In a rolling restart it is this server's turn.
    TakeTurn { index: usize, server: usize },
    /// Whoever was elected fails.
    Doom { index: usize, life: Life },
    /// A planned operation is due.
    Operation(usize),
    /// A client has something to do by itself.
    ClientTimer(usize),
    /// The peer asked to be woken.
    PeerTimer { life: Life },
    /// A dial reaches the other server.
    DialArrives { link: LinkId },
    /// Who dialled hears of the other server, or does not.
    DialDone { link: LinkId, is_through: bool },
    /// A process takes what its system has accepted.
    LinkAccepted { link: LinkId },
    /// Something arrives that this end of a link has sent.
    LinkArrives { link: LinkId, end: usize },
    /// What a process gave to a link is with the system.
    LinkWritten { link: LinkId, life: Life },
    /// This end learns that the link is broken.
    LinkReset { link: LinkId, end: usize },
    /// A process that was paused learns that its end of a link is gone.
    LinkLost { link: LinkId, life: Life },
    /// What this end has sent was not acknowledged for too long.
    LinkGivesUp { link: LinkId, end: usize, since: u64 },
    /// It is looked whether all is well.
    Look,
    /// Faults and operations end.
    EndOfFaults,
    /// The end.
    End,
    /// Nobody wants to know how it goes on.
    Stop,
}

impl Event {
    /// What comes first of what happens at one time: faults, then what arrives, then what is done by oneself. The peer's
    /// timer is the last, so that everything that is there is heard before anything ends.
    fn class(&self) -> u8 {
        match self {
            Event::Fault(_) | Event::FaultOver(_) | Event::EndOfFaults => 0,
            Event::TakeTurn { .. } | Event::Doom { .. } => 0,
            Event::Restart { .. } | Event::Resume { .. } | Event::Reset { .. } => 1,
            Event::LinkReset { .. } | Event::LinkLost { .. } | Event::LinkGivesUp { .. } => 1,
            Event::Arrive { .. } | Event::LinkArrives { .. } => 2,
            Event::DialArrives { .. } | Event::DialDone { .. } | Event::LinkAccepted { .. } => 2,
            Event::DiskDone { .. } | Event::Recovery { .. } | Event::LinkWritten { .. } => 3,
            Event::Operation(_) => 4,
            Event::ClientTimer(_) => 5,
            Event::PeerTimer { .. } => 6,
            Event::Look | Event::End | Event::Stop => 7,
        }
    }
}

#[derive(Debug)]
struct Scheduled {
    /// Time, class and sequence in one number, since the queue compares them more than anything.
    order: u128,
    event: Event,
}

impl Scheduled {
    fn new(at: u64, event: Event, sequence: u64) -> Self {
        let order = u128::from(at) << 64 | u128::from(event.class()) << 56 | u128::from(sequence);
        Scheduled { order, event }
    }

    fn at(&self) -> u64 {
        (self.order >> 64) as u64
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order.cmp(&other.order)
    }
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The first violation, if there was one.
    pub violation: Option<Violation>,
    /// The running hash of everything that happened.
    pub trace_hash: u64,
    /// What happened, in numbers.
    pub counters: Counters,
    /// The last events, oldest first.
    pub last_events: Vec<String>,
}

/// See the module's words.
pub(crate) struct World<'p> {
    plan: &'p Plan,
    programs: &'p dyn Programs,
    chooser: Box<dyn Chooser>,
    now: u64,
    queue: BinaryHeap<Reverse<Scheduled>>,
    sequence: u64,
    trace: Trace,
    /// What a page shows, when somebody asks for one.
    timeline: Option<Box<Timeline>>,
    counters: Counters,
    net: Net,
    links: Links,
    /// What of the network is broken, by the fault that did it.
    broken_ways: BTreeMap<usize, Vec<WayOf>>,
    /// Faults that wait for somebody to be elected.
    doomed: VecDeque<usize>,
    /// Faults that wait for somebody to truncate its log.
    doomed_truncations: VecDeque<usize>,
    /// Who is not lost for good.
    survivors: Vec<bool>,
    /// The leaders that were established before all was healed.
    elections_before: Reigns,
    servers: Vec<Server>,
    oracle: Oracle,
    clients: Vec<Client>,
    /// For each client, the time of the timer that is planned.
    client_timers: Vec<u64>,
    real_time: RealTime,
    /// Of the input that is handled next.
    aftermath: Aftermath,
    is_over: bool,
    /// Nothing more can be asked: the server has refused what a lying disk left, or the run was to go no further.
    is_cut_short: bool,
    /// What clients say and hear, if somebody wants to know.
    overheard: Option<Vec<Overheard>>,
}

/// Something that goes over a client's connection, as its client has it.
#[derive(Clone, Debug)]
pub(crate) enum Overheard {
    ToServer(ConnId, Bytes),
    ToClient(ConnId, Bytes),
    /// It is closed at the client's end.
    EndOf(ConnId),
}

/// Runs a plan to its end, and answers what went over its clients' connections, and the first violation.
pub(crate) fn overhear(plan: &Plan) -> (Vec<Overheard>, Option<Violation>) {
    let mut world = World::new((plan, &Workloads), Box::new(Seeded { seed: plan.seed }), Checks::All, None);
    world.overheard = Some(Vec::new());
    let violation = world.run().err();
    (world.overheard.unwrap_or_default(), violation)
}

/// Runs a plan to its end. With a number of events to show, the trace keeps words beside the numbers, which costs time.
pub fn run(plan: &Plan, shown: Option<usize>) -> Outcome {
    run_with(plan, Box::new(Seeded { seed: plan.seed }), Checks::All, shown)
}

/// Runs a plan, its free choices made by `chooser`, and checks so much of it.
pub fn run_with(plan: &Plan, chooser: Box<dyn Chooser>, checks: Checks, shown: Option<usize>) -> Outcome {
    if let Some(accent) = &plan.accent {
        return crate::accent::run((plan, accent), chooser, shown);
    }
    run_programs(plan, &Workloads, chooser, checks, shown)
}

/// The same with other programs on its machines.
pub(crate) fn run_programs(
    plan: &Plan,
    programs: &dyn Programs,
    chooser: Box<dyn Chooser>,
    checks: Checks,
    shown: Option<usize>,
) -> Outcome {
    World::new((plan, programs), chooser, checks, shown).outcome()
}

/// Runs a plan up to this virtual time; what may be broken later, or owed at the end, is not looked at.
pub fn run_until(plan: &Plan, chooser: Box<dyn Chooser>, checks: Checks, until_ns: u64) -> Outcome {
    if let Some(accent) = &plan.accent {
        return crate::accent::run((plan, accent), chooser, None);
    }
    let mut world = World::new((plan, &Workloads), chooser, checks, None);
    world.schedule(until_ns, Event::Stop);
    world.outcome()
}

impl<'p> World<'p> {
    fn new(
        (plan, programs): (&'p Plan, &'p dyn Programs),
        mut chooser: Box<dyn Chooser>,
        checks: Checks,
        shown: Option<usize>,
    ) -> Self {
        let ensemble = plan.ensemble.as_ref();
        let count = ensemble.map_or(1, EnsemblePlan::servers);
        let db_autocreate = ensemble.is_none_or(|plan| plan.db_autocreate);
        let server = |index| {
            let config = ensemble.map(|plan| ensemble_config(plan, index));
            let serves_reads = ensemble.is_some_and(|plan| plan.read_only.contains(&(index as u32)));
            Server::new(&plan.server, (config, db_autocreate, serves_reads), index)
        };
        let mut servers: Vec<Server> = (0..count).map(server).collect();
        let mut oracle = servers[0].oracle(ensemble, checks);
        let mut counters = Counters::default();
        faults::count_standing(plan, &mut counters);
        if let Some(image) = &plan.image {
            let image = Image::new(image, ensemble.is_some());
            servers.iter_mut().for_each(|server| server.disk = image.disk());
            oracle.begins_with(&image);
            counters.probe("image");
        }
        let has_local = ensemble.is_some_and(|plan| !plan.read_only.is_empty())
            || ensemble.is_some() && plan.server.local_sessions;
        let clients = plan.clients.iter().enumerate();
        let mut clients: Vec<Client> =
            clients.map(|(index, plan)| Client::new((index, count), plan, &mut *chooser)).collect();
        let end_of_operations = plan.duration_ms * 1_000_000;
        clients.extend(plan.apps.iter().enumerate().map(|(index, app)| {
            let place = (plan.clients.len() + index, plan.apps.len(), count);
            Client::App(Box::new(app::started(programs, place, app, (plan.seed, end_of_operations))))
        }));
        World {
            plan,
            programs,
            chooser,
            now: 0,
            queue: BinaryHeap::new(),
            sequence: 0,
            trace: Trace::new(plan.seed, shown),
            timeline: None,
            counters,
            net: Net::new(plan.network.clone()),
            links: Links::default(),
            broken_ways: BTreeMap::new(),
            doomed: VecDeque::new(),
            doomed_truncations: VecDeque::new(),
            survivors: vec![true; count],
            elections_before: Reigns::default(),
            servers,
            oracle,
            client_timers: vec![u64::MAX; clients.len()],
            clients,
            real_time: RealTime::new(ensemble.is_some(), has_local),
            aftermath: Aftermath::default(),
            is_over: false,
            is_cut_short: false,
            overheard: None,
        }
    }

    fn outcome(&mut self) -> Outcome {
        let violation = self.run().err();
        // What broke a rule is seen as it left things.
        self.watch();
        self.counters.simulated_ns = self.now;
        self.counters.commits = self.oracle.commits();
        Outcome {
            violation,
            trace_hash: self.trace.hash(),
            last_events: self.trace.last(),
            counters: std::mem::take(&mut self.counters),
        }
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse(Scheduled::new(at.max(self.now), event, self.sequence)));
    }

    /// Puts an event of the program into hash and counters.
    fn note(&mut self, what: &'static str, numbers: [u64; 3]) {
        self.note_of(None, what, numbers);
    }

    fn note_of(&mut self, server: Option<usize>, what: &'static str, mut numbers: [u64; 3]) {
        self.counters.events += 1;
        if let Some(timeline) = &mut self.timeline {
            timeline.note(self.now, server, what, numbers);
        }
        numbers[0] |= (server.unwrap_or(0) as u64) << 56;
        self.trace.event(self.now, what, numbers);
    }

    /// The same of a server.
    fn note_at(&mut self, server: usize, what: &'static str, numbers: [u64; 3]) {
        self.note_of(Some(server), what, numbers);
    }

    fn overhear(&mut self, what: impl FnOnce() -> Overheard) {
        if let Some(overheard) = &mut self.overheard {
            overheard.push(what());
        }
    }

    fn life(&self, server: usize) -> Life {
        Life { server, number: self.servers[server].life }
    }

    fn is_current(&self, life: Life) -> bool {
        self.life(life.server) == life
    }

    fn run(&mut self) -> Verdict {
        for server in 0..self.servers.len() {
            self.schedule(0, Event::Restart { life: self.life(server) });
        }
        if let Some(first) = self.plan.operations.first() {
            self.schedule(first.at_us * 1000, Event::Operation(0));
        }
        for (index, planned) in self.plan.faults.iter().enumerate() {
            self.schedule(planned.at_us * 1000, Event::Fault(index));
        }
        let end_of_faults = self.plan.duration_ms * 1_000_000;
        self.schedule(end_of_faults, Event::EndOfFaults);
        let liveness = match &self.plan.ensemble {
            Some(ensemble) => liveness::bound_ns(ensemble, self.plan.server.tick_time_ms),
            None => LIVENESS_NS,
        };
        self.schedule(end_of_faults + liveness, Event::End);
        for client in 0..self.clients.len() {
            self.arm_client(client);
        }
        let mut at_once = 0;
        while let Some(Reverse(next)) = self.queue.pop() {
            at_once = if next.at() == self.now { at_once + 1 } else { 0 };
            if at_once == MOST_AT_ONCE {
                return violated("livelock", format!("time stands still, the next is {:?}", next.event));
            }
            self.now = next.at();
            self.happen(next.event)?;
            if self.timeline.is_some() {
                self.watch();
            }
            if self.is_over {
                return self.finish();
            }
        }
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Verdict {
        match event {
            Event::Fault(index) => self.begin_fault(index),
            Event::FaultOver(index) => self.end_fault(index),
            Event::TakeTurn { index, server } => self.take_turn(index, server),
            Event::Doom { index, life } => self.doom(index, life),
            Event::Arrive { conn, to_server: true } => self.arrive_at_server(conn),
            Event::Arrive { conn, to_server: false } => self.arrive_at_client(conn),
            Event::Reset { conn } => self.reset(conn),
            Event::DiskDone { work, life, input } => self.disk_done(work, life, input),
            Event::Recovery { life } => self.recover(life),
            Event::Restart { life } => self.restart(life),
            Event::Resume { life, pause } => self.resume(life, pause),
            Event::Operation(index) => self.operate(index),
            Event::ClientTimer(client) => self.client_timer(client),
            Event::PeerTimer { life } => self.peer_timer(life),
            Event::DialArrives { link } => self.dial_arrives(link),
            Event::DialDone { link, is_through } => self.dial_done(link, is_through),
            Event::LinkAccepted { link } => self.accept_link(link),
            Event::LinkArrives { link, end } => self.link_arrives(link, end),
            Event::LinkWritten { link, life } => self.link_written(link, life),
            Event::LinkReset { link, end } => self.link_reset(link, end),
            Event::LinkLost { link, life } => self.heard_of_loss(link, life),
            Event::LinkGivesUp { link, end, since } => self.link_gives_up(link, end, since),
            Event::EndOfFaults => self.end_all_faults(),
            Event::Look => self.look(),
            Event::End => {
                self.is_over = true;
                Ok(())
            }
            Event::Stop => {
                (self.is_over, self.is_cut_short) = (true, true);
                Ok(())
            }
        }
    }

    /// Faults have ended long ago: the server serves, and nobody waits for anything.
    fn finish(&mut self) -> Verdict {
        if self.is_cut_short {
            return Ok(());
        }
        if self.plan.ensemble.is_some() {
            return self.finish_ensemble();
        }
        if !self.servers[0].is_serving() {
            return violated("liveness", "the server does not serve, long after the last fault".to_string());
        }
        let end_of_faults = self.plan.duration_ms * 1_000_000;
        for (index, client) in self.clients.iter().enumerate() {
            if client.last_answered() < end_of_faults || client.waits_since() + PATIENCE_NS < self.now {
                let state = client.state();
                let (heard, waits) = (client.last_answered(), client.waits_since());
                let detail =
                    format!("client {index} is {state}, was answered at {heard}, waits since {waits} ns");
                return violated("liveness", detail);
            }
        }
        (0..self.servers.len()).try_for_each(|server| self.check_server(server))
    }
}
