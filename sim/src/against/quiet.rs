//! From any plan of clients to one whose run another server can repeat.

use crate::plan::{
    AclChoice, Data, DiskPlan, NetworkPlan, Operation, Plan, PlannedOperation, Scenario, ServerPlan,
};
use quorate_core::jute::OpCode;

/// Nothing that is asked takes as long as this, µs.
const BETWEEN_US: u64 = 10_000;
/// Clients connect before that.
const FIRST_US: u64 = 2_000_000;
/// Sessions last longer than what they are asked to wait for here and there, ms; it is within what servers allow that are as shipped.
const TIMEOUT_MS: u64 = 40_000;
/// What nobody lives to see, ms.
const NEVER_MS: u64 = 1 << 40;

/// The opcode of createTTL.
const TTL: i32 = 21;
/// createSession and deleteContainer.
const INTERNAL: [OpCode; 2] = [OpCode::CreateSession, OpCode::DeleteContainer];

/// A plan that no other server can repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Its clients are applications, which go their own ways.
    #[error(
        "its machines run applications, which decide by themselves what they ask: take a plan of r0, r1 or r2"
    )]
    Applications,
    /// It has no clients.
    #[error("it has scripted servers and no clients: take a plan of r0, r1 or r2")]
    Accent,
}

/// The same clients and operations below `directory`, one after the other, at one server that nothing happens to.
///
/// # Errors
/// When the plan is of another kind.
pub fn quiet(plan: &Plan, directory: &str) -> Result<Plan, Unfit> {
    if plan.accent.is_some() {
        return Err(Unfit::Accent);
    }
    if !plan.apps.is_empty() {
        return Err(Unfit::Applications);
    }
    let mut quiet = plan.clone();
    quiet.scenario = Scenario::R0.to_string();
    quiet.server = shipped();
    quiet.ensemble = None;
    quiet.image = None;
    quiet.network = NetworkPlan { latency_us: 10, jitter_us: 0, split_permille: 0 };
    quiet.disk = DiskPlan { call_us: 1, sync_us: 1, fuzzy_permille: 0 };
    quiet.faults.clear();
    for client in &mut quiet.clients {
        client.is_machine = false;
        client.timeout_ms = TIMEOUT_MS;
        client.accepts_read_only = false;
    }
    let operations = std::mem::take(&mut quiet.operations).into_iter();
    let operations =
        operations.filter_map(|planned| Some((planned.client, below(directory, planned.operation)?)));
    let made = [directory.to_owned(), format!("/zookeeper/quota{directory}")].map(|path| (0, make(path)));
    quiet.operations = made
        .into_iter()
        .chain(operations)
        .zip(0..)
        .map(|((client, operation), place)| PlannedOperation {
            at_us: FIRST_US + place * BETWEEN_US,
            client,
            operation,
        })
        .collect();
    quiet.duration_ms = (FIRST_US + quiet.operations.len() as u64 * BETWEEN_US) / 1000 + 1;
    Ok(quiet)
}

/// A server without a configuration.
fn shipped() -> ServerPlan {
    ServerPlan {
        tick_time_ms: 2000,
        snap_count: 100_000,
        preallocate: 0,
        log_size_limit: 0,
        extended_types: false,
        enforce_quota: false,
        close_session_txn: true,
        digest: true,
        container_check_ms: NEVER_MS,
        container_max_never_used_ms: 0,
        max_frame: 0xf_ffff,
        outstanding_requests: 1000,
        super_password: None,
        local_sessions: false,
        local_sessions_upgrading: false,
    }
}

fn make(path: String) -> Operation {
    let (data, acl): (Data, _) = (Some((0, 0)), AclChoice::Open);
    Operation::Create { opcode: 1, path: Some(path), data, acl, flags: 0, ttl: -1 }
}

/// The operation with its paths below a directory; none if it is about nodes of the server's own.
fn below(directory: &str, mut operation: Operation) -> Option<Operation> {
    match &mut operation {
        // No client has any business with these: Quorate refuses them, and Java does what they say.
        Operation::Raw { opcode, .. }
            if OpCode::from_code(*opcode).is_some_and(|code| INTERNAL.contains(&code)) =>
        {
            return None;
        }
        // So is a path without a length, and what may be read of the root is not this plan's alone.
        Operation::Raw { body, .. } if body.starts_with(&[0; 4]) || body.starts_with(b"\0\0\0\x01/") => {
            return None;
        }
        // The root can't be deleted, and the directory can.
        Operation::Delete { path: Some(path), .. } if path == "/" => {}
        // Quorate refuses a TTL of a node that has none, and Java dies of it.
        Operation::Create { opcode: TTL, flags, .. } if !matches!(flags, 5 | 6) => return None,
        // Its number would be that of the root's child.
        Operation::Create { path: Some(path), .. } if path == "/" => return None,
        Operation::Create { path, acl, .. } | Operation::SetAcl { path, acl, .. } => {
            // Where clients come from is another matter here and there.
            if *acl == AclChoice::Loopback {
                *acl = AclChoice::Open;
            }
            *path = moved(directory, path.take())?;
        }
        Operation::Delete { path, .. }
        | Operation::SetData { path, .. }
        | Operation::Check { path, .. }
        | Operation::Read { path, .. }
        | Operation::GetAcl { path }
        | Operation::GetAllChildrenNumber { path }
        | Operation::GetEphemerals { prefix: path }
        | Operation::Sync { path }
        | Operation::AddWatch { path, .. }
        | Operation::Watches { path, .. } => *path = moved(directory, path.take())?,
        Operation::SetQuota { path, .. } => *path = format!("{directory}{path}"),
        Operation::Multi(operations) | Operation::MultiRead(operations) => {
            let inner = std::mem::take(operations).into_iter();
            *operations = inner.map(|operation| below(directory, operation)).collect::<Option<_>>()?;
        }
        Operation::WhoAmI | Operation::Auth { .. } | Operation::CloseSession | Operation::Raw { .. } => {}
    }
    Some(operation)
}

/// None for a path that is the server's own. What a client has made last is not known before it has made something, and then is anywhere.
fn moved(directory: &str, path: Option<String>) -> Option<Option<String>> {
    Some(match path.as_deref() {
        // To some requests it is the root.
        Some("") => return None,
        Some("/") => Some(directory.to_owned()),
        Some("@last") => Some(format!("{directory}/a")),
        Some(path) if path.starts_with("/zookeeper") => return None,
        Some(path) if path.starts_with('/') => Some(format!("{directory}{path}")),
        _ => path,
    })
}
