//! `quorate dev`: servers to develop against, all in this process; an ensemble unless it is one.

use crate::config::{self, Given, ServerConfig};
use crate::server;
use clap::Args;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// As many as have ids in session ids are too many for one machine; an ensemble of nine is large.
const MOST_SERVERS: u16 = 9;
/// How far the ports for other servers are from those for clients: of the usual ones, 2888 and 3888 from 2181.
const QUORUM: u16 = 707;
const ELECTION: u16 = 1707;

/// What `quorate dev` takes.
#[derive(Debug, Args)]
pub(super) struct DevArgs {
    /// How many servers.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_SERVERS)))]
    servers: u16,
    /// Client port of the first; the others have those behind it, and their own ports 707 and 1707 above.
    #[arg(long, default_value_t = 2181, value_parser = clap::value_parser!(u16).range(1..=i64::from(u16::MAX - ELECTION - MOST_SERVERS)))]
    port: u16,
    /// Where their data is kept; without it, in a temporary directory that goes with them.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Any other setting of all of them, as zoo.cfg spells it.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Runs the servers; prints where clients connect once all of them listen.
pub(super) fn main(arguments: &DevArgs) -> ExitCode {
    let temporary = std::env::temp_dir().join(format!("quorate-dev-{}", std::process::id()));
    let directory = arguments.data_dir.as_ref().unwrap_or(&temporary);
    let code = match configure(arguments, directory) {
        Ok(configs) => server::run_together(configs, || println!("{}", connect_string(arguments))),
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::from(2)
        }
    };
    if arguments.data_dir.is_none() {
        // What can't be removed is the system's to remove.
        let _ = std::fs::remove_dir_all(&temporary);
    }
    code
}

fn connect_string(arguments: &DevArgs) -> String {
    let address = |server| format!("127.0.0.1:{}", arguments.port + server);
    (0..arguments.servers).map(address).collect::<Vec<_>>().join(",")
}

fn configure(arguments: &DevArgs, directory: &Path) -> Result<Vec<ServerConfig>, String> {
    (0..arguments.servers).map(|server| configure_one(arguments, directory, server)).collect()
}

fn configure_one(arguments: &DevArgs, directory: &Path, server: u16) -> Result<ServerConfig, String> {
    let data = directory.join(format!("server{}", server + 1));
    let prepare = || -> io::Result<()> {
        std::fs::create_dir_all(&data)?;
        std::fs::write(data.join("myid"), format!("{}\n", server + 1))
    };
    prepare().map_err(|error| format!("{}: {error}", data.display()))?;
    let mut settings = vec![
        ("clientPort".to_owned(), (arguments.port + server).to_string()),
        ("dataDir".to_owned(), data.display().to_string()),
        ("log.filter".to_owned(), "warn".to_owned()),
    ];
    if arguments.servers > 1 {
        settings
            .extend([("initLimit", "10"), ("syncLimit", "5")].map(|(key, value)| (key.into(), value.into())));
        settings.extend((0..arguments.servers).map(|other| {
            let (quorum, election) = (arguments.port + other + QUORUM, arguments.port + other + ELECTION);
            (format!("server.{}", other + 1), format!("127.0.0.1:{quorum}:{election}"))
        }));
    }
    for assignment in &arguments.set {
        let (key, value) =
            assignment.split_once('=').ok_or_else(|| format!("--set {assignment}: expected KEY=VALUE"))?;
        settings.push((key.trim().to_owned(), value.trim().to_owned()));
    }
    let flags = settings.into_iter().map(|(key, value)| ("quorate dev".to_owned(), key, value)).collect();
    let given = Given { flags, ..Given::with_environment(None) };
    let evaluation = config::evaluate(&given).map_err(|invalid| invalid.to_string())?;
    evaluation.accept().map_err(|invalid| invalid.to_string())
}
