//! S10, S19, S20, D2, D3: what is committed is acknowledged by a quorum and on its disks, and stays there: through crashes, what
//! comes back from a disk is no less than was confirmed and no more than was asked for; no truncation and no snapshot takes it away.

use super::{Verdict, require};
use crate::oracle::Ledger;
use quorate_core::vocabulary::Zxid;

const NAME: &str = "committed_never_lost";

/// `zxid` is committed: so many voters have it on their disks, and so many have acknowledged it.
pub(crate) fn by_quorum(zxid: Zxid, durable: usize, acknowledged: usize, enough: usize) -> Verdict {
    require(NAME, durable >= enough, || {
        format!("{zxid} is committed, {durable} disks have it, {enough} should")
    })?;
    require("commit_quorum", acknowledged >= enough, || {
        format!("{zxid} is committed, {acknowledged} servers have acknowledged it, {enough} should")
    })
}

/// The last committed txn is on the disks of so many voters.
pub(crate) fn held(tail: Zxid, durable: usize, enough: usize) -> Verdict {
    require(NAME, durable >= enough, || {
        format!("{tail} was committed, {durable} disks have it, {enough} should")
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
