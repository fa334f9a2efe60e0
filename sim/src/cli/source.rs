//! Which plan: a saved one, or that of a seed.

use super::demand::DemandArguments;
use super::report;
use clap::Args;
use quorate_sim::{Checks, Plan, Scenario, Workload};
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub(super) struct Source {
    /// A saved plan, as `plan` and `shrink` write them.
    #[arg(required_unless_present = "seed", conflicts_with_all = ["seed", "scenario", "DemandArguments"])]
    file: Option<PathBuf>,
    /// The seed to take the plan of instead.
    #[arg(long)]
    seed: Option<u64>,
    /// The scenario to take the seed's plan from: r0, r1, r2, rj, rr, or rr-WORKLOAD.
    #[arg(long, default_value = "r0")]
    scenario: Scenario,
    #[command(flatten)]
    demand: DemandArguments,
}

impl Source {
    /// The plan, and the command that runs it again.
    pub(super) fn plan(&self, checks: Checks) -> Result<(Plan, String), String> {
        match &self.file {
            Some(file) => Ok((saved(file)?, replay(file, checks))),
            None => of_seed(self.scenario, self.seed.unwrap_or_default(), &self.demand, checks),
        }
    }
}

/// The plan of a seed, and the command that runs it again.
pub(super) fn of_seed(
    scenario: Scenario,
    seed: u64,
    demand: &DemandArguments,
    checks: Checks,
) -> Result<(Plan, String), String> {
    let plan = Plan::expand_to(scenario, seed, &demand.demand())?;
    Ok((plan, format!("{}{}", report::run(scenario, seed, checks), demand.options())))
}

/// The command that runs a saved plan.
pub(super) fn replay(file: &Path, checks: Checks) -> String {
    let checks = if checks == Checks::All { String::new() } else { format!(" --checks {checks}") };
    format!("replay {}{checks}", file.display())
}

/// The plan in a file.
pub(super) fn saved(file: &Path) -> Result<Plan, String> {
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
