//! `quorate status`: prints and exits as `zkServer.sh status` (`operations.md` §8.1).
//!
//! The port comes from the configuration, read leniently: a server that runs under Java may have settings that this one
//! would refuse.

use super::ask::ask;
use crate::config::{self, Evaluation, Given};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Asks the server that `config` describes; without one, whatever server would be started here.
pub(crate) fn main(config: Option<PathBuf>) -> ExitCode {
    let here = || Some(PathBuf::from("zoo.cfg")).filter(|path| path.exists());
    let file = config.or_else(here);
    let named = file.as_ref().map_or("built-in".to_owned(), |path| path.display().to_string());
    eprintln!("ZooKeeper JMX enabled by default\nUsing config: {named}");
    ask_as_given(file)
}

/// The same for a file, when the lines on standard error have been said.
pub(crate) fn ask_as_configured(config: &Path) -> ExitCode {
    ask_as_given(Some(config.to_owned()))
}

fn ask_as_given(file: Option<PathBuf>) -> ExitCode {
    let given = Given { file, ..Given::default() };
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
    let Some(Port { address, port, tls }) = find_port(evaluation) else {
        println!("Unable to find either secure or unsecure client port in any configs. Terminating.");
        return ExitCode::FAILURE;
    };
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

/// Where the server is asked.
struct Port<'a> {
    /// As it was written.
    address: &'a str,
    port: u16,
    /// Whether it speaks TLS.
    tls: bool,
}

/// The port; says on the way what the script says.
fn find_port(evaluation: &Evaluation) -> Option<Port<'_>> {
    let port = |key| evaluation.effective(key).and_then(|value| value.parse::<u16>().ok());
    let address = |key| evaluation.effective(key).filter(|value| !value.is_empty()).unwrap_or("localhost");
    if let Some(port) = port("clientPort") {
        return Some(Port { address: address("clientPortAddress"), port, tls: false });
    }
    match evaluation.myid() {
        Some(_) => {
            if let Some((host, port)) = evaluation.member_client_address() {
                // A line that names only the port is read as every address; the script asks this machine then.
                let address = if host == "0.0.0.0" { address("clientPortAddress") } else { host };
                return Some(Port { address, port, tls: false });
            }
        }
        None => {
            println!(
                "myid could not be determined, will not able to locate clientPort in the server configs."
            );
        }
    }
    println!("Client port not found. Looking for secureClientPort in the static config.");
    let port = port("secureClientPort")?;
    Some(Port { address: address("secureClientPortAddress"), port, tls: true })
}

fn bracketed(address: &str) -> String {
    let bare = address.contains(':') && !address.starts_with('[');
    if bare { format!("[{address}]") } else { address.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_version_6_is_in_brackets_once() {
        let written = ["localhost", "127.0.0.1", "::1", "[::1]"];
        assert_eq!(written.map(bracketed), ["localhost", "127.0.0.1", "[::1]", "[::1]"]);
    }
}
