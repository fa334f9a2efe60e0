//! A number of leases, each of which one has at a time.
//!
//! Who wants a lease waits for its turn in a line, `<path>/locks`; whose turn it is makes its node below `<path>/leases` and waits
//! until there are no more of them than there may be. Invariants: a lease is given when a list that shows its node shows no more
//! than the maximum, so there are never more than that whatever becomes of turns; who loses its turn gives back what it has made,
//! so that no two wait for each other's. The layout is that of Curator's `InterProcessSemaphoreV2`, or of kazoo's `Semaphore`.

use super::guard::Guard;
use super::line::{ContenderOptions, Line, Place};
use super::mutex::{marker, within};
use super::persist::{self, Layout, below, persist};
use crate::client::{Client, CreateOptions, Result, Runtime, Watch};
use crate::vocabulary::{ErrorCode, Millis};
use futures_util::future::select;
use std::pin::pin;

/// How many leases there are. Everybody has to say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Maximum {
    /// So many. Under [`Layout::Kazoo`] the number that the semaphore's node shows has precedence; who comes first writes it there.
    Fixed(u32),
    /// As many as the node of this path says, as a shared number of 4 bytes (Curator's `SharedCount`), while it says so: who waits
    /// is woken when it rises, and who has a lease keeps it when it falls. None at all while there is no such number.
    Shared(String),
}

/// A semaphore of leases; Curator's `InterProcessSemaphoreV2`, kazoo's `Semaphore`.
///
/// A lease is a [`Guard`], with a token of its own: it is lost with the session, or its node.
#[derive(Clone, Debug)]
#[doc(alias = "InterProcessSemaphoreV2")]
#[doc(alias = "InterProcessSemaphoreMutex")]
pub struct Semaphore<R: Runtime> {
    client: Client<R>,
    turns: Line<R>,
    leases: Line<R>,
    layout: Layout,
    maximum: Maximum,
}

impl<R: Runtime> Semaphore<R> {
    /// The semaphore of the node `path`, which is made when it is needed.
    pub fn new(client: &Client<R>, path: &str, maximum: Maximum) -> Self {
        Semaphore::with_options(client, path, maximum, ContenderOptions::default())
    }

    /// The same, for a contender that presents itself otherwise.
    pub fn with_options(client: &Client<R>, path: &str, maximum: Maximum, options: ContenderOptions) -> Self {
        let layout = options.layout;
        let (turns, leases) = match layout {
            Layout::Curator => (below(path, "locks"), below(path, "leases")),
            Layout::Kazoo => (format!("{path}-__lock__"), path.to_owned()),
        };
        let turns = Line::new(client.clone(), &turns, options.clone());
        let leases = Line::new(client.clone(), &leases, options);
        Semaphore { client: client.clone(), turns, leases, layout, maximum }
    }

    /// Waits for a lease. Dropping the future leaves the line.
    ///
    /// # Errors
    /// The session's end, and those of [`Client::create`] (`NoAuth`, say).
    pub async fn acquire(&self) -> Result<Guard<R>> {
        let lease = self.acquire_many(1).await?.pop();
        Ok(lease.expect("as many are given as are asked for"))
    }

    /// Waits for so many leases, all of which it gets at once. Nobody behind it gets any before: who wants more than there may be
    /// waits, with all behind it, for a higher maximum.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire); then it has none.
    pub async fn acquire_many(&self, count: u32) -> Result<Vec<Guard<R>>> {
        loop {
            let turn = Guard::new(self.turns.hold(marker(self.layout)).await?);
            // Who has lost its turn begins anew: others have theirs.
            if let Ok(taken) = turn.run(self.take(count, Patience::Waits)).await
                && let Some(leases) = taken?
            {
                return Ok(leases);
            }
        }
    }

    /// Waits for so many leases, but not longer than this.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire).
    pub async fn acquire_within(&self, count: u32, longest: Millis) -> Result<Option<Vec<Guard<R>>>> {
        within(self.client.runtime(), longest, self.acquire_many(count)).await
    }

    /// Takes so many leases if they are there and nobody waits for one.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire).
    pub async fn try_acquire(&self, count: u32) -> Result<Option<Vec<Guard<R>>>> {
        let Some(turn) = self.turns.try_hold(marker(self.layout)).await? else { return Ok(None) };
        Guard::new(turn).run(self.take(count, Patience::Looks)).await.unwrap_or(Ok(None))
    }

    /// The paths of the nodes of all leases, those that are waited for among them.
    ///
    /// # Errors
    /// Those of [`Client::children`].
    pub async fn leases(&self) -> Result<Vec<String>> {
        let dir = self.leases.dir();
        let names = persist::children(&self.client, dir).await?;
        Ok(names.iter().map(|name| below(dir, name)).collect())
    }

    /// Takes leases; None if they are not there and it does not wait. To be called by whose turn it is.
    async fn take(&self, count: u32, patience: Patience) -> Result<Option<Vec<Guard<R>>>> {
        let dir = self.leases.dir();
        let mut own: Vec<Place<R>> = Vec::new();
        loop {
            let (maximum, number) = self.maximum().await?;
            while own.len() < count as usize {
                own.push(self.make_lease().await?);
            }
            let (names, watch) = match persist(&self.client, |client| client.children_watched(dir)).await {
                Ok(((names, _), watch)) => (names, watch),
                Err(error) if error.code() == Some(ErrorCode::NoNode) => {
                    own.clear();
                    continue;
                }
                Err(error) => return Err(error),
            };
            // A node of a session that is over may stand for a while yet, and holds nothing.
            let session = self.client.session().latest().id;
            let stands = |lease: &Place<R>| names.iter().any(|name| below(dir, name) == lease.path);
            own.retain(|lease| lease.session == session && stands(lease));
            if own.len() < count as usize {
                continue;
            }
            if names.len() <= maximum as usize {
                return Ok(Some(own.into_iter().map(Guard::of).collect()));
            }
            match patience {
                Patience::Waits => changed(watch, number).await,
                Patience::Looks => break,
            }
        }
        for lease in own {
            lease.leave().await?;
        }
        Ok(None)
    }

    async fn make_lease(&self) -> Result<Place<R>> {
        match self.layout {
            Layout::Curator => self.leases.enter("lease-").await,
            Layout::Kazoo => self.leases.join().await,
        }
    }

    /// How many leases there are now, and a watch for that, if it may change.
    async fn maximum(&self) -> Result<(u32, Option<Watch>)> {
        match (&self.maximum, self.layout) {
            (Maximum::Fixed(maximum), Layout::Curator) => Ok((*maximum, None)),
            (Maximum::Fixed(maximum), Layout::Kazoo) => Ok((self.written(*maximum).await?, None)),
            (Maximum::Shared(path), _) => self.shared(path).await,
        }
    }

    /// What kazoo writes into the semaphore's node; `own` is written if there is none.
    async fn written(&self, own: u32) -> Result<u32> {
        let path = self.leases.dir();
        let options = CreateOptions::persistent().parents();
        loop {
            match persist(&self.client, |client| client.get(path)).await {
                Err(error) if error.code() == Some(ErrorCode::NoNode) => {}
                read => return read.map(|value| text(value.bytes()).unwrap_or(own)),
            }
            match persist(&self.client, |client| client.create(path, own.to_string(), &options)).await {
                Err(error) if error.code() != Some(ErrorCode::NodeExists) => return Err(error),
                _ => {}
            }
        }
    }

    async fn shared(&self, path: &str) -> Result<(u32, Option<Watch>)> {
        loop {
            match persist(&self.client, |client| client.get_watched(path)).await {
                Err(error) if error.code() == Some(ErrorCode::NoNode) => {}
                read => return read.map(|(value, watch)| (number(value.bytes()), Some(watch))),
            }
            if let (None, watch) = persist(&self.client, |client| client.exists_watched(path)).await? {
                return Ok((0, Some(watch)));
            }
        }
    }
}

/// Whether one stays while there is nothing for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    Waits,
    Looks,
}

/// Ready when the leases or their maximum have changed, or may have.
async fn changed(mut leases: Watch, number: Option<Watch>) {
    match number {
        Some(mut number) => {
            select(pin!(leases.next()), pin!(number.next())).await;
        }
        None => {
            leases.next().await;
        }
    }
}

fn text(bytes: &[u8]) -> Option<u32> {
    str::from_utf8(bytes).ok()?.trim().parse().ok()
}

fn number(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, |bytes| u32::try_from(i32::from_be_bytes(bytes)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_lets_nobody_in() {
        assert_eq!(number(&[0, 0, 1, 2]), 258);
        for bytes in [&[][..], &[1], &[0, 0, 0, 0, 0, 0, 0, 1], &[0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(number(bytes), 0, "{bytes:?}");
        }
    }

    #[test]
    fn what_kazoo_could_not_read_does_not_count() {
        assert_eq!(text(b"12"), Some(12));
        assert_eq!(text(b""), None);
        assert_eq!(text(b"-1"), None);
    }
}
