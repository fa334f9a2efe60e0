//! `quorate server`: from the command line to a configuration, and into the server.

use crate::config::{self, Given, InvalidConfig, ServerConfig};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "Usage: quorate server [configfile] [flags] | port datadir [ticktime] [maxcnxns]";

/// What `quorate server` takes.
#[derive(Debug, Default, Args)]
pub(super) struct ServerArgs {
    /// A configuration file; or, as ZooKeeper's main class takes them: port, data directory, tick time, connections.
    #[arg(value_name = "zoo.cfg")]
    words: Vec<String>,
    /// Client port; 0 lets the system choose one. Like every flag, this beats the configuration.
    #[arg(long)]
    port: Option<u16>,
    /// Address to listen on.
    #[arg(long)]
    address: Option<String>,
    /// Directory of snapshots, and of logs unless it is told otherwise.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Directory of transaction logs.
    #[arg(long)]
    data_log_dir: Option<PathBuf>,
    /// The basic unit of time, milliseconds.
    #[arg(long)]
    tick_time: Option<u32>,
    /// Any other setting, as zoo.cfg spells it.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Leave the session of whoever started this (zkServer.sh start does).
    #[arg(long, hide = true)]
    detached: bool,
}

impl ServerArgs {
    /// A configuration file and further settings.
    pub(super) fn for_file(path: &std::path::Path, set: Vec<String>) -> Self {
        ServerArgs { words: vec![path.to_string_lossy().into_owned()], set, ..ServerArgs::default() }
    }
}

/// Runs a server.
pub(super) fn main(arguments: ServerArgs) -> ExitCode {
    if arguments.detached {
        // It fails only for the leader of a process group, and such a process has no terminal to leave.
        let _ = rustix::process::setsid();
    }
    let config = match configure(&arguments) {
        Ok(config) => config,
        Err(Failure::Usage) => {
            eprintln!("Invalid number of arguments:[{}]\n{USAGE}", arguments.words.join(", "));
            return ExitCode::from(2);
        }
        Err(Failure::Invalid(invalid)) => {
            eprintln!("Invalid config, exiting abnormally\n{invalid}");
            return ExitCode::from(2);
        }
    };
    crate::server::run(config)
}

enum Failure {
    Usage,
    Invalid(InvalidConfig),
}

fn configure(arguments: &ServerArgs) -> Result<ServerConfig, Failure> {
    let mut given = Given::with_environment(None);
    match arguments.words.as_slice() {
        [] => {}
        [file] => given.file = Some(PathBuf::from(file)),
        [_, _, ..] if arguments.words.len() <= 4 => {
            // Listening on every address and any number of connections is what the main class does when called so.
            given.flags.push(("argument".to_owned(), "clientPortAddress".to_owned(), "0.0.0.0".to_owned()));
            given.flags.push(("argument".to_owned(), "maxClientCnxns".to_owned(), "0".to_owned()));
            let keys = ["clientPort", "dataDir", "tickTime", "maxClientCnxns"];
            for (key, value) in keys.iter().zip(&arguments.words) {
                given.flags.push(("argument".to_owned(), (*key).to_owned(), value.clone()));
            }
        }
        _ => return Err(Failure::Usage),
    }
    given.flags.extend(flags(arguments).map_err(Failure::Invalid)?);
    given.any_port = arguments.port == Some(0);
    let evaluation = config::evaluate(&given).map_err(Failure::Invalid)?;
    evaluation.accept().map_err(Failure::Invalid)
}

/// The flags as assignments.
fn flags(arguments: &ServerArgs) -> Result<Vec<(String, String, String)>, InvalidConfig> {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
    let mut flags: Vec<(String, String, String)> = [
        // The system's choice is asked for apart from this; for the table, any port stands in.
        ("--port", "clientPort", arguments.port.map(|port| port.max(1).to_string())),
        ("--address", "clientPortAddress", arguments.address.clone()),
        ("--data-dir", "dataDir", path(&arguments.data_dir)),
        ("--data-log-dir", "dataLogDir", path(&arguments.data_log_dir)),
        ("--tick-time", "tickTime", arguments.tick_time.map(|tick| tick.to_string())),
    ]
    .into_iter()
    .filter_map(|(flag, key, value)| Some((flag.to_owned(), key.to_owned(), value?)))
    .collect();
    for assignment in &arguments.set {
        let (key, value) = assignment
            .split_once('=')
            .ok_or_else(|| InvalidConfig(vec![format!("--set {assignment}: expected KEY=VALUE")]))?;
        flags.push(("--set".to_owned(), key.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(flags)
}
