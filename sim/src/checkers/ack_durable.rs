//! S17: what a server acknowledges is on its disk, and so is what it votes with.

use super::{Verdict, require};
use crate::oracle::Ledger;
use quorate_core::vocabulary::{Epoch, Zxid};

const NAME: &str = "ack_durable";

/// A proposal is acknowledged.
pub(crate) fn proposal(server: usize, zxid: Zxid, durable: Zxid) -> Verdict {
    require(NAME, zxid <= durable, || format!("server {server} acknowledges {zxid}, its disk has {durable}"))
}

/// NEWLEADER is acknowledged, which found the history at `mark`.
pub(crate) fn new_leader(server: usize, epoch: Epoch, ledger: &Ledger, mark: Zxid) -> Verdict {
    let holds = ledger.durable >= mark && ledger.durable_epochs.current == epoch;
    require(NAME, holds, || {
        format!(
            "server {server} acknowledges the leader of {epoch:?} and its history up to {mark}: {ledger:?}"
        )
    })
}

/// A server says where its history ends, when it looks for a leader or to the one it found; or claims none, and asks for all of it,
/// as it must where a truncation has failed and the disk has not said what is left.
pub(crate) fn vote(server: usize, zxid: Zxid, ledger: &Ledger) -> Verdict {
    let is_known = zxid == ledger.durable && !ledger.is_being_cut();
    require(NAME, is_known || zxid == Zxid(-1), || {
        format!("server {server} claims {zxid}, of its disk is known: {ledger:?}")
    })
}
