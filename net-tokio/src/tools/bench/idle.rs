//! Sessions that only ping: what they cost the server, and how long a ping takes.

use super::wire::{BenchError, Wire};
use super::{Run, Window};
use std::rc::Rc;
use std::time::Instant;

/// Lets every session ping at a third of its timeout until the window closes.
pub(super) async fn run(run: &Rc<Run>, wires: Vec<Wire>, window: Window) -> Result<(), BenchError> {
    let count = wires.len() as u32;
    let tasks: Vec<_> = wires
        .into_iter()
        .zip(0..)
        .map(|(wire, index): (Wire, u32)| {
            tokio::task::spawn_local(idle(run.clone(), wire, window, (index, count)))
        })
        .collect();
    let mut result = Ok(());
    for task in tasks {
        result = result.and(task.await.unwrap_or(Err(BenchError::Ended("a session's task ended"))));
    }
    result
}

/// The `index`-th of `count` sessions; their pings are spread over the interval.
async fn idle(
    run: Rc<Run>,
    mut wire: Wire,
    window: Window,
    (index, count): (u32, u32),
) -> Result<(), BenchError> {
    let interval = wire.ping_interval();
    let mut due = window.start + interval * index / count;
    while due < window.end {
        tokio::time::sleep_until(due.into()).await;
        let sent = Instant::now();
        wire.push_ping();
        wire.try_flush()?;
        let answered = pong(&mut wire).await?;
        let mut recorder = run.recorder.borrow_mut();
        if window.measures(answered) {
            recorder.completed();
        }
        if window.measures(sent) {
            recorder.latency(answered.saturating_duration_since(sent));
        }
        due += interval;
    }
    tokio::time::sleep_until(window.end.into()).await;
    wire.close().await
}

/// When the last ping was answered.
async fn pong(wire: &mut Wire) -> Result<Instant, BenchError> {
    loop {
        while wire.next()?.is_some() {}
        if wire.pings_in_flight() == 0 {
            return Ok(Instant::now());
        }
        wire.ready().await?;
        wire.try_flush()?;
        wire.try_fill()?;
    }
}
