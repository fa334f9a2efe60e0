//! Leases: something is somebody's until a time, whether that one lives or not.
//!
//! Layout and data are kazoo's: a node `lease_holder` says who has it until when, and a lock of kazoo's beside it is held while one
//! looks and writes. Invariants: a lease is written over only when it is over by the wall clock, or its own holder's; the write
//! names the version that was seen, so that nobody's is lost. Absent: giving a lease back, which kazoo's have no word for.

use super::guard::Guard;
use super::lease_record::LeaseRecord;
use super::line::ContenderOptions;
use super::mutex::Mutex;
use super::persist::{Layout, again, below, is_passing, persist};
use crate::client::{Cause, Client, CreateOptions, Error, Result, Runtime};
use crate::vocabulary::{ErrorCode, Millis, Wall};

const HOLDER: &str = "lease_holder";
/// The last second of the year 9999, the last that Python knows.
const LATEST: i64 = 253_402_300_799_000;

/// A lease that one obtains or does not, without waiting for it; kazoo's `NonBlockingLease`.
///
/// It holds by the wall clocks of all who look at it: they have to agree, and should err by less than the time that a holder
/// stops before the end. A holder of the same name renews it, and never makes it shorter. It outlives sessions.
#[derive(Clone, Debug)]
pub struct NonBlockingLease<R: Runtime> {
    client: Client<R>,
    path: String,
    holder: String,
}

/// What a look at a lease led to.
enum Turn {
    Obtained(Wall),
    Taken,
    /// The lock was lost before anything was written.
    Unlocked,
}

impl<R: Runtime> NonBlockingLease<R> {
    /// The lease of the node `path`, for a holder of this name: one name is one holder, wherever it is used.
    pub fn new(client: &Client<R>, path: &str, holder: &str) -> Self {
        NonBlockingLease { client: client.clone(), path: path.to_owned(), holder: holder.to_owned() }
    }

    /// Takes the lease for so long at least, but not beyond the year 9999, from when it is written on, if nobody else has it. Answers
    /// its end, a whole second, or None. The clock is asked for the time when it is needed. Dropping the future may leave the lease taken.
    ///
    /// # Errors
    /// The session's end, those of [`Mutex::acquire`], and [`Cause::Data`] when the node holds something else than a lease.
    pub async fn obtain(
        &self,
        length: Millis,
        wall: impl Fn() -> Wall + Send + Sync,
    ) -> Result<Option<Wall>> {
        let data = self.holder.clone().into();
        let options = ContenderOptions { layout: Layout::Kazoo, data, acl: None };
        let mut lock = Mutex::with_options(&self.client, &self.path, options);
        loop {
            let guard = lock.acquire().await?;
            let turn = self.look(&guard, length, &wall).await?;
            // If it fails the session is over, and the lock with it.
            let _ = guard.release().await;
            match turn {
                Turn::Obtained(end) => return Ok(Some(end)),
                Turn::Taken => return Ok(None),
                Turn::Unlocked => {}
            }
        }
    }

    async fn look(
        &self,
        guard: &Guard<R>,
        length: Millis,
        wall: &(impl Fn() -> Wall + Send + Sync),
    ) -> Result<Turn> {
        let path = below(&self.path, HOLDER);
        loop {
            let seen = match persist(&self.client, |client| client.get(&path)).await {
                Err(error) if error.code() == Some(ErrorCode::NoNode) => None,
                answer => Some(answer?),
            };
            let now = wall();
            let mut end = whole_second(now, length);
            if let Some(seen) = &seen {
                match LeaseRecord::read(seen.bytes()).ok_or_else(|| unreadable(&path))? {
                    // Whoever goes by this name and believes in a later end is right.
                    LeaseRecord::Held { holder, end: before } if holder == self.holder => {
                        end = end.max(before)
                    }
                    LeaseRecord::Held { end, .. } if end <= now => {}
                    LeaseRecord::Held { .. } | LeaseRecord::Unknown => return Ok(Turn::Taken),
                }
            }
            let data = LeaseRecord::Held { holder: self.holder.clone(), end }.write();
            let write = match &seen {
                Some(seen) => guard.transaction().set(&path, data, seen.version()),
                None => guard.transaction().create(&path, data, &CreateOptions::persistent()),
            };
            use ErrorCode::{BadVersion, NoNode, NodeExists};
            match write.commit().await {
                Ok(_) => return Ok(Turn::Obtained(end)),
                Err(error) if Guard::<R>::is_fenced_off(&error) => return Ok(Turn::Unlocked),
                // If it was written, what is there is this holder's.
                Err(error) if is_passing(&self.client, &error) => again(&self.client).await,
                Err(error) if matches!(error.code(), Some(BadVersion | NoNode | NodeExists)) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The first whole second that is so far away at least.
fn whole_second(now: Wall, length: Millis) -> Wall {
    let end = now.0.saturating_add_unsigned(length.0).saturating_add(999);
    Wall((end - end.rem_euclid(1000)).min(LATEST))
}

fn unreadable(path: &str) -> Error {
    const NONE: &str = "not obtained: the node holds no lease";
    Error::new("obtain", path, Cause::Data(NONE))
}

/// So many leases, of which one obtains any; kazoo's `MultiNonBlockingLease`.
#[derive(Clone, Debug)]
pub struct MultiNonBlockingLease<R: Runtime> {
    leases: Vec<NonBlockingLease<R>>,
}

impl<R: Runtime> MultiNonBlockingLease<R> {
    /// So many leases below the node `path`.
    pub fn new(client: &Client<R>, path: &str, holder: &str, count: usize) -> Self {
        let lease = |number: usize| NonBlockingLease::new(client, &below(path, &number.to_string()), holder);
        MultiNonBlockingLease { leases: (0..count).map(lease).collect() }
    }

    /// Takes the first lease that nobody else has; answers its number and its end.
    ///
    /// # Errors
    /// Those of [`NonBlockingLease::obtain`].
    pub async fn obtain(
        &self,
        length: Millis,
        wall: impl Fn() -> Wall + Send + Sync,
    ) -> Result<Option<(usize, Wall)>> {
        for (number, lease) in self.leases.iter().enumerate() {
            if let Some(end) = lease.obtain(length, &wall).await? {
                return Ok(Some((number, end)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_never_shorter_than_asked_for() {
        assert_eq!(whole_second(Wall(1000), Millis(2000)), Wall(3000));
        assert_eq!(whole_second(Wall(1001), Millis(2000)), Wall(4000));
        assert_eq!(whole_second(Wall(1001), Millis(1)), Wall(2000));
    }

    #[test]
    fn a_lease_for_ever_can_be_read() {
        let lease =
            LeaseRecord::Held { holder: "me".to_owned(), end: whole_second(Wall(0), Millis(u64::MAX)) };
        assert_eq!(LeaseRecord::read(lease.write().as_bytes()), Some(lease));
    }
}
