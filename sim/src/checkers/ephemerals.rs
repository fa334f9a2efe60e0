//! C11, C21: a session's ephemerals go with its closeSession txn, all of them and no other; behind it none is left,
//! and none is made.

use super::{Verdict, require};
use quorate_core::jute::{OpCode, TxnRecord};
use quorate_core::tree::Database;
use quorate_core::vocabulary::SessionId;

const NAME: &str = "ephemerals";

/// A closeSession txn lists `listed`; by the model the session has `own`.
pub(crate) fn listed(session: SessionId, listed: &[String], own: &[String]) -> Verdict {
    let mut sorted = listed.to_vec();
    sorted.sort();
    require(NAME, sorted == own, || {
        format!("closeSession of {session} lists {sorted:?}, the session has {own:?}")
    })
}

/// `record` is logged for a session whose closeSession is logged already: nobody would remove what it makes.
pub(crate) fn behind_its_close(session: SessionId, record: &TxnRecord) -> Verdict {
    let made = match record {
        TxnRecord::Create(create) => create.ephemeral.then_some(&create.path),
        TxnRecord::Multi(parts) if parts.iter().all(|(opcode, _)| *opcode != OpCode::Error) => {
            parts.iter().find_map(|(_, part)| match part {
                TxnRecord::Create(create) => create.ephemeral.then_some(&create.path),
                _ => None,
            })
        }
        _ => None,
    };
    require(NAME, made.is_none(), || format!("{made:?} is created behind the closeSession of {session}"))
}

/// A closeSession is answered, and none was logged: only a session that can own nothing ends so.
pub(crate) fn ended_without_a_txn(session: SessionId, is_local: bool) -> Verdict {
    require(NAME, is_local, || {
        format!("the end of {session} is answered and not logged: nobody would remove its ephemerals")
    })
}

/// Every owner of an ephemeral is a session that exists.
pub(crate) fn owned(database: &Database) -> Verdict {
    let orphan = database
        .tree
        .sessions_with_ephemerals()
        .into_iter()
        .find(|owner| !database.sessions().contains_key(owner));
    require(NAME, orphan.is_none(), || format!("ephemerals of {orphan:?}, which is no session"))
}
