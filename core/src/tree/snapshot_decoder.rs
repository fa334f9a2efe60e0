//! A snapshot file read in arbitrary pieces into a new database (`disk-format.md` §5), by Java or by us.
//!
//! Nothing here panics whatever the bytes are, and what is buffered is one item. The optional sections behind the first seal are
//! positional and unmarked, so they are tried: what has right seals is what was written. Absent: decompression, which is the
//! storage's business.

use super::data_tree::TreeOptions;
use super::database::{Database, SnapshotDigest};
use super::snapshot_body::SnapshotBody;
use super::snapshot_encoder::{FORMAT_VERSION, MAGIC};
use super::snapshot_scan::{Scan, Stop};
use super::snapshot_tail::{TAIL_LIMIT, read_tail, take_seal};
use crate::jute::FieldLimit;
use crate::vocabulary::{LookupSeed, Zxid};
use simd_adler32::Adler32;

/// Why a snapshot can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Not a snapshot.
    #[error("the file starts with {0:#010x}, as no snapshot does")]
    Magic(u32),
    /// A snapshot of another format.
    #[error("the snapshot's format is {0}, not 2")]
    Format(i32),
    /// A length that no field has.
    #[error("unreasonable length {length} at byte {offset} of the snapshot")]
    UnreasonableLength {
        /// What it says.
        length: i32,
        /// Where.
        offset: u64,
    },
    /// A node whose parent has not come before it.
    #[error("the snapshot has {0} and not its parent")]
    Orphan(String),
    /// A node that has come before.
    #[error("the snapshot has {0} twice")]
    Duplicate(String),
    /// The first node is not the root.
    #[error("the snapshot's first node is {0}, not the root")]
    NoRoot(String),
    /// A checksum that is not that of the bytes.
    #[error("the snapshot's checksum does not match its bytes")]
    Seal,
    /// It ends before its end.
    #[error("the snapshot ends early")]
    Truncated,
    /// A leader's database that does not end as one does.
    #[error("the snapshot does not end with its signature")]
    Signature,
    /// An item that is longer than any.
    #[error("an item of the snapshot is longer than {0} bytes")]
    ItemTooLong(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Header,
    Body,
    FirstSeal,
    Tail,
}

/// See the module's words.
#[derive(Clone)]
pub struct SnapshotDecoder {
    zxid: Zxid,
    limit: FieldLimit,
    step: Step,
    /// Bytes that are not a whole item yet; behind the first seal all there are, up to a limit.
    pending: Vec<u8>,
    consumed: u64,
    checksum: Adler32,
    body: SnapshotBody,
}

impl SnapshotDecoder {
    /// A decoder of the snapshot that is named `zxid`.
    pub fn new(seed: LookupSeed, options: TreeOptions, zxid: Zxid) -> Self {
        SnapshotDecoder {
            zxid,
            limit: FieldLimit::default(),
            step: Step::Header,
            pending: Vec::new(),
            consumed: 0,
            checksum: Adler32::new(),
            body: SnapshotBody::new(seed, options),
        }
    }

    /// The same with another limit for the length of a field.
    pub fn with_limit(mut self, limit: FieldLimit) -> Self {
        self.limit = limit;
        self
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When the snapshot can't be used; then nothing more should be pushed.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        if self.step == Step::Tail {
            self.keep_tail(bytes);
            return Ok(());
        }
        // The common case reads items from `bytes` where they are; only what is cut at a border is copied.
        let mut pending = std::mem::take(&mut self.pending);
        let rest = if pending.is_empty() {
            let used = self.read_items(bytes)?;
            bytes[used..].to_vec()
        } else {
            pending.extend_from_slice(bytes);
            let used = self.read_items(&pending)?;
            pending.drain(..used);
            pending
        };
        if self.step == Step::Tail {
            self.keep_tail(&rest)
        } else {
            self.pending = rest
        }
        Ok(())
    }

    fn keep_tail(&mut self, bytes: &[u8]) {
        let room = TAIL_LIMIT.saturating_sub(self.pending.len());
        self.pending.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Reads whole items; returns how many bytes they took.
    fn read_items(&mut self, input: &[u8]) -> Result<usize, SnapshotError> {
        let mut used = 0;
        let mut summed = 0;
        while self.step != Step::Tail {
            let is_seal = self.step == Step::FirstSeal;
            if is_seal {
                self.checksum.write(&input[summed..used]);
                summed = used;
            }
            let mut scan = Scan::new(&input[used..], self.limit, self.consumed + used as u64);
            match self.read_item(&mut scan) {
                Ok(()) => used += scan.position(),
                Err(Stop::NeedMore) => break,
                Err(Stop::Bad(error)) => return Err(error),
            }
        }
        self.checksum.write(&input[summed..used]);
        self.consumed += used as u64;
        Ok(used)
    }

    fn read_item(&mut self, scan: &mut Scan<'_>) -> Result<(), Stop> {
        self.step = match self.step {
            Step::Header => {
                let (magic, version) = (scan.int()?, scan.int()?);
                scan.long()?;
                if magic != MAGIC {
                    return Err(Stop::Bad(SnapshotError::Magic(magic as u32)));
                }
                if version != FORMAT_VERSION {
                    return Err(Stop::Bad(SnapshotError::Format(version)));
                }
                Step::Body
            }
            Step::Body if self.body.is_complete() => Step::FirstSeal,
            Step::Body => {
                self.body.read_item(scan)?;
                Step::Body
            }
            Step::FirstSeal => {
                take_seal(scan, self.checksum.finish())?;
                Step::Tail
            }
            Step::Tail => return Err(Stop::NeedMore),
        };
        Ok(())
    }

    /// The end of the bytes: the database, if all of it has come and its seals are right.
    ///
    /// # Errors
    /// When it ends early or a seal is wrong.
    pub fn finish(self) -> Result<Database, SnapshotError> {
        if self.step != Step::Tail {
            return Err(SnapshotError::Truncated);
        }
        let tail = read_tail(&self.checksum, &self.pending)?;
        let digest = tail.digest.map(|(zxid, digest)| SnapshotDigest { zxid, digest });
        self.body.into_database(self.zxid, digest)
    }
}

impl std::fmt::Debug for SnapshotDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SnapshotDecoder({:?} after {} bytes)", self.step, self.consumed)
    }
}
