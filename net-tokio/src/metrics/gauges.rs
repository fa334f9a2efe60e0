//! The gauges: read when somebody asks.

use super::{Metric, Value, process};
use crate::four_letter::Facts;
use quorate_core::metrics::{Decimal4, Gauge};
use quorate_core::peer::Mode;
use quorate_core::tree::StatsTrack;
use quorate_core::vocabulary::ServerId;
use quorate_core::zab::LearnerKind;

/// Every gauge: those of any server, those of members and of their parts, those of quotas.
pub(super) fn all<'a>(facts: &Facts<'a>) -> Vec<Metric<'a>> {
    let plain = |gauge: &Gauge| Metric { name: gauge.name(), label: None, value: value(*gauge, facts) };
    let mut metrics: Vec<Metric<'a>> = Gauge::ALL.iter().map(plain).collect();
    metrics.extend(of_member(facts));
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
        // A read-only server tracks its own alone.
        Gauge::GlobalSessions if status.is_read_only() => whole(status.database().sessions().len() as u64),
        Gauge::GlobalSessions => whole(status.sessions().global_len() as u64),
        Gauge::LocalSessions => whole(status.sessions().local_len() as u64),
        Gauge::OpenFileDescriptorCount => whole(process::open_descriptors()),
        Gauge::MaxFileDescriptorCount => whole(process::max_descriptors()),
        Gauge::LastClientResponseSize => server.last_response_size.unwrap_or(-1),
        Gauge::MaxClientResponseSize => or_none(sizes.max()),
        Gauge::MinClientResponseSize => or_none(sizes.min()),
        Gauge::AuthFailedCount => whole(server.auth_failed),
        // There is no TLS.
        Gauge::OutstandingTlsHandshake | Gauge::NonMtlsRemoteConnCount | Gauge::NonMtlsLocalConnCount => 0,
    })
}

/// What members of an ensemble show, leaders more than others.
fn of_member(facts: &Facts<'_>) -> Vec<Metric<'static>> {
    let Some(member) = &facts.config.member else { return Vec::new() };
    let status = &facts.status;
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let mut values = vec![("quorum_size", count(member.ensemble.membership.voters().len()))];
    if let Some(leader) = status.leader() {
        let voters = member.ensemble.membership.voters();
        let votes = |sid: i64| u8::try_from(sid).is_ok_and(|sid| voters.contains(ServerId(sid)));
        let synced = |wanted: LearnerKind, voting: Option<bool>| {
            let counted = leader.learners().filter(|learner| {
                let kind = learner.is_synced && learner.kind == wanted;
                kind && voting.is_none_or(|voting| votes(learner.sid) == voting)
            });
            count(counted.count())
        };
        let sizes = leader.proposal_sizes();
        let uptime = status.mode_since().map_or(0, |since| facts.now.mono.millis_since(since).0);
        values.extend([
            ("learners", count(leader.learners().count())),
            ("synced_followers", synced(LearnerKind::Follower, None)),
            ("synced_non_voting_followers", synced(LearnerKind::Follower, Some(false))),
            ("synced_observers", synced(LearnerKind::Observer, None)),
            ("pending_syncs", count(leader.pending_syncs())),
            ("leader_uptime", i64::try_from(uptime).unwrap_or(i64::MAX)),
            ("last_proposal_size", sizes.last),
            ("max_proposal_size", sizes.max),
            ("min_proposal_size", sizes.min),
        ]);
    }
    if let Some(master) = status.observer_master() {
        let observers = master.learners().filter(|learner| learner.is_synced);
        values.push(("synced_observers", count(observers.count())));
    }
    if status.mode() == Mode::Observer
        && let Some(leader) = status.learns_from()
    {
        values.push(("observer_master_id", i64::from(leader.0)));
    }
    let metric = |(name, value)| Metric { name, label: None, value: Value::Integer(value) };
    values.into_iter().map(metric).collect()
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
