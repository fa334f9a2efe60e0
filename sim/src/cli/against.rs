//! `replay --against`: plans without their faults, said to a live server, whose answers are compared with the simulated one's.

use super::stopwatch::Stopwatch;
use clap::Args;
use quorate_core::jute::{ConnectRequest, ReplyDecoder, ServerMessage, WatcherEvent};
use quorate_core::vocabulary::Zxid;
use quorate_sim::Plan;
use quorate_sim::against::{Comparison, Difference, Exchange, Heard, Said, Script};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

#[expect(clippy::disallowed_types, reason = "the live server is outside of the simulation")]
type TcpStream = std::net::TcpStream;

/// No server takes so long to answer what nobody else is in the way of.
const PATIENCE: Duration = Duration::from_secs(20);
const MOST_SHOWN: usize = 10;
/// Sessions that are not asked for anything are kept alive so often.
const BETWEEN_PINGS: Duration = Duration::from_secs(5);
const PING: [u8; 12] = [0, 0, 0, 8, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 11];
/// What ends a session that the script has left open.
const CLOSE: [u8; 12] = [0, 0, 0, 8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf5];

/// Where to, and where there.
#[derive(Args, Debug, Clone)]
pub(super) struct Against {
    /// Says the plan's operations, without its faults, to a server, HOST:PORT, and compares every answer. It writes there, below a new
    /// node of the root for each plan; the server should have no other clients.
    #[arg(id = "against", long = "against", value_name = "HOST:PORT")]
    pub(super) server: Option<String>,
    /// The node below which that happens; the plan's seed is added.
    #[arg(long, value_name = "PATH", default_value = "/against-", requires = "against")]
    pub(super) below: String,
}

/// What came of one plan.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) answers: u64,
    pub(super) differences: Vec<Difference>,
}

/// Says a plan to the server and compares.
///
/// # Errors
/// In words: the plan does not fit, or the server is not to be reached.
pub(super) fn compare(plan: &Plan, server: &str, below: &str) -> Result<Compared, String> {
    let directory = format!("{below}{}", plan.seed);
    let script = Script::of(plan, &directory).map_err(|unfit| unfit.to_string())?;
    let script = script.map_err(|violation| {
        format!("without faults the plan breaks {}: {}", violation.checker, violation.detail)
    })?;
    let mut live = Live { server, connections: BTreeMap::new(), pinged: Stopwatch::start() };
    let mut comparison = Comparison::default();
    let mut compared = Compared::default();
    for (place, exchange) in script.exchanges.iter().enumerate() {
        let told = |error: io::Error| {
            format!("{server} at exchange {place} of seed {}, {}: {error}", plan.seed, exchange.said)
        };
        if exchange.said == Said::End {
            live.connections.remove(&exchange.connection);
            continue;
        }
        let frame = comparison.frame(&exchange.said);
        let (heard, events) = live.exchange(exchange, &frame).map_err(told)?;
        compared.answers += 1;
        compared.differences.extend(comparison.hears((place, exchange), &heard, &events));
    }
    live.close(&comparison)
        .map_err(|error| format!("{server}, ending the sessions that are left: {error}"))?;
    Ok(compared)
}

/// Compares plans, and tells of each that differs; under 60 lines.
pub(super) fn main(plans: impl Iterator<Item = Plan>, server: &str, below: &str, is_json: bool) -> ExitCode {
    let (mut count, mut answers, mut different) = (0, 0, 0);
    let mut shown = Vec::new();
    for plan in plans {
        let compared = match compare(&plan, server, below) {
            Ok(compared) => compared,
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(2);
            }
        };
        count += 1;
        answers += compared.answers;
        different += u64::from(!compared.differences.is_empty());
        let room = MOST_SHOWN.saturating_sub(shown.len());
        shown.extend(compared.differences.into_iter().take(room).map(|difference| (plan.seed, difference)));
    }
    if is_json {
        let differences: Vec<_> = shown
            .iter()
            .map(|(seed, difference)| serde_json::json!({ "seed": seed, "difference": difference }))
            .collect();
        println!(
            "{}",
            serde_json::json!({ "plans": count, "answers": answers, "different": different, "differences": differences })
        );
    } else {
        for (seed, Difference { place, said, expected, heard }) in &shown {
            println!("seed {seed}, exchange {place}: {said}\n  here   {expected}\n  there  {heard}");
        }
        println!("{count} plans, {answers} answers of {server}: {different} plans differ");
    }
    ExitCode::from(u8::from(different > 0))
}

/// The live server's connections, by their places in the script.
struct Live<'a> {
    server: &'a str,
    connections: BTreeMap<usize, Connection>,
    pinged: Stopwatch,
}

struct Connection {
    stream: TcpStream,
    decoder: ReplyDecoder,
}

type Answer = (Heard, Vec<(Zxid, WatcherEvent)>);

impl Live<'_> {
    /// Says a frame and waits for its answer, or for the end of the connection.
    fn exchange(&mut self, exchange: &Exchange, frame: &[u8]) -> io::Result<Answer> {
        if let Said::Handshake(_) = exchange.said {
            let stream = TcpStream::connect(self.server)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            let decoder = ReplyDecoder::new(i32::MAX as u32);
            self.connections.insert(exchange.connection, Connection { stream, decoder });
        }
        self.keep_alive();
        let Some(connection) = self.connections.get_mut(&exchange.connection) else {
            return Ok((Heard::HungUp, Vec::new()));
        };
        let answer = connection.exchange(exchange, frame)?;
        if answer.0 == Heard::HungUp {
            self.connections.remove(&exchange.connection);
        }
        Ok(answer)
    }

    /// On a machine that is busy elsewhere a plan may take longer than a session lasts. The answers come before that of the next request.
    fn keep_alive(&mut self) {
        if self.pinged.passed() < BETWEEN_PINGS {
            return;
        }
        self.pinged = Stopwatch::start();
        for connection in self.connections.values_mut() {
            // Who was hung up on is told so by what is asked next.
            let _ = connection.stream.write_all(&PING);
        }
    }

    /// Ends the sessions that are left, so that nothing of them happens later.
    fn close(&self, comparison: &Comparison) -> io::Result<()> {
        for (session, password) in comparison.sessions() {
            let mut stream = TcpStream::connect(self.server)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            let handshake = Said::Handshake(ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: Zxid::ZERO,
                timeout: 0,
                session_id: session,
                password: Some(password.clone()),
                read_only: None,
            });
            stream.write_all(&Comparison::default().frame(&handshake))?;
            // Of a session that is no more the server hangs up by itself.
            let _ = stream.write_all(&CLOSE);
            let _ = io::copy(&mut stream, &mut io::sink());
        }
        Ok(())
    }
}

impl Connection {
    fn exchange(&mut self, exchange: &Exchange, frame: &[u8]) -> io::Result<Answer> {
        let mut events = Vec::new();
        if self.stream.write_all(frame).is_err() {
            return Ok((Heard::HungUp, events));
        }
        loop {
            let Some(message) = self.message()? else { return Ok((Heard::HungUp, events)) };
            let heard = match message {
                ServerMessage::Event { zxid, event } => {
                    events.push((zxid, event));
                    continue;
                }
                ServerMessage::Connected(response) => Heard::Connected(response),
                ServerMessage::Reply { header, body } => {
                    Heard::Reply(header, bytes::Bytes::copy_from_slice(body.rest()))
                }
            };
            if exchange.said.is_answered_by(&heard) {
                return Ok((heard, events));
            }
        }
    }

    /// The next message; none when the server has hung up.
    fn message(&mut self) -> io::Result<Option<ServerMessage>> {
        let mut buffer = [0; 16 << 10];
        loop {
            let message = self.decoder.poll();
            if let Some(message) = message.map_err(|error| io::Error::other(error.to_string()))? {
                return Ok(Some(message));
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(None),
                Ok(length) => self.decoder.push(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}
