//! `sweep`: many seeds, their counters added up, and whether that proves anything.
//!
//! | file | |
//! |---|---|
//! | `seeds.rs` | which seeds: ranges, shards, what is done |
//! | `task.rs` | what is done with one of them, some of them twice |
//! | `crew.rs` | threads, order, and where it ends |
//! | `total.rs` | what it all came to |
//! | `resume.rs` | the record of many sessions |
//! | `junit.rs`, `progress.rs` | for CI, and for who waits |

mod crew;
mod junit;
mod progress;
mod resume;
mod seeds;
mod task;
mod total;

use super::demand::DemandArguments;
use super::report;
use super::stopwatch::Stopwatch;
use clap::Args;
use crew::{Shared, Told, Until};
use progress::Progress;
use quorate_sim::{Checks, Scenario};
use resume::Record;
pub(super) use seeds::parse_seeds;
use seeds::{Ranges, Seeds, Shard};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use task::Task;
use total::Total;

/// Between two times that the record is written.
const BETWEEN_RECORDS: Duration = Duration::from_secs(10);

#[derive(Args, Debug)]
pub(super) struct SweepArguments {
    /// The scenario: r0, r1, r2, rj, rr, or rr-WORKLOAD.
    #[arg(long, default_value = "r0")]
    scenario: Scenario,
    /// The seeds: `A..B`, without B.
    #[arg(long, value_parser = seeds::parse_seeds)]
    seeds: (u64, u64),
    #[command(flatten)]
    demand: DemandArguments,
    /// How many run at once; as many as there are processors by default.
    #[arg(long)]
    jobs: Option<usize>,
    /// Only the I-th of N parts of the seeds, from 1/N to N/N: those that leave the remainder of I when divided by N.
    #[arg(long, value_name = "I/N", default_value_t = Shard::WHOLE)]
    shard: Shard,
    /// Begins no seed when this is over: 90s, 5m, 2h. What was done by then is judged.
    #[arg(long, value_name = "TIME", value_parser = seeds::parse_time)]
    time_budget: Option<Duration>,
    /// A record of the seeds that held, with their counters: goes on where it ends, and adds to it. For one process at a time.
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Writes the result as JUnit's XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Writes each seed and the hash of its trace, a line each: equal files are equal runs.
    #[arg(long, value_name = "FILE")]
    hashes: Option<PathBuf>,
    /// Of a hundred seeds so many are run twice, to see whether both runs are the same.
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=100))]
    twice: u64,
    /// What is checked: all, or invariants, those that the core and each client check by themselves.
    #[arg(long, default_value = "all")]
    checks: Checks,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// Runs all seeds, and lists all that break a rule; else the first one that does ends the sweep.
    #[arg(long)]
    keep_going: bool,
    /// Ends with the first violation, as without it; with the first one of this checker, if it is named.
    #[arg(long, value_name = "CHECKER", num_args = 0..=1, default_missing_value = "", conflicts_with = "keep_going")]
    until_violation: Option<String>,
}

impl SweepArguments {
    fn until(&self) -> Until {
        match self.until_violation.as_deref() {
            _ if self.keep_going => Until::Never,
            None | Some("") => Until::Any,
            Some(checker) => Until::Checker(checker.to_string()),
        }
    }

    fn title(&self) -> String {
        let (from, to) = self.seeds;
        let shard =
            if self.shard == Shard::WHOLE { String::new() } else { format!(", shard {}", self.shard) };
        format!("{}{}: seeds {from}..{to}{shard}", self.scenario, self.demand.options())
    }

    /// What stands for a seed in ranges: it and those of other shards behind it.
    fn end_of(&self, seed: u64) -> u64 {
        (seed + self.shard.stride()).min(self.seeds.1)
    }
}

pub(super) fn main(arguments: &SweepArguments) -> ExitCode {
    match sweep(arguments) {
        Ok(is_held) => ExitCode::from(u8::from(!is_held)),
        Err(problem) => report::usage(&problem),
    }
}

/// What is kept of a sweep while it is under way.
struct Book {
    total: Total,
    record: Option<Record>,
    recorded: Stopwatch,
    hashes: String,
    progress: Progress,
}

impl Book {
    fn hear(&mut self, told: Told, arguments: &SweepArguments, task: &Task) -> Result<(), String> {
        match told {
            Told::Count(count) => {
                self.progress.tick(count);
                if self.recorded.passed() < BETWEEN_RECORDS {
                    return Ok(());
                }
                self.recorded = Stopwatch::start();
                self.record.as_ref().map_or(Ok(()), Record::save)
            }
            Told::Done(done) => {
                if arguments.hashes.is_some() {
                    let _ = writeln!(self.hashes, "{} {:016x}", done.seed, done.trace_hash);
                }
                let end = arguments.end_of(done.seed);
                if let Some(record) = &mut self.record {
                    record.add(&done, end);
                }
                self.total.add(task, *done, end);
                Ok(())
            }
        }
    }
}

fn sweep(arguments: &SweepArguments) -> Result<bool, String> {
    let task = Task {
        scenario: arguments.scenario,
        demand: arguments.demand.demand(),
        options: arguments.demand.options(),
        checks: arguments.checks,
        twice_percent: arguments.twice,
    };
    task.demand.check(task.scenario)?;
    // Better now than when all is done.
    for path in [&arguments.junit, &arguments.hashes].into_iter().flatten() {
        write_file(path, "")?;
    }
    let shard = arguments.shard.to_string();
    let record = arguments.resume.as_deref().map(|path| Record::open(path, &task, &shard)).transpose()?;
    let (from, _) = arguments.seeds;
    let held = record.as_ref().map_or(Ranges::default(), Record::held);
    let seeds = Seeds::new(arguments.seeds, arguments.shard, held);
    let count = seeds.count_from(from);
    if count == 0 && record.is_none() {
        return Err(format!("{} are none", arguments.title()));
    }
    let mut book = Book {
        total: Total::new(&task, record.as_ref().map(Record::earlier)),
        record,
        recorded: Stopwatch::start(),
        hashes: String::new(),
        progress: Progress::new(arguments.title(), count, arguments.json),
    };
    let shared = Arc::new(Shared::new(task.clone(), seeds, arguments.until(), arguments.time_budget));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = arguments.jobs.unwrap_or(processors).max(1);
    let next = crew::run(&shared, from, jobs, |told| book.hear(told, arguments, &task))?;
    let left = next.map_or(0, |next| shared.seeds.count_from(next));
    let short = if left > 0 { shared.short() } else { None };
    book.total.close(&task, &shared.until, (left, short));
    end(arguments, &task, &book, shared.passed())?;
    Ok(book.total.held)
}

/// Says and writes what it came to.
fn end(arguments: &SweepArguments, task: &Task, book: &Book, passed: Duration) -> Result<(), String> {
    let Book { total, record, hashes, progress, .. } = book;
    progress.end();
    if arguments.json {
        println!(
            "{}",
            json(total, record.as_ref()).map_err(|error| format!("it can't be written: {error}"))?
        );
    } else {
        let before = match total.seeds_before {
            0 => String::new(),
            count => format!(", and {count} of earlier sessions"),
        };
        let title = format!("{}, {} of them{before}", arguments.title(), total.seeds - total.seeds_before);
        let commits = record.as_ref().map_or(String::new(), Record::words);
        println!("{}", total.words(&title, &commits, task));
    }
    record.as_ref().map_or(Ok(()), Record::save)?;
    if let Some(path) = &arguments.hashes {
        write_file(path, hashes)?;
    }
    if let Some(path) = &arguments.junit {
        write_file(path, &junit::document(&arguments.title(), total, passed.as_secs_f64()))?;
    }
    Ok(())
}

fn json(total: &Total, record: Option<&Record>) -> serde_json::Result<serde_json::Value> {
    let mut json = serde_json::to_value(total)?;
    if let Some(record) = record {
        json["commits"] = record.commits()?;
    }
    Ok(json)
}

fn write_file(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{} can't be written: {error}", path.display()))
}
