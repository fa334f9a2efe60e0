//! What a disk has taken away that was confirmed: it had lied about a sync, or what was synced has rotted. Both only where a quorum bears
//! it: from that moment on the server counts as one without a disk, until it has come back with what is left.

use super::Oracle;
use super::history::History;
use super::ledger::Ledger;
use crate::checkers::lies::Lies;
use crate::disk::{SimDisk, Spared};
use quorate_core::contract::{EpochKind, Epochs};
use quorate_core::vocabulary::Zxid;

/// What was durable when the disk told the first lie that is not made up for.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    durable: Zxid,
    epochs: Epochs,
    /// Something was taken away since, which may come back.
    is_cut: bool,
}

impl Doubt {
    /// The process has come back over the system's cache with a history that ends at `end`, of `asked` that was asked for.
    pub(super) fn over_a_restart(self, asked: Zxid, end: Zxid) -> Self {
        Doubt { is_cut: self.is_cut || asked != end, ..self }
    }
}

/// Who took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Lie,
    Rot,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) struct Loss {
    cause: Cause,
    /// How far history was confirmed, and epochs.
    had: (Zxid, Epochs),
    /// What comes back at least.
    least: (Zxid, Epochs),
    /// And at most.
    most: (Zxid, Epochs),
    /// Nothing is gone that it takes to start.
    must_start: bool,
}

impl Loss {
    pub(super) fn may_recover(&self, end: Zxid, history: &History) -> bool {
        end >= self.least.0 && history.holds(self.most.0, end)
    }

    /// The two files each on its own.
    pub(super) fn may_recover_epochs(&self, epochs: Epochs) -> bool {
        let ((_, least), (_, most)) = (self.least, self.most);
        (least.accepted..=most.accepted).contains(&epochs.accepted)
            && (least.current..=most.current).contains(&epochs.current)
    }

    /// Whether this is less than what was confirmed.
    pub(super) fn is_felt(&self, end: Zxid, epochs: Epochs, history: &History) -> bool {
        let (had, known) = self.had;
        !history.holds(end, had) || epochs.accepted < known.accepted || epochs.current < known.current
    }
}

impl Ledger {
    /// Whether something that the disk has said is not so at the moment.
    pub(crate) fn disk_says(&mut self, lies: bool) {
        if !lies {
            self.doubt = None;
        } else if self.doubt.is_none() {
            self.doubt = Some(Doubt { durable: self.durable, epochs: self.durable_epochs, is_cut: false });
        }
        let is_cut = self.is_being_cut();
        if let Some(doubt) = &mut self.doubt {
            doubt.is_cut |= is_cut;
        }
    }

    /// All of it is in doubt, but for what `least` says.
    fn lose(&mut self, (cause, must_start): (Cause, bool), least: (Zxid, Epochs)) {
        let before = std::mem::take(self);
        let had = (before.durable, before.durable_epochs);
        self.loss = Some(Loss { cause, had, least, most: (before.end, before.epochs), must_start });
        // What it has said, others have heard.
        (self.floor, self.acknowledged) = (before.floor, before.acknowledged);
    }
}

impl Oracle {
    /// Whether the power may take what this disk has lied about. Not where it might put a history together that never was, and nobody could
    /// tell: that is so where what the logs lose ends with an epoch, where a snapshot is lost and what it stood for was removed, and where
    /// something comes back that was taken away.
    pub(crate) fn may_lose_lies(&mut self, server: usize, disk: &SimDisk) -> bool {
        self.views[server].ledger.disk_says(true);
        let ledger = &self.views[server].ledger;
        // An epoch that was asked for may come back, too: with less history it would win every election.
        let at_most = (ledger.durable, ledger.epochs);
        let Some(doubt) = &ledger.doubt else { return false };
        let is_one_epoch = doubt.durable.epoch() == ledger.end.epoch();
        let is_told = ledger.loss.is_some() || is_one_epoch || !disk.lies().of_logs;
        let is_told = is_told && !doubt.is_cut && !disk.lies_about_snapshots() && disk.has_epochs();
        is_told && self.others_have(server, at_most)
    }

    /// The power takes what it may of these lies.
    pub(crate) fn loses_lies(&mut self, server: usize, lies: Lies) {
        self.has_forgotten(server);
        let ledger = &mut self.views[server].ledger;
        if let Some(loss) = &mut ledger.loss {
            loss.must_start = false;
        }
        // What was in doubt before still is.
        if let (Some(doubt), None) = (ledger.doubt.take(), &ledger.loss) {
            let history = if lies.of_logs { doubt.durable } else { ledger.durable };
            // Of an epoch's file that was lied about the first digits may be left, and nothing tells.
            let epochs = if lies.of_snapshots { Epochs::default() } else { doubt.epochs };
            ledger.lose((Cause::Lie, false), (history, epochs));
        }
    }

    /// Whether this disk may rot. Not where something else may be gone from it already, or is on its way to be.
    pub(crate) fn may_rot(&self, server: usize, disk: &SimDisk) -> bool {
        let ledger = &self.views[server].ledger;
        let is_in_doubt = ledger.is_being_cut() || ledger.loss.is_some() || disk.lies().any();
        !is_in_doubt && self.others_have(server, (ledger.durable, ledger.epochs))
    }

    /// It has rotted: what comes back has to be as much as is left, and all of it, wherever its end tells that it was more. What nobody needs
    /// to come back is no reason to refuse.
    pub(crate) fn rots(&mut self, server: usize, spared: Spared) {
        self.has_forgotten(server);
        let ledger = &mut self.views[server].ledger;
        let mut epochs = ledger.durable_epochs;
        match spared.epoch {
            Some((EpochKind::Accepted, accepted)) => epochs.accepted = accepted.unwrap_or_default(),
            Some((EpochKind::Current, current)) => epochs.current = current.unwrap_or_default(),
            None => {}
        }
        let least = spared.history.min(ledger.durable);
        ledger.lose((Cause::Rot, spared.must_start), (least, epochs));
    }

    /// Who has taken what may be missing on its disk of what was confirmed, if it is something without which it need not start.
    pub(crate) fn may_refuse(&self, server: usize) -> Option<Cause> {
        self.views[server].ledger.loss.as_ref().filter(|loss| !loss.must_start).map(|loss| loss.cause)
    }

    /// A member has come back up to `last`, as it may: what that says of its loss, if it had one.
    pub(super) fn found_again(&mut self, server: usize, last: Zxid, epochs: Epochs) {
        let Some(loss) = self.views[server].ledger.loss.take() else { return };
        let is_felt = loss.is_felt(last, epochs, &self.history);
        self.probes.push(match (loss.cause, is_felt) {
            (Cause::Lie, true) => "lie_lost_in_ensemble",
            (Cause::Lie, false) => "lie_did_no_harm",
            (Cause::Rot, true) => "rot_recovered_less",
            (Cause::Rot, false) => "rot_harmless",
        });
    }
}
