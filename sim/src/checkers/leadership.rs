//! S1, S15: an epoch has one leader at most: one server that got a quorum's word for it, and no other that was established.

use super::{Verdict, require};
use quorate_core::vocabulary::Epoch;

const NAME: &str = "leadership";

/// `server` has had the word of a quorum for `epoch`, as `before` had, if anybody.
pub(crate) fn elected(epoch: Epoch, server: usize, before: Option<usize>) -> Verdict {
    require(NAME, before.is_none(), || {
        format!("server {server} has a quorum's word for epoch {epoch:?}, as server {before:?} had")
    })
}

/// `server` leads in `epoch`, as `before` does or did, if anybody.
pub(crate) fn established(epoch: Epoch, server: usize, before: Option<usize>) -> Verdict {
    require(NAME, before.is_none(), || {
        format!("server {server} is established in epoch {epoch:?}, as server {before:?} was")
    })
}
