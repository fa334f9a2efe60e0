//! The one registry of what a server counts, under ZooKeeper's names (`operations.md` §6); `mntr` and the Prometheus page are
//! two renderings of it.
//!
//! Counting is an addition to an integer in an array. Percentiles come from a reservoir that is sampled by the count of
//! what it has seen, so that equal histories give equal numbers.
//!
//! Gauges are names only: their values are read from the peer's status when somebody asks.
//!
//! Absent: summaries of the leader's learners (labelled by sid), and a rotating window of percentiles.

mod names;
mod registry;
mod summary;

pub use names::{Advanced, Basic, BasicSet, Counter, CounterSet, Gauge};
pub(crate) use registry::java_length;
pub use registry::{Metrics, Sample, SampleValue, ServerStats};
pub use summary::{AdvancedSummary, Decimal4, Summary};

#[cfg(test)]
mod tests;
