//! D5, S22: a database is what the model says at its zxid: every node with every number, every session.
//!
//! Usage of quotas is each server's own and not compared.

use super::{Verdict, require};
use crate::model::{Model, NodeKind};
use quorate_core::tree::{Database, Owner};

/// Replay came past `mismatches` states that are not those the log tells of, whatever it came to in the end.
pub(crate) fn passed_through(mismatches: u64) -> Verdict {
    require("recovered_state", mismatches == 0, || {
        format!("{mismatches} txns were replayed to another digest than logged")
    })
}

/// Compares `database` with the model, which stands at the same zxid. `checker` says where it came from.
pub(crate) fn equals(checker: &'static str, database: &Database, model: &Model) -> Verdict {
    let zxid = database.last_zxid();
    require(checker, zxid == model.zxid, || {
        format!("the database is at {zxid}, the model at {}", model.zxid)
    })?;
    require(checker, *database.sessions() == model.sessions, || {
        format!("at {zxid} sessions are {:?}, the model has {:?}", database.sessions(), model.sessions)
    })?;
    for (path, node) in model.tree.iter() {
        let Some(got) = database.tree.node(path) else {
            return require(checker, false, || format!("{path:?} is missing at {zxid}"));
        };
        let (stat, expected) = (got.stat(), node.stat());
        require(checker, stat == expected, || {
            format!("{path:?} at {zxid}: {stat:?}, the model has {expected:?}")
        })?;
        let owner = match node.kind {
            NodeKind::Persistent => Owner::Persistent,
            NodeKind::Ephemeral(session) => Owner::Ephemeral(session),
            NodeKind::Container => Owner::Container,
            NodeKind::Ttl(ttl) => Owner::Ttl(quorate_core::vocabulary::Millis(ttl as u64)),
        };
        require(checker, got.owner() == owner, || {
            format!("{path:?} at {zxid} lives by {:?}, the model says {owner:?}", got.owner())
        })?;
        let open = quorate_core::jute::Acl::open();
        let acl = if node.acl.is_empty() { &open } else { &node.acl };
        let got_acl = if got.acl().is_empty() { open.as_slice() } else { got.acl() };
        require(checker, got_acl == acl.as_slice(), || {
            format!("{path:?} at {zxid} has the ACL {:?}, the model says {acl:?}", got.acl())
        })?;
        require(checker, got.data() == node.data.as_deref(), || {
            format!("the data of {path:?} differs at {zxid}")
        })?;
    }
    require(checker, database.tree.node_count() == model.tree.len(), || {
        format!("{} nodes at {zxid}, the model has {}", database.tree.node_count(), model.tree.len())
    })
}
