//! Arguments, and which command they choose.

mod against;
mod demand;
mod floors;
mod judge;
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
    /// Judges the recorded history of real servers.
    Judge(judge::JudgeArguments),
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
        Command::Judge(arguments) => judge::main(&arguments),
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
