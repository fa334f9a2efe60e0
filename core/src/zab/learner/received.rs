//! What a learner has received of its leader's history: appended, committed, acknowledged.
//!
//! Invariants: what is appended follows what was there without a gap (A2, A8); what is committed is the oldest txn that was appended and is
//! not yet (A1); nothing is acknowledged that is not durable (S17), nor out of order. Every proposal is acknowledged by a packet of its
//! own: Java counts them one by one.

use super::LearnerTurn;
use crate::contract::Outbox;
use crate::jute::{Encode as _, OpCode, QuorumPacket, Writer};
use crate::vocabulary::{LinkId, Zxid};
use crate::zab::config::LearnerKind;
use crate::zab::event::LearnerEvent;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Where a txn's header has its zxid, and what it is.
const ZXID_AT: usize = 12;
const OPCODE_AT: usize = 28;

/// Why a packet can't be what comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// History would have a gap, or go back.
    Gap(String),
    /// A committed txn is not the one that was proposed next.
    UnmatchedCommit(String),
    /// A change of the configuration, which this server can't follow.
    Reconfig(Zxid),
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) struct Received {
    /// Up to here it came otherwise: it was there, or in a snapshot. What is sent of that again is passed over.
    base: Zxid,
    last: Zxid,
    /// Appended and not committed, oldest first.
    pending: VecDeque<(Zxid, Bytes)>,
    /// Appended and not acknowledged, oldest first; of these only what NEWLEADER's acknowledgement does not cover.
    unacked: VecDeque<Zxid>,
    durable: Zxid,
    kind: LearnerKind,
}

impl Received {
    /// Behind a history that ends in `base`. An observer acknowledges nothing but NEWLEADER.
    pub(super) fn new(base: Zxid, kind: LearnerKind) -> Self {
        let (pending, unacked) = (VecDeque::new(), VecDeque::new());
        Received { base, last: base, pending, unacked, durable: Zxid::ZERO, kind }
    }

    /// Nothing has come yet, and history ends in `base` now.
    pub(super) fn rebase(&mut self, base: Zxid) {
        assert!(self.pending.is_empty(), "a history is replaced before it goes on");
        *self = Received::new(base, self.kind);
    }

    /// The end of what was appended.
    pub(super) fn last(&self) -> Zxid {
        self.last
    }

    /// A txn was proposed.
    pub(super) fn append(
        &mut self,
        zxid: Zxid,
        txn: Bytes,
        turn: &mut LearnerTurn<'_>,
    ) -> Result<(), Misfit> {
        if zxid <= self.base {
            return Ok(());
        }
        if !self.last.may_precede(zxid) {
            return Err(Misfit::Gap(format!("{zxid} was proposed behind {}", self.last)));
        }
        let header = txn.get(ZXID_AT..ZXID_AT + 8).and_then(|bytes| bytes.first_chunk());
        if header.map(|bytes| Zxid(i64::from_be_bytes(*bytes))) != Some(zxid) {
            return Err(Misfit::Gap(format!("the txn proposed as {zxid} is another one")));
        }
        self.last = zxid;
        self.pending.push_back((zxid, txn.clone()));
        if self.kind == LearnerKind::Follower {
            self.unacked.push_back(zxid);
        }
        turn.events.push(LearnerEvent::Append { zxid, txn });
        Ok(())
    }

    /// A txn was committed.
    pub(super) fn commit(&mut self, zxid: Zxid, turn: &mut LearnerTurn<'_>) -> Result<(), Misfit> {
        if zxid <= self.base {
            return Ok(());
        }
        match self.pending.pop_front() {
            Some((head, txn)) if head == zxid => {
                turn.events.push(LearnerEvent::Commit { zxid, txn });
                Ok(())
            }
            Some((head, _)) => Err(Misfit::UnmatchedCommit(format!(
                "{zxid} was committed, and {head} was proposed before it"
            ))),
            None => Err(Misfit::UnmatchedCommit(format!("{zxid} was committed and not proposed"))),
        }
    }

    /// A txn was committed that no proposal came for.
    pub(super) fn inform(
        &mut self,
        zxid: Zxid,
        txn: Bytes,
        turn: &mut LearnerTurn<'_>,
    ) -> Result<(), Misfit> {
        self.append(zxid, txn, turn)?;
        self.commit(zxid, turn)
    }

    /// NEWLEADER: whatever is committed is acknowledged with it, and only the rest for itself.
    pub(super) fn close_history(&mut self) -> Result<(), Misfit> {
        let first = self.pending.front().map(|(zxid, _)| *zxid);
        self.unacked.retain(|zxid| Some(*zxid) >= first && first.is_some());
        match self.pending.iter().find(|(_, txn)| is_reconfig(txn)) {
            Some((zxid, _)) => Err(Misfit::Reconfig(*zxid)),
            None => Ok(()),
        }
    }

    pub(super) fn logged(&mut self, zxid: Zxid) {
        self.durable = self.durable.max(zxid);
    }

    /// Acknowledges everything that is durable.
    pub(super) fn acknowledge(&mut self, link: LinkId, outbox: &mut Outbox) {
        let count = self.unacked.partition_point(|zxid| *zxid <= self.durable);
        if count > 0 {
            let acked = self.unacked.drain(..count);
            outbox.send_links([link], |out: &mut BytesMut| {
                acked.for_each(|zxid| QuorumPacket::Ack { zxid }.encode(&mut Writer::new(out)));
            });
        }
    }
}

/// Whether a txn changes the configuration.
pub(super) fn is_reconfig(txn: &Bytes) -> bool {
    let opcode = txn.get(OPCODE_AT..).and_then(|bytes| bytes.first_chunk());
    opcode.map(|bytes| i32::from_be_bytes(*bytes)) == Some(OpCode::Reconfig.code())
}
