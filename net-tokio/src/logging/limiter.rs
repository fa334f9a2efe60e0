//! Token buckets, one for each kind of event.
//!
//! A kind is a name, not a callsite, so that the number of buckets is bounded by the number of names in the source.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tracing::{Event, Metadata};
use tracing_subscriber::layer::{Context, Filter};

/// Which lines may pass.
#[derive(Debug)]
pub(super) struct Limiter {
    rate: u32,
    buckets: Mutex<BTreeMap<&'static str, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
    suppressed: u64,
}

impl Limiter {
    /// A limiter of `rate` lines a second and kind.
    pub(super) fn new(rate: u32) -> Self {
        Limiter { rate, buckets: Mutex::default() }
    }

    fn allows(&self, kind: &'static str) -> bool {
        let rate = f64::from(self.rate);
        let now = Instant::now();
        // A thread that died with the lock held left nothing half done that matters here.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(kind).or_insert(Bucket { tokens: rate, filled: now, suppressed: 0 });
        let earned = now.duration_since(bucket.filled).as_secs_f64() * rate;
        bucket.tokens = (bucket.tokens + earned).min(rate);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            bucket.suppressed += 1;
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }

    /// How many lines of each kind were held back since the last call.
    pub(super) fn take_suppressed(&self) -> Vec<(&'static str, u64)> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let held = buckets.iter_mut().filter(|(_, bucket)| bucket.suppressed > 0);
        held.map(|(kind, bucket)| (*kind, std::mem::take(&mut bucket.suppressed))).collect()
    }
}

/// The limiter as a filter of one layer.
#[derive(Debug)]
pub(super) struct Limited(pub(super) Arc<Limiter>);

impl<S> Filter<S> for Limited {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        self.0.allows(event.metadata().name())
    }
}
