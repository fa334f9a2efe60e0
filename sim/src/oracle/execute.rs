//! One txn and the model: what must come of it where it stands in history.
//!
//! A txn's effect is never read from its record, but computed by the model from the request that asked for it.

use super::history::{Cause, Origin};
use crate::checkers::{Violation, ephemerals, txns_match_model, violated};
use crate::model::{ExpectedEvent, Model, Outcome, Place};
use quorate_core::jute::{Txn, TxnRecord};
use quorate_core::vocabulary::{ConnId, SessionId};

/// What a txn came to.
#[derive(Debug, Default)]
pub(super) struct Executed {
    /// Of a request.
    pub(super) outcome: Option<Outcome>,
    /// Who is told of it, at the model's connections.
    pub(super) events: Vec<(ConnId, ExpectedEvent)>,
}

/// Requests that a leader refuses with a txn, for reasons that are not the tree's.
pub(super) fn is_refusal(record: &TxnRecord) -> bool {
    matches!(record, TxnRecord::Error { err: SESSION_EXPIRED | SESSION_MOVED })
}

pub(super) const SESSION_EXPIRED: i32 = -112;
pub(super) const SESSION_MOVED: i32 = -118;
pub(super) const QUOTA_EXCEEDED: i32 = -125;

/// Lets `model` go one txn further.
pub(super) fn execute(model: &mut Model, txn: &Txn, origin: &Origin) -> Result<Executed, Violation> {
    let Origin { cause, applied, .. } = origin;
    let (zxid, time, applied) = (txn.header.zxid, txn.header.time.0, *applied);
    let mut executed = Executed::default();
    match (cause, &txn.record) {
        (Cause::Handshake | Cause::Upgrade, TxnRecord::CreateSession { timeout }) => {
            model.create_session(zxid, txn.header.session, *timeout);
        }
        (Cause::Reaper, TxnRecord::Delete { path }) => match model.reap((zxid, time, applied), path) {
            Some(events) => executed.events = events,
            None => {
                violated("reaping", format!("{path:?} is reaped at {zxid} and may not be"))?;
            }
        },
        (Cause::Image, _) => {
            if !model.replay(txn) {
                txns_match_model::unlike_its_cause(txn, cause)?;
            }
        }
        (Cause::Reaper, TxnRecord::Error { .. }) => model.zxid = zxid,
        (Cause::Request(_) | Cause::Expiry, TxnRecord::CloseSession { paths }) => {
            let session = txn.header.session;
            listed(model, session, paths.as_deref())?;
            executed.events = model.close_session(zxid, session, paths.as_deref());
        }
        (Cause::RefusedForSpace(_), TxnRecord::Error { err }) => {
            model.zxid = zxid;
            executed.outcome = Some(Outcome { error: *err, failed: true, ..Outcome::default() });
        }
        (Cause::Request(_), TxnRecord::Error { err })
            if is_refusal(&txn.record) && origin.no_ephemeral.is_none() =>
        {
            model.zxid = zxid;
            executed.outcome = Some(Outcome { error: *err, failed: true, ..Outcome::default() });
        }
        (Cause::Request(asked), _) => {
            let (session, no_ephemeral) = (txn.header.session, origin.no_ephemeral);
            let place = Place { session, who: &asked.who, zxid, time, applied, no_ephemeral };
            let mut outcome = model.write(place, &asked.request);
            executed.events = std::mem::take(&mut outcome.events);
            executed.outcome = Some(outcome);
        }
        _ => txns_match_model::unlike_its_cause(txn, cause)?,
    }
    Ok(executed)
}

fn listed(model: &Model, session: SessionId, paths: Option<&[String]>) -> Result<(), Violation> {
    match paths {
        Some(paths) => ephemerals::listed(session, paths, &model.tree.ephemerals(session)),
        None => Ok(()),
    }
}
