//! A lock that one writer holds, or any number of readers, in the order in which they asked for it.
//!
//! Writers and readers stand in one line: a writer waits for all before it, a reader for the writers before it. So neither
//! starves. The layout is that of Curator's `InterProcessReadWriteLock`, or of kazoo's `ReadLock` and `WriteLock`; contenders of
//! both are seen, but neither library sees the other's.
//!
//! Absent: re-entry (who holds and asks again stands behind itself), and the way from reading to writing, which two readers
//! could not both go.

use super::guard::Guard;
use super::line::{Contender, ContenderOptions, Line};
use super::mutex::within;
use super::persist::Layout;
use crate::client::{Client, Result, Runtime};
use crate::vocabulary::Millis;

/// A fair lock of readers and writers; Curator's `InterProcessReadWriteLock`, kazoo's `ReadLock` and `WriteLock`.
///
/// Guards of both sides have tokens, and know when they are lost: with the session, or their node. A writer's token is higher than
/// that of every reader and writer before it, a reader's than that of every writer before it.
#[derive(Clone, Debug)]
#[doc(alias = "InterProcessReadWriteLock")]
#[doc(alias = "ReadLock")]
#[doc(alias = "WriteLock")]
pub struct RwLock<R: Runtime> {
    line: Line<R>,
}

impl<R: Runtime> RwLock<R> {
    /// The lock of the node `path`, which is made when it is needed, and goes by itself some time after.
    pub fn new(client: &Client<R>, path: &str) -> Self {
        RwLock::with_options(client, path, ContenderOptions::default())
    }

    /// The same, for contenders that present themselves otherwise.
    pub fn with_options(client: &Client<R>, path: &str, options: ContenderOptions) -> Self {
        RwLock { line: Line::new(client.clone(), path, options) }
    }

    fn reader(&self) -> &'static str {
        match self.line.layout() {
            Layout::Curator => "__READ__",
            Layout::Kazoo => "__rlock__",
        }
    }

    fn writer(&self) -> &'static str {
        match self.line.layout() {
            Layout::Curator => "__WRIT__",
            Layout::Kazoo => "__lock__",
        }
    }

    /// Waits until no writer is before it. Dropping the future leaves the line.
    ///
    /// # Errors
    /// The session's end, and those of [`Client::create`] (`NoAuth`, say).
    pub async fn read(&self) -> Result<Guard<R>> {
        self.line.hold(self.reader()).await.map(Guard::new)
    }

    /// Waits to read, but not longer than this.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub async fn read_within(&self, longest: Millis) -> Result<Option<Guard<R>>> {
        within(self.line.client.runtime(), longest, self.read()).await
    }

    /// Reads if nobody writes or waits for that.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub async fn try_read(&self) -> Result<Option<Guard<R>>> {
        Ok(self.line.try_hold(self.reader()).await?.map(Guard::new))
    }

    /// Waits until nobody is before it. Dropping the future leaves the line.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub async fn write(&self) -> Result<Guard<R>> {
        self.line.hold(self.writer()).await.map(Guard::new)
    }

    /// Waits to write, but not longer than this.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub async fn write_within(&self, longest: Millis) -> Result<Option<Guard<R>>> {
        within(self.line.client.runtime(), longest, self.write()).await
    }

    /// Writes if nobody has the lock or waits for it.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub async fn try_write(&self) -> Result<Option<Guard<R>>> {
        Ok(self.line.try_hold(self.writer()).await?.map(Guard::new))
    }

    /// Lets who writes read, too, at the same place in the line and with the same token. When the guard of writing goes, readers
    /// come in, and writers wait until this one goes as well: nobody writes in between.
    ///
    /// # Errors
    /// The session's end, and those of [`Guard::transaction`]; [`Guard::is_fenced_off`] when the lock is not held any more.
    ///
    /// # Panics
    /// When the guard is not one of this lock's.
    pub async fn downgrade(&self, write: &Guard<R>) -> Result<Guard<R>> {
        let place = self.line.enter_beside(write.place(), self.reader()).await?;
        Ok(Guard::of(place))
    }

    /// Who holds the lock, and who waits for it, in their order.
    ///
    /// # Errors
    /// Those of [`Client::children`].
    pub async fn contenders(&self) -> Result<Vec<Contender>> {
        self.line.contenders().await
    }
}
