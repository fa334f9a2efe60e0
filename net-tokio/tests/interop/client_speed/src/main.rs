//! The client library beside the `zookeeper-client` crate: operations a second of the client's own CPU, one client, against one server.
//!
//! usage: client-speed HOST:PORT [OPERATIONS [ROUNDS]]
//!
//! Each library does the same, turn by turn: reads and writes of 100 bytes, pipelined (256 requests at once, made by one task) and by 64
//! tasks that each wait for their answers. What is printed is the median of the rounds, and the ratio of the medians. Exit status 1: ours
//! does fewer operations a CPU second somewhere.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rustix::time::{ClockId, clock_gettime};
use std::collections::VecDeque;
use std::time::Instant;

const PATH: &str = "/client-speed";
const SIZE: usize = 100;
const PIPELINE: usize = 256;
const TASKS: usize = 64;

type Failure = Box<dyn std::error::Error>;

/// A library, as far as it is compared. A request is made by the call.
trait Library: Clone + 'static {
    fn read(&self) -> BoxFuture<'static, bool>;
    fn write(&self, data: Bytes) -> BoxFuture<'static, bool>;
}

#[derive(Clone)]
struct Ours(quorate_client::Client);

impl Library for Ours {
    fn read(&self) -> BoxFuture<'static, bool> {
        let reply = self.0.get(PATH);
        Box::pin(async move { reply.await.is_ok_and(|value| value.bytes().len() == SIZE) })
    }

    fn write(&self, data: Bytes) -> BoxFuture<'static, bool> {
        let reply = self.0.set(PATH, data, quorate_client::Version::ANY);
        Box::pin(async move { reply.await.is_ok() })
    }
}

#[derive(Clone)]
struct Theirs(zookeeper_client::Client);

impl Library for Theirs {
    fn read(&self) -> BoxFuture<'static, bool> {
        let reply = self.0.get_data(PATH);
        Box::pin(async move { reply.await.is_ok_and(|(data, _)| data.len() == SIZE) })
    }

    fn write(&self, data: Bytes) -> BoxFuture<'static, bool> {
        let reply = self.0.set_data(PATH, &data, None);
        Box::pin(async move { reply.await.is_ok() })
    }
}

#[derive(Clone, Copy, Debug)]
struct Work {
    is_read: bool,
    is_pipelined: bool,
}

impl Work {
    fn ask(self, library: &impl Library, data: &Bytes) -> BoxFuture<'static, bool> {
        if self.is_read { library.read() } else { library.write(data.clone()) }
    }

    async fn run(self, library: &impl Library, operations: usize) {
        let data = Bytes::from(vec![b'x'; SIZE]);
        if self.is_pipelined {
            let mut asked = VecDeque::with_capacity(PIPELINE);
            for _ in 0..operations {
                if asked.len() == PIPELINE {
                    let answer: BoxFuture<'static, bool> = asked.pop_front().expect("it is full");
                    assert!(answer.await, "a wrong answer");
                }
                asked.push_back(self.ask(library, &data));
            }
            for answer in asked {
                assert!(answer.await, "a wrong answer");
            }
            return;
        }
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let (library, data) = (library.clone(), data.clone());
                tokio::task::spawn_local(async move {
                    for _ in 0..operations / TASKS {
                        assert!(self.ask(&library, &data).await, "a wrong answer");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a task ends");
        }
    }

    /// Operations a CPU second of this process, and a second.
    async fn measure(self, library: &impl Library, operations: usize) -> (f64, f64) {
        let (cpu, begin) = (cpu_seconds(), Instant::now());
        self.run(library, operations).await;
        let operations = operations as f64;
        (operations / (cpu_seconds() - cpu), operations / begin.elapsed().as_secs_f64())
    }
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn compare(address: &str, operations: usize, rounds: usize) -> Result<bool, Failure> {
    let ours = Ours(quorate_client::connect(address).await?);
    // It may be there from another run.
    let _ = ours.0.create(PATH, vec![b'x'; SIZE], &quorate_client::CreateOptions::persistent()).await;
    let theirs = Theirs(zookeeper_client::Client::connect(address).await?);
    let mut is_ahead = true;
    println!("{:<22}{:>22}{:>22}{:>8}{:>26}", "", "ours, a CPU second", "theirs", "ratio", "a second, ours / theirs");
    for (is_read, is_pipelined) in [(true, true), (true, false), (false, true), (false, false)] {
        let work = Work { is_read, is_pipelined };
        let (mut mine, mut other) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            mine.push(work.measure(&ours, operations).await);
            other.push(work.measure(&theirs, operations).await);
        }
        let of = |all: &[(f64, f64)], what: fn(&(f64, f64)) -> f64| median(all.iter().map(what).collect());
        let (ours, theirs) = (of(&mine, |one| one.0), of(&other, |one| one.0));
        let name = format!(
            "{} {}",
            if is_read { "reads" } else { "writes" },
            if is_pipelined { "pipelined" } else { "by 64 tasks" }
        );
        println!(
            "{name:<22}{ours:>22.0}{theirs:>22.0}{:>8.2}{:>14.0} / {:.0}",
            ours / theirs,
            of(&mine, |one| one.1),
            of(&other, |one| one.1)
        );
        is_ahead &= ours >= theirs;
    }
    Ok(is_ahead)
}

fn main() -> Result<std::process::ExitCode, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = arguments.first().ok_or("usage: client-speed HOST:PORT [OPERATIONS [ROUNDS]]")?;
    let operations = arguments.get(1).map_or(Ok(100_000), |text| text.parse())?;
    let rounds = arguments.get(2).map_or(Ok(5), |text| text.parse())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    let is_ahead = local.block_on(&runtime, compare(address, operations, rounds))?;
    Ok(std::process::ExitCode::from(u8::from(!is_ahead)))
}
