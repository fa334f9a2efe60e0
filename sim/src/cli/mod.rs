//! Arguments, and which command they choose.

mod against;
mod demand;
mod explore;
mod floors;
mod judge;
mod replay;
mod report;
mod run;
mod shrink;
mod source;
mod stopwatch;
mod sweep;
mod view;
mod worker;
mod zoo;

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
    /// Runs the plan of one seed.
    Run(run::RunArguments),
    /// Runs a saved plan, whatever made it.
    Replay(replay::ReplayArguments),
    /// Finds the smallest plan that still breaks the same rule.
    Shrink(shrink::ShrinkArguments),
    /// Runs many seeds.
    Sweep(sweep::SweepArguments),
    /// Judges the recorded history of real servers.
    Judge(judge::JudgeArguments),
    /// Brings bugs back one by one, to see whether each is found.
    Zoo(zoo::ZooArguments),
    /// Writes a run as a page that shows it: what each server and client did, what was said, what was broken.
    View(view::ViewArguments),
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
        #[command(flatten)]
        demand: demand::DemandArguments,
    },
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    report::announce_panics();
    match Arguments::parse().command {
        Command::Run(arguments) => run::main(&arguments),
        Command::Replay(arguments) => replay::main(&arguments),
        Command::Shrink(arguments) => shrink::main(&arguments),
        Command::Sweep(arguments) => sweep::main(&arguments),
        Command::Judge(arguments) => judge::main(&arguments),
        Command::Zoo(arguments) => zoo::main(&arguments),
        Command::View(arguments) => view::main(&arguments),
        Command::Explore(arguments) => explore::main(&arguments),
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
