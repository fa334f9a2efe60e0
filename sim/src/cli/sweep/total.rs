//! What all runs of a sweep came to, and how it is told.

use super::super::{floors, report};
use super::crew::{Short, Until};
use super::seeds::Ranges;
use super::task::{Done, Found, Task};
use quorate_sim::Counters;
use serde::Serialize;
use std::fmt::Write;

/// So many violations are told in full, the others in a line.
const TOLD: usize = 3;
const LINE: usize = 150;

/// A seed whose run broke a rule.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Broken {
    pub(super) seed: u64,
    pub(super) violation: Found,
    /// The command that runs it again.
    pub(super) replay: String,
    pub(super) cpu_ns: u64,
}

/// See the module's words. With earlier sessions, counters and seeds are those of all of them.
#[derive(Debug, Default, Serialize)]
pub(super) struct Total {
    pub(super) scenario: String,
    pub(super) version: &'static str,
    pub(super) commit: &'static str,
    pub(super) seeds: u64,
    /// Which of them earlier sessions did.
    pub(super) seeds_before: u64,
    /// Which were run now, up to this one's own shard.
    pub(super) done: Ranges,
    /// How many were left, and why, if the sweep was cut short.
    pub(super) left: u64,
    pub(super) short: Option<Short>,
    pub(super) counters: Counters,
    pub(super) cpu_ns: u64,
    /// How many were run a second time, to see whether it is the same.
    pub(super) twice: u64,
    pub(super) broken: Vec<Broken>,
    /// What never happened, of what should; nothing, if there were too few seeds to say.
    pub(super) missing: Option<Vec<String>>,
    /// The hashes of all traces in one, whatever order they came in.
    pub(super) trace_hash: String,
    #[serde(skip)]
    hash: u64,
    pub(super) held: bool,
}

/// What a seed's trace adds to the hash of all.
pub(super) fn share(seed: u64, trace_hash: u64) -> u64 {
    trace_hash ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Total {
    /// Nothing yet but what earlier sessions came to.
    pub(super) fn new(task: &Task, earlier: Option<Earlier>) -> Self {
        let Earlier { seeds, twice, cpu_ns, hash, counters } = earlier.unwrap_or_default();
        Total {
            scenario: task.name(),
            version: report::VERSION,
            commit: report::COMMIT,
            seeds,
            seeds_before: seeds,
            twice,
            cpu_ns,
            hash,
            counters,
            ..Total::default()
        }
    }

    /// Adds a seed, which stands for all up to `end` that are not another shard's.
    pub(super) fn add(&mut self, task: &Task, done: Done, end: u64) {
        self.seeds += 1;
        self.done.insert(done.seed, end);
        self.counters.merge(&done.counters);
        self.cpu_ns += done.cpu_ns;
        self.twice += u64::from(done.is_twice);
        self.hash = self.hash.wrapping_add(share(done.seed, done.trace_hash));
        if let Some(violation) = done.found {
            let replay = task.replay(done.seed);
            self.broken.push(Broken { seed: done.seed, violation, replay, cpu_ns: done.cpu_ns });
        }
    }

    /// Judges what there is.
    pub(super) fn close(&mut self, task: &Task, until: &Until, (left, short): (u64, Option<Short>)) {
        (self.left, self.short) = (left, short);
        self.trace_hash = format!("{:016x}", self.hash);
        self.broken.sort_by_key(|broken| (!until.is(&broken.violation.checker), broken.seed));
        // What nobody watches is not counted.
        if self.seeds >= floors::seeds(task.scenario) && task.has_floors() {
            self.missing = Some(floors::missing(task.scenario, self.seeds, &self.counters));
        }
        self.held = self.broken.is_empty() && self.missing.as_ref().is_none_or(Vec::is_empty);
    }

    pub(super) fn verdict(&self) -> String {
        let missing = self.missing.as_ref().map_or(0, Vec::len);
        match (self.broken.len(), missing) {
            (0, 0) => "held".to_string(),
            (0, missing) => format!("nothing broke, but {missing} things never happened"),
            (broken, _) => format!("{broken} of {} seeds broke a rule", self.seeds - self.seeds_before),
        }
    }

    /// In words.
    pub(super) fn words(&self, title: &str, commits: &str, task: &Task) -> String {
        let mut text = report::totals(title, &self.counters, self.cpu_ns);
        let _ = writeln!(text, "\nrun twice       {} of them, to see whether it is the same", self.twice);
        let _ = writeln!(text, "trace hash      {}", self.trace_hash);
        for (number, Broken { seed, violation, replay, .. }) in self.broken.iter().enumerate() {
            let Found { checker, detail } = violation;
            let (gap, detail) = match number < TOLD {
                true => ("\n", report::shortened(detail)),
                false => ("", detail.chars().take(LINE).collect()),
            };
            let _ = writeln!(text, "{gap}seed {seed} breaks {checker}: {detail}");
            let _ = writeln!(text, "replay          {replay}");
        }
        for what in self.missing.iter().flatten() {
            let _ = writeln!(text, "never happened  {what}");
        }
        if self.missing.is_none() && task.has_floors() {
            let needed = floors::seeds(task.scenario);
            let _ =
                writeln!(text, "floors          not looked at: what never happens shows in {needed} seeds");
        }
        if self.left > 0 {
            let why = match self.short {
                Some(Short::Time) => "the time is over",
                Some(Short::Panics) => "these are panics enough",
                None => "the first that breaks ends it, without --keep-going",
            };
            let _ = writeln!(text, "seeds done      {}; {} are left, since {why}", self.done, self.left);
        }
        let _ = write!(text, "{commits}verdict         {}", self.verdict());
        text
    }
}

/// What earlier sessions came to.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    pub(super) seeds: u64,
    pub(super) twice: u64,
    pub(super) cpu_ns: u64,
    pub(super) hash: u64,
    pub(super) counters: Counters,
}
