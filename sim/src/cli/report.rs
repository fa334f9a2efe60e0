//! How results look: JSON for programs, under 20 lines for a person, under 60 for a failure.

use quorate_sim::{Checks, Counters, Outcome, Plan, Scenario, Seeded};
use serde_json::json;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::{Display, Write};

const LONGEST_DETAIL: usize = 3000;

thread_local! {
    static RUNNING: Cell<Option<(Scenario, u64, Checks)>> = const { Cell::new(None) };
}

/// The command that runs a seed.
pub(super) fn run(scenario: Scenario, seed: u64, checks: Checks) -> String {
    let checks = if checks == Checks::All { String::new() } else { format!(" --checks {checks}") };
    format!("run --scenario {scenario} --seed {seed}{checks}")
}

/// Runs a plan with its own seed.
pub(super) fn watched(plan: &Plan, checks: Checks, shown: Option<usize>) -> Outcome {
    quorate_sim::run_with(plan, Box::new(Seeded { seed: plan.seed }), checks, shown)
}

/// Says which seed this thread runs, for the case that it panics.
pub(super) fn now_running(scenario: Scenario, seed: u64, checks: Checks) {
    RUNNING.set(Some((scenario, seed, checks)));
}

/// A panic is told with its seed and ends the process as a violation does.
pub(super) fn announce_panics() {
    std::panic::set_hook(Box::new(|panic| {
        println!("{panic}");
        if let Some((scenario, seed, checks)) = RUNNING.get() {
            println!(
                "seed {seed} breaks no_panic\nreplay          quorate-sim {} --trace",
                run(scenario, seed, checks)
            );
        }
        std::process::exit(1);
    }));
}

/// Nanoseconds that this thread has spent on a processor, 0 where nobody says so.
pub(super) fn cpu_nanos() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(0)
}

fn events_per_cpu_second(counters: &Counters, cpu_ns: u64) -> u64 {
    if cpu_ns == 0 { 0 } else { (u128::from(counters.events) * 1_000_000_000 / u128::from(cpu_ns)) as u64 }
}

pub(super) fn shortened(detail: &str) -> String {
    if detail.len() <= LONGEST_DETAIL {
        return detail.to_string();
    }
    let cut: String = detail.chars().take(LONGEST_DETAIL).collect();
    format!("{cut} … ({} characters in all)", detail.len())
}

fn list<K: Display>(counts: &BTreeMap<K, u64>) -> String {
    let mut text = String::new();
    for (name, count) in counts {
        let _ = write!(text, "{name} {count}, ");
    }
    text.truncate(text.len().saturating_sub(2));
    text
}

/// What happened, in numbers.
pub(super) fn summary(title: &str, counters: &Counters, cpu_ns: u64) -> String {
    let seconds = counters.simulated_ns / 1_000_000_000;
    let rate = events_per_cpu_second(counters, cpu_ns);
    let cpu = cpu_ns as f64 / 1e9;
    format!(
        "{title}\nsimulated       {seconds} s in {cpu:.2} CPU s\nevents          {} ({rate} a CPU second)\noperations      {} \
         ({})\ncommits         {}\nreplies by code {}\nfaults          {}\nprobes          {}",
        counters.events,
        counters.operations,
        list(&counters.operations_by_kind),
        counters.commits,
        list(&counters.replies),
        list(&counters.faults),
        list(&counters.probes),
    )
}

/// Everything of one run.
pub(super) fn run_json(plan: &Plan, outcome: &Outcome, cpu_ns: u64) -> String {
    json!({
        "scenario": plan.scenario,
        "seed": plan.seed,
        "version": env!("CARGO_PKG_VERSION"),
        "commit": option_env!("QUORATE_COMMIT"),
        "trace_hash": format!("{:016x}", outcome.trace_hash),
        "held": outcome.violation.is_none(),
        "violation": outcome.violation,
        "counters": outcome.counters,
        "cpu_ns": cpu_ns,
        "events_per_cpu_second": events_per_cpu_second(&outcome.counters, cpu_ns),
    })
    .to_string()
}

/// What broke, and how to see it again.
pub(super) fn failure(plan: &Plan, outcome: &Outcome, command: &str) -> String {
    let mut text = String::new();
    let (checker, detail) = outcome
        .violation
        .as_ref()
        .map_or(("", ""), |violation| (violation.checker, violation.detail.as_str()));
    let commit = option_env!("QUORATE_COMMIT").unwrap_or("unknown");
    let _ = writeln!(text, "seed            {}", plan.seed);
    let _ = writeln!(text, "version         {} (commit {commit})", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "plan            {}", plan.summary());
    let _ = writeln!(text, "trace hash      {:016x}", outcome.trace_hash);
    let _ = writeln!(text, "faults fired    {}", list(&outcome.counters.faults));
    let _ = writeln!(text, "last events     time in s, what, numbers");
    for line in &outcome.last_events {
        let short: String = line.chars().take(200).collect();
        let _ = writeln!(text, "  {short}");
    }
    let _ = writeln!(text, "violated        {checker}");
    let _ = writeln!(text, "  {}", shortened(detail));
    let _ = writeln!(text, "replay          quorate-sim {command}");
    let view =
        command.replacen("run --plan ", "view ", 1).replacen("run ", "view ", 1).replace(" --trace", "");
    let _ = write!(text, "look at it      quorate-sim {view} --out trace.html");
    text
}
