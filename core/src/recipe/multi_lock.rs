//! Several locks at once: all of them, or none.
//!
//! They are taken in the order of their paths, so that contenders for sets that overlap never wait for each other in a circle
//! (Curator's `InterProcessMultiLock` takes them in the order in which they are named). Invariant: a guard is only handed out if
//! no lock was lost while the later ones were waited for. The layout is that of each [`Mutex`]; no other node is made.

use super::guard::{FencingToken, Guard, Lost};
use super::line::ContenderOptions;
use super::mutex::{Mutex, within};
use crate::client::{Cause, Client, Error, Result, Runtime, Transaction};
use crate::vocabulary::{ErrorCode, Millis, Version};
use futures_util::future::{Either, select, select_all};
use std::future::{Future, pending};
use std::pin::pin;

/// Several locks as one; Curator's `InterProcessMultiLock`.
///
/// Like [`Mutex`], a handle is one contender, and re-entrant; clones contend with each other. Whoever has lost one of the locks drops
/// the guard before it asks again: it would wait for that one with the others in its hands, and not in their order.
#[derive(Clone, Debug)]
#[doc(alias = "InterProcessMultiLock")]
pub struct MultiLock<R: Runtime> {
    client: Client<R>,
    locks: Vec<Mutex<R>>,
}

impl<R: Runtime> MultiLock<R> {
    /// The locks of these nodes, each of them once, in whatever order they are named.
    pub fn new<'a>(client: &Client<R>, paths: impl IntoIterator<Item = &'a str>) -> Self {
        MultiLock::with_options(client, paths, ContenderOptions::default())
    }

    /// The same, for a contender that presents itself otherwise.
    pub fn with_options<'a>(
        client: &Client<R>,
        paths: impl IntoIterator<Item = &'a str>,
        options: ContenderOptions,
    ) -> Self {
        let mut paths: Vec<&str> = paths.into_iter().collect();
        paths.sort_unstable();
        paths.dedup();
        let lock = |path: &str| Mutex::with_options(client, path, options.clone());
        MultiLock { client: client.clone(), locks: paths.into_iter().map(lock).collect() }
    }

    /// Waits for all of them. Dropping the future gives up those that it has.
    ///
    /// # Errors
    /// Those of [`Mutex::acquire`]; then none is held.
    pub async fn acquire(&mut self) -> Result<MultiGuard<R>> {
        loop {
            match self.acquire_in_turn().await {
                Ok(held) => return held,
                // What it had was lost while it waited for the rest.
                Err(_) => continue,
            }
        }
    }

    async fn acquire_in_turn(&mut self) -> std::result::Result<Result<MultiGuard<R>>, Lost> {
        let mut held = MultiGuard { client: self.client.clone(), guards: Vec::new() };
        for lock in &mut self.locks {
            match held.run(lock.acquire()).await? {
                Ok(guard) => held.guards.push(guard),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(held))
    }

    /// Waits for all of them, but not longer than this.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire).
    pub async fn acquire_within(&mut self, longest: Millis) -> Result<Option<MultiGuard<R>>> {
        let runtime = self.client.runtime().clone();
        within(&runtime, longest, self.acquire()).await
    }

    /// Takes them all if nobody has one of them or waits for it.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire).
    pub async fn try_acquire(&mut self) -> Result<Option<MultiGuard<R>>> {
        let mut held = MultiGuard { client: self.client.clone(), guards: Vec::new() };
        for lock in &mut self.locks {
            match lock.try_acquire().await? {
                Some(guard) => held.guards.push(guard),
                None => return held.release().await.map(|()| None),
            }
        }
        match held.is_held() {
            true => Ok(Some(held)),
            false => held.release().await.map(|()| None),
        }
    }
}

/// Holds several locks until it is released or dropped. It is lost as soon as one of them is.
#[derive(Clone, Debug)]
#[must_use = "what is not kept is released"]
pub struct MultiGuard<R: Runtime> {
    client: Client<R>,
    guards: Vec<Guard<R>>,
}

impl<R: Runtime> MultiGuard<R> {
    /// The guard of each lock, in the order of their paths.
    pub fn guards(&self) -> &[Guard<R>] {
        &self.guards
    }

    /// The token of each lock, in the order of their paths.
    pub fn tokens(&self) -> Vec<FencingToken> {
        self.guards.iter().map(Guard::token).collect()
    }

    /// Whether all are held, as far as this client can know now.
    pub fn is_held(&self) -> bool {
        self.guards.iter().all(Guard::is_held)
    }

    /// Ready when one of them is held no more.
    pub fn lost(&self) -> impl Future<Output = Lost> + Send + use<R> {
        let lost: Vec<_> = self.guards.iter().map(|guard| Box::pin(guard.lost())).collect();
        async move {
            match lost.is_empty() {
                true => pending().await,
                false => select_all(lost).await.0,
            }
        }
    }

    /// Runs `work` while all are held: what is not done when one is lost is dropped.
    ///
    /// # Errors
    /// Why one is held no more.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> std::result::Result<T, Lost> {
        if let Some(lost) = self.guards.iter().find_map(Guard::loss) {
            return Err(lost);
        }
        match select(pin!(self.lost()), pin!(work)).await {
            Either::Left((lost, _)) => Err(lost),
            Either::Right((done, _)) => Ok(done),
        }
    }

    /// Writes that only happen if all are held at that moment. The first results, one for each lock, are the checks of that.
    pub fn transaction(&self) -> Transaction<R> {
        let check = |writes: Transaction<R>, guard: &Guard<R>| writes.check(guard.path(), Version::ANY);
        self.guards.iter().fold(self.client.transaction(), check)
    }

    /// Whether a transaction failed because one of them was held no more.
    pub fn is_fenced_off(&self, error: &Error) -> bool {
        match error.cause() {
            Cause::Operation { place, code: ErrorCode::NoNode } => *place < self.guards.len(),
            _ => false,
        }
    }

    /// Releases all, the last first; ready when others can have them.
    ///
    /// # Errors
    /// The first that one brings; the others are released all the same.
    pub async fn release(self) -> Result<()> {
        let mut answer = Ok(());
        for guard in self.guards.into_iter().rev() {
            answer = answer.and(guard.release().await);
        }
        answer
    }
}
