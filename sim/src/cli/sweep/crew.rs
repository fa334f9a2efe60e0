//! The threads of a sweep, and the order that is made of what they find.
//!
//! Seeds are handed out in order, and whoever has one finishes it: so all seeds below the lowest one that ends the sweep have been run,
//! and what lies above it is forgotten. What a sweep says is the same with any number of threads, but for what it takes.
//!
//! A seed that panics is a seed that broke a rule. Its thread is lost, since a release build can't unwind: it stands still for the rest of
//! the program, and another takes its place.

use super::super::report;
use super::super::stopwatch::Stopwatch;
use super::seeds::Seeds;
use super::task::{Done, Task};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// What a lost thread holds is lost with it: so many are enough.
const MOST_PANICS: u64 = 20;
const BREATH: Duration = Duration::from_millis(500);

/// Which broken rule ends a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Any.
    Any,
    /// None.
    Never,
    /// One of this checker.
    Checker(String),
}

impl Until {
    pub(super) fn is(&self, checker: &str) -> bool {
        match self {
            Until::Any => true,
            Until::Never => false,
            Until::Checker(looked_for) => looked_for == checker,
        }
    }
}

/// What the threads share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) task: Task,
    run: fn(&Task, u64) -> Done,
    pub(super) seeds: Seeds,
    pub(super) until: Until,
    pub(super) budget: Option<Duration>,
    started: Stopwatch,
    /// The lowest seed that ends the sweep, of those found.
    last: AtomicU64,
    panics: AtomicU64,
    is_begun: AtomicBool,
    is_time_over: AtomicBool,
}

enum Message {
    Done(Box<Done>),
    Panicked(Box<Done>),
    Over,
}

/// Why not all seeds were run, if nothing that was found is the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Short {
    Time,
    Panics,
}

impl Shared {
    pub(super) fn new(task: Task, seeds: Seeds, until: Until, budget: Option<Duration>) -> Self {
        Shared {
            task,
            run: Task::run,
            seeds,
            until,
            budget,
            started: Stopwatch::start(),
            last: AtomicU64::new(u64::MAX),
            panics: AtomicU64::new(0),
            is_begun: AtomicBool::new(false),
            is_time_over: AtomicBool::new(false),
        }
    }

    pub(super) fn passed(&self) -> Duration {
        self.started.passed()
    }

    fn take(&self) -> Option<u64> {
        // The first one is begun in any case: nothing is said of nothing.
        let is_first = !self.is_begun.swap(true, Ordering::Relaxed);
        if !is_first && self.budget.is_some_and(|budget| self.passed() >= budget) {
            self.is_time_over.store(true, Ordering::Relaxed);
            return None;
        }
        if self.panics.load(Ordering::Relaxed) >= MOST_PANICS || self.last.load(Ordering::Relaxed) < u64::MAX
        {
            return None;
        }
        self.seeds.take()
    }

    fn look_at(&self, done: &Done) {
        if done.found.as_ref().is_some_and(|found| self.until.is(&found.checker)) {
            self.last.fetch_min(done.seed, Ordering::Relaxed);
        }
    }

    /// Why those seeds that are left were not run.
    pub(super) fn short(&self) -> Option<Short> {
        if self.is_time_over.load(Ordering::Relaxed) {
            return Some(Short::Time);
        }
        (self.panics.load(Ordering::Relaxed) >= MOST_PANICS).then_some(Short::Panics)
    }
}

fn work(shared: &Arc<Shared>, results: &Sender<Message>) {
    let told = (Arc::clone(shared), results.clone());
    report::on_panic(move |seed, detail| {
        let (shared, results) = &told;
        let done = Task::panicked(seed, detail);
        shared.panics.fetch_add(1, Ordering::Relaxed);
        shared.look_at(&done);
        let _ = results.send(Message::Panicked(Box::new(done)));
    });
    while let Some(seed) = shared.take() {
        report::now_running(shared.task.scenario, seed, shared.task.checks);
        let done = (shared.run)(&shared.task, seed);
        shared.look_at(&done);
        let _ = results.send(Message::Done(Box::new(done)));
    }
    let _ = results.send(Message::Over);
}

fn hire(shared: &Arc<Shared>, results: &Sender<Message>) -> Result<(), String> {
    let (shared, results) = (Arc::clone(shared), results.clone());
    let thread = std::thread::Builder::new().name("sweep".to_string());
    let started = thread.spawn(move || work(&shared, &results));
    started.map(|_| ()).map_err(|error| format!("the system gives no more threads: {error}"))
}

/// What is heard of a sweep that is under way.
pub(super) enum Told {
    /// The next seed, in order.
    Done(Box<Done>),
    /// How many are done, in whatever order; at least twice a second.
    Count(u64),
}

/// Runs the seeds with so many threads. Answers with the next seed that would have been told, if one is left.
pub(super) fn run(
    shared: &Arc<Shared>,
    from: u64,
    jobs: usize,
    mut tell: impl FnMut(Told) -> Result<(), String>,
) -> Result<Option<u64>, String> {
    let (results, inbox) = channel();
    for _ in 0..jobs {
        hire(shared, &results)?;
    }
    let mut order = Order { next: shared.seeds.at_or_after(from), waiting: BTreeMap::new() };
    let (mut there, mut count) = (jobs, 0);
    while there > 0 {
        match next(&inbox) {
            Some(Message::Over) => there -= 1,
            Some(Message::Done(done)) => {
                count += 1;
                order.add(done, shared, &mut tell)?;
            }
            Some(Message::Panicked(done)) => {
                count += 1;
                order.add(done, shared, &mut tell)?;
                hire(shared, &results)?;
            }
            None => {}
        }
        tell(Told::Count(count))?;
    }
    Ok(order.next)
}

fn next(inbox: &Receiver<Message>) -> Option<Message> {
    match inbox.recv_timeout(BREATH) {
        Ok(message) => Some(message),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => unreachable!("the crew's own sender is alive"),
    }
}

/// What came too early, and the seed that is told next.
struct Order {
    next: Option<u64>,
    waiting: BTreeMap<u64, Box<Done>>,
}

impl Order {
    fn add(
        &mut self,
        done: Box<Done>,
        shared: &Shared,
        tell: &mut impl FnMut(Told) -> Result<(), String>,
    ) -> Result<(), String> {
        self.waiting.insert(done.seed, done);
        while let Some(next) = self.next
            && next <= shared.last.load(Ordering::Relaxed)
            && let Some(done) = self.waiting.remove(&next)
        {
            tell(Told::Done(done))?;
            self.next = shared.seeds.at_or_after(next + 1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::seeds::{Ranges, Shard};
    use super::super::task::Found;
    use super::*;
    use quorate_sim::{Checks, Counters, Demand, Scenario};

    fn done(seed: u64, checker: Option<&str>) -> Done {
        let found = checker.map(|checker| Found { checker: checker.to_string(), detail: String::new() });
        let (counters, trace_hash) = (Counters::default(), seed);
        Done { seed, counters, trace_hash, cpu_ns: 0, is_twice: false, found }
    }

    /// 30 breaks `late` after all others have gone on, 40 `early` at once, and of 70 to 79 and from 100 on each panics.
    fn odd(_: &Task, seed: u64) -> Done {
        match seed {
            30 => {
                std::thread::park_timeout(Duration::from_millis(200));
                done(seed, Some("late"))
            }
            40 => done(seed, Some("early")),
            70..80 | 100.. => report::panicked(&format!("this is\nseed {seed}")),
            _ => done(seed, None),
        }
    }

    type Heard = Vec<(u64, Option<Found>)>;

    fn sweep((from, to): (u64, u64), jobs: usize, until: Until) -> (Heard, Option<u64>, Option<Short>) {
        let (demand, options) = (Demand::default(), String::new());
        let task = Task { scenario: Scenario::R0, demand, options, checks: Checks::All, twice_percent: 0 };
        let seeds = Seeds::new((from, to), Shard::WHOLE, Ranges::default());
        let shared = Arc::new(Shared { run: odd, ..Shared::new(task, seeds, until, None) });
        let mut told = Vec::new();
        let next = run(&shared, from, jobs, |heard| {
            if let Told::Done(done) = heard {
                told.push((done.seed, done.found));
            }
            Ok(())
        });
        (told, next.expect("nobody objects"), shared.short())
    }

    #[test]
    fn the_lowest_seed_that_breaks_ends_it_whoever_is_faster() {
        for jobs in 1..5 {
            let (told, next, _) = sweep((20, 60), jobs, Until::Any);
            assert_eq!(told.iter().map(|(seed, _)| *seed).collect::<Vec<_>>(), Vec::from_iter(20..=30));
            assert_eq!(told[10].1.as_ref().map(|found| &*found.checker), Some("late"));
            assert_eq!(next, Some(31));
            let (told, next, _) = sweep((20, 60), jobs, Until::Checker("early".to_string()));
            assert_eq!(told.iter().map(|(seed, _)| *seed).collect::<Vec<_>>(), Vec::from_iter(20..=40));
            assert_eq!(next, Some(41));
            let (told, next, short) = sweep((20, 60), jobs, Until::Never);
            assert_eq!(told.iter().map(|(seed, _)| *seed).collect::<Vec<_>>(), Vec::from_iter(20..60));
            assert_eq!((next, short), (None, None));
        }
    }

    #[test]
    fn a_panic_breaks_a_rule_and_the_others_go_on() {
        for jobs in [1, 3] {
            let (told, next, _) = sweep((65, 90), jobs, Until::Never);
            let panics: Vec<_> = told.iter().filter_map(|(_, found)| found.clone()).collect();
            assert_eq!((told.len(), panics.len(), next), (25, 10, None));
            assert_eq!(
                panics[3],
                Found { checker: "no_panic".to_string(), detail: "this is seed 73".to_string() }
            );
            let (told, next, _) = sweep((65, 90), jobs, Until::Any);
            assert_eq!((told.len(), next), (6, Some(71)));
            let (told, next, short) = sweep((65, 900), jobs, Until::Never);
            let enough = MOST_PANICS + 25..MOST_PANICS + 25 + jobs as u64;
            assert!(enough.contains(&(told.len() as u64)), "{} are told", told.len());
            assert_eq!((next, short), (Some(65 + told.len() as u64), Some(Short::Panics)));
        }
    }
}
