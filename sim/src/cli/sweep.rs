//! `sweep`: many seeds, their counters added up, and whether that proves anything.

use super::{floors, report};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use quorate_sim::{Checks, Counters, Plan, Scenario, Violation};
use serde::Serialize;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How many violations are told in full.
const TOLD: usize = 3;

#[derive(Args, Debug)]
pub(super) struct SweepArguments {
    /// The scenario: r0, r1, r2, rj, rr, or rr-WORKLOAD.
    #[arg(long, default_value = "r0")]
    scenario: Scenario,
    /// The seeds: `A..B`, without B.
    #[arg(long, value_parser = parse_seeds)]
    seeds: (u64, u64),
    /// How many run at once; as many as there are processors by default.
    #[arg(long)]
    jobs: Option<usize>,
    /// What is checked: all, or invariants, those that the core and each client check by themselves.
    #[arg(long, default_value = "all")]
    checks: Checks,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// Ends with the first violation; with the first one of this checker, if it is named.
    #[arg(long, value_name = "CHECKER", num_args = 0..=1, default_missing_value = "")]
    until_violation: Option<String>,
}

fn parse_seeds(text: &str) -> Result<(u64, u64), String> {
    let (from, to) = text.split_once("..").ok_or("seeds are written A..B")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
    let (from, to) = (number(from)?, number(to)?);
    if from < to { Ok((from, to)) } else { Err(format!("{from}..{to} holds no seed")) }
}

/// A seed whose run broke a rule.
#[derive(Clone, Debug, Serialize)]
struct Broken {
    seed: u64,
    violation: Violation,
}

/// What all runs came to.
#[derive(Debug, Default, Serialize)]
struct Total {
    seeds: u64,
    counters: Counters,
    cpu_ns: u64,
    broken: Vec<Broken>,
    /// What never happened, of what should.
    missing: Vec<String>,
    /// The hashes of all traces, in the order of seeds, added up.
    trace_hash: String,
}

struct Shared {
    scenario: Scenario,
    checks: Checks,
    next: AtomicU64,
    to: u64,
    stop: AtomicBool,
    until_violation: Option<String>,
    bar: Option<ProgressBar>,
}

impl Shared {
    fn is_looked_for(&self, violation: &Violation) -> bool {
        self.until_violation
            .as_ref()
            .is_some_and(|checker| checker.is_empty() || checker == violation.checker)
    }
}

/// What one thread found: its sums, and a sum of hashes that does not depend on who ran what.
fn work(shared: &Shared) -> (Total, u64) {
    let mut total = Total::default();
    let mut hash = 0u64;
    let cpu = report::cpu_nanos();
    loop {
        let seed = shared.next.fetch_add(1, Ordering::Relaxed);
        if seed >= shared.to || shared.stop.load(Ordering::Relaxed) {
            break;
        }
        report::now_running(shared.scenario, seed, shared.checks);
        let plan = Plan::expand(shared.scenario, seed);
        let outcome = report::watched(&plan, shared.checks, None);
        total.seeds += 1;
        total.counters.merge(&outcome.counters);
        hash = hash.wrapping_add(outcome.trace_hash ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        if let Some(violation) = outcome.violation {
            shared.stop.fetch_or(shared.is_looked_for(&violation), Ordering::Relaxed);
            total.broken.push(Broken { seed, violation });
        }
        if let Some(bar) = &shared.bar {
            bar.inc(1);
        }
    }
    total.cpu_ns = report::cpu_nanos() - cpu;
    (total, hash)
}

fn progress(arguments: &SweepArguments) -> Option<ProgressBar> {
    if arguments.json || !std::io::stderr().is_terminal() {
        return None;
    }
    let bar = ProgressBar::new(arguments.seeds.1 - arguments.seeds.0);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left").ok()?;
    bar.set_style(style);
    Some(bar)
}

pub(super) fn main(arguments: &SweepArguments) -> ExitCode {
    let (from, to) = arguments.seeds;
    let jobs = arguments.jobs.or_else(|| std::thread::available_parallelism().ok().map(usize::from));
    let shared = Shared {
        scenario: arguments.scenario,
        checks: arguments.checks,
        next: AtomicU64::new(from),
        to,
        stop: AtomicBool::new(false),
        until_violation: arguments.until_violation.clone(),
        bar: progress(arguments),
    };
    let mut total = Total::default();
    let mut hash = 0u64;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs.unwrap_or(1).max(1)).map(|_| scope.spawn(|| work(&shared))).collect();
        for thread in threads {
            let (part, part_hash) = thread.join().expect("a panic ends the process");
            total.seeds += part.seeds;
            total.cpu_ns += part.cpu_ns;
            total.counters.merge(&part.counters);
            total.broken.extend(part.broken);
            hash = hash.wrapping_add(part_hash);
        }
    });
    if let Some(bar) = &shared.bar {
        bar.finish_and_clear();
    }
    total.broken.sort_by_key(|broken| (!shared.is_looked_for(&broken.violation), broken.seed));
    total.trace_hash = format!("{hash:016x}");
    // What nobody watches is not counted.
    if total.seeds >= floors::seeds(shared.scenario) && arguments.checks == Checks::All {
        total.missing = floors::missing(shared.scenario, total.seeds, &total.counters);
    }
    tell(arguments, &total);
    ExitCode::from(u8::from(!total.broken.is_empty() || !total.missing.is_empty()))
}

fn tell(arguments: &SweepArguments, total: &Total) {
    if arguments.json {
        match serde_json::to_string(total) {
            Ok(json) => println!("{json}"),
            Err(error) => eprintln!("the result can't be written: {error}"),
        }
        return;
    }
    let (from, to) = arguments.seeds;
    let title = format!("{:?}: {} of seeds {from}..{to}", arguments.scenario, total.seeds);
    println!("{}", report::summary(&title, &total.counters, total.cpu_ns));
    println!("trace hash      {}", total.trace_hash);
    for Broken { seed, violation } in total.broken.iter().take(TOLD) {
        println!("\nseed {seed} breaks {}: {}", violation.checker, report::shortened(&violation.detail));
        println!(
            "replay          quorate-sim {} --trace",
            report::run(arguments.scenario, *seed, arguments.checks)
        );
    }
    for what in &total.missing {
        println!("never happened  {what}");
    }
    let verdict = match (total.broken.len(), total.missing.len()) {
        (0, 0) => "held".to_string(),
        (0, missing) => format!("nothing broke, but {missing} things never happened"),
        (broken, _) => format!("{broken} of {} seeds broke a rule", total.seeds),
    };
    println!("verdict         {verdict}");
}
