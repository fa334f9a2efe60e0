//! Clients who are not to notice what happens to the server: a reader and a writer of one node, and how long each request took.
//!
//! Requests go out on a schedule that waits for no reply (an open loop), so a stall counts for everything that it kept waiting.
//! A latency counts from when its request was sent: that a busy machine woke the sender late is not the server's doing.
//!
//! Every reply is checked: the writer's versions have no gap, and the reader sees at least what was acknowledged before it
//! asked. Neither connection is ever opened anew, so whoever is dropped fails the test.
//!
//! What a busy machine does to any server is told apart from what happens to this one by a control: another server, on the same disk
//! at the same time, with bystanders of its own, that nobody else asks for anything.

use crate::client::{Client, create, get, set};
use crate::process::{Server, go_first};
use quorate_core::jute::{Request, Response};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};

const NODE: &str = "/bystander";
const READ_EVERY: Duration = Duration::from_millis(2);
const WRITE_EVERY: Duration = Duration::from_millis(5);
/// The 99th percentile under abuse may be this many times that of calm: of calm windows, or of the control in the same windows.
const FACTOR: u32 = 3;

/// Whether tests run in their long form.
pub(crate) fn is_full() -> bool {
    std::env::var_os("QUORATE_FULL").is_some()
}

/// Whether latencies are held to their bound: `QUORATE_FULL=quiet` says that the machine does nothing else. Otherwise they are
/// printed, because a neighbour that takes the processors makes every server late.
fn is_quiet() -> bool {
    std::env::var_os("QUORATE_FULL").is_some_and(|form| form == "quiet")
}

/// A stretch of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) from: Instant,
    pub(crate) to: Instant,
}

/// What one client saw: when each request went, and how long it took.
type Samples = Vec<(Instant, Duration)>;

/// See the module's words.
pub(crate) struct Bystander {
    stop: Arc<AtomicBool>,
    reader: JoinHandle<Samples>,
    writer: JoinHandle<Samples>,
}

impl Bystander {
    /// How many sessions it has.
    pub(crate) const SESSIONS: usize = 2;

    pub(crate) fn start(server: &Server) -> Self {
        let (reader, _) = Client::with_session(server.address);
        let (mut writer, _) = Client::with_session(server.address);
        writer.ask(create(NODE, b"0")).unwrap();
        let stop = Arc::<AtomicBool>::default();
        let acknowledged = Arc::<AtomicU64>::default();
        let known = Arc::clone(&acknowledged);
        let ask_read = move |_| (get(NODE), known.load(Ordering::SeqCst));
        let reader = on_schedule((reader, READ_EVERY), &stop, ask_read, |at_least, reply| {
            let Response::GetData { data: Some(data), .. } = reply else { panic!("{reply:?}") };
            let found = String::from_utf8(data.to_vec()).unwrap();
            assert!(found.parse::<u64>().unwrap() >= at_least, "{found}, after {at_least}");
        });
        let ask_write = |number: u64| (set(NODE, number.to_string().as_bytes()), number);
        let writer = on_schedule((writer, WRITE_EVERY), &stop, ask_write, move |number, reply| {
            let Response::Stat(stat) = reply else { panic!("{reply:?}") };
            assert_eq!(stat.version as u64, number);
            acknowledged.store(number, Ordering::SeqCst);
        });
        Bystander { stop, reader, writer }
    }

    /// Ends it and its control, prints what they saw, and on a quiet machine holds that to its bound.
    pub(crate) fn judge(self, what: &str, calm: &[Span], abused: &[Span], control: Control) {
        let control = control.bystander.end();
        for ((kind, samples), (_, beside)) in self.end().into_iter().zip(control) {
            let (before, during) = (p99(&samples, calm), p99(&samples, abused));
            let (control_before, control_during) = (p99(&beside, calm), p99(&beside, abused));
            let most = before.max(control_during) * FACTOR;
            let worst = |of| spans(of, abused).flatten().max().expect("something was asked");
            println!(
                "{what}: {kind} p99 {during:?}, calm {before:?}, worst {:?}; control {control_during:?}, calm {control_before:?}, worst {:?}",
                worst(&samples),
                worst(&beside)
            );
            let times = |calm: Duration| during.as_secs_f64() / calm.as_secs_f64();
            println!(
                "{what}: {kind} {:.1} times calm, {:.1} times the control",
                times(before),
                times(control_during)
            );
            assert!(!is_quiet() || during <= most, "{kind} p99 was {during:?}, at most {most:?} is calm");
        }
    }

    /// What it saw: reads and writes.
    fn end(self) -> [(&'static str, Samples); 2] {
        self.stop.store(true, Ordering::SeqCst);
        [("reads", self.reader), ("writes", self.writer)]
            .map(|(kind, thread)| (kind, thread.join().expect("a bystander noticed")))
    }
}

/// See the module's words.
pub(crate) struct Control {
    bystander: Bystander,
    _server: Server,
    _dir: TempDir,
}

impl Control {
    pub(crate) fn start() -> Self {
        let dir = tempdir().unwrap();
        let server = Server::start_with_large_log(dir.path(), &[]);
        Control { bystander: Bystander::start(&server), _server: server, _dir: dir }
    }
}

/// Starts to ask on a schedule: `ask` makes the request of a number, from 1 on, and what `check` needs to know for its reply.
fn on_schedule(
    (mut client, every): (Client, Duration),
    stop: &Arc<AtomicBool>,
    ask: impl Fn(u64) -> (Request, u64) + Send + 'static,
    check: impl Fn(u64, Response) + Send + 'static,
) -> JoinHandle<Samples> {
    let (asked, replies) = mpsc::channel::<(Instant, i32, u64)>();
    let mut sender = client.second_half();
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        go_first();
        let mut due = Instant::now();
        for number in 1.. {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if stop.load(Ordering::SeqCst) {
                return;
            }
            let (request, known) = ask(number);
            asked.send((Instant::now(), request.opcode(), known)).expect("replies are heard");
            sender.send(&request);
            due += every;
        }
    });
    std::thread::spawn(move || {
        go_first();
        let mut samples = Vec::new();
        for (sent, opcode, known) in replies {
            let (_, reply) = client.hear_reply(opcode).expect("a reply");
            samples.push((sent, sent.elapsed()));
            check(known, reply.expect("no error"));
        }
        samples
    })
}

/// The latencies in each of the spans.
fn spans<'a>(
    samples: &'a [(Instant, Duration)],
    spans: &'a [Span],
) -> impl Iterator<Item = impl Iterator<Item = Duration> + 'a> + 'a {
    spans.iter().map(move |span| {
        let within = move |sent: Instant| span.from <= sent && sent < span.to;
        samples.iter().filter(move |(sent, _)| within(*sent)).map(|(_, took)| *took)
    })
}

/// The median over the spans of each one's 99th percentile.
fn p99(samples: &[(Instant, Duration)], of: &[Span]) -> Duration {
    let at = |mut sorted: Vec<Duration>, percent: usize| {
        sorted.sort();
        sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied()
    };
    let each = spans(samples, of).filter_map(|span| at(span.collect(), 99)).collect();
    at(each, 50).expect("something was asked in one of the spans")
}

/// Memory of the server, in bytes.
pub(crate) struct Memory {
    status: String,
    before: u64,
}

impl Memory {
    /// From here on growth counts.
    pub(crate) fn watch(server: &Server) -> Self {
        let process = format!("/proc/{}", server.pid().as_raw_nonzero());
        std::fs::write(format!("{process}/clear_refs"), "5").unwrap();
        let status = format!("{process}/status");
        let before = field(&status, "VmRSS:");
        Memory { status, before }
    }

    /// How much the most that was resident is over what was at the beginning.
    pub(crate) fn grown(&self) -> u64 {
        field(&self.status, "VmHWM:").saturating_sub(self.before)
    }
}

fn field(path: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
