//! Keys that ZooKeeper takes from zoo.cfg only (`operations.md` §2.1, §6.3).

use super::kind::{INT, not_a_number};
use super::{Effect, From, Kind, Refusal, Setting, Value};
use crate::config::MetricsProvider;
use quorate_core::quorum::Role;
use quorate_core::vocabulary::Millis;
use std::path::PathBuf;

const NO_JVM: &str = "there is no JVM to watch";
const OWN_ENSEMBLE: &str = "tunes how Java's servers work together";

/// The rows, by subject.
pub(super) const ROWS: &[Setting] = &[
    file("dataDir", Kind::Directory, "").is(
        Effect::Sets(|draft, value| draft.data_dir = Some(PathBuf::from(value.text()))),
        "directory of snapshots and myid; data lies in version-2 below it",
    ),
    file("dataLogDir", Kind::Directory, "").is(
        Effect::Sets(|draft, value| draft.data_log_dir = Some(PathBuf::from(value.text()))),
        "directory of transaction logs; unset: dataDir",
    ),
    file("clientPort", Kind::Port, "").is(
        Effect::Sets(|draft, value| draft.client_port = Some(value.number() as u16).filter(|&port| port != 0)),
        "port for clients; unset or 0: none",
    ),
    file("clientPortAddress", Kind::Host, "").is(
        Effect::Sets(|draft, value| draft.config.listen.address = Some(value.address())),
        "address to listen on; unset: all",
    ),
    file("clientPortListenBacklog", Kind::Number(-1, INT, "connections"), "-1").is(
        Effect::Sets(|draft, value| draft.config.listen.backlog = u32::try_from(value.signed()).ok()),
        "listen backlog; -1: the default",
    ),
    file("tickTime", Kind::Number(0, INT, "milliseconds"), "3000").is(
        Effect::Checks(|draft, value| {
            draft.config.peer.tick_time = Millis(value.number());
            match value.number() {
                0 => Err(Refusal::new("tickTime is not set").expected("at least 1 millisecond; 2000 is usual")),
                _ => Ok(()),
            }
        }),
        "the basic unit of time",
    ),
    file("minSessionTimeout", Kind::Number(-1, INT, "milliseconds"), "-1").is(
        Effect::Sets(|draft, value| draft.min_session_timeout = u64::try_from(value.signed()).ok().map(Millis)),
        "shortest session timeout granted; -1: 2 ticks",
    ),
    file("maxSessionTimeout", Kind::Number(-1, INT, "milliseconds"), "-1").is(
        Effect::Sets(|draft, value| draft.max_session_timeout = u64::try_from(value.signed()).ok().map(Millis)),
        "longest session timeout granted; -1: 20 ticks",
    ),
    file("maxClientCnxns", Kind::Number(-1, INT, "connections"), "60").is(
        Effect::Sets(|draft, value| {
            draft.config.peer.limits.connections_per_address = u32::try_from(value.signed()).unwrap_or(0);
        }),
        "connections from one address; 0 or -1: any number",
    ),
    file("autopurge.snapRetainCount", Kind::Number(-INT, INT, "snapshots"), "3").is(
        Effect::Sets(|draft, value| draft.raise_snap_retain_count(value.signed())),
        "snapshots kept when purging; less than 3 becomes 3",
    ),
    file("autopurge.purgeInterval", Kind::Number(-INT, INT, "hours"), "1").is(
        Effect::OwnDefault(
            |draft, value| draft.purge = value.signed() > 0,
            "unset, ZooKeeper never purges",
        ),
        "0 or less: old snapshots and logs are never purged; otherwise whenever a snapshot has been written, not by the clock",
    ),
    file("standaloneEnabled", Kind::StrictFlag, "true").is(
        Effect::Sets(|draft, value| draft.standalone_enabled = value.flag()),
        "a single server.N line makes a standalone server",
    ),
    file("reconfigEnabled", Kind::StrictFlag, "false").is(
        Effect::Sets(|draft, value| draft.config.peer.switches.reconfig = value.flag()),
        "clients may reconfigure the ensemble",
    ),
    file("dynamicConfigFile", Kind::Text, "").is(Effect::Membership, "file that holds the membership"),
    file("server.*", Kind::Text, "").is(Effect::Membership, "a server: addresses, ports and role"),
    file("group.*", Kind::Text, "").is(Effect::Membership, "a group of a hierarchical quorum"),
    file("weight.*", Kind::Text, "").is(Effect::Membership, "a server's weight in its group"),
    file("initLimit", Kind::Number(0, INT, "ticks"), "").is(
        Effect::Sets(|draft, value| draft.member.init_limit = Some(value.small())),
        "ticks a learner has to join; an ensemble needs it",
    ),
    file("syncLimit", Kind::Number(0, INT, "ticks"), "").is(
        Effect::Sets(|draft, value| draft.member.sync_limit = Some(value.small())),
        "ticks a learner may lag; an ensemble needs it",
    ),
    file("connectToLearnerMasterLimit", Kind::Number(0, INT, "ticks"), "0")
        .is(Effect::Inert("initLimit counts"), "ticks a learner has to connect"),
    file("peerType", Kind::Text, "participant").is(
        Effect::Checks(|draft, value| {
            draft.member.role = match value.text().to_lowercase().as_str() {
                "participant" => Role::Participant,
                "observer" => Role::Observer,
                _ => {
                    return Err(Refusal::new(format!("Unrecognised peertype: {}", value.text()))
                        .expected("participant or observer"));
                }
            };
            Ok(())
        }),
        "role of this server in an ensemble",
    ),
    file("electionAlg", Kind::Text, "3").is(
        Effect::Checks(|_, value| match value.text().parse::<i32>() {
            Ok(3) => Ok(()),
            Ok(_) => Err(Refusal::new("Invalid electionAlg value. Only 3 is supported.")),
            Err(_) => Err(not_a_number(value.text()).expected("3")),
        }),
        "election algorithm",
    ),
    file("quorumListenOnAllIPs", Kind::StrictFlag, "false").is(
        Effect::Sets(|draft, value| draft.member.listen_on_all_ips = value.flag()),
        "bind quorum and election ports on every address",
    ),
    file("syncEnabled", Kind::StrictFlag, "true")
        .is(Effect::Sets(|draft, value| draft.member.observer_logs = value.flag()), "observers log and snapshot"),
    file("observerMasterPort", Kind::Port, "0").is(
        Effect::Sets(|draft, value| {
            draft.member.observer_master_port = Some(value.number() as u16).filter(|&port| port != 0);
        }),
        "port where followers serve observers, everybody's; 0: observers learn from the leader",
    ),
    file("localSessionsEnabled", Kind::StrictFlag, "false").is(
        Effect::Sets(|draft, value| draft.config.peer.switches.local_sessions = value.flag()),
        "members make sessions that they alone know of, and that no txn begins or ends; a server alone has none",
    ),
    file("localSessionsUpgradingEnabled", Kind::StrictFlag, "false").is(
        Effect::Sets(|draft, value| draft.config.peer.switches.local_sessions_upgrading = value.flag()),
        "a local session becomes the ensemble's when it creates an ephemeral; otherwise that is answered -120",
    ),
    file("multiAddress.enabled", Kind::StrictFlag, "false").is(
        Effect::Inert("of several addresses of a server each is tried in turn, whether or not this is set"),
        "several addresses a server",
    ),
    file("multiAddress.reachabilityCheckEnabled", Kind::StrictFlag, "true")
        .is(Effect::Inert(OWN_ENSEMBLE), "unreachable addresses are left out"),
    file("multiAddress.reachabilityCheckTimeoutMs", Kind::Number(0, INT, "milliseconds"), "1000")
        .is(Effect::Inert(OWN_ENSEMBLE), "how long an address is tried"),
    file("oraclePath", Kind::Text, "").is(
        Effect::Absent(|value| !value.text().is_empty(), "an ensemble of two needs both of them"),
        "oracle of an ensemble of two",
    ),
    file("quorum.cnxn.threads.size", Kind::Number(0, INT, "threads"), "20")
        .is(Effect::Inert(OWN_ENSEMBLE), "threads that authenticate peers"),
    file("jvm.pause.monitor", Kind::StrictFlag, "false").is(Effect::Inert(NO_JVM), "warn of JVM pauses"),
    file("jvm.pause.warn-threshold.ms", Kind::Number(0, INT, "milliseconds"), "10000")
        .is(Effect::Inert(NO_JVM), "pause that warns"),
    file("jvm.pause.info-threshold.ms", Kind::Number(0, INT, "milliseconds"), "1000")
        .is(Effect::Inert(NO_JVM), "pause that is noted"),
    file("jvm.pause.sleep.time.ms", Kind::Number(0, INT, "milliseconds"), "500")
        .is(Effect::Inert(NO_JVM), "how often is looked"),
    file("metricsProvider.className", Kind::Text, "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider").is(
        Effect::Checks(|draft, value| {
            draft.config.metrics.provider = metrics_provider(value)?;
            Ok(())
        }),
        "who renders the metrics: …impl.DefaultMetricsProvider, …impl.NullMetricsProvider, …prometheus.PrometheusMetricsProvider",
    ),
    file("metricsProvider.httpHost", Kind::Host, "0.0.0.0").is(
        Effect::Sets(|draft, value| draft.config.metrics.address = value.address()),
        "address of /metrics",
    ),
    file("metricsProvider.httpPort", Kind::Port, "7000")
        .is(Effect::Sets(|draft, value| draft.config.metrics.port = value.number() as u16), "port of /metrics"),
    file("metricsProvider.exportJvmInfo", Kind::Flag, "true").is(Effect::Inert("there is no JVM"), "metrics of the JVM"),
    file("metricsProvider.*", Kind::Text, "").is(Effect::Inert("tunes Java's provider"), "handed to the provider"),
];

const fn file(key: &'static str, kind: Kind, default: &'static str) -> Setting {
    Setting::new(key, From::File, kind, default)
}

fn metrics_provider(value: &Value) -> Result<MetricsProvider, Refusal> {
    const PACKAGE: &str = "org.apache.zookeeper.metrics.";
    match value.text().strip_prefix(PACKAGE) {
        Some("impl.DefaultMetricsProvider") => Ok(MetricsProvider::Default),
        Some("impl.NullMetricsProvider") => Ok(MetricsProvider::Null),
        Some("prometheus.PrometheusMetricsProvider") => Ok(MetricsProvider::Prometheus),
        _ => Err(Refusal::new("metrics provider class was not found").expected(format!(
            "{PACKAGE}impl.DefaultMetricsProvider, {PACKAGE}impl.NullMetricsProvider or {PACKAGE}prometheus.PrometheusMetricsProvider"
        ))),
    }
}
