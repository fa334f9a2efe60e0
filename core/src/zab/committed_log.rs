//! The ring of recent committed txns: what learners are brought up to date from without touching the disk.
//!
//! Invariants: zxids follow each other without a gap; never more than the limits allow, but always the newest one; what lies right
//! before the oldest is known, unless the ring was filled from a log that goes on further back.

use crate::vocabulary::Zxid;
use bytes::Bytes;
use std::collections::VecDeque;

/// See the module's words.
#[derive(Clone, Debug)]
pub struct CommittedLog {
    txns: VecDeque<(Zxid, Bytes)>,
    /// The zxid right before the oldest txn, if that is known.
    before: Option<Zxid>,
    last: Zxid,
    bytes: usize,
    max_count: usize,
    max_bytes: usize,
}

impl CommittedLog {
    /// An empty ring behind a history that ends in `last`, for at most so many txns and bytes.
    pub fn new(last: Zxid, max_count: usize, max_bytes: usize) -> Self {
        CommittedLog {
            txns: VecDeque::new(),
            before: Some(last),
            last,
            bytes: 0,
            max_count: max_count.max(1),
            max_bytes,
        }
    }

    /// Takes the place of what was there: the newest txns of a history that ends in `last`, oldest first, without a gap. Txns that do
    /// not reach the end are of no use: behind a snapshot of Java's that is named after the beginning of an epoch, say.
    ///
    /// # Panics
    /// When they have a gap.
    pub fn refill(&mut self, last: Zxid, txns: impl IntoIterator<Item = (Zxid, Bytes)>) {
        self.txns.clear();
        self.bytes = 0;
        self.before = None;
        for (zxid, txn) in txns {
            match self.txns.back() {
                None => self.append(zxid, txn),
                Some(_) => self.push(zxid, txn),
            }
        }
        if self.txns.is_empty() || self.last != last {
            *self = CommittedLog::new(last, self.max_count, self.max_bytes);
        }
    }

    /// The next txn was committed.
    ///
    /// # Panics
    /// When it is not the next one: a gap here would be handed on to learners.
    pub fn push(&mut self, zxid: Zxid, txn: Bytes) {
        assert!(self.last.may_precede(zxid), "{zxid} does not follow {}", self.last);
        self.append(zxid, txn);
    }

    fn append(&mut self, zxid: Zxid, txn: Bytes) {
        self.bytes += txn.len();
        self.txns.push_back((zxid, txn));
        self.last = zxid;
        while self.txns.len() > self.max_count || (self.bytes > self.max_bytes && self.txns.len() > 1) {
            let (zxid, txn) = self.txns.pop_front().expect("there is more than one");
            self.bytes -= txn.len();
            self.before = Some(zxid);
        }
    }

    /// The end of history: the newest txn, or where the history ended when the ring was made.
    pub fn last(&self) -> Zxid {
        self.last
    }

    /// The oldest txn that is kept.
    pub fn first(&self) -> Option<Zxid> {
        self.txns.front().map(|(zxid, _)| *zxid)
    }

    /// How many txns are kept.
    pub fn len(&self) -> usize {
        self.txns.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.txns.is_empty()
    }

    /// Their bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What follows `zxid` in history, if that is a point of this history as far as the ring knows: a txn of it, the one right before
    /// the oldest, or the beginning of an epoch whose first txn is here.
    pub fn after(&self, zxid: Zxid) -> Option<impl Iterator<Item = &(Zxid, Bytes)> + Clone> {
        let next = self.txns.partition_point(|(other, _)| *other <= zxid);
        let is_known = match next.checked_sub(1) {
            Some(at) => self.txns[at].0 == zxid,
            None => self.before == Some(zxid),
        };
        let begins =
            zxid.counter() == 0 && self.txns.get(next).is_some_and(|(other, _)| *other == zxid.next());
        (is_known || begins).then(|| self.txns.range(next..))
    }

    /// The newest txn at or below `zxid`, if the ring reaches that far back.
    pub fn at_or_before(&self, zxid: Zxid) -> Option<Zxid> {
        match self.txns.partition_point(|(other, _)| *other <= zxid).checked_sub(1) {
            Some(at) => Some(self.txns[at].0),
            None => self.before.filter(|before| *before <= zxid),
        }
    }
}
