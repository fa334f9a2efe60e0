//! The command line: what it accepts, and which part of the program each command is handed to.
//!
//! Exit codes are ZooKeeper's (`operations.md` §13): 0 finished, 1 unexpected, 2 wrong invocation or configuration, 3 data
//! directory. Called by the name `zkServer.sh`, the binary takes that script's verbs ([`zk_server`]); by the name `zkCli.sh` it is
//! `quorate cli`, whose options have one dash, and which takes its part of the command line as it is.

mod dev;
mod server;
mod zk_server;

use crate::{shell, tools};
use clap::{Parser, Subcommand};
use std::ffi::{OsStr, OsString};
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
    /// Watch an ensemble: role, zxid, latency, sessions, watches of each server; any ZooKeeper's.
    Top(tools::top::TopArgs),
    /// Copy a subtree between servers, or within one, with data and ACLs.
    Copy(tools::copy::CopyArgs),
    /// Put a server under load and measure it: any server that speaks ZooKeeper's client protocol.
    Bench(tools::bench::BenchArgs),
    /// Print transaction logs and snapshots, Quorate's or Java's, and verify them.
    Inspect(tools::inspect::InspectArgs),
    /// ZooKeeper's shell: zkCli's commands and options, and more; `quorate cli --help` lists them.
    #[command(disable_help_flag = true)]
    Cli {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        arguments: Vec<OsString>,
    },
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
    if called.file_name().is_some_and(|name| name == "zkCli.sh") {
        return shell::main(arguments.collect());
    }
    if let Some(arguments) = arguments_of_cli(std::env::args_os()) {
        return shell::main(arguments);
    }
    match Cli::parse().command {
        Command::Server(arguments) => server::main(arguments),
        Command::Dev(arguments) => dev::main(&arguments),
        Command::Check(arguments) => tools::check::main(&arguments),
        Command::Status { config } => tools::status::main(config),
        Command::Health(arguments) => tools::health::main(&arguments),
        Command::Top(arguments) => tools::top::main(&arguments),
        Command::Copy(arguments) => tools::copy::main(&arguments),
        Command::Bench(arguments) => tools::bench::main(arguments),
        Command::Inspect(arguments) => tools::inspect::main(&arguments),
        Command::Cli { arguments } => shell::main(arguments),
        Command::Version => {
            println!("{}", version());
            ExitCode::SUCCESS
        }
    }
}

/// What stands behind `quorate cli`, before anything else has taken a `--` of it.
fn arguments_of_cli(mut arguments: impl Iterator<Item = OsString>) -> Option<Vec<OsString>> {
    arguments.nth(1).filter(|command| command == OsStr::new("cli")).map(|_| arguments.collect())
}

/// What `quorate version` prints: the version that four-letter words tell too.
pub(crate) fn version() -> String {
    format!("quorate, version {}", crate::server::version::FULL_VERSION)
}
