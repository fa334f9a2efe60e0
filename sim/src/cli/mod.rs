//! Arguments, and which command they choose.

mod explore;
mod floors;
mod report;
mod run;
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
    /// Looks at everything that can happen to a few servers within small bounds.
    Explore(explore::ExploreArguments),
    /// Prints the plan of a seed as JSON.
    Plan {
        /// The scenario.
        #[arg(long, default_value = "r0")]
        scenario: quorate_sim::Scenario,
        /// The seed.
        #[arg(long)]
        seed: u64,
    },
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    report::announce_panics();
    match Arguments::parse().command {
        Command::Run(arguments) => run::main(&arguments),
        Command::Sweep(arguments) => sweep::main(&arguments),
        Command::Explore(arguments) => explore::main(&arguments),
        Command::Plan { scenario, seed } => {
            match serde_json::to_string_pretty(&quorate_sim::Plan::expand(scenario, seed)) {
                Ok(json) => println!("{json}"),
                Err(error) => {
                    eprintln!("the plan can't be written: {error}");
                    return ExitCode::from(2);
                }
            }
            ExitCode::SUCCESS
        }
    }
}
