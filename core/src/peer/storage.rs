//! What storage confirms: of the log, the next part of history, which is applied now.

use super::Peer;
use super::role::Role;
use crate::contract::{Outbox, PeerEvent, StoreSeq};
use crate::metrics::Counter;
use crate::pipeline::{Origin, Proposal};
use crate::vocabulary::{Millis, Now};

/// A request that took this long is worth a line.
const SLOW: Millis = Millis(1_000);

impl Peer {
    pub(super) fn log_stored(&mut self, now: Now, seq: StoreSeq, outbox: &mut Outbox) {
        assert!(seq <= self.log_seq, "storage confirms {seq:?}, which nobody asked for");
        match self.role {
            // Alone, durable here is committed.
            Role::Standalone => self.commit_up_to(now, seq, outbox),
        }
        self.end_when_drained(outbox);
    }

    fn commit_up_to(&mut self, now: Now, seq: StoreSeq, outbox: &mut Outbox) {
        while let Some(proposal) = self.commit.pop_stored(seq) {
            self.note_slow(now, &proposal, outbox);
            let (zxid, origin) = (proposal.zxid(), proposal.origin);
            self.state.apply(proposal, now, outbox);
            let removed = self.prep.applied(zxid);
            self.state.metrics.count_by(Counter::OutstandingChangesRemoved, removed as u64);
            if let Origin::Handshake { conn, .. } = origin {
                self.admit_early(now, conn, outbox);
            }
            self.snapshot_if_due(now, outbox);
        }
    }

    fn note_slow(&mut self, now: Now, proposal: &Proposal, outbox: &mut Outbox) {
        let Origin::Request { opcode, arrived, .. } = proposal.origin else { return };
        let took = now.mono.millis_since(arrived);
        if took >= SLOW && self.pressure.may_tell_slow(now.mono) {
            outbox.event(PeerEvent::SlowRequest { session: proposal.txn.header.session, opcode, took });
        }
    }
}
