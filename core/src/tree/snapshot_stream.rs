//! A leader's database on its way to a learner, inline behind a SNAP packet (`quorum-protocol.md` §4): what a snapshot file has between
//! its frame, then a signature. Nothing says how long it is: only its reader finds the end.
//!
//! Nothing here panics whatever the bytes are, and what is buffered is one item of bounded length.

use super::data_tree::TreeOptions;
use super::database::Database;
use super::snapshot_body::SnapshotBody;
use super::snapshot_decoder::SnapshotError;
use super::snapshot_scan::{Scan, Stop};
use crate::jute::FieldLimit;
use crate::vocabulary::{LookupSeed, Zxid};

/// What ends the stream.
pub(super) const SIGNATURE: &str = "BenWasHere";

/// See the module's words.
#[derive(Clone, Debug)]
pub struct SnapshotStreamDecoder {
    zxid: Zxid,
    limit: FieldLimit,
    body: SnapshotBody,
    /// The start of an item whose end has not come.
    pending: Vec<u8>,
    consumed: u64,
    is_signed: bool,
}

impl SnapshotStreamDecoder {
    /// A decoder of the database that a SNAP packet with this zxid announced.
    pub fn new(seed: LookupSeed, options: TreeOptions, zxid: Zxid, limit: FieldLimit) -> Self {
        SnapshotStreamDecoder {
            zxid,
            limit,
            body: SnapshotBody::new(seed, options),
            pending: Vec::new(),
            consumed: 0,
            is_signed: false,
        }
    }

    /// Takes the next bytes of the connection; returns how many of them belong to the stream, all unless it is complete.
    ///
    /// # Errors
    /// When it is no database; then nothing more should be pushed.
    pub fn push(&mut self, bytes: &[u8]) -> Result<usize, SnapshotError> {
        if self.pending.is_empty() {
            let used = self.read_items(bytes)?;
            return self.keep(used, bytes.len(), &bytes[used..]);
        }
        let mut pending = std::mem::take(&mut self.pending);
        let before = pending.len();
        pending.extend_from_slice(bytes);
        let used = self.read_items(&pending)?;
        // What waited was no whole item, so the last item that was read ends behind it, or none was.
        self.keep(used.saturating_sub(before), bytes.len(), &pending[used..])
    }

    /// `used` of `length` new bytes were read, and `rest` was not.
    fn keep(&mut self, used: usize, length: usize, rest: &[u8]) -> Result<usize, SnapshotError> {
        if self.is_signed {
            return Ok(used);
        }
        // A node has two fields of any length, and a list of ACLs is far shorter.
        let longest = 2 * self.limit.0 as usize + 1024;
        if rest.len() > longest {
            return Err(SnapshotError::ItemTooLong(longest));
        }
        self.pending.extend_from_slice(rest);
        Ok(length)
    }

    /// Reads whole items; returns how many bytes they took.
    fn read_items(&mut self, input: &[u8]) -> Result<usize, SnapshotError> {
        let mut used = 0;
        while !self.is_signed {
            let mut scan = Scan::new(&input[used..], self.limit, self.consumed + used as u64);
            let read = match self.body.is_complete() {
                false => self.body.read_item(&mut scan),
                true => self.read_signature(&mut scan),
            };
            match read {
                Ok(()) => used += scan.position(),
                Err(Stop::NeedMore) => break,
                Err(Stop::Bad(error)) => return Err(error),
            }
        }
        self.consumed += used as u64;
        Ok(used)
    }

    fn read_signature(&mut self, scan: &mut Scan<'_>) -> Result<(), Stop> {
        if scan.int()? != SIGNATURE.len() as i32 {
            return Err(Stop::Bad(SnapshotError::Signature));
        }
        self.is_signed = scan.raw(SIGNATURE.len())? == SIGNATURE.as_bytes();
        if self.is_signed { Ok(()) } else { Err(Stop::Bad(SnapshotError::Signature)) }
    }

    /// Whether all of it has come.
    pub fn is_complete(&self) -> bool {
        self.is_signed
    }

    /// The database; its last zxid is the packet's.
    ///
    /// # Errors
    /// When it is not complete, or holds not even a root.
    pub fn finish(self) -> Result<Database, SnapshotError> {
        if !self.is_signed {
            return Err(SnapshotError::Truncated);
        }
        self.body.into_database(self.zxid, None)
    }
}
