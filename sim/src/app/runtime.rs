//! The runtime that tasks see.

use super::machine::{Shared, Task, Told, with};
use bytes::Bytes;
use quorate_core::client::{ByteStream, Host, Lost, Runtime};
use quorate_core::vocabulary::Mono;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A handle of the machine that a task runs on.
#[derive(Clone, Debug)]
pub struct SimRuntime(pub(super) Arc<Shared>);

impl SimRuntime {
    /// Reports that something has come to pass that must not.
    pub fn violate(&self, checker: &'static str, detail: String) {
        with(&self.0, |state| {
            state.violation.get_or_insert((checker, detail));
        });
    }

    /// Counts that something has come to pass that is to come to pass in some runs.
    pub fn probe(&self, name: &'static str) {
        with(&self.0, |state| state.probes.push(name));
    }

    /// Adds to a number that is looked at when the run is over.
    pub fn count(&self, name: &'static str, by: u64) {
        with(&self.0, |state| *state.tallies.entry(name).or_default() += by);
    }

    /// Tells the judge of the workload that something has come to pass.
    pub(super) fn tell(&self, what: &'static str, numbers: [u64; 3]) {
        self.tell_of(0, what, numbers);
    }

    /// The same of one of many things.
    pub(super) fn tell_of(&self, subject: u64, what: &'static str, numbers: [u64; 3]) {
        with(&self.0, |state| {
            let (at, machine) = (state.world, state.machine);
            state.told.push(Told { at, machine, what, subject, numbers });
        });
    }

    /// The time by the world's clock, ns: for judges, not for applications.
    pub(super) fn world_time(&self) -> u64 {
        with(&self.0, |state| state.world)
    }

    /// A number below `bound`, by the run's seed.
    pub fn below(&self, bound: u64) -> u64 {
        ((u128::from(self.entropy()) * u128::from(bound)) >> 64) as u64
    }
}

impl Runtime for SimRuntime {
    type Stream = SimStream;
    type Sleep = SimSleep;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let task: Task = Box::pin(task);
        with(&self.0, |state| state.spawned.push(task));
    }

    fn now(&self) -> Mono {
        with(&self.0, |state| Mono(state.now))
    }

    fn sleep_until(&self, due: Mono) -> SimSleep {
        SimSleep { shared: Arc::clone(&self.0), due: due.0, timer: None }
    }

    fn connect(&self, host: &Host) -> impl Future<Output = Result<SimStream, Lost>> + Send + 'static {
        let number = with(&self.0, |state| state.dial(host));
        ready(Ok(SimStream { shared: Arc::clone(&self.0), number }))
    }

    fn entropy(&self) -> u64 {
        with(&self.0, |state| {
            state.draws += 1;
            state.entropy(state.draws)
        })
    }
}

/// A sleep; see [`Runtime::sleep_until`].
#[derive(Debug)]
pub struct SimSleep {
    shared: Arc<Shared>,
    due: u64,
    /// Its place among the timers, while it is there.
    timer: Option<u64>,
}

impl Future for SimSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let (due, timer) = (self.due, self.timer);
        let timer = with(&self.shared, |state| {
            if state.now >= due {
                return None;
            }
            let number = timer.unwrap_or_else(|| {
                state.timers_made += 1;
                state.timers_made
            });
            state.timers.insert((due, number), context.waker().clone());
            Some(number)
        });
        self.timer = timer;
        if timer.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for SimSleep {
    fn drop(&mut self) {
        if let Some(number) = self.timer {
            let key = (self.due, number);
            with(&self.shared, |state| state.timers.remove(&key));
        }
    }
}

/// A connection to a server; see [`ByteStream`].
#[derive(Debug)]
pub struct SimStream {
    shared: Arc<Shared>,
    number: u64,
}

impl ByteStream for SimStream {
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, Lost>> {
        with(&self.shared, |state| {
            let Some(stream) = state.streams.get_mut(&self.number) else {
                return Poll::Ready(Err(Lost("it was closed".to_owned())));
            };
            if let Some(bytes) = stream.heard.pop_front() {
                return Poll::Ready(Ok(bytes));
            }
            if stream.is_lost {
                return Poll::Ready(Err(Lost("the server hung up".to_owned())));
            }
            stream.reader = Some(context.waker().clone());
            Poll::Pending
        })
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bytes: &mut Bytes) -> Poll<Result<(), Lost>> {
        with(&self.shared, |state| state.say(self.number, std::mem::take(bytes)));
        Poll::Ready(Ok(()))
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        with(&self.shared, |state| state.hang_up(self.number));
    }
}
