//! Clients who are not to notice what happens to the server: a reader and a writer of one node, and how long each request took.
//!
//! Requests go out on a schedule that waits for no reply (an open loop), so a stall counts for everything that it kept waiting.
//! A latency counts from when its request was sent: that a busy machine woke the sender late is not the server's doing.
//!
//! Every reply is checked: the writer's versions have no gap, and the reader sees at least what was acknowledged before it
//! asked. Neither connection is ever opened anew, so whoever is dropped fails the test.

use crate::client::{Client, create, get, set};
use crate::process::{Server, go_first};
use quorate_core::jute::{Request, Response};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const NODE: &str = "/bystander";
const READ_EVERY: Duration = Duration::from_millis(2);
const WRITE_EVERY: Duration = Duration::from_millis(5);
/// The 99th percentile under abuse may be this many times that of calm windows in the same run,
const FACTOR: u32 = 3;
/// or this, which is what one neighbour's use of a shared disk costs, and which no client's time-out is near to.
const UNNOTICED: Duration = Duration::from_millis(5);

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

    /// Ends it, prints what it saw, and on a quiet machine holds that to its bound.
    pub(crate) fn judge(self, what: &str, calm: &[Span], abused: &[Span]) {
        self.stop.store(true, Ordering::SeqCst);
        for (kind, samples) in [("reads", self.reader.join()), ("writes", self.writer.join())] {
            let samples = samples.expect("a bystander noticed");
            let (before, during) = (p99(&samples, calm), p99(&samples, abused));
            let most = (before * FACTOR).max(UNNOTICED);
            let worst = spans(&samples, abused).flatten().max().expect("something was asked");
            println!(
                "{what}: {kind} p99 {during:?}, calm {before:?} ({:.1} times), bound {most:?}, worst {worst:?}",
                during.as_secs_f64() / before.as_secs_f64()
            );
            assert!(!is_quiet() || during <= most, "{kind} p99 was {during:?} where {before:?} is calm");
        }
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
