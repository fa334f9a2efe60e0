//! C14: once a session is attached to a connection, what it asked over another is not executed any more; and a leader refuses
//! nothing for a move, or for an end, that was not.

use super::{Verdict, require};
use quorate_core::jute::TxnHeader;
use quorate_core::vocabulary::ConnId;
use std::fmt::Debug;

const NAME: &str = "session_moved";

/// A txn is committed; when it was made, its session was elsewhere, or was not.
pub(crate) fn by_its_owner(
    header: &TxnHeader,
    cause: &dyn Debug,
    moved_to: Option<(usize, ConnId)>,
) -> Verdict {
    require(NAME, moved_to.is_none(), || {
        format!("{header:?} is executed for {cause:?}, its session was at {moved_to:?} by then")
    })
}

/// A request of `from` is refused because the session has moved; `claimed` is who has claimed it last.
pub(crate) fn refused(header: &TxnHeader, from: ConnId, claimed: Option<ConnId>) -> Verdict {
    require(NAME, claimed != Some(from), || {
        format!("{header:?} is refused for a move, and nobody else has claimed the session since {from:?}")
    })
}

/// A request is refused because its session is over.
pub(crate) fn expired(header: &TxnHeader, is_alive: bool) -> Verdict {
    require("session_validity", !is_alive, || {
        format!("{header:?} is refused for an end, its session is alive")
    })
}
