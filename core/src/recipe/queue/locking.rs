//! A queue whose items go when they have been dealt with, not before.
//!
//! Who gets an item holds it, by an ephemeral node, and others pass it over; it is consumed when the holder says so. What is promised:
//! an item that was put is given out, again and again if need be, **until a consume succeeds; at most one consume of it does**. An
//! item is given out again when its holder releases or drops it, or loses its session; the holder may not know of that yet, and
//! two may deal with the same item then: at least once, that is. Invariants: whoever gets an item raises its node's version in
//! the same transaction, and what is done with it later names that version, so that nobody touches what another has got since.

use super::Items;
use super::layout::Kind;
use super::shelf::{Shelf, others};
use crate::client::{Cause, Client, CreateOptions, Error, OpResult, Outcome, Result, Runtime};
use crate::recipe::once::{has_no_parent, make_dir};
use crate::recipe::persist::{Guid, Layout, again, below, children, delete, is_passing, persist};
use crate::vocabulary::{ErrorCode, SessionId, Version};
use bytes::Bytes;
use futures_util::future::select;
use std::collections::BTreeSet;
use std::pin::pin;

/// A queue whose items are consumed; see [the module](self) for what it promises.
///
/// Curator's `DistributedQueue` with a `lockPath`, or kazoo's `LockingQueue`. A mixed fleet gives items out at least once, too.
#[derive(Clone, Debug)]
pub struct LockingQueue<R: Runtime> {
    shelf: Shelf<R>,
    /// Below which the nodes of holders stand, called as their items.
    locks: String,
    layout: Layout,
}

impl<R: Runtime> LockingQueue<R> {
    /// The queue of the node `path` in Curator's layout, whose `lockPath` is `locks`.
    pub fn new(client: &Client<R>, path: &str, locks: &str) -> Self {
        let shelf = Shelf::new(client, path, Kind::Plain);
        LockingQueue { shelf, locks: locks.to_owned(), layout: Layout::Curator }
    }

    /// That of the node `path` in kazoo's layout.
    pub fn kazoo(client: &Client<R>, path: &str) -> Self {
        let mut shelf = Shelf::new(client, &below(path, "entries"), Kind::Kazoo);
        shelf.markers = format!("{}-once", path.trim_end_matches('/'));
        LockingQueue { shelf, locks: below(path, "taken"), layout: Layout::Kazoo }
    }

    /// Puts an item at the end; in kazoo's layout with the priority that its clients put with if they don't say.
    ///
    /// # Errors
    /// Those of [`Client::create`]; see [the module](super) for what is promised.
    pub async fn put(&self, item: impl Into<Bytes>) -> Result<()> {
        self.shelf.put(100, item.into()).await
    }

    /// Gets the first item that nobody has, when there is one. Dropping the future lets go of it.
    ///
    /// # Errors
    /// The session's end, and refusals.
    pub async fn get(&self) -> Result<LockedItem<R>> {
        loop {
            let (items, locks) = match self.attempt().await? {
                Attempt::Got(item) => return Ok(item),
                Attempt::Late => continue,
                Attempt::Nothing { items, locks } => (items, locks),
            };
            let (client, kind) = (&self.shelf.client, self.shelf.kind);
            let is_same = |names: &[String]| {
                kind.sorted(names).into_iter().map(|item| item.name).eq(items.iter().cloned())
            };
            let more = pin!(others(client, &self.shelf.path, None, is_same));
            let is_same = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>() == locks;
            let released = pin!(others(client, &self.locks, None, is_same));
            select(more, released).await.factor_first().0?;
        }
    }

    /// Gets the first item that nobody has, if there is one.
    ///
    /// # Errors
    /// The session's end, and refusals.
    pub async fn try_get(&self) -> Result<Option<LockedItem<R>>> {
        match self.attempt().await? {
            Attempt::Got(item) => Ok(Some(item)),
            Attempt::Late | Attempt::Nothing { .. } => Ok(None),
        }
    }

    async fn attempt(&self) -> Result<Attempt<R>> {
        let items: Vec<String> = self.shelf.items().await?.into_iter().map(|item| item.name).collect();
        let locks: BTreeSet<String> = children(&self.shelf.client, &self.locks).await?.into_iter().collect();
        let mut is_late = false;
        for name in items.iter().filter(|name| !locks.contains(*name)) {
            match self.lock(name).await? {
                Lock::Got(item) => return Ok(Attempt::Got(item)),
                Lock::Late => is_late = true,
                Lock::Unreadable => {}
            }
        }
        Ok(if is_late { Attempt::Late } else { Attempt::Nothing { items, locks } })
    }

    /// Gets this item.
    async fn lock(&self, name: &str) -> Result<Lock<R>> {
        let client = &self.shelf.client;
        loop {
            let Some((value, items)) = self.shelf.read(name).await? else {
                return Ok(Lock::Unreadable);
            };
            let guid = Guid::new(client.runtime()).text(self.layout);
            let session = client.session().latest().id;
            let mut item = LockedItem {
                client: client.clone(),
                items,
                path: self.shelf.item(name),
                lock: below(&self.locks, name),
                guid: guid.clone(),
                session,
                version: None,
                is_over: false,
            };
            let ours = CreateOptions::ephemeral();
            let raise = client.transaction().create(&item.lock, guid, &ours);
            let raise = raise.set(&item.path, value.data.clone().unwrap_or_default(), value.version());
            let error = match raise.commit().await {
                Ok(results) => {
                    let raised = results.into_iter().find_map(|result| match result {
                        OpResult::Set(stat) => Some(Version(stat.version)),
                        _ => None,
                    });
                    item.version = raised;
                    return Ok(Lock::Got(item));
                }
                Err(error) => error,
            };
            if error.outcome() == Outcome::Unknown {
                again(client).await;
                if item.is_ours().await? {
                    item.version = Some(Version(value.stat.version.wrapping_add(1)));
                    return Ok(Lock::Got(item));
                }
                item.is_over = true;
                continue;
            }
            item.is_over = true;
            if has_no_parent(&error, 0) {
                let dir = CreateOptions::persistent().parents();
                make_dir(client, &self.locks, &dir).await?;
            } else if is_passing(client, &error) {
                again(client).await;
            } else {
                return match error.code() {
                    Some(ErrorCode::NodeExists | ErrorCode::NoNode | ErrorCode::BadVersion) => Ok(Lock::Late),
                    _ => Err(error),
                };
            }
        }
    }
}

/// What came of reaching for an item.
enum Lock<R: Runtime> {
    Got(LockedItem<R>),
    /// Another was first.
    Late,
    /// It is gone, or no item.
    Unreadable,
}

/// What came of looking for an item that nobody has.
enum Attempt<R: Runtime> {
    Got(LockedItem<R>),
    /// Another was first. It may have let go again by now, and then nothing is to come that one could wait for.
    Late,
    /// All that there is to get is locked.
    Nothing {
        items: Vec<String>,
        locks: BTreeSet<String>,
    },
}

/// An item that its holder deals with. Dropping it lets go of it, and others get it.
#[derive(Debug)]
#[must_use = "whoever drops it has let go of it"]
pub struct LockedItem<R: Runtime> {
    client: Client<R>,
    items: Items,
    path: String,
    lock: String,
    /// The data of the lock.
    guid: String,
    session: SessionId,
    /// That of the item's node, for as long as nobody else gets it; None if it is not known whether this one has.
    version: Option<Version>,
    is_over: bool,
}

impl<R: Runtime> LockedItem<R> {
    /// What it is: one item, unless a client of Curator's has put several together.
    pub fn items(&self) -> &[Bytes] {
        &self.items
    }

    /// The path of its node.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether others pass it over, as far as this client can know now: the session that it was got in is certain to live.
    pub fn is_held(&self) -> bool {
        let view = self.client.session().latest();
        let is_assured = view.assured_until.is_some_and(|until| until > self.client.now());
        view.id == self.session && !view.state.is_over() && is_assured
    }

    /// Takes it off the queue: it has been dealt with. False if another has got it since: then that one consumes it, or has.
    ///
    /// # Errors
    /// [`Outcome::Unknown`] if the session ended meanwhile and the item is gone: consumed by this one, or by another that got it since.
    pub async fn consume(mut self) -> Result<bool> {
        let version = self.version.expect("who has it knows its version");
        let mut unknown: Option<Error> = None;
        let mut is_locked = true;
        loop {
            let done = self.client.transaction().delete(&self.path, version);
            let done = if is_locked { done.delete(&self.lock, Version::ANY) } else { done };
            let error = match done.commit().await {
                Ok(_) => {
                    self.is_over = true;
                    return Ok(true);
                }
                Err(error) => error,
            };
            match error.cause() {
                // Somebody has taken the lock away, and nobody has got the item since.
                Cause::Operation { place: 1, code: ErrorCode::NoNode } => is_locked = false,
                Cause::Operation { place: 0, code: ErrorCode::BadVersion } => return Ok(false),
                Cause::Operation { place: 0, code: ErrorCode::NoNode } => {
                    let is_same = self.client.session().latest().id == self.session;
                    return match unknown {
                        None => Ok(false),
                        // The lock stands while its session lives: nobody else can have got it.
                        Some(_) if is_same && is_locked => Ok(true),
                        Some(unknown) => Err(unknown),
                    };
                }
                _ if is_passing(&self.client, &error) => {
                    again(&self.client).await;
                    if error.outcome() == Outcome::Unknown {
                        unknown = Some(error);
                    }
                }
                _ => return Err(unknown.unwrap_or(error)),
            }
        }
    }

    /// Lets go of it; ready when others can get it.
    ///
    /// # Errors
    /// When the session is over: the servers let go of it then.
    pub async fn release(mut self) -> Result<()> {
        let answer = self.let_go().await;
        self.is_over = true;
        answer
    }

    async fn let_go(&self) -> Result<()> {
        if let Some(version) = self.version {
            // Of nobody who has got it since.
            let release = |client: &Client<R>| {
                client.transaction().check(&self.path, version).delete(&self.lock, Version::ANY).commit()
            };
            match persist(&self.client, release).await {
                Err(error) if matches!(error.cause(), Cause::Operation { .. }) => {}
                answer => return answer.map(drop),
            }
        }
        match self.is_ours().await? {
            true => delete(&self.client, &self.lock).await,
            false => Ok(()),
        }
    }

    /// Whether the lock is this one's, of the session that the client has now.
    async fn is_ours(&self) -> Result<bool> {
        persist(&self.client, |client| client.sync(&self.lock)).await?;
        match persist(&self.client, |client| client.get(&self.lock)).await {
            Ok(value) => {
                let is_ours = value.stat.ephemeral_owner == self.client.session().latest().id.0;
                Ok(is_ours && value.bytes() == self.guid.as_bytes())
            }
            Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl<R: Runtime> Drop for LockedItem<R> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let gone = LockedItem {
            client: self.client.clone(),
            items: Items::new(),
            path: std::mem::take(&mut self.path),
            lock: std::mem::take(&mut self.lock),
            guid: std::mem::take(&mut self.guid),
            session: self.session,
            version: self.version,
            is_over: true,
        };
        // What fails here fails because the session is over, and the lock with it.
        self.client.runtime().spawn(async move { drop(gone.let_go().await) });
    }
}
