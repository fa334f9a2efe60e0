//! Every txn that is logged is what the model makes of its request at that place in history: whether it fails and with what, the
//! node it is about, its data, the version it gives.
//!
//! Parents' numbers, ACLs and owners are left to the comparison of trees.

use super::{Verdict, require, violated};
use crate::model::Outcome;
use quorate_core::jute::{
    CreateKind, CreateRequest, CreateTxn, MultiOp, MultiResult, OpCode, Request, Response, Txn, TxnRecord,
};
use quorate_core::vocabulary::Zxid;

const NAME: &str = "txns_match_model";

/// The bytes that are logged as `zxid` are no txn.
pub(crate) fn not_decoded(zxid: Zxid, problem: &str) -> Verdict {
    violated(NAME, format!("the txn logged at {zxid} can't be decoded: {problem}"))
}

/// `txn` is logged as `zxid`, behind `logged`.
pub(crate) fn next(txn: &Txn, zxid: Zxid, logged: Zxid) -> Verdict {
    require(NAME, zxid == logged.next() && txn.header.zxid == zxid, || {
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
pub(crate) fn made_of(txn: &Txn, request: &Request, outcome: &Outcome) -> Verdict {
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
