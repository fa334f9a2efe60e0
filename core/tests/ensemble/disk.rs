//! What a server's disk holds: a snapshot, the txns behind it, two numbers. An op is durable when it is finished, and not before.

use bytes::{Bytes, BytesMut};
use quorate_core::contract::{EpochKind, Epochs, History, Input, Lane, StoreOp, StoreSeq};
use quorate_core::jute::{FieldLimit, Reader, Txn};
use quorate_core::tree::{Database, SnapshotDecoder, SnapshotImage, TreeOptions, Unobserved};
use quorate_core::vocabulary::{LookupSeed, Zxid};

/// An op on its way.
pub(crate) struct Work {
    lane: Lane,
    seq: StoreSeq,
    op: StoreOp,
}

/// See the module's words.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    snapshot: Option<(Zxid, Bytes)>,
    pub(crate) log: Vec<(Zxid, Bytes)>,
    pub(crate) epochs: Epochs,
    /// Whether nothing is read back.
    pub(crate) forgets: bool,
    /// How often the whole history was replaced, and cut.
    pub(crate) replaced: u32,
    pub(crate) truncated: u32,
}

impl Disk {
    pub(crate) fn begin(&self, lane: Lane, seq: StoreSeq, op: StoreOp) -> Work {
        Work { lane, seq, op }
    }

    pub(crate) fn finish(&mut self, work: Work) -> Input {
        let Work { lane, seq, op } = work;
        match op {
            StoreOp::Append { zxid, txn } => {
                let last = self.log.last().map(|(zxid, _)| *zxid).or(self.snapshot.as_ref().map(|it| it.0));
                assert!(last.is_none_or(|last| last.may_precede(zxid)), "{zxid} is logged behind {last:?}");
                self.log.push((zxid, txn));
            }
            StoreOp::Truncate { to } => {
                self.truncated += 1;
                self.log.retain(|(zxid, _)| *zxid <= to);
                let (history, _) = self.recover();
                return Input::Truncated { seq, history: Box::new(history) };
            }
            StoreOp::Replace(image) => {
                self.replaced += 1;
                let zxid = image.zxid();
                self.snapshot = Some((zxid, encoded(image)));
                self.log.clear();
            }
            StoreOp::Epoch { kind: EpochKind::Accepted, epoch } => self.epochs.accepted = epoch,
            StoreOp::Epoch { kind: EpochKind::Current, epoch } => self.epochs.current = epoch,
            _ => {}
        }
        Input::Stored { lane, seq }
    }

    pub(crate) fn recover(&self) -> (History, Epochs) {
        let mut database = match &self.snapshot {
            None => Database::new(LookupSeed(1), TreeOptions::default()),
            Some((zxid, bytes)) => {
                let mut decoder = SnapshotDecoder::new(LookupSeed(1), TreeOptions::default(), *zxid);
                decoder.push(bytes).expect("what was written can be read");
                decoder.finish().expect("all of it is there")
            }
        };
        for (_, txn) in &self.log {
            database.apply(&read(txn), &mut Unobserved).expect("what was logged can be applied");
        }
        (History { database, recent: self.log.iter().cloned().collect() }, self.epochs)
    }

    /// A database is left that a leader wrote while it went on, and nothing of what it had sent behind: it ends where the history here
    /// did, and is ahead of that.
    pub(crate) fn keep_only_a_fuzzy_database(&mut self, ahead: SnapshotImage) {
        let zxid = self.last_zxid();
        let mut decoder = SnapshotDecoder::new(LookupSeed(1), TreeOptions::default(), zxid);
        decoder.push(&encoded(ahead)).expect("what was written can be read");
        let database = decoder.finish().expect("all of it is there");
        self.snapshot = Some((zxid, encoded(database.image())));
        self.log.clear();
    }

    pub(crate) fn load(&self, after: Zxid, up_to: Zxid) -> Option<Vec<Bytes>> {
        if self.forgets {
            return None;
        }
        let behind = self.log.iter().position(|(zxid, _)| *zxid == after)?;
        let wanted = self.log[behind + 1..].iter().take_while(|(zxid, _)| *zxid <= up_to);
        Some(wanted.map(|(_, txn)| txn.clone()).collect())
    }

    /// The last txn of the log, or the snapshot's.
    pub(crate) fn last_zxid(&self) -> Zxid {
        let snapshot = self.snapshot.as_ref().map_or(Zxid::ZERO, |it| it.0);
        self.log.last().map_or(snapshot, |(zxid, _)| *zxid)
    }
}

fn encoded(image: SnapshotImage) -> Bytes {
    let mut encoder = image.encoder();
    let mut bytes = BytesMut::new();
    while encoder.next_chunk(&mut bytes) {}
    bytes.freeze()
}

fn read(txn: &Bytes) -> Txn {
    Txn::decode_all(&mut Reader::with_limit(txn.clone(), FieldLimit::default())).expect("a txn")
}
