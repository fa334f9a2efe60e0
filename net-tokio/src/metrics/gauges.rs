//! The gauges: read when somebody asks.

use super::{Metric, Value, process};
use crate::four_letter::Facts;
use quorate_core::metrics::{Decimal4, Gauge};
use quorate_core::tree::StatsTrack;

/// Every gauge of a standalone server, those of quotas behind.
pub(super) fn all<'a>(facts: &Facts<'a>) -> Vec<Metric<'a>> {
    let plain = |gauge: &Gauge| Metric { name: gauge.name(), label: None, value: value(*gauge, facts) };
    let mut metrics: Vec<Metric<'a>> = Gauge::ALL.iter().map(plain).collect();
    metrics.extend(quotas(facts));
    metrics
}

fn value(gauge: Gauge, facts: &Facts<'_>) -> Value<'static> {
    let status = &facts.status;
    let server = &status.metrics().server;
    let tree = &status.database().tree;
    let sizes = &server.response_size;
    let or_none = |size: i64| if sizes.count() == 0 { -1 } else { size };
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Value::Integer(match gauge {
        Gauge::AvgLatency => return Value::Decimal(server.latency.average()),
        Gauge::ConnectionDropProbability => return Value::Decimal(Decimal4(0)),
        Gauge::MaxLatency => server.latency.max(),
        Gauge::MinLatency => server.latency.min(),
        Gauge::PacketsReceived => whole(server.packets_received),
        Gauge::PacketsSent => whole(facts.packets_sent()),
        Gauge::NumAliveConnections => whole(status.connection_count() as u64),
        Gauge::OutstandingRequests => whole(status.outstanding() as u64),
        Gauge::Uptime => whole(facts.uptime.0),
        Gauge::ZnodeCount => whole(status.node_count() as u64),
        Gauge::WatchCount => whole(status.watches().watch_count() as u64),
        Gauge::EphemeralsCount => whole(tree.ephemeral_count() as u64),
        Gauge::ApproximateDataSize => whole(tree.approximate_data_size()),
        Gauge::GlobalSessions => whole(status.sessions().len() as u64),
        Gauge::OpenFileDescriptorCount => whole(process::open_descriptors()),
        Gauge::MaxFileDescriptorCount => whole(process::max_descriptors()),
        Gauge::LastClientResponseSize => server.last_response_size.unwrap_or(-1),
        Gauge::MaxClientResponseSize => or_none(sizes.max()),
        Gauge::MinClientResponseSize => or_none(sizes.min()),
        Gauge::AuthFailedCount => whole(server.auth_failed),
        // There are neither local sessions nor TLS.
        Gauge::LocalSessions
        | Gauge::OutstandingTlsHandshake
        | Gauge::NonMtlsRemoteConnCount
        | Gauge::NonMtlsLocalConnCount => 0,
    })
}

/// Limits and usage of every path with a quota, by its first component.
fn quotas<'a>(facts: &Facts<'a>) -> Vec<Metric<'a>> {
    let tree = &facts.status.database().tree;
    let mut metrics = Vec::new();
    for path in tree.quota_paths() {
        let Some(label) = path.split('/').nth(1).filter(|label| !label.is_empty()) else { continue };
        let track = |leaf: &str| {
            let node = tree.node(&format!("/zookeeper/quota{path}/{leaf}"))?;
            StatsTrack::parse(node.data())
        };
        let (Some(limits), Some(usage)) = (track("zookeeper_limits"), track("zookeeper_stats")) else {
            continue;
        };
        let first_set = |hard: i64, soft: i64| if hard > -1 { hard } else { soft };
        let values = [
            ("quota_count_limit_per_namespace", first_set(limits.count_hard_limit, limits.count)),
            ("quota_bytes_limit_per_namespace", first_set(limits.byte_hard_limit, limits.bytes)),
            ("quota_count_usage_per_namespace", usage.count),
            ("quota_bytes_usage_per_namespace", usage.bytes),
        ];
        metrics.extend(values.map(|(name, value)| Metric {
            name,
            label: Some(label),
            value: Value::Integer(value),
        }));
    }
    metrics
}
