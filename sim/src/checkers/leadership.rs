//! S1, S15: an epoch has one leader at most: one server that got a quorum's word for it, and no other that was established. Nobody is
//! elected whose own word weighs nothing.
//!
//! L2, L10: nobody is elected anew where nothing breaks, and when everything is healed it is over soon.

use super::{Verdict, require};
use quorate_core::vocabulary::Epoch;

const NAME: &str = "leadership";

/// `server` has had the word of a quorum for `epoch`, as `before` had, if anybody.
pub(crate) fn elected(epoch: Epoch, server: usize, before: Option<usize>) -> Verdict {
    require(NAME, before.is_none(), || {
        format!("server {server} has a quorum's word for epoch {epoch:?}, as server {before:?} had")
    })
}

/// `server`, whose word weighs so much, is elected.
pub(crate) fn may_lead(server: usize, weight: u64) -> Verdict {
    require(NAME, weight > 0, || format!("server {server} is elected, and its word weighs nothing"))
}

/// `server` leads in `epoch`, as `before` does or did, if anybody.
pub(crate) fn established(epoch: Epoch, server: usize, before: Option<usize>) -> Verdict {
    require(NAME, before.is_none(), || {
        format!("server {server} is established in epoch {epoch:?}, as server {before:?} was")
    })
}

/// There were so many leaders until the end of faults.
pub(crate) fn stable(is_whole: bool, leaders: usize) -> Verdict {
    require("leadership_is_stable", !is_whole || leaders <= 1, || {
        format!("nothing was broken, and there were {leaders} leaders")
    })
}

/// There were so many leaders since then.
pub(crate) fn settles(leaders: usize, most: usize) -> Verdict {
    require("elections_settle", leaders <= most, || {
        format!("everything was healed, and there were {leaders} leaders before it was quiet")
    })
}
