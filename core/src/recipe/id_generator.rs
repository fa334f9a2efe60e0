//! Numbers that nobody else gets.
//!
//! A counter holds the highest number that was ever reserved; a generator reserves a block at a time, and hands it out. Invariants:
//! a number is handed out once, by one generator; those of one generator rise; what is reserved and not handed out, because an
//! answer was lost or the program ended, is never handed out. Absent: an order between generators, and numbers without gaps.

use super::counter::Counter;
use crate::client::{Client, Outcome, Result, Runtime};
use std::ops::Range;

/// Makes ids: unique over all generators of one node, now and ever, and rising in each.
///
/// One write makes a whole block. Sessions don't matter to it. A clone reserves blocks of its own.
#[derive(Debug)]
pub struct IdGenerator<R: Runtime> {
    counter: Counter<R>,
    block: u32,
    /// What is reserved and not handed out yet, less 1; it is behind everything that was.
    reserved: Range<i64>,
}

impl<R: Runtime> Clone for IdGenerator<R> {
    fn clone(&self) -> Self {
        IdGenerator { counter: self.counter.clone(), block: self.block, reserved: 0..0 }
    }
}

impl<R: Runtime> IdGenerator<R> {
    /// A generator that reserves so many ids at once, at least one. The node `path` is a [`Counter`]: a Curator `CachedAtomicLong` may share it.
    #[doc(alias = "CachedAtomicLong")]
    pub fn new(client: &Client<R>, path: &str, block: u32) -> Self {
        IdGenerator { counter: Counter::new(client, path), block: block.max(1), reserved: 0..0 }
    }

    /// The next id, from 1 on. Dropping the future loses a block at most.
    ///
    /// # Errors
    /// Those of [`Counter::add`], but for unknown outcomes while the client goes on: then another block is reserved.
    /// [`Cause::Data`](crate::client::Cause::Data) when the counter has gone back, as it does if the node is deleted.
    pub async fn next(&mut self) -> Result<i64> {
        if self.reserved.is_empty() {
            self.reserved = self.reserve().await?;
        }
        let id = self.reserved.next();
        Ok(id.expect("a block that was reserved holds an id") + 1)
    }

    async fn reserve(&self) -> Result<Range<i64>> {
        const BACK: &str = "no ids: the counter has gone back, and would give some a second time";
        let block = i64::from(self.block);
        loop {
            match self.counter.add(block).await {
                Ok(last) if last - block >= self.reserved.end => return Ok(last - block..last),
                Ok(_) => return Err(self.counter.error(BACK)),
                // If it was reserved, it is nobody's.
                Err(error) if error.outcome() == Outcome::Unknown => self.counter.outlast(error).await?,
                Err(error) => return Err(error),
            }
        }
    }
}
