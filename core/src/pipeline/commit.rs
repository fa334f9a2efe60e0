//! Commit: txns wait here, in zxid order, until whoever decides about durability says how far history is committed; reads wait
//! in their connection's queue for its own earlier writes, and for nothing else (`client-protocol.md` §9).
//!
//! Invariants: log places rise, and zxids without a gap; a commit takes txns from the front only; a reply leaves only
//! when its request is the head of its connection's queue (ZOOKEEPER-1863).

use super::connection::Pending;
use super::connections::Slot;
use super::proposal::{Origin, Proposal};
use super::state::ServerState;
use crate::contract::{Outbox, StoreSeq};
use crate::jute::{OpCode, Request};
use crate::vocabulary::{ConnId, Now, SessionId, Zxid};
use std::collections::VecDeque;
use std::sync::Arc;

/// Txns that are not committed yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct CommitQueue {
    uncommitted: VecDeque<Proposal>,
    /// What the server's own are of work: one for each txn, and for each node that it removes.
    own_work: usize,
}

impl CommitQueue {
    /// Puts a txn behind all others.
    pub(crate) fn push(&mut self, proposal: Proposal) {
        if let Some(last) = self.uncommitted.back() {
            assert!(last.zxid().may_precede(proposal.zxid()), "a txn out of order");
            assert!(proposal.seq >= last.seq, "a txn out of order in the log");
        }
        self.own_work += own_work(&proposal);
        self.uncommitted.push_back(proposal);
    }

    /// Takes the oldest txn, if it is `committed`.
    pub(crate) fn pop(&mut self, committed: Zxid) -> Option<Proposal> {
        if !self.has_committed(committed) {
            return None;
        }
        let proposal = self.uncommitted.pop_front()?;
        self.own_work -= own_work(&proposal);
        Some(proposal)
    }

    /// What waits of the server's own txns, in txns and in nodes that they remove.
    pub(crate) fn own_work(&self) -> usize {
        self.own_work
    }

    /// Whether the oldest txn is `committed` and can be applied.
    pub(crate) fn has_committed(&self, committed: Zxid) -> bool {
        self.uncommitted.front().is_some_and(|proposal| proposal.zxid() <= committed)
    }

    /// How many of the txns that wait stand in the log no later than `seq`.
    pub(crate) fn count_stored(&self, seq: StoreSeq) -> usize {
        self.uncommitted.partition_point(|proposal| proposal.seq <= seq)
    }

    /// The last txn of those that stand in the log no later than `seq`.
    pub(crate) fn last_stored(&self, seq: StoreSeq) -> Option<Zxid> {
        let count = self.count_stored(seq);
        Some(self.uncommitted.get(count.checked_sub(1)?)?.zxid())
    }

    /// The last txn that waits.
    pub(crate) fn last_zxid(&self) -> Option<Zxid> {
        self.uncommitted.back().map(Proposal::zxid)
    }

    /// Takes everything, for whoever applies it without being asked.
    pub(crate) fn take(&mut self) -> VecDeque<Proposal> {
        self.own_work = 0;
        std::mem::take(&mut self.uncommitted)
    }

    /// The createSession of `session` that is not applied yet gets another origin; false when there is none.
    pub(crate) fn hand_over(&mut self, session: SessionId, origin: Origin) -> bool {
        let is_its = |proposal: &&mut Proposal| {
            proposal.txn.header.session == session && proposal.txn.header.opcode == OpCode::CreateSession
        };
        let found = self.uncommitted.iter_mut().find(is_its);
        found.map(|proposal| proposal.origin = origin).is_some()
    }

    /// How many txns wait.
    pub(crate) fn len(&self) -> usize {
        self.uncommitted.len()
    }

    /// Whether none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.uncommitted.is_empty()
    }

    /// Lets `conn` be looked after when the last txn under way is applied; none when there is none.
    pub(crate) fn wake_behind_last(&mut self, conn: ConnId) -> Option<Zxid> {
        let last = self.uncommitted.back_mut()?;
        last.wakes.push(conn);
        Some(last.zxid())
    }

    /// Lets `conn` be looked after when this txn is applied; false when it is not under way.
    pub(crate) fn wake_behind(&mut self, zxid: Zxid, conn: ConnId) -> bool {
        let found = self.uncommitted.binary_search_by_key(&zxid, Proposal::zxid);
        found.map(|place| self.uncommitted[place].wakes.push(conn)).is_ok()
    }

    /// The txns that wait, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Proposal> + '_ {
        self.uncommitted.iter()
    }
}

fn own_work(proposal: &Proposal) -> usize {
    match proposal.origin {
        Origin::Server => proposal.work(),
        Origin::Request { .. } | Origin::Handshake { .. } | Origin::Elsewhere | Origin::Leader => 0,
    }
}

impl ServerState {
    /// Whether the input under way has asked for enough.
    pub(crate) fn is_part_full(&self, outbox: &Outbox) -> bool {
        outbox.bytes() >= self.part_end
    }

    /// Answers what has come to the head of a connection's queue and can be answered, as long as the input under way may.
    pub(crate) fn drain_queue(&mut self, conn: ConnId, now: Now, outbox: &mut Outbox) {
        while let Some(slot) = self.connections.slot(conn)
            && self.is_head_ready(slot)
        {
            if self.is_part_full(outbox) {
                return self.connections.unfinished.push_back(conn);
            }
            match self.connections.dequeue(slot).expect("a ready head is there") {
                Pending::Read { xid, request, identities, arrived } => {
                    self.read((slot, xid, arrived), &request, &identities, now, outbox);
                }
                Pending::Refused { xid, opcode, code, arrived } => {
                    self.refuse((slot, xid, arrived), (opcode, code), now, outbox);
                }
                Pending::Barrier { .. } => {}
                Pending::OwnSync { .. } => self.end_sync(slot),
                Pending::Sync { xid, path, arrived, .. } => {
                    self.end_sync(slot);
                    let identities = Arc::clone(&self.connections.at(slot).identities);
                    self.read((slot, xid, arrived), &Request::Sync { path }, &identities, now, outbox);
                }
                Pending::Write { .. } | Pending::Forwarded { .. } => {
                    unreachable!("a write is answered by its txn")
                }
            }
        }
    }

    /// What came behind a sync is looked at next.
    fn end_sync(&mut self, slot: Slot) {
        let connection = self.connections.at_mut(slot);
        connection.is_syncing = false;
        let conn = connection.id();
        self.connections.unfinished.push_back(conn);
    }

    fn is_head_ready(&self, slot: Slot) -> bool {
        match self.connections.at(slot).queue.front() {
            None | Some(Pending::Write { .. } | Pending::Forwarded { .. }) => false,
            Some(Pending::Barrier { zxid }) => self.database.last_zxid() >= *zxid,
            Some(Pending::Sync { ready_at, .. } | Pending::OwnSync { ready_at }) => {
                ready_at.is_some_and(|zxid| self.database.last_zxid() >= zxid)
            }
            Some(Pending::Read { .. } | Pending::Refused { .. }) => true,
        }
    }
}
