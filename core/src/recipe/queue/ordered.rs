//! Queues whose items do not come in the order in which they were put.

use super::layout::Kind;
use super::shelf::Shelf;
use super::{Items, TakeError, Taker};
use crate::client::{Client, Result, Runtime};
use crate::vocabulary::{Millis, Mono};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// A queue of which the item with the least priority number comes first, and of those the one that was put first. It promises what
/// [`Queue`](super::Queue) does. Curator's `DistributedPriorityQueue`, or kazoo's `Queue`.
#[derive(Debug)]
#[doc(alias = "DistributedPriorityQueue")]
pub struct PriorityQueue<R: Runtime>(Taker<R>);

impl<R: Runtime> PriorityQueue<R> {
    /// The queue of the node `path` in Curator's layout.
    pub fn new(client: &Client<R>, path: &str) -> Self {
        PriorityQueue(Taker::new(Shelf::new(client, path, Kind::Priority)))
    }

    /// In kazoo's, which knows priorities from 0 to 999; its clients put with 100 if they don't say.
    pub fn kazoo(client: &Client<R>, path: &str) -> Self {
        PriorityQueue(Taker::new(Shelf::new(client, path, Kind::Kazoo)))
    }

    /// Puts an item.
    ///
    /// # Errors
    /// Those of [`Client::create`].
    pub async fn put(&self, item: impl Into<Bytes>, priority: i32) -> Result<()> {
        self.0.shelf.put(i64::from(priority), item.into()).await
    }

    /// Takes the first item, when there is one.
    ///
    /// # Errors
    /// See [`TakeError`].
    pub async fn take(&mut self) -> std::result::Result<Items, TakeError> {
        self.0.take(|_| None).await
    }

    /// Takes the first item, if there is one.
    ///
    /// # Errors
    /// See [`TakeError`].
    pub async fn try_take(&mut self) -> std::result::Result<Option<Items>, TakeError> {
        Ok(self.0.attempt(|_| None).await?.ok())
    }
}

/// Tells the time of day, in ms since 1970: the time that the clocks of different machines have in common, more or less.
#[derive(Clone)]
pub struct WallClock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl WallClock {
    /// The clock that `now` reads.
    pub fn new(now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        WallClock(Arc::new(now))
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallClock")
    }
}

/// A queue whose items can be taken from a time of day on, by the taker's clock; the one that is due first comes first. It promises
/// what [`Queue`](super::Queue) does. Curator's `DistributedDelayQueue`.
#[derive(Debug)]
#[doc(alias = "DistributedDelayQueue")]
pub struct DelayQueue<R: Runtime> {
    taker: Taker<R>,
    clock: WallClock,
}

impl<R: Runtime> DelayQueue<R> {
    /// The queue of the node `path`.
    pub fn new(client: &Client<R>, path: &str, clock: WallClock) -> Self {
        DelayQueue { taker: Taker::new(Shelf::new(client, path, Kind::Delay)), clock }
    }

    /// Puts an item that is not taken before `due_ms`, in ms since 1970.
    ///
    /// # Errors
    /// Those of [`Client::create`].
    pub async fn put(&self, item: impl Into<Bytes>, due_ms: u64) -> Result<()> {
        self.taker.shelf.put(i64::try_from(due_ms).unwrap_or(i64::MAX), item.into()).await
    }

    /// Takes the item that is due first, when it is.
    ///
    /// # Errors
    /// See [`TakeError`].
    pub async fn take(&mut self) -> std::result::Result<Items, TakeError> {
        let wait = waits(&self.clock, &self.taker);
        self.taker.take(wait).await
    }

    /// Takes the item that is due first, if it is.
    ///
    /// # Errors
    /// See [`TakeError`].
    pub async fn try_take(&mut self) -> std::result::Result<Option<Items>, TakeError> {
        let wait = waits(&self.clock, &self.taker);
        Ok(self.taker.attempt(wait).await?.ok())
    }
}

/// Tells until when an item that is due at a time of day has to wait.
fn waits<R: Runtime>(clock: &WallClock, taker: &Taker<R>) -> impl Fn(i64) -> Option<Mono> + use<R> {
    let (clock, runtime) = (clock.clone(), taker.shelf.client.runtime().clone());
    move |due_ms| {
        let left = u64::try_from(due_ms).unwrap_or(0).saturating_sub((clock.0)());
        (left > 0).then(|| runtime.now() + Millis(left))
    }
}
