//! A lock that one holds at a time, in the order in which they asked for it.

use super::guard::{Guard, Hold, REVOKE};
use super::line::{Contender, ContenderOptions, Line};
use super::persist::{Layout, persist};
use crate::client::{Client, Result, Runtime};
use crate::vocabulary::{ErrorCode, Millis, Version};
use futures_util::future::{Either, select};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Weak};

/// A fair lock; Curator's `InterProcessMutex`, kazoo's `Lock`.
///
/// A handle is one contender, and re-entrant: while it holds, it gets more guards of the same hold. Clones contend with each other.
#[derive(Debug)]
#[doc(alias = "InterProcessMutex")]
#[doc(alias = "Lock")]
pub struct Mutex<R: Runtime> {
    line: Line<R>,
    marker: &'static str,
    held: Weak<Hold<R>>,
}

impl<R: Runtime> Clone for Mutex<R> {
    fn clone(&self) -> Self {
        Mutex { line: self.line.clone(), marker: self.marker, held: Weak::new() }
    }
}

impl<R: Runtime> Mutex<R> {
    /// The lock of the node `path`, which is made when it is needed, and goes by itself some time after.
    pub fn new(client: &Client<R>, path: &str) -> Self {
        Mutex::with_options(client, path, ContenderOptions::default())
    }

    /// The same, for a contender that presents itself otherwise.
    pub fn with_options(client: &Client<R>, path: &str, options: ContenderOptions) -> Self {
        let marker = marker(options.layout);
        Mutex::marked(client, path, options, marker)
    }

    /// One whose contenders' nodes are called otherwise.
    pub(super) fn marked(
        client: &Client<R>,
        path: &str,
        options: ContenderOptions,
        marker: &'static str,
    ) -> Self {
        Mutex { line: Line::new(client.clone(), path, options), marker, held: Weak::new() }
    }

    /// Waits for the lock. Dropping the future leaves the line.
    ///
    /// # Errors
    /// The session's end, and those of [`Client::create`] (`NoAuth`, say).
    pub async fn acquire(&mut self) -> Result<Guard<R>> {
        if let Some(guard) = self.held_already() {
            return Ok(guard);
        }
        let hold = self.line.hold(self.marker).await?;
        Ok(self.keep(hold))
    }

    /// Waits for the lock, but not longer than this.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire).
    pub async fn acquire_within(&mut self, longest: Millis) -> Result<Option<Guard<R>>> {
        let runtime = self.line.client.runtime().clone();
        within(&runtime, longest, self.acquire()).await
    }

    /// Takes the lock if nobody has it or waits for it.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire).
    pub async fn try_acquire(&mut self) -> Result<Option<Guard<R>>> {
        if let Some(guard) = self.held_already() {
            return Ok(Some(guard));
        }
        let hold = self.line.try_hold(self.marker).await?;
        Ok(hold.map(|hold| self.keep(hold)))
    }

    /// Who holds the lock, and who waits for it, in their order.
    ///
    /// # Errors
    /// Those of [`Client::children`].
    pub async fn contenders(&self) -> Result<Vec<Contender>> {
        self.line.contenders().await
    }

    /// Asks a contender to go; see [`Guard::revoked`]. Whether it does is its own business. One that has gone is not asked.
    ///
    /// # Errors
    /// Those of [`Client::set`].
    #[doc(alias = "Revoker")]
    pub async fn revoke(&self, contender: &Contender) -> Result<()> {
        match persist(&self.line.client, |client| client.set(&contender.path, REVOKE, Version::ANY)).await {
            Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(()),
            answer => answer.map(drop),
        }
    }

    pub(super) fn client(&self) -> &Client<R> {
        &self.line.client
    }

    pub(super) fn held_already(&self) -> Option<Guard<R>> {
        self.held.upgrade().filter(|hold| hold.is_held()).map(Guard)
    }

    fn keep(&mut self, hold: Hold<R>) -> Guard<R> {
        let guard = Guard::new(hold);
        self.held = Arc::downgrade(&guard.0);
        guard
    }
}

/// How a lock's contenders are called.
pub(super) fn marker(layout: Layout) -> &'static str {
    match layout {
        Layout::Curator => "lock-",
        Layout::Kazoo => "__lock__",
    }
}

/// What `work` answers, or None if it takes longer: then it is dropped.
pub(super) async fn within<R: Runtime, T>(
    runtime: &R,
    longest: Millis,
    work: impl Future<Output = Result<T>>,
) -> Result<Option<T>> {
    let alarm = pin!(runtime.sleep_until(runtime.now() + longest));
    match select(pin!(work), alarm).await {
        Either::Left((done, _)) => done.map(Some),
        Either::Right(_) => Ok(None),
    }
}
