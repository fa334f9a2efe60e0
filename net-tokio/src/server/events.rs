//! What the peer tells the operator, as lines of the log. The README's table of events is of this file and its siblings.

use super::table::Table;
use quorate_core::contract::{PeerEvent, SyncMode};
use quorate_core::jute::PeerState;
use quorate_core::vocabulary::{ConnId, ServerId};
use tracing::{debug, error, info, warn};

/// Logs an event; connections are shown by their address.
pub(super) fn log(event: PeerEvent, table: &Table) {
    let address =
        |conn: ConnId| table.find(conn).map_or_else(|| "?".to_owned(), |found| found.address.to_string());
    match event {
        PeerEvent::SessionCreated { session, conn, timeout } => {
            info!(name: "session_created", %session, address = address(conn), timeout_ms = timeout.0);
        }
        PeerEvent::SessionReattached { session, conn, timeout } => {
            info!(name: "session_reattached", %session, address = address(conn), timeout_ms = timeout.0);
        }
        PeerEvent::SessionUpgraded { session } => info!(name: "session_upgraded", %session),
        PeerEvent::SessionClosed { session } => info!(name: "session_closed", %session),
        PeerEvent::SessionExpired { session, timeout } => {
            info!(name: "session_expired", %session, timeout_ms = timeout.0);
        }
        PeerEvent::HandshakeRefused { conn, session, reason } => {
            warn!(name: "handshake_refused", %session, address = address(conn), "{reason}");
        }
        PeerEvent::AuthFailed { conn, scheme } => {
            warn!(name: "auth_failed", address = address(conn), scheme);
        }
        PeerEvent::ConnectionDropped { conn, reason } => {
            warn!(name: "connection_dropped", address = address(conn), "{reason}");
        }
        PeerEvent::SlowRequest { session, opcode, took } => {
            warn!(name: "request_slow", %session, opcode, took_ms = took.0);
        }
        PeerEvent::QuotaExceeded { path, hard } => warn!(name: "quota_exceeded", path, hard),
        PeerEvent::Looking { zxid, epoch } => info!(name: "looking", %zxid, epoch, "for a leader"),
        PeerEvent::NoLeader { looking, heard, silent } => {
            let (heard, silent) = (votes(&heard), list(silent.iter().map(|id| id.0.to_string())));
            warn!(name: "no_leader", looking_ms = looking.0, heard, silent, "a quorum has to agree on one of those that vote here: see that they run, and \
                that their election ports and `server` lines are the same everywhere");
        }
        PeerEvent::ReadOnly { zxid } => {
            warn!(name: "read_only", %zxid, "no leader is found: reads are served meanwhile")
        }
        PeerEvent::Elected { leader, took } => {
            info!(name: "elected", leader = leader.0, took_ms = took.0);
        }
        PeerEvent::Serving { state, leader, epoch, took } => {
            info!(name: "serving", role = role_name(state), leader = leader.0, epoch = epoch.0, took_ms = took.0);
        }
        PeerEvent::RoleEnded { reason, lasted } => {
            warn!(name: "role_ended", lasted_ms = lasted.0, "clients were sent away: {reason}");
        }
        PeerEvent::LearnerSynchronises { sid, by } => {
            info!(name: "learner_synchronises", sid, by = sync_name(by), "it is sent what it lacks");
        }
        PeerEvent::LearnerGone { sid, reason, .. } => {
            warn!(name: "learner_gone", sid = sid.map_or_else(|| "?".to_owned(), |sid| sid.to_string()), "{reason}");
        }
        PeerEvent::DigestMismatch { zxid } => {
            error!(name: "digest_mismatch", %zxid, "the tree is not the leader's: by the txn's digest, or since the txn can't be applied");
        }
        PeerEvent::SnapshotStarted { zxid } => info!(name: "snapshot_started", %zxid),
        PeerEvent::SnapshotDurable { zxid } => info!(name: "snapshot_durable", %zxid),
        PeerEvent::SnapshotFailed { zxid, reason } => {
            warn!(name: "snapshot_failed", %zxid, "will try again, and purges nothing meanwhile: {reason}");
        }
        PeerEvent::FreeSpaceLow { bytes } => {
            warn!(name: "free_space_low", bytes, "writes are refused until space is freed");
        }
        PeerEvent::FreeSpaceRecovered { bytes } => {
            info!(name: "free_space_recovered", bytes, "writes are taken again");
        }
        other => debug!(name: "peer_event", "{other:?}"),
    }
}

/// Who names whom.
fn votes(heard: &[(ServerId, Option<ServerId>)]) -> String {
    list(heard.iter().map(|(from, leader)| match leader {
        Some(leader) => format!("{} names {}", from.0, leader.0),
        None => format!("{} names nobody", from.0),
    }))
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

fn sync_name(mode: SyncMode) -> &'static str {
    match mode {
        SyncMode::Diff => "DIFF",
        SyncMode::Trunc => "TRUNC",
        SyncMode::Snap => "SNAP",
    }
}

fn role_name(state: PeerState) -> &'static str {
    match state {
        PeerState::Looking => "looking",
        PeerState::Following => "follower",
        PeerState::Leading => "leader",
        PeerState::Observing => "observer",
    }
}
