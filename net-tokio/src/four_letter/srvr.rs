//! `srvr` and `stat` (`operations.md` §4.3). zkServer.sh and many probes read the line that begins with `Mode`.

use super::{Facts, connections};
use crate::server::version::FULL_VERSION;
use quorate_core::zab::ProposalSizes;
use std::fmt::Write as _;

/// The server's statistics.
pub(super) fn srvr(facts: &Facts<'_>) -> String {
    print(facts, "")
}

/// The same, with a line for each connection.
pub(super) fn stat(facts: &Facts<'_>) -> String {
    let mut clients = "Clients:\n".to_owned();
    for connection in facts.status.connections() {
        clients.push_str(&connections::brief(connection, facts));
        clients.push_str(")\n");
    }
    clients.push('\n');
    print(facts, &clients)
}

fn print(facts: &Facts<'_>, clients: &str) -> String {
    let status = &facts.status;
    let server = &status.metrics().server;
    let mut text = format!("Zookeeper version: {FULL_VERSION}\n");
    if status.is_read_only() {
        text.push_str("READ-ONLY mode; serving only read-only clients\n");
    }
    text.push_str(clients);
    let latency = &server.latency;
    let _ = write!(
        text,
        "Latency min/avg/max: {}/{}/{}\nReceived: {}\nSent: {}\nConnections: {}\nOutstanding: {}\nZxid: {}\nMode: {}\nNode count: {}\n",
        latency.min(),
        latency.average(),
        latency.max(),
        server.packets_received,
        facts.packets_sent(),
        status.connection_count(),
        status.outstanding(),
        status.last_zxid(),
        status.mode().as_str(),
        status.node_count()
    );
    if let Some(leader) = status.leader() {
        let ProposalSizes { last, min, max } = leader.proposal_sizes();
        let _ = writeln!(text, "Proposal sizes last/min/max: {last}/{min}/{max}");
    }
    text
}
