//! Every txn that is logged is what the model makes of its request at that place in history: whether it fails and with what, the
//! node it is about, its data, the version it gives.
//!
//! Parents' numbers, ACLs and owners are left to the comparison of trees.

use super::sequence_numbers::SequenceNumbers;
use super::{Verdict, multi_atomic, require, violated};
use crate::model::{Outcome, Tree};
use quorate_core::jute::{
    CreateKind, CreateRequest, CreateTxn, MultiOp, MultiResult, OpCode, Request, Response, Txn, TxnRecord,
};
use quorate_core::vocabulary::{Epoch, Zxid};

const NAME: &str = "txns_match_model";

/// The bytes that are logged as `zxid` are no txn.
pub(crate) fn not_decoded(zxid: Zxid, problem: &str) -> Verdict {
    violated(NAME, format!("the txn logged at {zxid} can't be decoded: {problem}"))
}

/// `txn` is logged as `zxid`, behind `logged`, by a server whose history is of `epoch`.
pub(crate) fn next(txn: &Txn, zxid: Zxid, logged: Zxid, epoch: Epoch) -> Verdict {
    let next = if logged.epoch() < epoch { Zxid::new(epoch, 1) } else { logged.next() };
    require(NAME, zxid == next && txn.header.zxid == zxid, || {
        format!("{zxid} is logged behind {logged}, its header says {}", txn.header.zxid)
    })
}

/// The server speaks of `zxid`; the log of what it ever asked for ends at `logged`.
pub(crate) fn was_logged(zxid: Zxid, logged: Zxid) -> Verdict {
    require(NAME, logged == zxid, || format!("the server speaks of {zxid}, the log ends at {logged}"))
}

/// A record that whoever caused its txn can't have asked for.
pub(crate) fn unlike_its_cause(txn: &Txn, cause: &dyn std::fmt::Debug) -> Verdict {
    violated(NAME, format!("at {}: {:?} for {cause:?}", txn.header.zxid, txn.record))
}

/// `request` became `txn`, of which the model says `outcome`.
fn made_of(txn: &Txn, request: &Request, outcome: &Outcome) -> Verdict {
    let holds = match (&txn.record, request) {
        (TxnRecord::Error { err }, _) => {
            outcome.failed && outcome.response.is_none() && *err == outcome.error
        }
        (TxnRecord::Multi(parts), Request::Multi(ops)) => multi(parts, ops, outcome),
        (record, _) => !outcome.failed && single(record, request, outcome.response.as_ref()),
    };
    require(NAME, holds, || {
        format!(
            "at {}: {request:?} became {:?}, the model says {} {:?}",
            txn.header.zxid, txn.record, outcome.error, outcome.response
        )
    })
}

/// A request's txn is committed: whether it says of it what the model says, and the rules of its own that it has to keep.
pub(crate) fn judge(
    txn: &Txn,
    request: &Request,
    outcome: &Outcome,
    numbers: &mut SequenceNumbers,
) -> Verdict {
    if let Request::Multi(ops) = request {
        multi_atomic::committed(ops.len(), &txn.record)?;
    }
    made_of(txn, request, outcome)?;
    match (&txn.record, request) {
        (TxnRecord::Multi(parts), Request::Multi(ops)) if !outcome.failed => {
            for (op, (_, part)) in ops.iter().zip(parts) {
                if let (MultiOp::Create(request), TxnRecord::Create(created)) = (op, part) {
                    numbers.created(request, created)?;
                }
            }
            Ok(())
        }
        (TxnRecord::Create(created), Request::Create(request)) => numbers.created(request, created),
        _ => Ok(()),
    }
}

/// `record` is logged behind `before`, oldest first, of which nothing is in the model's tree yet: it creates nothing that is
/// there by then, and deletes nothing that is not. A closeSession without a list leaves that open.
pub(crate) fn fits(record: &TxnRecord, before: &[&TxnRecord], tree: &Tree) -> Verdict {
    let parts = match record {
        TxnRecord::Multi(parts) if is_failed(parts) => return Ok(()),
        TxnRecord::Multi(parts) => parts.iter().map(|(_, part)| part).collect(),
        _ => vec![record],
    };
    if before.iter().any(|record| matches!(record, TxnRecord::CloseSession { paths: None })) {
        return Ok(());
    }
    for (index, part) in parts.iter().enumerate() {
        let (path, must_be) = match part {
            TxnRecord::Create(create) => (&create.path, false),
            TxnRecord::Delete { path } => (path, true),
            _ => continue,
        };
        let earlier = parts[..index].iter().rev().chain(before.iter().rev());
        let is_there = earlier
            .copied()
            .find_map(|record| leaves(record, path))
            .unwrap_or_else(|| tree.get(path).is_some());
        require(NAME, is_there == must_be, || {
            format!(
                "{part:?} is logged where the node {}",
                if is_there { "exists" } else { "does not exist" }
            )
        })?;
    }
    Ok(())
}

fn is_failed(parts: &[(OpCode, TxnRecord)]) -> bool {
    parts.iter().any(|(_, part)| matches!(part, TxnRecord::Error { .. }))
}

/// Whether there is a node at `path` behind `record`; `None` when it says nothing about that.
fn leaves(record: &TxnRecord, path: &str) -> Option<bool> {
    match record {
        TxnRecord::Create(create) => (create.path == path).then_some(true),
        TxnRecord::Delete { path: deleted } => (deleted == path).then_some(false),
        TxnRecord::CloseSession { paths: Some(paths) } => {
            paths.iter().any(|listed| listed == path).then_some(false)
        }
        TxnRecord::Multi(parts) if !is_failed(parts) => {
            parts.iter().rev().find_map(|(_, part)| leaves(part, path))
        }
        _ => None,
    }
}

fn created(txn: &CreateTxn, request: &CreateRequest, path: &str) -> bool {
    let is_ephemeral =
        matches!(request.kind, CreateKind::Create | CreateKind::Create2) && matches!(request.flags, 1 | 3);
    txn.path == path && txn.data == request.data && txn.ephemeral == is_ephemeral
}

fn single(record: &TxnRecord, request: &Request, response: Option<&Response>) -> bool {
    match (record, request, response) {
        (
            TxnRecord::Create(txn),
            Request::Create(request),
            Some(Response::Create { path } | Response::Create2 { path, .. }),
        ) => created(txn, request, path),
        (TxnRecord::Delete { path }, Request::Delete { path: asked, .. }, _) => asked.as_ref() == Some(path),
        (
            TxnRecord::SetData { path, data, version },
            Request::SetData { path: asked, data: wanted, .. },
            Some(Response::Stat(stat)),
        ) => asked.as_ref() == Some(path) && data == wanted && *version == stat.version,
        (
            TxnRecord::SetAcl { path, version, .. },
            Request::SetAcl { path: asked, .. },
            Some(Response::Stat(stat)),
        ) => asked.as_ref() == Some(path) && *version == stat.aversion,
        _ => false,
    }
}

fn multi(parts: &[(OpCode, TxnRecord)], ops: &[MultiOp], outcome: &Outcome) -> bool {
    let Some(Response::Multi(results)) = &outcome.response else { return false };
    parts.len() == ops.len()
        && results.len() == ops.len()
        && parts.iter().zip(ops).zip(results).all(|(((_, record), op), result)| part(record, op, result))
}

fn part(record: &TxnRecord, op: &MultiOp, result: &MultiResult) -> bool {
    match (record, op, result) {
        (TxnRecord::Error { err }, _, MultiResult::Error { code }) => err == code,
        // Of a multi that fails, what comes before the operation that does is logged as if it had not.
        (record, _, MultiResult::Error { code: 0 }) => !matches!(record, TxnRecord::Error { .. }),
        (
            TxnRecord::Create(txn),
            MultiOp::Create(request),
            MultiResult::Create { path } | MultiResult::Create2 { path, .. },
        ) => created(txn, request, path),
        (TxnRecord::Delete { path }, MultiOp::Delete { path: asked, .. }, MultiResult::Delete) => {
            asked.as_ref() == Some(path)
        }
        (
            TxnRecord::SetData { path, data, version },
            MultiOp::SetData { path: asked, data: wanted, .. },
            MultiResult::SetData { stat },
        ) => asked.as_ref() == Some(path) && data == wanted && *version == stat.version,
        (TxnRecord::Check { path, .. }, MultiOp::Check { path: asked, .. }, MultiResult::Check) => {
            asked.as_ref() == Some(path)
        }
        _ => false,
    }
}
