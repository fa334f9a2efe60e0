//! A machine that applications run on: its tasks, timers, connections and clock, and the executor that drives them.

use crate::checkers::client_view::ClientView;
use crate::checkers::{Verdict, Violation};
use crate::chooser::{Choice, Chooser, Key, Seeded};
use crate::counters::Counters;
use crate::plan::{AppPlan, PausePlan};
use bytes::Bytes;
use quorate_core::client::Host;
use quorate_core::vocabulary::ConnId;
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

#[expect(
    clippy::disallowed_types,
    reason = "wakers and handles have to be Send, though only one thread has them; nothing waits"
)]
type Lock<T> = std::sync::Mutex<T>;

/// A server's name, before its number; from the last server on they begin anew.
pub(crate) const NAME: &str = "server";
/// So many polls without a pause are not progress.
const MOST_POLLS: u64 = 1_000_000;
const MS: u64 = 1_000_000;

pub(super) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a machine and its handles share.
#[derive(Debug)]
pub(crate) struct Shared(Lock<State>);

pub(super) fn with<O>(shared: &Shared, look: impl FnOnce(&mut State) -> O) -> O {
    look(&mut shared.0.lock().unwrap_or_else(PoisonError::into_inner))
}

/// What the machine wants of the world.
#[derive(Debug)]
pub(crate) enum Doing {
    /// A new connection, to be known by this number, to the server of this number.
    Connect(u64, usize),
    Say(u64, Bytes),
    HangUp(u64),
}

/// Something that tasks have seen come to pass, for the judge of their workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// By the world's clock, ns.
    pub(crate) at: u64,
    pub(crate) machine: u64,
    pub(crate) what: &'static str,
    /// Of what, where a workload has more than one of it.
    pub(crate) subject: u64,
    pub(crate) numbers: [u64; 3],
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) heard: VecDeque<Bytes>,
    pub(super) is_lost: bool,
    pub(super) reader: Option<Waker>,
}

pub(super) struct State {
    /// By the machine's clock, ns.
    pub(super) now: u64,
    /// By the world's, which tasks have no business with.
    pub(super) world: u64,
    seed: u64,
    pub(super) machine: u64,
    pub(super) draws: u64,
    pub(super) spawned: Vec<Task>,
    pub(super) timers: BTreeMap<(u64, u64), Waker>,
    pub(super) timers_made: u64,
    pub(super) streams: BTreeMap<u64, Stream>,
    dials: u64,
    doings: Vec<Doing>,
    pub(super) violation: Option<(&'static str, String)>,
    pub(super) probes: Vec<&'static str>,
    pub(super) tallies: BTreeMap<&'static str, u64>,
    pub(super) told: Vec<Told>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("now", &self.now)
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}

impl State {
    pub(super) fn entropy(&self, draw: u64) -> u64 {
        Seeded { seed: self.seed }.pick(Choice::App, Key(self.machine, draw, 0), u64::MAX)
    }

    pub(super) fn dial(&mut self, host: &Host) -> u64 {
        self.dials += 1;
        self.streams.insert(self.dials, Stream::default());
        let server = host.name.strip_prefix(NAME).and_then(|number| number.parse().ok()).unwrap_or(0);
        self.doings.push(Doing::Connect(self.dials, server));
        self.dials
    }

    pub(super) fn say(&mut self, stream: u64, bytes: Bytes) {
        if self.streams.contains_key(&stream) {
            self.doings.push(Doing::Say(stream, bytes));
        }
    }

    pub(super) fn hang_up(&mut self, stream: u64) {
        if self.streams.remove(&stream).is_some() {
            self.doings.push(Doing::HangUp(stream));
        }
    }
}

/// Who is to be polled, in the order in which they were woken.
#[derive(Debug, Default)]
struct Ready(Lock<VecDeque<u64>>);

impl Ready {
    fn push(&self, task: u64) {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !ready.contains(&task) {
            ready.push_back(task);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn pop(&self) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

struct TaskWaker {
    ready: Arc<Ready>,
    task: u64,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.task);
    }
}

/// See the module's words.
pub(crate) struct Machine {
    pub(crate) index: usize,
    shared: Arc<Shared>,
    ready: Arc<Ready>,
    tasks: BTreeMap<u64, (Task, Waker)>,
    spawned: u64,
    /// Connections, as the world knows them.
    conns: BTreeMap<u64, ConnId>,
    /// How much of the world's time its clock shows, in a thousand.
    speed_permille: u64,
    /// When it stands still, as a machine whose host is busy elsewhere.
    pauses: Vec<PausePlan>,
    /// Until then what its connections carry waits, by the world's clock.
    lonely_until: u64,
    last_heard: u64,
    /// Of its one client.
    view: ClientView,
    /// The connection that it has said something on, which is one at a time.
    greeted: Option<ConnId>,
    timeout_ms: u64,
    /// The world's time when it last could have gone on.
    seen: u64,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine")
            .field("index", &self.index)
            .field("tasks", &self.tasks.len())
            .finish_non_exhaustive()
    }
}

impl Machine {
    pub(crate) fn new(index: usize, seed: u64, plan: &AppPlan) -> Self {
        let state = State {
            now: 0,
            world: 0,
            seed,
            machine: index as u64,
            draws: 0,
            spawned: Vec::new(),
            timers: BTreeMap::new(),
            timers_made: 0,
            streams: BTreeMap::new(),
            dials: 0,
            doings: Vec::new(),
            violation: None,
            probes: Vec::new(),
            tallies: BTreeMap::new(),
            told: Vec::new(),
        };
        Machine {
            index,
            shared: Arc::new(Shared(Lock::new(state))),
            ready: Arc::default(),
            tasks: BTreeMap::new(),
            spawned: 0,
            conns: BTreeMap::new(),
            speed_permille: plan.speed_permille,
            pauses: plan.pauses.clone(),
            lonely_until: 0,
            last_heard: 0,
            view: ClientView::default(),
            greeted: None,
            timeout_ms: plan.timeout_ms,
            seen: 0,
        }
    }

    pub(crate) fn runtime(&self) -> super::SimRuntime {
        super::SimRuntime(Arc::clone(&self.shared))
    }

    /// Whether all its tasks have come to their end.
    pub(crate) fn is_done(&self) -> bool {
        self.tasks.is_empty() && with(&self.shared, |state| state.spawned.is_empty())
    }

    /// When it last heard of a server.
    pub(crate) fn last_heard(&self) -> u64 {
        self.last_heard
    }

    pub(crate) fn holds(&self, conn: ConnId) -> bool {
        self.conns.values().any(|held| *held == conn)
    }

    pub(crate) fn conns(&self) -> Vec<ConnId> {
        self.conns.values().copied().collect()
    }

    /// Nobody reaches it until then, or longer if that was said before; answers until when.
    pub(crate) fn leave_alone(&mut self, until: u64) -> u64 {
        self.lonely_until = self.lonely_until.max(until);
        self.lonely_until
    }

    pub(crate) fn lonely_until(&self) -> u64 {
        self.lonely_until
    }

    pub(crate) fn conn(&self, stream: u64) -> Option<ConnId> {
        self.conns.get(&stream).copied()
    }

    /// The connection that its tasks have closed, unless it was lost before.
    pub(crate) fn hangs_up(&mut self, now: u64, stream: u64) -> Option<ConnId> {
        let conn = self.conns.remove(&stream)?;
        self.view.is_lost(now, conn);
        Some(conn)
    }

    /// What its tasks have counted.
    pub(crate) fn tally(&self, name: &'static str) -> u64 {
        with(&self.shared, |state| state.tallies.get(name).copied().unwrap_or(0))
    }

    /// What its tasks have told, in its order.
    pub(crate) fn told(&self) -> Vec<Told> {
        with(&self.shared, |state| state.told.clone())
    }

    /// What they have told behind the first so many.
    pub(crate) fn told_since(&self, known: usize) -> Vec<Told> {
        with(&self.shared, |state| state.told.get(known..).unwrap_or_default().to_vec())
    }

    /// A connection that was asked for is this one.
    pub(crate) fn has_conn(&mut self, stream: u64, conn: ConnId) {
        self.conns.insert(stream, conn);
    }

    /// When it has something to do by itself, by the world's clock.
    pub(crate) fn next_timer(&self) -> u64 {
        let is_idle = self.ready.is_empty() && with(&self.shared, |state| state.spawned.is_empty());
        let due = with(&self.shared, |state| match is_idle {
            true => state.timers.first_key_value().map(|((due, _), _)| *due),
            false => Some(0),
        });
        let due = due.map_or(u64::MAX, |due| {
            u64::try_from((u128::from(due) * 1000).div_ceil(u128::from(self.speed_permille)))
                .unwrap_or(u64::MAX)
        });
        self.awake(due.max(self.seen))
    }

    /// When it goes on, if it would go on at `at`.
    fn awake(&self, at: u64) -> u64 {
        let over = |pause: &PausePlan| (pause.at_ms + pause.ms) * MS;
        let pauses = self.pauses.iter().filter(|pause| pause.at_ms * MS <= at && at < over(pause));
        pauses.map(over).max().unwrap_or(at)
    }

    /// Its tasks say something on a connection: first of all, what they have seen.
    pub(crate) fn says(&mut self, now: u64, conn: ConnId, bytes: &[u8]) -> Verdict {
        if self.greeted.replace(conn) == Some(conn) {
            self.view.goes_on(conn);
            return Ok(());
        }
        // Its clock may be faster than the world's.
        self.view.shakes_hands(now, conn, bytes, self.timeout_ms * MS / 2)
    }

    /// Bytes have come.
    pub(crate) fn hear(&mut self, now: u64, conn: ConnId, bytes: Bytes) {
        self.last_heard = now;
        self.with_stream(conn, |stream| stream.heard.push_back(bytes));
    }

    /// A connection is gone.
    pub(crate) fn lose(&mut self, now: u64, conn: ConnId) {
        self.view.is_lost(now, conn);
        self.with_stream(conn, |stream| stream.is_lost = true);
        self.conns.retain(|_, held| *held != conn);
    }

    fn with_stream(&self, conn: ConnId, change: impl FnOnce(&mut Stream)) {
        let Some((number, _)) = self.conns.iter().find(|(_, held)| **held == conn) else { return };
        let reader = with(&self.shared, |state| {
            let stream = state.streams.get_mut(number)?;
            change(stream);
            stream.reader.take()
        });
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Lets its tasks go on until none can; answers what they want done.
    pub(crate) fn run(&mut self, now: u64, counters: &mut Counters) -> Result<Vec<Doing>, Violation> {
        self.seen = now;
        if self.awake(now) > now {
            return Ok(Vec::new());
        }
        self.ring(now);
        let mut polls = 0;
        while self.adopt() | self.poll_next() {
            polls += 1;
            assert!(polls < MOST_POLLS, "tasks of machine {} wake each other for ever", self.index);
        }
        let (doings, violation, probes) = with(&self.shared, |state| {
            (std::mem::take(&mut state.doings), state.violation.take(), std::mem::take(&mut state.probes))
        });
        probes.into_iter().for_each(|name| counters.probe(name));
        match violation {
            Some((checker, detail)) => Err(Violation { checker, detail }),
            None => Ok(doings),
        }
    }

    /// Sets the clock, and wakes whoever waited for what it shows now.
    fn ring(&mut self, now: u64) {
        let shown = (u128::from(now) * u128::from(self.speed_permille) / 1000) as u64;
        let due = with(&self.shared, |state| {
            state.world = now;
            state.now = state.now.max(shown);
            let later = state.timers.split_off(&(state.now + 1, 0));
            std::mem::replace(&mut state.timers, later)
        });
        due.into_values().for_each(Waker::wake);
    }

    /// Takes what was spawned; says whether there was anything.
    fn adopt(&mut self) -> bool {
        let spawned = with(&self.shared, |state| std::mem::take(&mut state.spawned));
        let some = !spawned.is_empty();
        for task in spawned {
            self.spawned += 1;
            let number = self.spawned;
            let waker = Waker::from(Arc::new(TaskWaker { ready: Arc::clone(&self.ready), task: number }));
            self.tasks.insert(number, (task, waker));
            self.ready.push(number);
        }
        some
    }

    fn poll_next(&mut self) -> bool {
        let Some(number) = self.ready.pop() else { return false };
        if let Some((task, waker)) = self.tasks.get_mut(&number) {
            let waker = waker.clone();
            if let Poll::Ready(()) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
                self.tasks.remove(&number);
            }
        }
        true
    }
}
