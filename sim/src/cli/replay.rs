//! `replay`: a saved plan, whatever made it; in the simulator, or without its faults at a live server.

use super::against::{self, Against};
use super::sweep::parse_seeds;
use super::{report, source};
use clap::Args;
use quorate_sim::{Checks, Plan, Scenario};
use std::path::PathBuf;
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

pub(super) fn main(arguments: &ReplayArguments) -> ExitCode {
    if let (Some((from, to)), Some(server)) = (arguments.seeds, &arguments.against.server) {
        let plans = (from..to).map(|seed| Plan::expand(arguments.scenario, seed));
        return against::main(plans, server, &arguments.against.below, arguments.json);
    }
    let Some(file) = &arguments.file else { return report::usage("say which plan") };
    let plan = match source::saved(file) {
        Ok(plan) => plan,
        Err(problem) => return report::usage(&problem),
    };
    if let Some(server) = &arguments.against.server {
        return against::main(std::iter::once(plan), server, &arguments.against.below, arguments.json);
    }
    let command = format!("{} --trace", source::replay(file, arguments.checks));
    report::told(&plan, &command, arguments.checks, arguments.trace, arguments.json)
}
