//! The one registry's two renderings: `mntr` and the Prometheus page (`operations.md` §4.8, §6).
//!
//! Values come from three places: the peer counts what it does, gauges are read from its status when somebody asks, and what
//! only the host can measure (syncs, start-up, descriptors) stands in [`HostMetrics`] and takes the place of the peer's zero.
//!
//! Absent: metrics of the Java virtual machine, and of queues and threads that only ZooKeeper's pipeline has (README.md).

mod gauges;
mod host;
mod http;
mod mntr;
mod process;
mod prometheus;

pub(crate) use host::{HostMetrics, Startup, StartupReplay};
pub(crate) use http::{bind, serve};
pub(crate) use mntr::mntr_page;
pub(crate) use prometheus::prometheus_page;

use crate::four_letter::Facts;
use quorate_core::metrics::{AdvancedSummary, Decimal4, SampleValue};

/// One metric of a page.
#[derive(Clone, Debug)]
struct Metric<'a> {
    name: &'static str,
    /// The first path component it is counted for, of one in a set.
    label: Option<&'a str>,
    value: Value<'a>,
}

#[derive(Clone, Debug)]
enum Value<'a> {
    Integer(i64),
    Decimal(Decimal4),
    Counter(u64),
    Basic(&'a AdvancedSummary),
    Advanced(&'a AdvancedSummary),
}

/// Every metric, in `mntr`'s order: gauges, counters, summaries.
fn all<'a>(facts: &Facts<'a>) -> Vec<Metric<'a>> {
    let mut metrics = gauges::all(facts);
    let host = facts.host;
    metrics.extend(facts.status.metrics().iter().map(|sample| {
        let value = match sample.value {
            SampleValue::Counter(count) => Value::Counter(count),
            SampleValue::Basic(summary) => Value::Basic(host.summary(sample.name).unwrap_or(summary)),
            SampleValue::Advanced(summary) => Value::Advanced(summary),
        };
        Metric { name: sample.name, label: sample.label, value }
    }));
    metrics
}

/// Whether a name came with 3.10: the page that says 3.9 does not show it.
fn is_of_3_10(name: &str) -> bool {
    name.starts_with("op_count_") || name.starts_with("ttl_node_")
}
