//! The command line: what it accepts, and which part of the program each command is handed to.

use crate::config::ServerConfig;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// A coordination service that speaks Apache ZooKeeper's protocols.
#[derive(Debug, Parser)]
#[command(name = "quorate", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a server.
    Server {
        /// Client port.
        #[arg(long, default_value_t = 2181)]
        port: u16,
        /// Where data lies.
        #[arg(long, default_value = "quorate-data")]
        data_dir: PathBuf,
    },
}

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Server { port, data_dir } => crate::server::run(ServerConfig::standalone(data_dir, port)),
    }
}
