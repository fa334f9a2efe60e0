//! Queues: items are put, and taken once, by whoever comes first.
//!
//! What is promised of a put: the item is in the queue exactly once if it succeeds; if it fails, not at all, unless the error says
//! [`Outcome::Unknown`](crate::client::Outcome::Unknown), which it does when the session ended before the answer: then once or not.
//! What is promised of a take here: an item is given to one taker **at most once**. It is taken off the queue before the taker has it,
//! so that one that dies with it takes it along; [`LockingQueue`] is for those who can't have that. A take whose outcome can't be
//! known any more gives [`TakeError::Unknown`], with the item. Dropping a take loses nothing: the next take of that handle gets it.
//!
//! What stands among the items and can't be read stays there, and is passed over.

mod layout;
mod locking;
mod ordered;
mod shelf;

pub use locking::{LockedItem, LockingQueue};
pub use ordered::{DelayQueue, PriorityQueue, WallClock};

use crate::client::{Client, Error, Outcome, Result, Runtime};
use crate::recipe::once::once;
use crate::vocabulary::{ErrorCode, Mono, Version};
use bytes::Bytes;
use futures_channel::oneshot;
use layout::{Kind, Ranked};
use shelf::{Shelf, others};
use std::collections::VecDeque;

/// Why nothing was taken, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TakeError {
    /// Nothing was taken.
    #[error("nothing was taken: {0}")]
    Client(#[from] Error),
    /// The session ended while this item was being taken. Either this take took it, or it is still in the queue, or another has it.
    #[error("the session ended while {name} was being taken, which may be gone or not: {error}")]
    Unknown {
        /// Its node's name.
        name: String,
        /// What is in it.
        items: Vec<Bytes>,
        /// What went wrong.
        error: Error,
    },
}

/// What a node of a queue holds: one item, unless a client of Curator's has put several together.
pub type Items = Vec<Bytes>;

/// What came of a take; None if another was first.
type Taken = std::result::Result<Option<Items>, TakeError>;

/// A queue, first in, first out; see [the module](self) for what it promises.
///
/// It is Curator's `DistributedQueue`, or its [simple](Queue::simple) one and ZooKeeper's own, or kazoo's `Queue`.
#[derive(Debug)]
#[doc(alias = "DistributedQueue")]
#[doc(alias = "SimpleDistributedQueue")]
pub struct Queue<R: Runtime>(Taker<R>);

impl<R: Runtime> Clone for Queue<R> {
    fn clone(&self) -> Self {
        Queue(Taker::new(self.0.shelf.clone()))
    }
}

impl<R: Runtime> Queue<R> {
    /// The queue of the node `path` in the layout of Curator's `DistributedQueue`.
    pub fn new(client: &Client<R>, path: &str) -> Self {
        Queue(Taker::new(Shelf::new(client, path, Kind::Plain)))
    }

    /// In that of Curator's `SimpleDistributedQueue` and ZooKeeper's own recipe: the data is the item and nothing else.
    pub fn simple(client: &Client<R>, path: &str) -> Self {
        Queue(Taker::new(Shelf::new(client, path, Kind::Simple)))
    }

    /// Puts an item at the end.
    ///
    /// # Errors
    /// Those of [`Client::create`].
    pub async fn put(&self, item: impl Into<Bytes>) -> Result<()> {
        self.0.shelf.put(0, item.into()).await
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

/// Takes items off a shelf.
#[derive(Debug)]
struct Taker<R: Runtime> {
    shelf: Shelf<R>,
    /// Items that were there lately.
    known: VecDeque<Ranked>,
    /// A take that is under way, whether or not anybody waits for it.
    pending: Option<oneshot::Receiver<Taken>>,
}

impl<R: Runtime> Taker<R> {
    fn new(shelf: Shelf<R>) -> Self {
        Taker { shelf, known: VecDeque::new(), pending: None }
    }

    /// Takes the first item when there is one. `wait` says until when an item of this key is not to be taken.
    async fn take(&mut self, wait: impl Fn(i64) -> Option<Mono>) -> std::result::Result<Items, TakeError> {
        loop {
            let there = match self.attempt(&wait).await? {
                Ok(items) => return Ok(items),
                Err(there) => there,
            };
            let due = there.iter().filter_map(|item| wait(item.key)).min();
            let Shelf { client, path, kind, .. } = &self.shelf;
            others(client, path, due, |names| kind.sorted(names) == there).await?;
        }
    }

    /// Takes the first item; or answers what is there that can't be taken.
    async fn attempt(
        &mut self,
        wait: impl Fn(i64) -> Option<Mono>,
    ) -> std::result::Result<std::result::Result<Items, Vec<Ranked>>, TakeError> {
        if self.shelf.kind.is_ordered() {
            self.known.clear();
        }
        if let Some(items) = self.take_known(&wait).await? {
            return Ok(Ok(items));
        }
        let there = self.shelf.items().await?;
        self.known = there.clone().into();
        Ok(self.take_known(&wait).await?.ok_or(there))
    }

    async fn take_known(&mut self, wait: impl Fn(i64) -> Option<Mono>) -> Taken {
        loop {
            if let Some(pending) = &mut self.pending {
                let taken = pending.await;
                self.pending = None;
                // A task that is gone has gone with its runtime.
                match taken.unwrap_or(Ok(None)) {
                    Ok(None) => {}
                    Ok(items) => return Ok(items),
                    // What was not taken for certain may still be there, before those that are known.
                    Err(error) => {
                        self.known.clear();
                        return Err(error);
                    }
                }
            }
            let Some(first) = self.known.front().filter(|item| wait(item.key).is_none()) else {
                self.known.clear();
                return Ok(None);
            };
            let read = self.shelf.read(&first.name).await?;
            let name = self.known.pop_front().map(|item| item.name).unwrap_or_default();
            if let Some((value, items)) = read {
                self.pending = Some(self.start(name, value.version(), items));
            }
        }
    }

    /// Begins to take an item; nothing stops that.
    fn start(&self, name: String, version: Version, items: Items) -> oneshot::Receiver<Taken> {
        let (sender, taken) = oneshot::channel();
        let shelf = self.shelf.clone();
        self.shelf.client.runtime().spawn(async move {
            // Whoever has dropped the queue meanwhile does not want it.
            let _ = sender.send(take(&shelf, name, version, items).await);
        });
        taken
    }
}

async fn take<R: Runtime>(shelf: &Shelf<R>, name: String, version: Version, items: Items) -> Taken {
    let path = shelf.item(&name);
    match once(&shelf.client, &shelf.markers, |add| add.delete(&path, version)).await {
        Ok(_) => Ok(Some(items)),
        // It is not the answer to a delete that may have been this one's: another was first.
        Err(error) if matches!(error.code(), Some(ErrorCode::NoNode | ErrorCode::BadVersion)) => Ok(None),
        Err(error) if error.outcome() == Outcome::Unknown => Err(TakeError::Unknown { name, items, error }),
        Err(error) => Err(error.into()),
    }
}
