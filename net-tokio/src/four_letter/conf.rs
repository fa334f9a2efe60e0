//! `conf` (`operations.md` §4.2).

use super::Facts;

/// The configuration, as far as ZooKeeper shows it.
pub(super) fn conf(facts: &Facts<'_>) -> String {
    let config = facts.config;
    let peer = &config.peer;
    let directory = |path: &std::path::Path| path.join("version-2").display().to_string();
    let lines = [
        ("clientPort", config.listen.port.map_or(-1, i64::from).to_string()),
        ("secureClientPort", "-1".to_owned()),
        ("dataDir", directory(&config.storage.data_dir)),
        ("dataDirSize", facts.sizes.data.to_string()),
        ("dataLogDir", directory(&config.storage.data_log_dir)),
        ("dataLogSize", facts.sizes.log.to_string()),
        ("tickTime", peer.tick_time.0.to_string()),
        ("maxClientCnxns", peer.limits.connections_per_address.to_string()),
        ("minSessionTimeout", peer.min_session_timeout.0.to_string()),
        ("maxSessionTimeout", peer.max_session_timeout.0.to_string()),
        ("clientPortListenBacklog", config.listen.backlog_as_set().to_string()),
        ("serverId", "0".to_owned()),
    ];
    lines.map(|(key, value)| format!("{key}={value}\n")).concat()
}
