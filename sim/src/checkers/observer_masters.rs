//! A follower that serves observers passes on what is committed and nothing else, and tells its leader of every session that they have
//! told it of.

use super::{Verdict, require};
use quorate_core::vocabulary::{SessionId, Zxid};
use std::collections::BTreeSet;

/// `server` tells an observer that `zxid` is committed; its leader has told it so up to `committed`.
pub(crate) fn informed(server: usize, zxid: Zxid, committed: Zxid) -> Verdict {
    require("observers_hear_what_is_committed", zxid <= committed, || {
        format!("server {server} tells an observer of {zxid}, its leader has told it of {committed}")
    })
}

/// `server` tells its leader of the sessions `told`; observers have told it of `owed` since it did so last.
pub(crate) fn told(
    server: usize,
    mut owed: BTreeSet<SessionId>,
    told: impl Iterator<Item = SessionId>,
) -> Verdict {
    told.for_each(|session| {
        owed.remove(&session);
    });
    require("touches_reach_the_leader", owed.is_empty(), || {
        format!("server {server} was told of {owed:?}, and does not tell its leader")
    })
}
