//! S10, S19, S20, D2, D3: what is committed is acknowledged by a quorum and on its disks, and stays there: through crashes, what
//! comes back from a disk is no less than was confirmed and no more than was asked for; no truncation and no snapshot takes it away.

use super::{Verdict, require};
use crate::oracle::{Ledger, Voters};
use quorate_core::vocabulary::Zxid;

const NAME: &str = "committed_never_lost";

/// `zxid` is committed: these voters have it on their disks, and these have acknowledged it, who are enough, or are not.
pub(crate) fn by_quorum(
    zxid: Zxid,
    (durable, has_disks): (Voters, bool),
    (acknowledged, has_acks): (Voters, bool),
) -> Verdict {
    require(NAME, has_disks, || {
        format!("{zxid} is committed, the disks of {durable:?} have it, and they are no quorum")
    })?;
    require("commit_quorum", has_acks, || {
        format!("{zxid} is committed, {acknowledged:?} have acknowledged it, and they are no quorum")
    })
}

/// The last committed txn is on the disks of these voters, whom every quorum meets, or does not.
pub(crate) fn held(tail: Zxid, durable: Voters, is_enough: bool) -> Verdict {
    require(NAME, is_enough, || {
        format!("{tail} was committed, the disks of {durable:?} have it, and there is a quorum without them")
    })
}

/// The history of `server` came back up to `last`, as it may, or not.
pub(crate) fn recovered(server: usize, last: Zxid, ledger: &Ledger, may: bool) -> Verdict {
    require("durability", may, || format!("server {server} comes back at {last}, {ledger:?}"))
}

/// `server` cuts its history from `end` back to `to`; of what is committed it had all up to `had`, and keeps all up to `keeps`.
pub(crate) fn cut(server: usize, (end, to): (Zxid, Zxid), (had, keeps): (Zxid, Zxid)) -> Verdict {
    require("trunc_safe", keeps >= had, || {
        format!(
            "server {server} goes back from {end} to {to} and loses what is committed from {keeps} to {had}"
        )
    })
}

/// A truncation is confirmed.
pub(crate) fn truncated(server: usize, last: Zxid, expected: Zxid) -> Verdict {
    require("trunc_safe", last == expected, || {
        format!("server {server} has cut its history back to {expected} and finds {last}")
    })
}
