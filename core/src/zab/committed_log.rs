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

#[cfg(test)]
mod tests {
    use super::*;

    fn log(last: i64, zxids: &[i64]) -> CommittedLog {
        let mut log = CommittedLog::new(Zxid(0), 3, 100);
        log.refill(Zxid(last), zxids.iter().map(|zxid| (Zxid(*zxid), Bytes::from_static(&[0; 10]))));
        log
    }

    fn behind(log: &CommittedLog, zxid: i64) -> Option<Vec<i64>> {
        log.after(Zxid(zxid)).map(|txns| txns.map(|(zxid, _)| zxid.0).collect())
    }

    #[test]
    fn it_knows_its_txns_what_lies_before_them_and_the_beginnings_of_their_epochs() {
        let (old, new) = (1 << 32, 2 << 32);
        let mut log = log(old + 8, &[old + 7, old + 8]);
        assert_eq!(behind(&log, old + 6), None, "the log goes on further back, and only it knows with what");
        assert_eq!(behind(&log, old + 7), Some(vec![old + 8]));
        log.push(Zxid(new + 1), Bytes::new());
        log.push(Zxid(new + 2), Bytes::new());
        assert_eq!(
            behind(&log, old + 7),
            Some(vec![old + 8, new + 1, new + 2]),
            "what has left is remembered"
        );
        assert_eq!(behind(&log, new), Some(vec![new + 1, new + 2]));
        assert_eq!(behind(&log, new + 2), Some(vec![]));
        assert_eq!(behind(&log, new + 3), None);
        assert_eq!(behind(&log, old + 9), None, "of that epoch, and not of this history");
        assert_eq!(log.at_or_before(Zxid(old + 9)), Some(Zxid(old + 8)));
        assert_eq!(log.at_or_before(Zxid(old + 6)), None);
    }

    #[test]
    fn it_is_bounded_by_count_and_by_bytes_and_keeps_at_least_the_newest() {
        let mut log = log(3, &[1, 2, 3]);
        log.push(Zxid(4), Bytes::from_static(&[0; 10]));
        assert_eq!((log.first(), log.len(), log.bytes()), (Some(Zxid(2)), 3, 30));
        log.push(Zxid(5), Bytes::from_static(&[0; 95]));
        assert_eq!((log.first(), log.last(), log.len()), (Some(Zxid(5)), Zxid(5), 1));
        log.push(Zxid(6), Bytes::from_static(&[0; 200]));
        assert_eq!((log.first(), log.len(), log.bytes()), (Some(Zxid(6)), 1, 200));
        assert_eq!(behind(&log, 5), Some(vec![6]));
    }

    #[test]
    fn txns_that_do_not_reach_the_end_of_history_are_of_no_use() {
        let begun = 2 << 32;
        let log = log(begun, &[1, 2]);
        assert!(log.is_empty());
        assert_eq!((log.last(), behind(&log, begun)), (Zxid(begun), Some(vec![])));
        assert_eq!(behind(&log, 2), None);
    }
}
