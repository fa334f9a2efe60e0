//! One end of a quorum connection: bytes in arbitrary pieces become packets, and what follows a SNAP inline becomes a database.
//!
//! Packets stand back to back without lengths, so each is measured before it is read; those of a batch share one allocation. Nothing
//! panics whatever the bytes are; what is buffered is one packet, or one item of a snapshot, of bounded length, and what was pushed behind it.

use super::link::QuorumMessage;
use crate::jute::{Decode as _, DecodeError, FieldLimit, QuorumPacket, Reader};
use crate::tree::{SnapshotError, SnapshotStreamDecoder, TreeOptions};
use crate::vocabulary::{LookupSeed, Zxid};
use bytes::{Buf as _, BytesMut};

/// SNAP's kind on the wire: the only packet that something follows.
const SNAP: i32 = 15;
/// Kind and zxid, which come before everything that has a length.
const KIND_AND_ZXID: usize = 12;
/// After so much of a snapshot it is told that more has come.
const PROGRESS: u64 = 1 << 20;

/// Why a quorum connection has to be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuorumViolation {
    /// Bytes that are no packet.
    #[error("no quorum packet: {0}")]
    Packet(#[from] DecodeError),
    /// A packet longer than any.
    #[error("a quorum packet of more than {0} bytes")]
    TooLong(usize),
    /// Bytes that are no database.
    #[error("no database behind SNAP: {0}")]
    Snapshot(#[from] SnapshotError),
    /// Learners have no database to send.
    #[error("a learner sent SNAP")]
    SnapFromLearner,
}

/// See the module's words.
#[derive(Debug)]
pub struct QuorumDecoder {
    buffer: BytesMut,
    limit: FieldLimit,
    /// Whole packets that were measured and not read yet.
    ready: Reader,
    /// The SNAP that follows `ready`.
    snap: Option<Zxid>,
    snapshot: Option<Incoming>,
    /// What a database is built with, on the end that dialled.
    database: Option<(LookupSeed, TreeOptions)>,
    has_failed: bool,
}

/// A database under way.
#[derive(Debug)]
struct Incoming {
    decoder: SnapshotStreamDecoder,
    unreported: u64,
}

impl QuorumDecoder {
    /// The leader's end, of a connection that was accepted: no SNAP comes over it.
    pub fn accepted(limit: FieldLimit) -> Self {
        QuorumDecoder {
            buffer: BytesMut::new(),
            limit,
            ready: Reader::new(bytes::Bytes::new()),
            snap: None,
            snapshot: None,
            database: None,
            has_failed: false,
        }
    }

    /// A learner's end, which dialled: databases are built with these.
    pub fn dialled(seed: LookupSeed, options: TreeOptions, limit: FieldLimit) -> Self {
        QuorumDecoder { database: Some((seed, options)), ..Self::accepted(limit) }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.has_failed {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Bytes held that nothing has been made of.
    pub fn buffered(&self) -> usize {
        self.buffer.len() + self.ready.remaining()
    }

    /// The next message, if it is complete.
    ///
    /// # Errors
    /// When the connection has to be closed; nothing more will come out of this decoder.
    pub fn poll(&mut self) -> Result<Option<QuorumMessage>, QuorumViolation> {
        if self.has_failed {
            return Ok(None);
        }
        let result = self.poll_next();
        if result.is_err() {
            self.has_failed = true;
            self.buffer = BytesMut::new();
            self.snapshot = None;
        }
        result
    }

    fn poll_next(&mut self) -> Result<Option<QuorumMessage>, QuorumViolation> {
        if self.snapshot.is_none() && self.ready.remaining() == 0 && self.snap.is_none() {
            self.measure()?;
        }
        if self.ready.remaining() > 0 {
            return Ok(Some(QuorumMessage::Packet(QuorumPacket::decode(&mut self.ready)?)));
        }
        if let Some(zxid) = self.snap.take() {
            let (seed, options) = self.database.ok_or(QuorumViolation::SnapFromLearner)?;
            let decoder = SnapshotStreamDecoder::new(seed, options, zxid, self.limit);
            self.snapshot = Some(Incoming { decoder, unreported: 0 });
        }
        self.poll_snapshot()
    }

    fn poll_snapshot(&mut self) -> Result<Option<QuorumMessage>, QuorumViolation> {
        let Some(incoming) = &mut self.snapshot else { return Ok(None) };
        let used = incoming.decoder.push(&self.buffer)?;
        self.buffer.advance(used);
        incoming.unreported += used as u64;
        if incoming.decoder.is_complete() {
            let incoming = self.snapshot.take().expect("it is complete");
            return Ok(Some(QuorumMessage::Snapshot(Box::new(incoming.decoder.finish()?))));
        }
        if incoming.unreported < PROGRESS {
            return Ok(None);
        }
        incoming.unreported = 0;
        Ok(Some(QuorumMessage::SnapshotUnderWay))
    }

    /// Finds how far whole packets reach, up to a SNAP.
    fn measure(&mut self) -> Result<(), QuorumViolation> {
        let mut end = 0;
        let mut snap = None;
        while snap.is_none() {
            let mut ruler = Ruler { bytes: &self.buffer[end..], position: 0, limit: self.limit };
            let Some(length) = ruler.packet()? else { break };
            if ruler.kind() == Some(SNAP) {
                snap = Some((ruler.zxid(), length));
            } else {
                end += length;
            }
        }
        if end > 0 {
            self.ready = Reader::with_limit(self.buffer.split_to(end).freeze(), self.limit);
        }
        if let Some((zxid, length)) = snap {
            self.buffer.advance(length);
            self.snap = Some(zxid);
        }
        Ok(())
    }
}

/// Measures the packet that `bytes` start with.
struct Ruler<'a> {
    bytes: &'a [u8],
    position: usize,
    limit: FieldLimit,
}

impl Ruler<'_> {
    /// The packet's length, if all of it is there.
    fn packet(&mut self) -> Result<Option<usize>, QuorumViolation> {
        let longest = self.longest();
        let whole = self.measure(longest)?;
        if whole.is_none() && self.bytes.len() > longest {
            return Err(QuorumViolation::TooLong(longest));
        }
        Ok(whole)
    }

    /// The data is one field, and the identities of a client are a little more.
    fn longest(&self) -> usize {
        2 * self.limit.0 as usize + 1024
    }

    fn measure(&mut self, longest: usize) -> Result<Option<usize>, QuorumViolation> {
        self.position = KIND_AND_ZXID;
        if self.field()?.is_none() {
            return Ok(None);
        }
        let Some(count) = self.int() else { return Ok(None) };
        for _ in 0..count {
            for _ in 0..2 {
                if self.field()?.is_none() {
                    return Ok(None);
                }
            }
            if self.position > longest {
                return Err(QuorumViolation::TooLong(longest));
            }
        }
        Ok(Some(self.position))
    }

    fn int(&mut self) -> Option<i32> {
        let int = i32::from_be_bytes(*self.bytes.get(self.position..)?.first_chunk()?);
        self.position += 4;
        Some(int)
    }

    /// Passes a buffer or a string, if all of it is there. A length that no field has is not waited for.
    fn field(&mut self) -> Result<Option<()>, QuorumViolation> {
        let Some(length) = self.int() else { return Ok(None) };
        match u32::try_from(length) {
            Ok(length) if length <= self.limit.0 => self.position += length as usize,
            _ if length == -1 => {}
            _ => return Err(DecodeError::UnreasonableLength(length).into()),
        }
        Ok((self.position <= self.bytes.len()).then_some(()))
    }

    fn kind(&self) -> Option<i32> {
        Some(i32::from_be_bytes(*self.bytes.first_chunk()?))
    }

    fn zxid(&self) -> Zxid {
        Zxid(self.bytes[4..].first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes)))
    }
}
