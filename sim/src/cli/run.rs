//! `run`: one plan.

use super::demand::DemandArguments;
use super::report;
use clap::Args;
use quorate_sim::{Checks, Plan, Scenario};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct RunArguments {
    /// The seed to run.
    #[arg(long, required_unless_present = "plan", conflicts_with = "plan")]
    seed: Option<u64>,
    /// The scenario to take the seed's plan from: r0, r1, r2, rj, rr, or rr-WORKLOAD.
    #[arg(long, default_value = "r0", conflicts_with = "plan")]
    scenario: Scenario,
    #[command(flatten)]
    demand: DemandArguments,
    /// A plan to run instead, as `plan` prints them.
    #[arg(long, value_name = "FILE", conflicts_with = "DemandArguments")]
    plan: Option<PathBuf>,
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

/// What to run, and the command that runs it again.
fn plan_of(arguments: &RunArguments) -> Result<(Plan, String), String> {
    let Some(path) = &arguments.plan else {
        let seed = arguments.seed.unwrap_or_default();
        let plan = Plan::expand_to(arguments.scenario, seed, &arguments.demand.demand())?;
        let options = arguments.demand.options();
        let command = report::run(arguments.scenario, seed, arguments.checks);
        return Ok((plan, format!("{command}{options} --trace")));
    };
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown} can't be read: {error}"))?;
    let plan: Plan = serde_json::from_str(&text).map_err(|error| format!("{shown} is no plan: {error}"))?;
    if plan.format != quorate_sim::FORMAT {
        return Err(format!(
            "{shown} has format {}, this program reads {}",
            plan.format,
            quorate_sim::FORMAT
        ));
    }
    Ok((plan, format!("run --plan {shown} --checks {} --trace", arguments.checks)))
}

pub(super) fn main(arguments: &RunArguments) -> ExitCode {
    let (plan, command) = match plan_of(arguments) {
        Ok(found) => found,
        Err(problem) => return report::usage(&problem),
    };
    report::now_running_command(plan.seed, command.clone());
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
