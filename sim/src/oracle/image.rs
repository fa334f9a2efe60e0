//! A history that has begun before the run: its txns are committed, and stand at its beginning as any others do, but nobody knows who had
//! asked for them.

use super::Oracle;
use super::history::{Cause, History, Origin};
use crate::disk::Image;
use quorate_core::jute::{OpCode, Txn, TxnHeader, TxnRecord};
use quorate_core::vocabulary::Zxid;

impl Oracle {
    /// Every disk holds this before anybody starts.
    pub(crate) fn begins_with(&mut self, image: &Image) {
        self.history.begins_with(image);
        let end = self.history.tail();
        self.tally.tail = end;
        for view in &mut self.views {
            view.ledger.recovered(end, image.epochs);
            view.honest = end;
        }
    }
}

impl History {
    /// All this was committed before the run.
    pub(super) fn begins_with(&mut self, image: &Image) {
        let mut before = Zxid::ZERO;
        for (txn, bytes) in &image.txns {
            let TxnHeader { session, zxid, .. } = txn.header;
            match txn.record {
                TxnRecord::CreateSession { .. } => {
                    self.created.insert(session);
                }
                TxnRecord::CloseSession { .. } => {
                    self.closing.insert(session);
                    self.ended.insert(session, zxid.epoch());
                }
                _ => {}
            }
            let (bytes, cause, applied) = (bytes.clone(), Cause::Image, before);
            let (proposer, no_ephemeral, moved_to) = (0, None, None);
            self.committed.push(txn.clone());
            self.origins.push(Origin { bytes, cause, applied, before, proposer, no_ephemeral, moved_to });
            before = zxid;
        }
        self.image = self.committed.len();
    }

    /// What counts on from what was there.
    pub(super) fn count_image(&mut self, position: usize) {
        let record = &self.committed[position].record;
        self.versions.counted(record);
        if let TxnRecord::Create(create) = record {
            self.sequence_numbers.counted(create);
        }
    }

    /// A session of before the run has ended: nobody had come back to it.
    pub(super) fn note_old_session(&mut self, position: usize) {
        let header = self.committed[position].header;
        let is_old = |txn: &Txn| {
            txn.header.session == header.session && matches!(txn.record, TxnRecord::CreateSession { .. })
        };
        if let (Cause::Expiry, OpCode::CloseSession) = (&self.origins[position].cause, header.opcode)
            && self.committed[..self.image].iter().any(is_old)
        {
            self.probes.push("old_session_expired");
        }
    }
}

/// Numbers that have come to their ends.
pub(super) fn ends_reached(record: &TxnRecord, probes: &mut Vec<&'static str>) {
    match record {
        TxnRecord::Create(create) if create.path.ends_with("2147483647") => {
            probes.push("sequence_number_ends");
        }
        TxnRecord::SetData { version: i32::MIN, .. } => probes.push("version_ends"),
        TxnRecord::SetData { version: 0, .. } => probes.push("version_that_means_any_left_out"),
        TxnRecord::SetAcl { version: i32::MIN, .. } => probes.push("acl_version_ends"),
        TxnRecord::Multi(parts) if parts.iter().all(|(opcode, _)| *opcode != OpCode::Error) => {
            parts.iter().for_each(|(_, part)| ends_reached(part, probes))
        }
        _ => {}
    }
}
