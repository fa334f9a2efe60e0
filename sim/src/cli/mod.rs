//! Arguments, and which command they choose.

mod against;
mod demand;
mod floors;
mod report;
mod run;
mod stopwatch;
mod sweep;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Simulates a Quorate server under crashes, disk faults and broken connections, and checks every reply against a model.
#[derive(Parser, Debug)]
#[command(name = "quorate-sim", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Runs the plan of one seed, or of a file.
    Run(run::RunArguments),
    /// Runs many seeds.
    Sweep(sweep::SweepArguments),
    /// Says plans without their faults to a live server and compares.
    Against {
        #[command(flatten)]
        against: against::Against,
        #[arg(long, default_value = "r0")]
        scenario: quorate_sim::Scenario,
        #[arg(long)]
        from: u64,
        #[arg(long)]
        to: u64,
        #[arg(long)]
        json: bool,
    },
    /// Prints the plan of a seed as JSON.
    Plan {
        /// The scenario.
        #[arg(long, default_value = "r0")]
        scenario: quorate_sim::Scenario,
        /// The seed.
        #[arg(long)]
        seed: u64,
        #[command(flatten)]
        demand: demand::DemandArguments,
    },
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    report::announce_panics();
    match Arguments::parse().command {
        Command::Run(arguments) => run::main(&arguments),
        Command::Sweep(arguments) => sweep::main(&arguments),
        Command::Against { against, scenario, from, to, json } => {
            let plans = (from..to).map(|seed| quorate_sim::Plan::expand(scenario, seed));
            against::main(plans, &against.against.unwrap_or_default(), &against.below, json)
        }
        Command::Plan { scenario, seed, demand } => {
            let plan = quorate_sim::Plan::expand_to(scenario, seed, &demand.demand());
            let json = plan.and_then(|plan| {
                serde_json::to_string_pretty(&plan).map_err(|error| format!("it can't be written: {error}"))
            });
            match json {
                Ok(json) => println!("{json}"),
                Err(problem) => return report::usage(&problem),
            }
            ExitCode::SUCCESS
        }
    }
}
