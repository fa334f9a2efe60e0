//! Things that end unless they are heard of, in buckets one tick wide (`client-protocol.md` §4.3).
//!
//! A bucket makes a touch nearly free: it moves its session only when the bucket changes, at most once a tick.

use crate::vocabulary::{Millis, Mono, SessionId};
use std::collections::{BTreeMap, BTreeSet};

/// Sessions by the end of the bucket they expire with.
#[derive(Clone, Debug)]
pub struct ExpiryQueue {
    tick: Millis,
    buckets: BTreeMap<u64, BTreeSet<SessionId>>,
}

impl ExpiryQueue {
    /// An empty queue of buckets `tick` wide.
    ///
    /// # Panics
    /// When `tick` is 0.
    pub fn new(tick: Millis) -> Self {
        assert!(tick.0 > 0, "expiry buckets have a width");
        ExpiryQueue { tick, buckets: BTreeMap::new() }
    }

    /// The bucket of something heard of `now` that lives for `timeout` after that: its end in ms. It lies after
    /// `now + timeout`, by one tick at most.
    pub fn bucket(&self, now: Mono, timeout: Millis) -> u64 {
        (now.as_millis() + timeout.0) / self.tick.0 * self.tick.0 + self.tick.0
    }

    /// Puts `session` into the bucket that ends at `bucket`.
    pub(super) fn insert(&mut self, bucket: u64, session: SessionId) {
        assert!(bucket.is_multiple_of(self.tick.0), "a bucket ends with a tick");
        let inserted = self.buckets.entry(bucket).or_default().insert(session);
        assert!(inserted, "{session} stood in its bucket already");
    }

    /// Takes `session` out of the bucket that ends at `bucket`.
    pub(super) fn remove(&mut self, bucket: u64, session: SessionId) {
        let sessions = self.buckets.get_mut(&bucket).expect("the bucket of a session exists");
        let removed = sessions.remove(&session);
        assert!(removed, "{session} stood not in its bucket");
        if sessions.is_empty() {
            self.buckets.remove(&bucket);
        }
    }

    /// Takes everything out.
    pub(super) fn clear(&mut self) {
        self.buckets.clear();
    }

    /// Takes out one session whose bucket has ended.
    pub(super) fn pop(&mut self, now: Mono) -> Option<SessionId> {
        let mut bucket = self.buckets.first_entry()?;
        if *bucket.key() > now.as_millis() {
            return None;
        }
        let session = bucket.get_mut().pop_first().expect("no bucket is empty");
        if bucket.get().is_empty() {
            bucket.remove();
        }
        Some(session)
    }

    /// When the first bucket ends.
    pub fn next_expiry(&self) -> Option<Mono> {
        self.buckets.first_key_value().map(|(end, _)| Mono::from_millis(*end))
    }

    /// Every bucket by its end, for `dump`.
    pub fn buckets(&self) -> impl ExactSizeIterator<Item = (Mono, &BTreeSet<SessionId>)> + '_ {
        self.buckets.iter().map(|(end, sessions)| (Mono::from_millis(*end), sessions))
    }
}
