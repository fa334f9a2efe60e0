//! What a server's disk holds, as far as it was asked for and confirmed: where its history ends, and its epochs.
//!
//! A history is told by its last zxid, since the chain behind that is known. Ops that are not confirmed may have been done, not
//! done, or done in part when the process ends. So may a truncation that failed: whether the disk refused it, and is as it was, or
//! broke off, only the op behind it tells, which is confirmed in the first case alone.

use super::history::History;
use super::loss::{Doubt, Loss};
use quorate_core::contract::{EpochKind, Epochs, StoreSeq};
use quorate_core::vocabulary::{Epoch, Zxid};
use std::collections::{BTreeMap, VecDeque};

/// An op of the log's lane under way, and where history ends behind it.
#[derive(Clone, Copy, Debug)]
struct Pending {
    seq: StoreSeq,
    end: Zxid,
    /// It takes away what is behind this: a part of that may be done, even where it has failed.
    cuts_to: Option<Zxid>,
}

/// See the module's words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pending: VecDeque<Pending>,
    /// Where history ends when everything is done that was asked for.
    pub(crate) end: Zxid,
    /// Where the last snapshot ends that took the place of the log: what lies before it on the disk is of no use.
    pub(crate) floor: Zxid,
    /// How far it is confirmed.
    pub(crate) durable: Zxid,
    /// The last truncation that was asked for.
    pub(super) truncation: Option<StoreSeq>,
    pending_epochs: VecDeque<(StoreSeq, EpochKind, Epoch)>,
    /// As asked for.
    pub(crate) epochs: Epochs,
    /// As they are behind a power loss, at least.
    pub(crate) durable_epochs: Epochs,
    /// Of which epochs' leaders it has acknowledged history, and how far.
    pub(super) acknowledged: BTreeMap<Epoch, Zxid>,
    /// What of that rests on lies of the disk.
    pub(super) doubt: Option<Doubt>,
    /// What may be gone since it was looked at last.
    pub(super) loss: Option<Loss>,
}

fn set(epochs: &mut Epochs, kind: EpochKind, epoch: Epoch) {
    match kind {
        EpochKind::Accepted => epochs.accepted = epoch,
        EpochKind::Current => epochs.current = epoch,
    }
}

impl Ledger {
    /// An op of the log's lane is asked for, behind which history ends at `end`.
    pub(super) fn asked(&mut self, seq: StoreSeq, end: Zxid) {
        self.end = end;
        self.pending.push_back(Pending { seq, end, cuts_to: None });
    }

    /// An op is asked for that takes away all that is not of the history up to `to`.
    pub(super) fn cut_asked(&mut self, seq: StoreSeq, to: Zxid) {
        self.end = to;
        self.pending.push_back(Pending { seq, end: to, cuts_to: Some(to) });
    }

    /// The log was not truncated as it was asked, and the server takes it as it was; false when it is another op that failed.
    pub(super) fn truncation_failed(&mut self, seq: StoreSeq) -> bool {
        if self.truncation != Some(seq) {
            return false;
        }
        let mut end = self.durable;
        for pending in &mut self.pending {
            if pending.seq == seq {
                pending.end = end;
            }
            end = pending.end;
        }
        self.end = end;
        true
    }

    /// Whether a part of it may be gone that was confirmed, and nobody knows how much.
    pub(crate) fn is_being_cut(&self) -> bool {
        self.pending.iter().any(|pending| pending.cuts_to.is_some())
    }

    /// Whether what the disk does for the log at the moment is to truncate it.
    pub(crate) fn is_cutting(&self) -> bool {
        self.pending.front().is_some_and(|pending| self.truncation == Some(pending.seq))
    }

    /// Whether the history that ends at `zxid` is on the disk, and stays, whatever comes of the ops under way.
    pub(super) fn keeps(&self, zxid: Zxid, history: &History) -> bool {
        let mut cuts = self.pending.iter().filter_map(|pending| pending.cuts_to);
        history.holds(self.durable, zxid) && cuts.all(|to| history.holds(to, zxid))
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
        if let Some(loss) = &self.loss {
            return loss.may_recover(end, history);
        }
        if end == self.durable {
            return true;
        }
        let mut before = self.durable;
        for pending in &self.pending {
            let is_part = pending
                .cuts_to
                .is_some_and(|to| history.holds(before, end) && end >= history.cut(before, to));
            if end == pending.end || is_part {
                return true;
            }
            before = pending.end;
        }
        false
    }

    /// Whether these epochs may come back.
    pub(super) fn may_recover_epochs(&self, epochs: Epochs) -> bool {
        if let Some(loss) = &self.loss {
            return loss.may_recover_epochs(epochs);
        }
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

    /// It is of another disk from now on; what it has acknowledged before, others have heard.
    pub(super) fn is_replaced(&mut self, other: Ledger) {
        let acknowledged = std::mem::replace(self, other).acknowledged;
        acknowledged.into_iter().for_each(|(epoch, zxid)| self.acknowledge(epoch, zxid));
    }

    /// Whether nothing was ever written.
    pub(crate) fn is_new(&self) -> bool {
        self.end == Zxid::ZERO && self.epochs == Epochs::default()
    }

    /// The process has come back over this.
    pub(super) fn recovered(&mut self, end: Zxid, epochs: Epochs) {
        let acknowledged = std::mem::take(&mut self.acknowledged);
        let doubt = self.doubt.take().map(|doubt| doubt.over_a_restart(self.end, end));
        *self = Ledger {
            doubt,
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
