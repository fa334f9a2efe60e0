//! How other threads reach the owner of the peer: a list behind a lock, and one wake-up for each time it was empty.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Waker};

/// Messages of type `T` for one task.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    full: AtomicBool,
    inner: Mutex<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    messages: Vec<T>,
    reader: Option<Waker>,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        let inner = Mutex::new(Inner { messages: Vec::new(), reader: None });
        Mailbox { full: AtomicBool::new(false), inner }
    }
}

impl<T> Mailbox<T> {
    /// Adds a message.
    pub(crate) fn send(&self, message: T) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.messages.push(message);
        if !self.full.swap(true, Ordering::Release)
            && let Some(reader) = &inner.reader
        {
            reader.wake_by_ref();
        }
    }

    /// Whether [`Self::take`] would find anything. Costs a load.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// Makes `context` the task that is woken.
    pub(crate) fn register(&self, context: &Context<'_>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.reader = Some(context.waker().clone());
    }

    /// Moves every message to the end of `into`.
    pub(crate) fn take(&self, into: &mut Vec<T>) {
        if self.is_full() {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            self.full.store(false, Ordering::Release);
            into.append(&mut inner.messages);
        }
    }
}
