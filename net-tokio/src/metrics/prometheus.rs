//! The Prometheus page, in the text format 0.0.4, with 3.9's names (`operations.md` §6.3): counters without a suffix, advanced
//! summaries with the quantiles 0.5, 0.9 and 0.99, basic ones with the median.

use super::{Metric, Value, all, process};
use crate::four_letter::Facts;
use std::fmt::Write as _;

/// As the page names them, and in thousandths; a basic summary has the first.
const QUANTILES: [(&str, u32); 3] = [("0.5", 500), ("0.9", 900), ("0.99", 990)];

/// The whole page.
pub(crate) fn prometheus_page(facts: &Facts<'_>) -> String {
    let mut page = String::with_capacity(64 << 10);
    let mut last = "";
    for metric in all(facts) {
        // Metrics of one set follow each other, but those of quotas: a family is announced once, before its first sample.
        if metric.name != last {
            announce(&mut page, metric.name, kind(&metric.value));
            last = metric.name;
        }
        samples(&metric, |name, value| {
            let _ = writeln!(page, "{name} {value}");
        });
    }
    add_process(&mut page, facts);
    page
}

fn announce(page: &mut String, name: &str, kind: &str) {
    let _ = writeln!(page, "# HELP {name} {name}\n# TYPE {name} {kind}");
}

fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::Integer(_) | Value::Decimal(_) => "gauge",
        Value::Counter(_) => "counter",
        Value::Basic(_) | Value::Advanced(_) => "summary",
    }
}

/// Every sample of a metric, its labels part of the name.
pub(super) fn samples(metric: &Metric<'_>, mut add: impl FnMut(&str, String)) {
    let name = metric.name;
    let labels = |quantile: Option<&str>| {
        let key = metric.label.map(|label| format!("key=\"{}\"", escape(label)));
        let quantile = quantile.map(|quantile| format!("quantile=\"{quantile}\""));
        let all: Vec<String> = key.into_iter().chain(quantile).collect();
        if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
    };
    let (summary, quantiles) = match metric.value {
        Value::Integer(value) => return add(&format!("{name}{}", labels(None)), double(value)),
        Value::Counter(value) => {
            return add(&format!("{name}{}", labels(None)), double(i64::try_from(value).unwrap_or(i64::MAX)));
        }
        Value::Decimal(value) => return add(&format!("{name}{}", labels(None)), value.to_string()),
        Value::Basic(summary) => (summary, &QUANTILES[..1]),
        Value::Advanced(summary) => (summary, &QUANTILES[..]),
    };
    for (quantile, thousandths) in quantiles {
        let value = summary.percentile(*thousandths);
        let value = if summary.basic().count() == 0 { "NaN".to_owned() } else { double(value) };
        add(&format!("{name}{}", labels(Some(quantile))), value);
    }
    let summary = summary.basic();
    add(&format!("{name}_count{}", labels(None)), double(i64::try_from(summary.count()).unwrap_or(i64::MAX)));
    add(&format!("{name}_sum{}", labels(None)), double(summary.sum()));
}

/// An integer as the exposition writes it.
fn double(value: i64) -> String {
    format!("{value}.0")
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// What every exporter shows of its process.
fn add_process(page: &mut String, facts: &Facts<'_>) {
    let started = facts.now.wall.0 / 1000 - (facts.uptime.0 / 1000) as i64;
    let cpu = process::cpu_centiseconds();
    let values = [
        ("process_cpu_seconds_total", "counter", format!("{}.{:02}", cpu / 100, cpu % 100)),
        ("process_resident_memory_bytes", "gauge", process::resident_bytes().to_string()),
        ("process_open_fds", "gauge", process::open_descriptors().to_string()),
        ("process_max_fds", "gauge", process::max_descriptors().to_string()),
        ("process_start_time_seconds", "gauge", started.to_string()),
    ];
    for (name, kind, value) in values {
        announce(page, name, kind);
        let _ = writeln!(page, "{name} {value}");
    }
}
