//! `replay`: a saved plan, whatever made it; in the simulator, or without its faults at a live server.

use super::against::{self, Against};
use super::report;
use super::sweep::parse_seeds;
use clap::Args;
use quorate_sim::{Checks, Plan, Scenario, Workload};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct ReplayArguments {
    /// The plan, as `plan` and `shrink` write them.
    #[arg(required_unless_present = "seeds", conflicts_with = "seeds")]
    file: Option<PathBuf>,
    /// With --against, the plans of these seeds in the place of a file: `A..B`, without B.
    #[arg(long, value_parser = parse_seeds, requires = "against")]
    seeds: Option<(u64, u64)>,
    /// The scenario to take the seeds' plans from: r0, r1 or r2.
    #[arg(long, default_value = "r0", requires = "seeds")]
    scenario: Scenario,
    #[command(flatten)]
    against: Against,
    /// What is checked: all, or invariants, those that the core and each client check by themselves.
    #[arg(long, default_value = "all")]
    checks: Checks,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// Shows so many of the last events, in words (30 when no number is given).
    #[arg(long, value_name = "EVENTS", num_args = 0..=1, default_missing_value = "30")]
    trace: Option<usize>,
}

/// The command that runs a saved plan.
pub(super) fn command(file: &Path, checks: Checks) -> String {
    let checks = if checks == Checks::All { String::new() } else { format!(" --checks {checks}") };
    format!("replay {}{checks}", file.display())
}

/// The plan in a file.
pub(super) fn plan_of(file: &Path) -> Result<Plan, String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{shown} can't be read: {error}"))?;
    let plan = Plan::from_json(&text).map_err(|error| format!("{shown} can't be run: {error}"))?;
    match plan.apps.iter().any(|app| app.workload == Workload::Own) {
        true => {
            Err(format!("{shown} is of a program that brings its own clients: run it there, by Sim::replay"))
        }
        false => Ok(plan),
    }
}

pub(super) fn main(arguments: &ReplayArguments) -> ExitCode {
    if let (Some((from, to)), Some(server)) = (arguments.seeds, &arguments.against.server) {
        let plans = (from..to).map(|seed| Plan::expand(arguments.scenario, seed));
        return against::main(plans, server, &arguments.against.below, arguments.json);
    }
    let Some(file) = &arguments.file else { return report::usage("say which plan") };
    let plan = match plan_of(file) {
        Ok(plan) => plan,
        Err(problem) => return report::usage(&problem),
    };
    if let Some(server) = &arguments.against.server {
        return against::main(std::iter::once(plan), server, &arguments.against.below, arguments.json);
    }
    let command = format!("{} --trace", command(file, arguments.checks));
    announce_panics(command.clone());
    let cpu = report::cpu_nanos();
    let outcome = report::watched(&plan, arguments.checks, arguments.trace);
    let cpu = report::cpu_nanos() - cpu;
    if arguments.json {
        println!("{}", report::run_json(&plan, &outcome, cpu));
    } else if outcome.violation.is_some() {
        println!("{}", report::failure(&plan, &outcome, &command));
    } else {
        println!("{}", report::summary(&plan.summary(), &outcome.counters, cpu));
        println!("trace hash      {:016x}", outcome.trace_hash);
        println!("verdict         held");
    }
    ExitCode::from(u8::from(outcome.violation.is_some()))
}

/// As everywhere, but with this command to run it again.
fn announce_panics(command: String) {
    std::panic::set_hook(Box::new(move |panic| {
        println!("{panic}\nthe plan breaks no_panic\nreplay          quorate-sim {command}");
        std::process::exit(1);
    }));
}
