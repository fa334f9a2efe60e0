//! One writer, many watchers: how long after a write is sent does each watcher hear of it?
//!
//! Rounds: every watcher reads the znode with a watch; when all have, the writer sets it; when every watcher has its event,
//! the next round begins. One-shot watches are what every server has. With `--rate`, rounds begin on a schedule.

use super::wire::{BenchError, Incoming, Wire};
use super::workload::Judgement;
use super::{Run, Window, znodes};
use quorate_core::jute::{EventType, OpCode};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// What a watcher tells the writer.
enum Told {
    /// Its watch is set.
    Armed,
    /// Its event has come.
    Heard(Instant),
}

/// Rounds until the window closes.
pub(super) async fn run(run: &Rc<Run>, mut wires: Vec<Wire>, window: Window) -> Result<(), BenchError> {
    let mut writer = wires.pop().ok_or(BenchError::Ended("no connections"))?;
    let watchers = wires.len();
    let (tell, told) = mpsc::unbounded_channel();
    let tasks: Vec<_> =
        wires.into_iter().map(|wire| tokio::task::spawn_local(watch(wire, tell.clone(), window))).collect();
    drop(tell);
    tokio::time::sleep_until(window.start.into()).await;
    let data = vec![b'x'; run.arguments.size];
    let step = run.arguments.rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
    let mut intended = window.start;
    let mut watchers = Watchers { told, count: watchers, armed: 0 };
    while Instant::now() < window.end {
        watchers.all_armed().await?;
        let sent = match step {
            Some(_) => intended,
            None => Instant::now(),
        };
        tokio::time::sleep_until(sent.into()).await;
        intended += step.unwrap_or_default();
        let reply = writer
            .call(OpCode::SetData, |out| {
                out.string(&znodes::WATCHED);
                out.buffer(Some(&data));
                out.int(-1);
            })
            .await?;
        if reply.header.err != 0 {
            run.recorder.borrow_mut().judged(&Judgement::Error(reply.header.err));
        }
        for at in watchers.all_heard().await? {
            let mut recorder = run.recorder.borrow_mut();
            if window.measures(at) {
                recorder.completed();
            }
            if window.measures(sent) {
                recorder.latency(at.saturating_duration_since(sent));
            }
        }
    }
    for task in tasks {
        task.abort();
    }
    writer.close().await
}

/// What the watchers tell, as the writer sees it.
struct Watchers {
    told: mpsc::UnboundedReceiver<Result<Told, BenchError>>,
    count: usize,
    /// Watches set for the next write; a quick watcher sets its own before a slow one has heard of the last.
    armed: usize,
}

impl Watchers {
    async fn next(&mut self) -> Result<Told, BenchError> {
        let next = tokio::time::timeout(Duration::from_secs(30), self.told.recv()).await;
        next.ok().flatten().ok_or(BenchError::Protocol("a watch did not fire within 30 s".to_owned()))?
    }

    async fn all_armed(&mut self) -> Result<(), BenchError> {
        while self.armed < self.count {
            match self.next().await? {
                Told::Armed => self.armed += 1,
                Told::Heard(_) => {
                    return Err(BenchError::Protocol("a watch fired before the write".to_owned()));
                }
            }
        }
        Ok(())
    }

    /// When each watcher heard of the write.
    async fn all_heard(&mut self) -> Result<Vec<Instant>, BenchError> {
        self.armed = 0;
        let mut heard = Vec::with_capacity(self.count);
        while heard.len() < self.count {
            match self.next().await? {
                Told::Armed => self.armed += 1,
                Told::Heard(at) => heard.push(at),
            }
        }
        Ok(heard)
    }
}

async fn watch(mut wire: Wire, tell: mpsc::UnboundedSender<Result<Told, BenchError>>, window: Window) {
    tokio::time::sleep_until(window.start.into()).await;
    loop {
        let round = match arm(&mut wire).await {
            Ok(()) => tell.send(Ok(Told::Armed)),
            Err(error) => tell.send(Err(error)),
        };
        let heard = match round {
            Ok(()) => tell.send(hear(&mut wire).await.map(Told::Heard)),
            Err(_) => return,
        };
        if heard.is_err() {
            return;
        }
    }
}

async fn arm(wire: &mut Wire) -> Result<(), BenchError> {
    let reply = wire
        .call(OpCode::GetData, |out| {
            out.string(&znodes::WATCHED);
            out.boolean(true);
        })
        .await?;
    match reply.header.err {
        0 => Ok(()),
        code => Err(BenchError::Protocol(format!("the watched znode: {}", znodes::error_name(code)))),
    }
}

async fn hear(wire: &mut Wire) -> Result<Instant, BenchError> {
    loop {
        while let Some(incoming) = wire.next()? {
            match incoming {
                Incoming::Event(event)
                    if event.kind == EventType::NodeDataChanged && event.path == *znodes::WATCHED =>
                {
                    return Ok(Instant::now());
                }
                Incoming::Event(event) => {
                    return Err(BenchError::Protocol(format!("an event nobody waits for: {event:?}")));
                }
                Incoming::Reply(_) => {
                    return Err(BenchError::Protocol("a reply nobody waits for".to_owned()));
                }
                Incoming::Pong => {}
            }
        }
        let quiet = tokio::time::timeout_at(wire.ping_due().into(), wire.ready()).await;
        match quiet {
            Ok(ready) => {
                ready?;
                wire.try_fill()?;
            }
            Err(_) => {
                wire.push_ping();
                wire.try_flush()?;
            }
        }
    }
}
