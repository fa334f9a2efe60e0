//! S14, S15, S16, S18, L7, D8: epochs never fall, are promised by a quorum before anybody leads in them, come back from a disk as they
//! were and as its files say, and are written behind the history they stand for; nothing of an earlier one is acknowledged any more, and none has more txns
//! than it has numbers for.

use super::{Verdict, require};
use crate::oracle::{Ledger, Voters};
use quorate_core::contract::{EpochKind, Epochs};
use quorate_core::vocabulary::{Epoch, Zxid};

const NAME: &str = "epochs";

/// `server`, whose epochs are `known`, asks for one to be written.
pub(crate) fn rises(server: usize, kind: EpochKind, known: Epochs, epoch: Epoch) -> Verdict {
    let holds = match kind {
        EpochKind::Accepted => epoch > known.accepted,
        EpochKind::Current => epoch >= known.current && epoch <= known.accepted,
    };
    require(NAME, holds, || format!("server {server} writes {kind:?} {epoch:?} over {known:?}"))
}

/// A leader begins `epoch`, which these voters have accepted, whom every quorum meets, or does not.
pub(crate) fn promised(epoch: Epoch, voters: Voters, is_enough: bool) -> Verdict {
    require(NAME, is_enough, || {
        format!("{epoch:?} begins with the word of {voters:?}, and there is a quorum without them")
    })
}

/// A leader logs `zxid` of its own; its epoch has numbers up to `last`.
pub(crate) fn has_room(zxid: Zxid, last: u32) -> Verdict {
    require(NAME, zxid.counter() <= last, || {
        format!("{zxid} is logged, and the zxids of an epoch are used up at {last}")
    })
}

/// A leader tells of `epoch`.
pub(crate) fn proposed(server: usize, epoch: Epoch, durable: Epochs) -> Verdict {
    require(NAME, durable.accepted == epoch, || {
        format!("server {server} tells of {epoch:?}, its disk has {durable:?}")
    })
}

/// A learner promises itself to its leader's epoch.
pub(crate) fn acknowledged(server: usize, epoch: Epoch, durable: Epochs) -> Verdict {
    require(NAME, durable.accepted == epoch, || {
        format!("server {server} accepts {epoch:?} and has {durable:?} on its disk")
    })
}

/// A learner acknowledges `zxid`.
pub(crate) fn no_ack_after_promise(server: usize, zxid: Zxid, epochs: Epochs) -> Verdict {
    require("no_ack_after_promise", zxid.epoch() == epochs.accepted, || {
        format!("server {server} acknowledges {zxid}, its epochs are {epochs:?}")
    })
}

/// A learner writes `epoch` as its history's; NEWLEADER found it at `mark`.
pub(crate) fn behind_history(server: usize, epoch: Epoch, durable: Zxid, mark: Zxid) -> Verdict {
    require("epoch_implies_history", durable >= mark, || {
        format!(
            "server {server} takes {epoch:?} for its own, its disk has {durable} of the history up to {mark}"
        )
    })
}

/// These came back from the disk of `server`, which may be, or may not.
pub(crate) fn recovered(server: usize, epochs: Epochs, ledger: &Ledger, may: bool) -> Verdict {
    require(NAME, may, || format!("server {server} comes back with {epochs:?}, {ledger:?}"))
}

/// `server` comes back with these, and those are what the files on its disk say.
pub(crate) fn written(server: usize, epochs: Epochs, files: Option<Epochs>) -> Verdict {
    require(NAME, files == Some(epochs), || {
        format!("server {server} comes back with {epochs:?}, its files say {files:?}")
    })
}
