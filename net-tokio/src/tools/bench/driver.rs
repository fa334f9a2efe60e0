//! When requests go out: as many as may be on their way (closed loop), or on a schedule (open loop).
//!
//! The schedule is one for all connections: request `k` is due at `start + k / rate` and belongs to connection `k` modulo
//! their number. A thread of its own watches the clock, because the runtime's timer only knows milliseconds, and wakes the
//! connections whose request is due; it looks up at most every 100 µs, which is therefore the finest latency an open loop can
//! tell.

use super::wire::{BenchError, Incoming, Wire};
use super::workload::{Expected, Judgement, Workload};
use super::{Run, Window};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long after the end an answer may still come.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the schedule is looked at.
const GRAIN: Duration = Duration::from_micros(100);

/// When the next request of one connection is due.
enum Schedule {
    /// As soon as fewer than so many are on their way.
    Closed(usize),
    /// At `start + k / rate`, and every `connections / rate` from there.
    Open { next: f64, step: f64 },
}

struct Pending {
    expected: Expected,
    /// When it was sent, or should have been.
    intended: Instant,
}

/// One connection at work.
struct Worker {
    run: Rc<Run>,
    window: Window,
    wire: Wire,
    workload: Workload,
    schedule: Schedule,
    pending: VecDeque<Pending>,
}

/// Lets every connection work until the window closes and its last answer has come.
pub(super) async fn run(run: &Rc<Run>, wires: Vec<Wire>, window: Window) -> Result<(), BenchError> {
    let connections = wires.len();
    let bells: Vec<Arc<Notify>> = wires.iter().map(|_| Arc::new(Notify::new())).collect();
    let over = Arc::new(AtomicBool::new(false));
    let pacer = run.arguments.rate.map(|rate| {
        let (bells, over) = (bells.clone(), over.clone());
        std::thread::spawn(move || pace(rate, window, &bells, &over))
    });
    let tasks: Vec<_> = wires
        .into_iter()
        .zip(bells)
        .enumerate()
        .map(|(index, (wire, bell))| {
            let schedule = match run.arguments.rate {
                None => Schedule::Closed(run.arguments.depth),
                Some(rate) => Schedule::Open { next: index as f64 / rate, step: connections as f64 / rate },
            };
            let workload = Workload::new(&run.arguments, index);
            let worker =
                Worker { run: run.clone(), window, wire, workload, schedule, pending: VecDeque::new() };
            tokio::task::spawn_local(worker.work(bell))
        })
        .collect();
    let mut result = Ok(());
    for task in tasks {
        let ended = task.await.unwrap_or(Err(BenchError::Ended("a connection's task ended")));
        result = result.and(ended);
    }
    over.store(true, Ordering::Relaxed);
    if let Some(pacer) = pacer {
        pacer.join().map_err(|_| BenchError::Ended("the pacing thread ended"))?;
    }
    result
}

/// Rings the bell of every connection whose next request is due, until the window closes.
fn pace(rate: f64, window: Window, bells: &[Arc<Notify>], over: &AtomicBool) {
    let mut rung = 0_u64;
    loop {
        let now = Instant::now();
        if now >= window.end || over.load(Ordering::Relaxed) {
            bells.iter().for_each(|bell| bell.notify_one());
            return;
        }
        let due = (now.saturating_duration_since(window.start).as_secs_f64() * rate) as u64;
        // More than one request a connection needs one ring only.
        for k in rung.max(due.saturating_sub(bells.len() as u64))..due {
            bells[(k % bells.len() as u64) as usize].notify_one();
        }
        rung = due;
        let next = window.start + Duration::from_secs_f64((due + 1) as f64 / rate);
        std::thread::sleep(next.saturating_duration_since(now).clamp(GRAIN, Duration::from_millis(50)));
    }
}

impl Worker {
    async fn work(mut self, bell: Arc<Notify>) -> Result<(), BenchError> {
        tokio::time::sleep_until(self.window.start.into()).await;
        let last = self.window.end + PATIENCE;
        let alarm = tokio::time::sleep_until(self.wire.ping_due().min(last).into());
        tokio::pin!(alarm);
        loop {
            let now = Instant::now();
            self.issue(now);
            self.wire.try_flush()?;
            if now >= self.window.end && self.pending.is_empty() {
                return self.wire.close().await;
            }
            tokio::select! {
                biased;
                ready = self.wire.ready() => ready?,
                () = bell.notified() => {}
                () = &mut alarm => {
                    if Instant::now() >= last {
                        self.run.recorder.borrow_mut().unanswered(self.pending.len());
                        return Ok(());
                    }
                    self.wire.ping_if_quiet()?;
                    let next = self.wire.ping_due().max(Instant::now() + Duration::from_millis(10));
                    alarm.as_mut().reset(next.min(last).into());
                }
            }
            self.take_replies()?;
        }
    }

    /// Writes every request that is due.
    fn issue(&mut self, now: Instant) {
        if let Schedule::Closed(depth) = self.schedule {
            while now < self.window.end && self.pending.len() < depth {
                self.push(now);
            }
            return;
        }
        while let Schedule::Open { next, step } = &mut self.schedule {
            let intended = self.window.start + Duration::from_secs_f64(*next);
            if intended > now || intended >= self.window.end {
                return;
            }
            *next += *step;
            self.push(intended);
        }
    }

    fn push(&mut self, intended: Instant) {
        let expected = self.workload.push_next(&mut self.wire);
        self.pending.push_back(Pending { expected, intended });
    }

    fn take_replies(&mut self) -> Result<(), BenchError> {
        while self.wire.try_fill()? {
            let now = Instant::now();
            while let Some(incoming) = self.wire.next()? {
                let Incoming::Reply(reply) = incoming else { continue };
                let pending = self.pending.pop_front().expect("the wire lets only expected replies through");
                let judgement = self.workload.judge(pending.expected, reply)?;
                self.record(&pending, &judgement, now);
            }
        }
        Ok(())
    }

    fn record(&self, pending: &Pending, judgement: &Judgement, now: Instant) {
        let mut recorder = self.run.recorder.borrow_mut();
        recorder.judged(judgement);
        if *judgement == Judgement::Right {
            if self.window.measures(now) {
                recorder.completed();
            }
            if self.window.measures(pending.intended) {
                recorder.latency(now.saturating_duration_since(pending.intended));
            }
        }
    }
}
