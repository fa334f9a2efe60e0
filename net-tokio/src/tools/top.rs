//! `quorate top`: an ensemble at a glance, from the four-letter words `srvr` and `mntr`, of any ZooKeeper servers.
//!
//! A server that allows `srvr` alone (ZooKeeper's default) shows what that tells, and a dash for the rest.
//!
//! ```text
//! sample        what one server says
//! table         all of it, as a table or as JSON
//! ```

mod sample;
mod table;

use super::ask::host_and_port;
use clap::Args;
use sample::Sample;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The cursor goes to the top left, and what is below it is cleared.
const HOME: &str = "\x1b[H\x1b[J";

/// What `quorate top` takes.
#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// The servers, with commas between them.
    #[arg(
        long,
        visible_alias = "server",
        default_value = "127.0.0.1:2181",
        value_delimiter = ',',
        value_name = "HOST:PORT,…",
        value_parser = host_and_port
    )]
    servers: Vec<String>,
    /// Seconds from one look to the next.
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    interval: f64,
    /// How long a server may take, milliseconds.
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u64).range(1..))]
    timeout_ms: u64,
    /// Look once; exit 1 if a server does not serve.
    #[arg(long)]
    once: bool,
    /// Print a JSON object for each server, one a line.
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.1..=86_400.0).contains(number));
    number.ok_or_else(|| "expected seconds from 0.1 to 86400".to_owned())
}

/// Looks until it is interrupted or nobody reads, or once.
pub(crate) fn main(arguments: &TopArgs) -> ExitCode {
    let mut before: Vec<Sample> = Vec::new();
    let is_screen = !arguments.once && !arguments.json && std::io::stdout().is_terminal();
    loop {
        let began = Instant::now();
        let samples = look(arguments);
        let shown = match arguments.json {
            true => table::as_json(&samples, &before),
            false => table::as_text(&samples, &before),
        };
        let all_serve = samples.iter().all(Sample::serves);
        let mut out = std::io::stdout().lock();
        let head = if is_screen { HOME } else { "" };
        let is_read = write!(out, "{head}{shown}").and_then(|()| out.flush()).is_ok();
        drop(out);
        if arguments.once || !is_read {
            return if all_serve { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        before = samples;
        std::thread::sleep(Duration::from_secs_f64(arguments.interval).saturating_sub(began.elapsed()));
    }
}

/// Asks all servers at the same time.
fn look(arguments: &TopArgs) -> Vec<Sample> {
    let patience = Duration::from_millis(arguments.timeout_ms);
    std::thread::scope(|scope| {
        let asked: Vec<_> = arguments
            .servers
            .iter()
            .map(|server| scope.spawn(move || Sample::take(server, patience)))
            .collect();
        asked.into_iter().map(|thread| thread.join().expect("asking does not panic")).collect()
    })
}
