//! C14: once a leader was told that a session is at another server, what it asked before is not executed any more; and a leader refuses
//! nothing for a move, or for an end, that was not.
//!
//! A closeSession is the exception: whoever asks, the session ends, wherever it is by then, for no leader of ZooKeeper's looks for
//! its owner (`quorum-protocol.md` §7.3).

use super::{Verdict, require};
use quorate_core::jute::{TxnHeader, TxnRecord};
use std::fmt::Debug;

const NAME: &str = "session_moved";

/// Whether only the server where a session is may have this done in its name.
pub(crate) fn needs_owner(record: &TxnRecord) -> bool {
    !matches!(record, TxnRecord::CloseSession { .. })
}

/// A txn is committed; when it was made, its session was elsewhere, or was not.
pub(crate) fn by_its_owner(header: &TxnHeader, cause: &dyn Debug, moved_to: Option<usize>) -> Verdict {
    require(NAME, moved_to.is_none(), || {
        format!("{header:?} is executed for {cause:?}, its session was at server {moved_to:?} by then")
    })
}

/// A request that came in at `server` is refused because the session has moved; its leader was told of it by `owner` last.
pub(crate) fn refused(header: &TxnHeader, server: usize, owner: Option<usize>) -> Verdict {
    require(NAME, owner.is_some_and(|owner| owner != server), || {
        format!("{header:?} of server {server} is refused for a move, its session is at {owner:?}")
    })
}

/// A request is refused because its session is over.
pub(crate) fn expired(header: &TxnHeader, is_alive: bool) -> Verdict {
    require("session_validity", !is_alive, || {
        format!("{header:?} is refused for an end, its session is alive")
    })
}
