//! C11, C21: a session's ephemerals go with its closeSession txn, all of them and no other; behind it none is left.

use super::{Verdict, require};
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

/// Every owner of an ephemeral is a session that exists.
pub(crate) fn owned(database: &Database) -> Verdict {
    let orphan = database
        .tree
        .sessions_with_ephemerals()
        .into_iter()
        .find(|owner| !database.sessions().contains_key(owner));
    require(NAME, orphan.is_none(), || format!("ephemerals of {orphan:?}, which is no session"))
}
