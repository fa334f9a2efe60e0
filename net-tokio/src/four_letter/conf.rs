//! `conf` (`operations.md` §4.2).

use super::Facts;
use crate::config::MemberConfig;
use quorate_core::quorum::{Role, ServerAddresses};
use quorate_core::vocabulary::ServerId;

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
        ("serverId", config.member.as_ref().map_or(0, |_| peer.server_id.0).to_string()),
    ];
    let text = lines.map(|(key, value)| format!("{key}={value}\n")).concat();
    match &config.member {
        Some(member) if facts.status.is_read_only() => text + &of_member(member, peer.server_id),
        Some(member) => text + &of_member(member, peer.server_id) + &membership(member),
        None => text,
    }
}

/// What only a member with a leader adds; it ends without a newline.
fn membership(member: &MemberConfig) -> String {
    format!("membership: \n{}", member.ensemble.membership)
}

/// What a member of an ensemble adds.
fn of_member(member: &MemberConfig, me: ServerId) -> String {
    let ensemble = &member.ensemble;
    let addresses = ensemble.membership.server(me).map_or(&[][..], |server| &server.addresses);
    let ports = |port: fn(&ServerAddresses) -> u16| {
        addresses.iter().map(|address| port(address).to_string()).collect::<Vec<_>>().join("|")
    };
    let role = match ensemble.role {
        Role::Participant => 0,
        Role::Observer => 1,
    };
    format!(
        "initLimit={}\nsyncLimit={}\nelectionAlg=3\nelectionPort={}\nquorumPort={}\npeerType={role}\n",
        ensemble.init_limit,
        ensemble.sync_limit,
        ports(|address| address.election_port),
        ports(|address| address.quorum_port)
    )
}
