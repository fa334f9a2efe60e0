//! `shrink`: the smallest plan that still breaks the same rule, in a file.

use super::source::Source;
use super::worker::Worker;
use super::{report, source};
use clap::Args;
use quorate_sim::{Budget, Checks, Ending, Plan, Shrunk, Size};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Of what was seen so many characters are told.
const TOLD: usize = 300;

#[derive(Args, Debug)]
pub(super) struct ShrinkArguments {
    #[command(flatten)]
    source: Source,
    /// What is checked: all, or invariants, those that the core and each client check by themselves.
    #[arg(long, default_value = "all")]
    checks: Checks,
    /// Where to write the smallest plan [default: shrunk-SCENARIO-SEED.json].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How many events all runs may have; the result depends on it, and on nothing of the machine.
    #[arg(long, default_value_t = Budget::default().events)]
    events: u64,
    /// Stops after so much of a processor, whatever it has come to; it says so then.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    budget: u64,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn main(arguments: &ShrinkArguments) -> ExitCode {
    match arguments.source.plan(arguments.checks).and_then(|(plan, _)| shrink(&plan, arguments)) {
        Ok(code) => code,
        Err(problem) => report::usage(&problem),
    }
}

fn shrink(plan: &Plan, arguments: &ShrinkArguments) -> Result<ExitCode, String> {
    let mut worker = Worker::new(arguments.checks, arguments.budget.saturating_mul(1_000_000_000));
    let budget = Budget { events: arguments.events, ..Budget::default() };
    let Some(shrunk) = quorate_sim::shrink(plan, budget, &mut worker) else {
        match arguments.json {
            true => println!("{}", json!({ "held": true, "cpu_ns": worker.cpu_ns })),
            false => println!("verdict         held: it breaks no rule, so there is nothing to shrink"),
        }
        return Ok(ExitCode::SUCCESS);
    };
    let named = || format!("shrunk-{}-{}.json", plan.scenario.to_lowercase(), plan.seed).into();
    let out: PathBuf = arguments.out.clone().unwrap_or_else(named);
    let written = serde_json::to_string_pretty(&shrunk.plan)
        .map_err(std::io::Error::from)
        .and_then(|text| std::fs::write(&out, text + "\n"));
    written.map_err(|error| format!("{} can't be written: {error}", out.display()))?;
    let command = format!("quorate-sim {} --trace", source::replay(&out, arguments.checks));
    match arguments.json {
        true => println!("{}", in_json(&shrunk, worker.cpu_ns, &command)),
        false => println!("{}", in_words(&shrunk, worker.cpu_ns, &command)),
    }
    Ok(ExitCode::from(1))
}

fn in_json(shrunk: &Shrunk, cpu_ns: u64, command: &str) -> String {
    json!({
        "scenario": shrunk.plan.scenario,
        "seed": shrunk.plan.seed,
        "held": false,
        "violation": shrunk.violation,
        "trace_hash": format!("{:016x}", shrunk.trace_hash),
        "before": shrunk.before,
        "after": shrunk.after,
        "events_before": shrunk.before.events(),
        "events_after": shrunk.after.events(),
        "settings": shrunk.settings,
        "runs": shrunk.runs,
        "events": shrunk.events,
        "cpu_ns": cpu_ns,
        "ending": shrunk.ending,
        "replay": command,
    })
    .to_string()
}

fn in_words(shrunk: &Shrunk, cpu_ns: u64, command: &str) -> String {
    let cpu = cpu_ns as f64 / 1e9;
    let ending = match shrunk.ending {
        Ending::Smallest => "nothing more can go",
        Ending::Runs => "stopped by the budget of runs",
        Ending::Events => "stopped by the budget of events: more with --events",
        Ending::Time => {
            "stopped by the time, so that another machine may come to another plan: more with --budget"
        }
    };
    let seen: String = shrunk.violation.detail.chars().take(TOLD).collect();
    let settings =
        if shrunk.settings.is_empty() { "all plain".to_string() } else { shrunk.settings.join(", ") };
    format!(
        "before          {}\nafter           {}\nplan            {}; choices of seed {}\nnot plain       {settings}\nviolated        {}\n  {}\n\
         trace hash      {:016x}\nspent           {} runs, {} events, {cpu:.1} CPU s: {ending}\nreplay          {command}",
        counts(&shrunk.before),
        counts(&shrunk.after),
        shrunk.plan.summary(),
        shrunk.plan.seed,
        shrunk.violation.checker,
        seen.replace('\n', " "),
        shrunk.trace_hash,
        shrunk.runs,
        shrunk.events,
    )
}

fn counts(size: &Size) -> String {
    let parts = [
        (size.faults, "faults"),
        (size.operations, "operations"),
        (size.machines, "machines"),
        (size.pauses, "pauses"),
        (size.story, "in the story"),
        (size.clients, "clients"),
        (size.servers, "servers"),
        (size.image, "in the image"),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, what)| format!("{count} {what}")).collect();
    format!("{} events: {}, {} ms", size.events(), parts.join(", "), size.duration_ms)
}
