//! What storage is asked for and confirms: of the log, the next part of history, which a server alone applies now.

use super::Peer;
use super::role::Role;
use crate::contract::{Lane, Outbox, Output, PeerEvent, StoreOp, StoreSeq};
use crate::metrics::{Basic, Counter};
use crate::pipeline::{Origin, Proposal};
use crate::vocabulary::{Millis, Now, Zxid};
use bytes::Bytes;

/// A request that took this long is worth a line.
const SLOW: Millis = Millis(1_000);
/// So much is applied by one input, in txns of one change; what one sync made durable beyond that waits for the next, and whoever
/// asked for something meanwhile comes between.
const WORK_A_PART: usize = 64;
/// An answer on another connection than the one before counts as so much, for it is a packet of its own; so does a txn of
/// the server's own, for it ends a connection.
const WORK_A_PACKET: usize = 8;

impl Peer {
    pub(super) fn log_stored(&mut self, now: Now, seq: StoreSeq, outbox: &mut Outbox) {
        assert!(seq <= self.log_seq, "storage confirms {seq:?}, which nobody asked for");
        let batch = self.commit.count_stored(seq) - self.commit.count_stored(self.log_stored);
        if batch > 0 {
            self.state.metrics.add(Basic::SyncProcessorBatchSize, batch as i64);
        }
        self.log_stored = seq;
        match self.role {
            Role::Standalone => self.committed = self.commit.last_stored(seq).unwrap_or(self.committed),
            Role::Member(_) => self.history_stored(now, outbox),
        }
        self.go_on(now, outbox);
    }

    /// The next op of the log's lane.
    pub(super) fn store_log(&mut self, op: StoreOp, outbox: &mut Outbox) -> StoreSeq {
        self.log_seq = StoreSeq(self.log_seq.0 + 1);
        let seq = self.log_seq;
        outbox.push(Output::Store { lane: Lane::Log, seq, op });
        seq
    }

    /// Appends a txn to the log.
    pub(super) fn append(&mut self, zxid: Zxid, bytes: &Bytes, outbox: &mut Outbox) -> StoreSeq {
        self.snapshots.appended(bytes.len());
        self.space_taken(bytes.len(), outbox);
        let seq = self.store_log(StoreOp::Append { zxid, txn: bytes.clone() }, outbox);
        if let Role::Member(member) = &mut self.role {
            member.note_logging(seq, zxid);
        }
        seq
    }

    /// Whether an input has left something behind that another could do at once.
    pub fn has_more(&self) -> bool {
        !self.state.connections.unfinished.is_empty() || self.commit.has_committed(self.committed)
    }

    /// Answers what was left, then applies what is committed, as long as one input may: a connection's reads must not see what was
    /// written behind them.
    pub(super) fn go_on(&mut self, now: Now, outbox: &mut Outbox) {
        let (mut done, mut answered) = (0, None);
        while done < WORK_A_PART && !self.state.is_part_full(outbox) {
            if let Some(conn) = self.state.connections.unfinished.pop_front() {
                self.admit_early(now, conn, outbox);
                self.state.drain_queue(conn, now, outbox);
                continue;
            }
            let Some(proposal) = self.commit.pop(self.committed) else { return };
            done += proposal.work();
            done += match proposal.origin {
                Origin::Request { conn, .. } | Origin::Handshake { conn, .. } => {
                    if answered.replace(conn) == Some(conn) { 0 } else { WORK_A_PACKET }
                }
                Origin::Server => WORK_A_PACKET,
                Origin::Elsewhere | Origin::Leader => 0,
            };
            self.note_slow(now, &proposal, outbox);
            let zxid = proposal.zxid();
            self.end_fuzziness_before(zxid);
            let origin = self.state.apply(proposal, now, outbox);
            let removed = self.prep.applied(zxid);
            self.state.metrics.count_by(Counter::OutstandingChangesRemoved, removed as u64);
            if let Origin::Handshake { conn, .. } = origin {
                self.admit_early(now, conn, outbox);
            }
            self.snapshot_if_due(now, outbox);
        }
    }

    /// The txn is to be applied: it is in no tree yet if it is behind what a fuzzy one may have held.
    pub(super) fn end_fuzziness_before(&mut self, next: Zxid) {
        if next > self.state.fuzzy_until {
            self.end_fuzziness();
        }
    }

    /// From here on whatever can't be applied or has another digest is an error.
    pub(super) fn end_fuzziness(&mut self) {
        if self.state.fuzzy_until != Zxid::ZERO {
            self.state.fuzzy_until = Zxid::ZERO;
            self.state.database.end_replay();
            self.mismatches_at_start = self.state.database.digest_mismatches();
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
