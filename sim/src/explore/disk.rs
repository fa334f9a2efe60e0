//! A disk in a few lines: a history of txns, two epoch files, and what was asked for and is not durable. A crash takes that away.
//!
//! A step of a lane makes its oldest op durable, all of it; what a disk does to half an op is the business of `crate::disk`.

use bytes::{Bytes, BytesMut};
use quorate_core::contract::{EpochKind, Epochs, History, Input, Lane, StoreOp, StoreSeq};
use quorate_core::jute::{FieldLimit, Reader, Txn};
use quorate_core::tree::{Database, SnapshotDecoder, SnapshotImage, TreeOptions, Unobserved};
use quorate_core::vocabulary::{Epoch, LookupSeed, Zxid};
use std::collections::VecDeque;

/// Every table of every server: here they need no key of their own.
pub(super) const SEED: LookupSeed = LookupSeed(1);

/// A txn, as it stands in a log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) zxid: Zxid,
    pub(super) txn: Bytes,
}

impl Entry {
    pub(super) fn read(&self) -> Txn {
        let limit = FieldLimit::default();
        Txn::decode_all(&mut Reader::with_limit(self.txn.clone(), limit)).expect("a leader made it")
    }
}

/// An op that is not durable yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Op {
    Append(Entry),
    Truncate(Zxid),
    /// The bytes of a snapshot, and the history that it stands for.
    Replace {
        zxid: Zxid,
        snapshot: Bytes,
        stands_for: Vec<Entry>,
    },
    Epoch {
        is_current: bool,
        epoch: u32,
    },
    /// Something that leaves no trace here.
    Other,
}

impl Op {
    /// What a peer asks for. A snapshot that takes the place of the history stands for what its sender had.
    pub(super) fn new(op: StoreOp, stands_for: &[Entry]) -> Self {
        match op {
            StoreOp::Append { zxid, txn } => Op::Append(Entry { zxid, txn }),
            StoreOp::Truncate { to } => Op::Truncate(to),
            StoreOp::Replace(image) => {
                Op::Replace { zxid: image.zxid(), snapshot: written(image), stands_for: stands_for.to_vec() }
            }
            StoreOp::Epoch { kind, epoch } => {
                Op::Epoch { is_current: kind == EpochKind::Current, epoch: epoch.0 }
            }
            _ => Op::Other,
        }
    }

    /// What becomes of a history by it. None where that would be no history.
    pub(super) fn change(&self, history: &mut Vec<Entry>) -> Option<()> {
        match self {
            Op::Append(entry) => {
                if !end_of(history).may_precede(entry.zxid) {
                    return None;
                }
                history.push(entry.clone());
            }
            Op::Truncate(to) => history.retain(|entry| entry.zxid <= *to),
            Op::Replace { stands_for, .. } => history.clone_from(stands_for),
            Op::Epoch { .. } | Op::Other => {}
        }
        Some(())
    }
}

/// The last zxid of a history.
pub(super) fn end_of(history: &[Entry]) -> Zxid {
    history.last().map_or(Zxid::ZERO, |entry| entry.zxid)
}

fn written(image: SnapshotImage) -> Bytes {
    let mut encoder = image.encoder();
    let mut bytes = BytesMut::new();
    while encoder.next_chunk(&mut bytes) {}
    bytes.freeze()
}

/// What survives a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Disk {
    /// Oldest first; the first ones only by the snapshot that stands for them.
    pub(super) history: Vec<Entry>,
    pub(super) snapshot: Option<(Zxid, Bytes)>,
    pub(super) accepted: u32,
    pub(super) current: u32,
}

impl Disk {
    /// Makes an op durable, and says so as the peer is told. None where what was asked for can't be: a hole in the log, an epoch that falls.
    pub(super) fn finish(&mut self, lane: Lane, seq: StoreSeq, op: Op) -> Option<Input> {
        if let (Op::Truncate(to), Some((zxid, _))) = (&op, &self.snapshot)
            && zxid > to
        {
            let reason = "only a snapshot beyond that is left".to_owned();
            return Some(Input::StoreFailed { lane, seq, reason });
        }
        op.change(&mut self.history)?;
        match op {
            Op::Truncate(_) => {
                let history = Box::new(self.recover());
                return Some(Input::Truncated { seq, history });
            }
            Op::Replace { zxid, snapshot, .. } => self.snapshot = Some((zxid, snapshot)),
            Op::Epoch { is_current, epoch } => {
                let file = if is_current { &mut self.current } else { &mut self.accepted };
                if epoch < std::mem::replace(file, epoch) {
                    return None;
                }
            }
            Op::Append(_) | Op::Other => {}
        }
        Some(Input::Stored { lane, seq })
    }

    /// The txns that the log itself has.
    fn log(&self) -> impl Iterator<Item = &Entry> {
        let begin = self.snapshot.as_ref().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
        self.history.iter().filter(move |entry| entry.zxid > begin)
    }

    /// What a start finds.
    pub(super) fn recover(&self) -> History {
        let mut database = match &self.snapshot {
            None => Database::new(SEED, TreeOptions::default()),
            Some((zxid, bytes)) => {
                let mut decoder = SnapshotDecoder::new(SEED, TreeOptions::default(), *zxid);
                decoder.push(bytes).expect("what was written can be read");
                decoder.finish().expect("all of it is there")
            }
        };
        let mut recent = VecDeque::new();
        for entry in self.log() {
            database.apply(&entry.read(), &mut Unobserved).expect("what was logged can be applied");
            recent.push_back((entry.zxid, entry.txn.clone()));
        }
        History { database, recent }
    }

    pub(super) fn epochs(&self) -> Epochs {
        Epochs { accepted: Epoch(self.accepted), current: Epoch(self.current) }
    }

    /// Old txns, if the log holds `after`, or the snapshot ends with it.
    pub(super) fn load(&self, after: Zxid, up_to: Zxid) -> Option<Vec<Bytes>> {
        let is_known = self.snapshot.as_ref().is_some_and(|(zxid, _)| *zxid == after)
            || self.log().any(|entry| entry.zxid == after);
        let wanted = self.log().filter(|entry| entry.zxid > after && entry.zxid <= up_to);
        is_known.then(|| wanted.map(|entry| entry.txn.clone()).collect())
    }
}
