//! The command line: what it accepts, and which part of the program each command is handed to.
//!
//! Exit codes are ZooKeeper's (`operations.md` §13): 0 finished, 1 unexpected, 2 wrong invocation or configuration, 3 data
//! directory. Called by the name `zkServer.sh`, the binary takes that script's verbs ([`zk_server`]).

mod dev;
mod server;
mod zk_server;

use crate::tools;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// A coordination service that speaks Apache ZooKeeper's protocols.
#[derive(Debug, Parser)]
#[command(name = "quorate", version, disable_help_subcommand = true, args_override_self = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a server; without a configuration, a durable one on 127.0.0.1:2181 with its data in ./quorate-data.
    Server(server::ServerArgs),
    /// Run a local ensemble in this process, to develop against, and print its connect string.
    Dev(dev::DevArgs),
    /// Print every setting with its value, its source and what becomes of it; exit 2 if the server would refuse to start.
    Check(tools::check::CheckArgs),
    /// Print and exit as `zkServer.sh status` does.
    Status {
        /// The configuration of the server that is asked; without one, ./zoo.cfg, or what a server without one uses.
        config: Option<PathBuf>,
    },
    /// Exit 0 if a server serves, 1 if not; for probes in containers that have no shell.
    Health(tools::health::HealthArgs),
    /// Put a server under load and measure it: any server that speaks ZooKeeper's client protocol.
    Bench(tools::bench::BenchArgs),
    /// Print transaction logs and snapshots, Quorate's or Java's, and verify them.
    Inspect(tools::inspect::InspectArgs),
    /// Print the version.
    Version,
}

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let called = arguments.next().map(PathBuf::from).unwrap_or_default();
    if called.file_name().is_some_and(|name| name == "zkServer.sh") {
        return zk_server::main(arguments.map(|argument| argument.to_string_lossy().into_owned()).collect());
    }
    match Cli::parse().command {
        Command::Server(arguments) => server::main(arguments),
        Command::Dev(arguments) => dev::main(&arguments),
        Command::Check(arguments) => tools::check::main(&arguments),
        Command::Status { config } => tools::status::main(config),
        Command::Health(arguments) => tools::health::main(&arguments),
        Command::Bench(arguments) => tools::bench::main(arguments),
        Command::Inspect(arguments) => tools::inspect::main(&arguments),
        Command::Version => {
            println!("{}", version());
            ExitCode::SUCCESS
        }
    }
}

/// What `quorate version` prints: the version that four-letter words tell too.
pub(crate) fn version() -> String {
    format!("quorate, version {}", crate::server::version::FULL_VERSION)
}
