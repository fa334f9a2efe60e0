//! `quorate health`: is a server serving? The exit code says it, so that a probe needs no shell.
//!
//! It asks `srvr`, the one four-letter word that is always allowed, and believes only a reply that has a mode in it: a
//! server that is up but not serving is not healthy.

use super::ask::{ask, host_and_port};
use clap::Args;
use std::process::ExitCode;
use std::time::Duration;

/// What `quorate health` takes.
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// The server that is asked.
    #[arg(
        long,
        visible_alias = "servers",
        default_value = "127.0.0.1:2181",
        value_name = "HOST:PORT",
        value_parser = host_and_port
    )]
    server: String,
    /// How long it may take, milliseconds.
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u64).range(1..))]
    timeout_ms: u64,
}

/// Asks, prints one line, and returns 0 for a serving server, 1 otherwise.
pub(crate) fn main(arguments: &HealthArgs) -> ExitCode {
    match ask(&arguments.server, "srvr", Duration::from_millis(arguments.timeout_ms)) {
        Ok(reply) => match reply.lines().find_map(|line| line.strip_prefix("Mode: ")) {
            Some(mode) => {
                println!("{} serves as {mode}", arguments.server);
                ExitCode::SUCCESS
            }
            None => {
                eprintln!("{} does not serve: {}", arguments.server, reply.trim_end());
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("{} does not answer: {error}", arguments.server);
            ExitCode::FAILURE
        }
    }
}
