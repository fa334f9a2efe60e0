//! `quorate status`: prints and exits as `zkServer.sh status` (`operations.md` §8.1).
//!
//! The port comes from the configuration, read leniently: a server that runs under Java may have settings that this one
//! would refuse.

use super::ask::ask;
use crate::config::{self, Evaluation, Given};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Asks the server that `config` describes.
pub(crate) fn main(config: &Path) -> ExitCode {
    eprintln!("ZooKeeper JMX enabled by default\nUsing config: {}", config.display());
    ask_as_configured(config)
}

/// The same, when the lines on standard error have been said.
pub(crate) fn ask_as_configured(config: &Path) -> ExitCode {
    let given = Given { file: Some(config.to_owned()), ..Given::default() };
    let evaluation = match config::evaluate(&given) {
        Ok(evaluation) => evaluation,
        Err(invalid) => {
            eprintln!("{invalid}");
            return ExitCode::FAILURE;
        }
    };
    report(&evaluation)
}

/// The lines on standard output, and the exit code.
fn report(evaluation: &Evaluation) -> ExitCode {
    let Some((port, tls)) = find_port(evaluation) else {
        println!("Unable to find either secure or unsecure client port in any configs. Terminating.");
        return ExitCode::FAILURE;
    };
    let set = |key| evaluation.effective(key).filter(|value| !value.is_empty());
    let address =
        set(if tls { "secureClientPortAddress" } else { "clientPortAddress" }).unwrap_or("localhost");
    println!("Client port found: {port}. Client address: {address}. Client SSL: {tls}.");
    // Behind TLS nothing can be asked, which looks to the caller like a server that does not answer.
    let mode = (!tls)
        .then(|| ask(&format!("{}:{port}", bracketed(address)), "srvr", Duration::from_secs(5)).ok())
        .flatten()
        .and_then(|reply| reply.lines().find(|line| line.contains("Mode")).map(str::to_owned));
    match mode {
        Some(mode) => {
            println!("{mode}");
            ExitCode::SUCCESS
        }
        None => {
            println!("Error contacting service. It is probably not running.");
            ExitCode::FAILURE
        }
    }
}

/// The port, and whether it speaks TLS; says on the way what the script says.
fn find_port(evaluation: &Evaluation) -> Option<(u16, bool)> {
    let port = |key| evaluation.effective(key).and_then(|value| value.parse::<u16>().ok());
    if let Some(port) = port("clientPort") {
        return Some((port, false));
    }
    match evaluation.myid() {
        Some(_) => {
            if let Some((_, port)) = evaluation.member_client_address() {
                return Some((port, false));
            }
        }
        None => {
            println!(
                "myid could not be determined, will not able to locate clientPort in the server configs."
            );
        }
    }
    println!("Client port not found. Looking for secureClientPort in the static config.");
    port("secureClientPort").map(|port| (port, true))
}

fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}
