//! `mntr`: `zk_<key>\t<value>` lines. Keys change with the metrics provider, as ZooKeeper's do (`operations.md` §4.8).

use super::{Metric, Value, all, is_of_3_10, prometheus};
use crate::config::MetricsProvider;
use crate::four_letter::Facts;
use crate::server::version::FULL_VERSION;
use quorate_core::metrics::Summary;
use quorate_core::peer::Mode;
use std::fmt::{Display, Write as _};

/// The whole page.
pub(crate) fn mntr_page(facts: &Facts<'_>) -> String {
    let mut page = String::with_capacity(24 << 10);
    add(&mut page, "version", FULL_VERSION);
    add(&mut page, "server_state", facts.status.mode().as_str());
    // Nobody is told anything but by a member that serves.
    match facts.status.mode() {
        Mode::Leader => add(&mut page, "peer_state", "leading - broadcast"),
        Mode::Follower => add(&mut page, "peer_state", "following - broadcast"),
        Mode::Observer => add(&mut page, "peer_state", "observing - broadcast"),
        _ => {}
    }
    let metrics = all(facts).into_iter().filter(|metric| !is_of_3_10(metric.name));
    match facts.config.metrics.provider {
        MetricsProvider::Default => metrics.for_each(|metric| add_metric(&mut page, &metric)),
        MetricsProvider::Prometheus => {
            for metric in metrics {
                prometheus::samples(&metric, |name, value| add(&mut page, name, value));
            }
        }
        MetricsProvider::Null => {}
    }
    page
}

fn add(page: &mut String, key: &str, value: impl Display) {
    let _ = writeln!(page, "zk_{key}\t{value}");
}

fn add_metric(page: &mut String, metric: &Metric<'_>) {
    let name = match metric.label {
        Some(label) => format!("{label}_{}", metric.name),
        None => metric.name.to_owned(),
    };
    match metric.value {
        Value::Integer(value) => add(page, &name, value),
        Value::Decimal(value) => add(page, &name, value),
        Value::Counter(value) => add(page, &name, value),
        Value::Basic(summary) => add_summary(page, &name, summary.basic()),
        Value::Advanced(summary) => {
            add_summary(page, &name, summary.basic());
            for (key, thousandths) in [("p50", 500), ("p95", 950), ("p99", 990), ("p999", 999)] {
                add(page, &format!("{key}_{name}"), summary.percentile(thousandths));
            }
        }
    }
}

fn add_summary(page: &mut String, name: &str, summary: &Summary) {
    add(page, &format!("avg_{name}"), summary.average());
    add(page, &format!("min_{name}"), summary.min());
    add(page, &format!("max_{name}"), summary.max());
    add(page, &format!("cnt_{name}"), summary.count());
    add(page, &format!("sum_{name}"), summary.sum());
}
