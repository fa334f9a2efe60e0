//! A value that changes while others look at it: one writes, any number read the latest and wait for the next.
//!
//! Invariants: a reader that waits is woken by every change, in the order in which readers began to wait; a reader may skip
//! values, but never misses that there is a newer one; of a reader that is gone nothing is kept. Absent: a history of the
//! values.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::Stream;

#[expect(
    clippy::disallowed_types,
    reason = "handles of one value live in many tasks; nothing waits while it is locked"
)]
type Lock<T> = std::sync::Mutex<T>;

#[derive(Debug)]
struct Inner<T> {
    value: T,
    /// How often it was set.
    version: u64,
    is_over: bool,
    /// By when they began to wait.
    waiting: BTreeMap<u64, Waker>,
    waits: u64,
}

fn with<T, O>(shared: &Lock<Inner<T>>, look: impl FnOnce(&mut Inner<T>) -> O) -> O {
    look(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The writing end. When it is dropped, the last value stays, and nobody waits any more.
#[derive(Debug)]
pub(crate) struct LiveSender<T>(Arc<Lock<Inner<T>>>);

/// The reading end: the latest value, and a stream of those that come. A clone begins where this one stands.
#[derive(Debug)]
pub struct Live<T> {
    shared: Arc<Lock<Inner<T>>>,
    seen: u64,
    /// Its place among those who wait, if it is there still.
    wait: u64,
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Live { shared: Arc::clone(&self.shared), seen: self.seen, wait: 0 }
    }
}

/// A value with its two ends; the reading end has seen it.
pub(crate) fn live<T>(value: T) -> (LiveSender<T>, Live<T>) {
    let inner = Inner { value, version: 0, is_over: false, waiting: BTreeMap::new(), waits: 0 };
    let shared = Arc::new(Lock::new(inner));
    (LiveSender(Arc::clone(&shared)), Live { shared, seen: 0, wait: 0 })
}

impl<T> LiveSender<T> {
    /// Sets the value.
    pub(crate) fn set(&self, value: T) {
        self.update(|old| {
            *old = value;
            true
        });
    }

    /// Changes the value without a word to those who wait for the next.
    pub(crate) fn amend<O>(&self, change: impl FnOnce(&mut T) -> O) -> O {
        with(&self.0, |inner| change(&mut inner.value))
    }

    /// Changes the value in its place; `change` says whether that is worth a word to those who wait.
    pub(crate) fn update(&self, change: impl FnOnce(&mut T) -> bool) {
        let waiting = with(&self.0, |inner| {
            let is_new = change(&mut inner.value);
            inner.version += u64::from(is_new);
            if is_new { std::mem::take(&mut inner.waiting) } else { BTreeMap::new() }
        });
        waiting.into_values().for_each(Waker::wake);
    }

    /// Whether nobody reads any more.
    pub(crate) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

impl<T> Drop for LiveSender<T> {
    fn drop(&mut self) {
        let waiting = with(&self.0, |inner| {
            inner.is_over = true;
            std::mem::take(&mut inner.waiting)
        });
        waiting.into_values().for_each(Waker::wake);
    }
}

impl<T> Drop for Live<T> {
    fn drop(&mut self) {
        // Its waker is dropped when nothing is locked any more: a task may go with it.
        drop(with(&self.shared, |inner| inner.waiting.remove(&self.wait)));
    }
}

impl<T> Live<T> {
    /// Looks at the value where it is, and may change it, without a word to anybody.
    pub(crate) fn look<O>(&self, look: impl FnOnce(&mut T) -> O) -> O {
        with(&self.shared, |inner| look(&mut inner.value))
    }

    /// Ready when there is a value that this handle has not seen: true; or when there will be no other: false.
    pub(crate) async fn moved(&mut self) -> bool {
        poll_fn(|context| self.poll_moved(context)).await
    }

    fn poll_moved(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        let (seen, wait) = (&mut self.seen, &mut self.wait);
        let (moved, old) = with(&self.shared, |inner| {
            if inner.version > *seen {
                *seen = inner.version;
                return (Poll::Ready(true), None);
            }
            if inner.is_over {
                return (Poll::Ready(false), None);
            }
            if !inner.waiting.contains_key(wait) {
                inner.waits += 1;
                *wait = inner.waits;
            }
            (Poll::Pending, inner.waiting.insert(*wait, context.waker().clone()))
        });
        drop(old);
        moved
    }
}

impl<T: Clone> Live<T> {
    /// The value now.
    pub fn latest(&self) -> T {
        with(&self.shared, |inner| inner.value.clone())
    }

    /// The next value that this handle has not seen; None when there will be no other.
    ///
    /// Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Option<T> {
        poll_fn(|context| self.poll_changed(context)).await
    }

    /// Waits for a value, the one of now among them, that `wanted` accepts; None when there will be no such.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Option<T> {
        let mut value = self.latest();
        while !wanted(&value) {
            value = self.changed().await?;
        }
        Some(value)
    }

    fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_moved(context).map(|is_new| is_new.then(|| self.latest()))
    }
}

impl<T: Clone> Stream for Live<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_changed(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::Wake;

    struct Sleeper;

    impl Wake for Sleeper {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn who_waits_no_more_is_forgotten() {
        let (sender, live) = live(0);
        let tasks: Vec<_> = (0..100).map(|_| Arc::new(Sleeper)).collect();
        for task in &tasks {
            let waker = Waker::from(Arc::clone(task));
            let mut reader = live.clone();
            assert!(pin!(reader.changed()).poll(&mut Context::from_waker(&waker)).is_pending());
            assert!(pin!(reader.changed()).poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert!(tasks.iter().all(|task| Arc::strong_count(task) == 1));
        sender.set(1);
    }
}
