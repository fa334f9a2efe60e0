//! How results look: JSON for programs, under 20 lines for a person, under 60 for a failure.

use quorate_sim::{Checks, Counters, Outcome, Plan, Scenario, Seeded};
use serde_json::json;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::process::ExitCode;

const LONGEST_DETAIL: usize = 3000;
/// Lists are folded at this column.
const WIDTH: usize = 150;
/// Behind the name of a line.
const INDENT: usize = 16;
/// So many rare branches are named for one run.
const RAREST: usize = 12;

/// The commit that this program was built from.
pub(super) const COMMIT: &str = env!("QUORATE_COMMIT");
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Hears of the seed that panicked, and what it said.
type OnPanic = Box<dyn Fn(u64, String)>;

thread_local! {
    /// What this thread runs, and the command that runs it again.
    static RUNNING: RefCell<Option<(u64, String)>> = const { RefCell::new(None) };
    static ON_PANIC: RefCell<Option<OnPanic>> = const { RefCell::new(None) };
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

/// Runs a plan and tells what came of it, in JSON or in words; `command` runs it again.
pub(super) fn told(
    plan: &Plan,
    command: &str,
    checks: Checks,
    shown: Option<usize>,
    is_json: bool,
) -> ExitCode {
    now_running_command(plan.seed, command.to_owned());
    let cpu = cpu_nanos();
    let outcome = watched(plan, checks, shown);
    let cpu = cpu_nanos() - cpu;
    if is_json {
        println!("{}", run_json(plan, &outcome, cpu));
    } else if outcome.violation.is_some() {
        println!("{}", failure(plan, &outcome, command));
    } else {
        println!("{}", summary(&plan.summary(), &outcome.counters, cpu));
        println!("trace hash      {:016x}", outcome.trace_hash);
        println!("verdict         held");
    }
    ExitCode::from(u8::from(outcome.violation.is_some()))
}

/// Says which seed this thread runs, for the case that it panics.
pub(super) fn now_running(scenario: Scenario, seed: u64, checks: Checks) {
    now_running_command(seed, format!("{} --trace", run(scenario, seed, checks)));
}

/// The same of what this command runs again.
pub(super) fn now_running_command(seed: u64, command: String) {
    RUNNING.set(Some((seed, command)));
}

/// Panics of this thread are told to this from now on. The thread then stands still for good.
pub(super) fn on_panic(tell: impl Fn(u64, String) + 'static) {
    ON_PANIC.set(Some(Box::new(tell)));
}

/// A panic is told with its seed. Where nobody has asked for it, it ends the process as a violation does.
pub(super) fn announce_panics() {
    std::panic::set_hook(Box::new(|panic| panicked(&panic.to_string())));
}

/// Does not come back: a release build ends a process whose panic has been told.
pub(super) fn panicked(words: &str) -> ! {
    // Whoever read what is printed has enough, as `head` has.
    if words.contains("failed printing to stdout") {
        std::process::exit(0);
    }
    let running = RUNNING.take();
    if let (Some(tell), Some((seed, _))) = (ON_PANIC.take(), &running) {
        tell(*seed, words.replace('\n', " "));
        loop {
            std::thread::park();
        }
    }
    println!("{words}");
    if let Some((seed, command)) = running {
        println!("seed {seed} breaks no_panic\nreplay          quorate-sim {command}");
    }
    std::process::exit(1);
}

/// Says what is wrong with what was asked for.
pub(super) fn usage(problem: &str) -> ExitCode {
    eprintln!("quorate-sim: {problem}");
    ExitCode::from(2)
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

/// A line by name, folded between the things that it lists.
fn line(name: &str, list: &str) -> String {
    if list.is_empty() {
        return format!("{name:INDENT$}none");
    }
    let (mut text, mut column) = (format!("{name:INDENT$}"), INDENT);
    for (number, part) in list.split(", ").enumerate() {
        let width = part.chars().count();
        if number > 0 && column + width + 2 > WIDTH {
            text.push_str(&format!(",\n{:INDENT$}", ""));
            column = INDENT;
        } else if number > 0 {
            text.push_str(", ");
            column += 2;
        }
        text.push_str(part);
        column += width;
    }
    text
}

fn rarest(probes: &BTreeMap<&str, u64>) -> String {
    let mut all: Vec<_> = probes.iter().collect();
    all.sort_by_key(|(name, count)| (**count, **name));
    let rest = all.len().saturating_sub(RAREST);
    let mut text: Vec<String> =
        all.iter().take(RAREST).map(|(name, count)| format!("{name} {count}")).collect();
    if rest > 0 {
        text.push(format!("and {rest} that were hit more often"));
    }
    text.join(", ")
}

/// What happened, in numbers, in under 20 lines.
pub(super) fn summary(title: &str, counters: &Counters, cpu_ns: u64) -> String {
    numbers(title, counters, cpu_ns, &rarest(&counters.probes))
}

/// What happened in many runs, with all that was ever hit.
pub(super) fn totals(title: &str, counters: &Counters, cpu_ns: u64) -> String {
    numbers(title, counters, cpu_ns, &list(&counters.probes))
}

fn numbers(title: &str, counters: &Counters, cpu_ns: u64, probes: &str) -> String {
    let seconds = counters.simulated_ns / 1_000_000_000;
    let rate = events_per_cpu_second(counters, cpu_ns);
    let kinds = match list(&counters.operations_by_kind) {
        kinds if kinds.is_empty() => kinds,
        kinds => format!(" ({kinds})"),
    };
    let mut lines = vec![
        title.to_string(),
        line("simulated", &format!("{seconds} s in {:.2} CPU s", cpu_ns as f64 / 1e9)),
        line("events", &format!("{} ({rate} a CPU second)", counters.events)),
        line("operations", &format!("{}{kinds}", counters.operations)),
        line("commits", &counters.commits.to_string()),
        line("replies by code", &list(&counters.replies)),
        line("faults", &list(&counters.faults)),
    ];
    if let Some(leaders) = counters.probes.get("leader_serves") {
        lines.push(line("leaders", &format!("{leaders} began to serve")));
    }
    lines.push(line("probes", probes));
    lines.join("\n")
}

/// Everything of one run.
pub(super) fn run_json(plan: &Plan, outcome: &Outcome, cpu_ns: u64) -> String {
    json!({
        "scenario": plan.scenario,
        "seed": plan.seed,
        "version": VERSION,
        "commit": COMMIT,
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
    let _ = writeln!(text, "seed            {}", plan.seed);
    let _ = writeln!(text, "version         {VERSION} (commit {COMMIT})");
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
    let view = command.replacen("run ", "view ", 1).replacen("replay ", "view ", 1).replace(" --trace", "");
    let _ = write!(text, "look at it      quorate-sim {view} --out trace.html");
    text
}
