//! `quorate bench`: a load generator for any server that speaks ZooKeeper's client protocol.
//!
//! A closed loop keeps `--depth` requests of every connection on their way; an open loop (`--rate`) sends on a schedule and
//! measures from the moment a request *should* have gone out, so that a server that stalls can't hide behind a client that
//! waits. Every reply is checked: order of xids, error code, length and content that follow from the request.
//!
//! One thread drives all connections. What is measured of the server (`--server-pid`), and of the bench itself, another
//! thread reads from `/proc` at the edges of the measured window, which begins after `--warmup`: however busy the first is.
//!
//! ```text
//! wire          one connection: handshake, requests out, replies in
//! znodes        setting up and removing the znodes of a run
//! workload      which request comes next, and what its reply must be
//! driver        when requests go out: closed loop, open loop
//! fanout        one writer, many watchers
//! idle          sessions that only ping
//! process       CPU time and memory of a process
//! report        what was measured, as text and JSON
//! ```
//!
//! Absent: authentication, TLS, several servers.

mod driver;
mod fanout;
mod idle;
mod process;
mod report;
mod wire;
mod workload;
mod znodes;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use process::ServerProcess;
use report::{Recorder, Report};
use std::cell::RefCell;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};
use wire::{BenchError, Wire};

/// What `quorate bench` takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct BenchArgs {
    /// The server under load.
    #[arg(
        long,
        visible_alias = "servers",
        default_value = "127.0.0.1:2181",
        value_name = "HOST:PORT",
        value_parser = super::ask::host_and_port
    )]
    server: String,
    /// Connections, each with a session.
    #[arg(long, visible_alias = "clients", default_value_t = 10)]
    connections: usize,
    /// Requests of one connection on their way at a time (closed loop).
    #[arg(long, default_value_t = 1)]
    depth: usize,
    /// What is asked.
    #[arg(long, value_enum, default_value_t = WorkloadKind::Read)]
    workload: WorkloadKind,
    /// Of mixed, how many of a hundred requests are reads.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u8).range(0..=100))]
    reads: u8,
    /// Bytes of data in a znode.
    #[arg(long, default_value_t = 100)]
    size: usize,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS")]
    duration: f64,
    /// Seconds before them that are not.
    #[arg(long, default_value_t = 2.0, value_name = "SECONDS")]
    warmup: f64,
    /// Znodes that are set up; of children, the children of each listing.
    #[arg(long, default_value_t = 1000)]
    znodes: usize,
    /// Open loop: requests a second, all connections together.
    #[arg(long)]
    rate: Option<f64>,
    /// Seeds the choice of znodes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Session timeout that is asked for, milliseconds.
    #[arg(long, default_value_t = 30_000)]
    session_timeout_ms: u32,
    /// The server's process, whose CPU time and memory are measured.
    #[arg(long)]
    server_pid: Option<u32>,
    /// Leave the znodes in place.
    #[arg(long)]
    keep: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum WorkloadKind {
    /// getData of random znodes.
    Read,
    /// setData of random znodes.
    Write,
    /// Reads and writes, as --reads says.
    Mixed,
    /// create of new znodes.
    Create,
    /// getChildren of one parent.
    Children,
    /// One writer; every other connection watches its znode. An operation is one delivered event.
    WatchFanout,
    /// Sessions that only ping.
    IdleSessions,
}

/// What the parts of one run share.
pub(super) struct Run {
    arguments: BenchArgs,
    recorder: RefCell<Recorder>,
}

/// The measured window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    start: Instant,
    measured_from: Instant,
    end: Instant,
}

impl Window {
    /// A window that begins in a moment, when every connection is ready.
    fn soon(arguments: &BenchArgs) -> Window {
        let start = Instant::now() + Duration::from_millis(20);
        let measured_from = start + Duration::from_secs_f64(arguments.warmup.max(0.0));
        Window {
            start,
            measured_from,
            end: measured_from + Duration::from_secs_f64(arguments.duration.max(0.001)),
        }
    }

    fn measures(&self, at: Instant) -> bool {
        at >= self.measured_from && at < self.end
    }
}

impl BenchArgs {
    /// What of it can't be, if anything.
    fn mistake(&self) -> Option<&'static str> {
        let mistakes = [
            (self.connections == 0 || self.depth == 0, "--connections and --depth are at least 1"),
            (
                self.workload == WorkloadKind::WatchFanout && self.connections < 2,
                "watch-fanout needs a writer and a watcher: --connections 2 or more",
            ),
            (self.rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())), "--rate is a positive number"),
            (self.znodes == 0, "--znodes is at least 1"),
            (!(self.duration > 0.0 && self.duration.is_finite()), "--duration is a positive number"),
            (!(self.warmup >= 0.0 && self.warmup.is_finite()), "--warmup is not negative"),
        ];
        mistakes.into_iter().find_map(|(made, text)| made.then_some(text))
    }
}

/// Runs the workload and prints what was measured. Exit code 1 when the server could not be used, or a reply was wrong; 2
/// when the command line asks for what can't be.
pub(crate) fn main(arguments: BenchArgs) -> ExitCode {
    if let Some(mistake) = arguments.mistake() {
        eprintln!("quorate bench: {mistake}");
        return ExitCode::from(2);
    }
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    let run = Rc::new(Run { recorder: RefCell::new(Recorder::new()), arguments });
    let local = tokio::task::LocalSet::new();
    let report = match local.block_on(&runtime, measure(run.clone())) {
        Ok(report) => report,
        Err(error) => return failed(&error.to_string()),
    };
    match run.arguments.json {
        true => super::print(&format!("{:#}\n", report.as_json())),
        false => super::print(&report.to_string()),
    }
    if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn failed(reason: &str) -> ExitCode {
    eprintln!("quorate bench: {reason}");
    ExitCode::FAILURE
}

/// Sets the znodes up, lets the connections work, and cleans up behind them.
async fn measure(run: Rc<Run>) -> Result<Report, BenchError> {
    let arguments = &run.arguments;
    let process = arguments.server_pid.map(ServerProcess::open).transpose()?;
    let idle_memory = process.as_ref().map(ServerProcess::resident_kib).transpose()?;
    let mut keeper = Wire::connect(&arguments.server, arguments.session_timeout_ms).await?;
    znodes::set_up(&mut keeper, arguments).await?;
    keeper.close().await?;
    let wires = connect_all(arguments).await?;
    let connected_memory = process.as_ref().map(ServerProcess::resident_kib).transpose()?;
    let window = Window::soon(arguments);
    let observer = std::thread::spawn(move || observe(window, process.as_ref()));
    tokio::task::spawn_local(show_progress(run.clone(), window));
    match arguments.workload {
        WorkloadKind::WatchFanout => fanout::run(&run, wires, window).await?,
        WorkloadKind::IdleSessions => idle::run(&run, wires, window).await?,
        _ => driver::run(&run, wires, window).await?,
    }
    let usage = observer.join().map_err(|_| BenchError::Ended("the observing thread ended"))??;
    if !arguments.keep {
        let mut keeper = Wire::connect(&arguments.server, arguments.session_timeout_ms).await?;
        znodes::remove_all(&mut keeper, arguments).await?;
        keeper.close().await?;
    }
    let memory = report::Memory { idle_kib: idle_memory, connected_kib: connected_memory };
    Ok(Report::new(arguments, &run.recorder.borrow(), usage, &memory))
}

/// All connections, at most so many at a time on their way: a listen backlog is short.
async fn connect_all(arguments: &BenchArgs) -> Result<Vec<Wire>, BenchError> {
    const AT_ONCE: usize = 64;
    let bar = progress(arguments.connections as u64, "connecting");
    let mut wires = Vec::with_capacity(arguments.connections);
    while wires.len() < arguments.connections {
        let count = AT_ONCE.min(arguments.connections - wires.len());
        let tasks: Vec<_> = (0..count)
            .map(|_| {
                let (server, timeout) = (arguments.server.clone(), arguments.session_timeout_ms);
                tokio::task::spawn_local(async move { Wire::connect(&server, timeout).await })
            })
            .collect();
        for task in tasks {
            wires.push(task.await.map_err(|_| BenchError::Ended("a connecting task ended"))??);
        }
        bar.set_position(wires.len() as u64);
        // Sessions opened first must not expire while the last are still being opened.
        for wire in &mut wires {
            wire.ping_if_quiet()?;
        }
    }
    bar.finish_and_clear();
    Ok(wires)
}

/// Reads the CPU time of the server, and this process's own, at both edges of the window.
fn observe(
    window: Window,
    process: Option<&ServerProcess>,
) -> Result<(Option<process::Usage>, process::Usage), BenchError> {
    let own = ServerProcess::own()?;
    let read = || process.map(ServerProcess::sample).transpose();
    std::thread::sleep(window.measured_from.saturating_duration_since(Instant::now()));
    let (before, own_before) = (read()?, own.sample()?);
    std::thread::sleep(window.end.saturating_duration_since(Instant::now()));
    let (after, own_after) = (read()?, own.sample()?);
    Ok((before.zip(after).map(|(before, after)| after.since(&before)), own_after.since(&own_before)))
}

async fn show_progress(run: Rc<Run>, window: Window) {
    let bar = progress((window.end - window.start).as_millis() as u64, "warming up");
    tokio::time::sleep_until(window.measured_from.into()).await;
    while Instant::now() < window.end {
        bar.set_position(window.start.elapsed().as_millis() as u64);
        bar.set_message(format!("{} operations", run.recorder.borrow().operations()));
        tokio::time::sleep_until((Instant::now() + Duration::from_millis(200)).min(window.end).into()).await;
    }
    bar.finish_and_clear();
}

/// A bar on terminals, nothing elsewhere.
pub(super) fn progress(length: u64, message: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {percent:>3}% {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style).with_message(message)
}

/// Ten thousand connections need as many files; the hard limit is as far as one may go.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Without the raise the connections run into the limit, and that error says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
