//! `run`: the plan of one seed.

use super::demand::DemandArguments;
use super::{report, source};
use clap::Args;
use quorate_sim::{Checks, Scenario};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct RunArguments {
    /// The seed to run.
    #[arg(long)]
    seed: u64,
    /// The scenario to take the seed's plan from: r0, r1, r2, rj, rr, or rr-WORKLOAD.
    #[arg(long, default_value = "r0")]
    scenario: Scenario,
    #[command(flatten)]
    demand: DemandArguments,
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

pub(super) fn main(arguments: &RunArguments) -> ExitCode {
    let RunArguments { seed, scenario, demand, checks, .. } = arguments;
    let (plan, command) = match source::of_seed(*scenario, *seed, demand, *checks) {
        Ok((plan, command)) => (plan, format!("{command} --trace")),
        Err(problem) => return report::usage(&problem),
    };
    report::told(&plan, &command, arguments.checks, arguments.trace, arguments.json)
}
