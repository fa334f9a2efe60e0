//! What a server's disk holds, as far as it was asked for and confirmed: where its history ends, and its epochs.
//!
//! A history is told by its last zxid, since the chain behind that is known. Ops that are not confirmed may have been done, not
//! done, or done in part when the process ends.

use super::history::History;
use quorate_core::contract::{EpochKind, Epochs, StoreSeq};
use quorate_core::vocabulary::{Epoch, Zxid};
use std::collections::{BTreeMap, VecDeque};

/// An op of the log's lane under way, and where history ends behind it.
#[derive(Clone, Copy, Debug)]
struct Pending {
    seq: StoreSeq,
    end: Zxid,
    /// It takes something away: a part of that may be done.
    is_cut: bool,
}

/// See the module's words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pending: VecDeque<Pending>,
    /// Where history ends when everything is done that was asked for.
    pub(crate) end: Zxid,
    /// Where the last snapshot ends that took the place of the log: what lies before it on the disk is of no use.
    pub(crate) floor: Zxid,
    /// Where it ends if the power goes now and takes all it can.
    pub(crate) durable: Zxid,
    /// The last truncation that was asked for.
    pub(super) truncation: Option<StoreSeq>,
    pending_epochs: VecDeque<(StoreSeq, EpochKind, Epoch)>,
    /// As asked for.
    pub(crate) epochs: Epochs,
    /// As they are behind a power loss, at least.
    pub(crate) durable_epochs: Epochs,
    /// Of which epochs' leaders it has acknowledged history, and how far.
    acknowledged: BTreeMap<Epoch, Zxid>,
}

fn set(epochs: &mut Epochs, kind: EpochKind, epoch: Epoch) {
    match kind {
        EpochKind::Accepted => epochs.accepted = epoch,
        EpochKind::Current => epochs.current = epoch,
    }
}

impl Ledger {
    /// An op of the log's lane is asked for, behind which history ends at `end`.
    pub(super) fn asked(&mut self, seq: StoreSeq, end: Zxid, is_cut: bool) {
        self.end = end;
        self.pending.push_back(Pending { seq, end, is_cut });
    }

    /// The log can't be truncated as it was asked, and is as it was; false when it is another op that failed.
    pub(super) fn refused(&mut self, seq: StoreSeq) -> bool {
        if self.truncation != Some(seq) {
            return false;
        }
        self.pending.retain(|pending| pending.seq != seq);
        self.end = self.pending.back().map_or(self.durable, |pending| pending.end);
        true
    }

    /// Everything up to `seq` is durable.
    pub(super) fn confirmed(&mut self, seq: StoreSeq) {
        while let Some(pending) = self.pending.front()
            && pending.seq <= seq
        {
            self.durable = pending.end;
            self.pending.pop_front();
        }
    }

    pub(super) fn epoch_asked(&mut self, seq: StoreSeq, kind: EpochKind, epoch: Epoch) {
        set(&mut self.epochs, kind, epoch);
        self.pending_epochs.push_back((seq, kind, epoch));
    }

    /// Every epoch up to `seq` is durable.
    pub(super) fn epochs_confirmed(&mut self, seq: StoreSeq) {
        while let Some((asked, kind, epoch)) = self.pending_epochs.front().copied()
            && asked <= seq
        {
            set(&mut self.durable_epochs, kind, epoch);
            self.pending_epochs.pop_front();
        }
    }

    /// Whether a history that ends at `end` may come back from the disk as it is now.
    pub(super) fn may_recover(&self, end: Zxid, history: &History) -> bool {
        if end == self.durable {
            return true;
        }
        let mut before = self.durable;
        for pending in &self.pending {
            let is_part =
                pending.is_cut && history.holds(before, end) && end >= history.cut(before, pending.end);
            if end == pending.end || is_part {
                return true;
            }
            before = pending.end;
        }
        false
    }

    /// Whether these epochs may come back.
    pub(super) fn may_recover_epochs(&self, epochs: Epochs) -> bool {
        let mut possible = self.durable_epochs;
        let mut is_possible = possible == epochs;
        for (_, kind, epoch) in &self.pending_epochs {
            set(&mut possible, *kind, *epoch);
            is_possible |= possible == epochs;
        }
        is_possible
    }

    /// It acknowledges history up to `zxid` to the leader of `epoch`.
    pub(super) fn acknowledge(&mut self, epoch: Epoch, zxid: Zxid) {
        let known = self.acknowledged.entry(epoch).or_default();
        *known = zxid.max(*known);
    }

    /// Whether it has acknowledged `zxid` to the leader of `epoch`.
    pub(super) fn acknowledges(&self, epoch: Epoch, zxid: Zxid) -> bool {
        self.acknowledged.get(&epoch).is_some_and(|acknowledged| *acknowledged >= zxid)
    }

    /// Whether nothing was ever written.
    pub(crate) fn is_new(&self) -> bool {
        self.end == Zxid::ZERO && self.epochs == Epochs::default()
    }

    /// The process has come back over this.
    pub(super) fn recovered(&mut self, end: Zxid, epochs: Epochs) {
        let acknowledged = std::mem::take(&mut self.acknowledged);
        *self = Ledger {
            end,
            floor: self.floor,
            durable: end,
            epochs,
            durable_epochs: epochs,
            acknowledged,
            ..Ledger::default()
        };
    }
}
