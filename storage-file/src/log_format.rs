//! The bytes of a txn log (`disk-format.md` §2.1, §2.2, §2.4): an incremental parser that names what it finds, and the writer of
//! entries. It judges single entries; what a verdict means for a file is decided by recovery.
//!
//! Invariants: nothing is copied twice, an entry's payload is returned exactly as stored, and no verdict depends on how the
//! bytes were cut into pieces.

use bytes::{BufMut, Bytes, BytesMut};
use quorate_core::jute::{DecodeError, FieldLimit, Reader, Txn};
use quorate_core::vocabulary::Zxid;
use std::fmt;

/// "ZKLG".
pub const LOG_MAGIC: [u8; 4] = *b"ZKLG";
/// Bytes of a log's header.
pub const LOG_HEADER: u64 = 16;
/// Bytes of an entry before its payload: the crc and the length.
pub const ENTRY_HEAD: usize = 12;
/// Bytes of a txn's header, the shortest payload.
pub const TXN_HEADER: usize = 32;
/// No payload is longer, whatever `jute.maxbuffer` was when it was written: a length above this is none.
pub const LONGEST_PAYLOAD: u32 = 256 << 20;
/// 'B', behind each payload.
pub const END_OF_RECORD: u8 = 0x42;

/// An entry that is whole.
#[derive(Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Where it begins in the file.
    pub offset: u64,
    /// The txn, as stored.
    pub payload: Bytes,
}

/// How an entry is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The file ends inside of it.
    #[error("the file ends inside of an entry")]
    CutShort,
    /// The payload is there, the byte that ends it is not.
    #[error("the entry does not end with its end mark (found 0x{found:02x}, expected 0x42)")]
    NoEndMark {
        /// What stands there.
        found: u8,
    },
    /// The end mark is there, but the payload is not what was written.
    #[error("the checksum does not match (stored 0x{stored:x}, computed 0x{computed:x})")]
    Checksum {
        /// As stored.
        stored: u64,
        /// Of what is there.
        computed: u64,
    },
    /// No entry has this length.
    #[error("unreasonable entry length {0}")]
    Length(i32),
}

/// What stands next in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogItem {
    /// More bytes are needed to say, or [`LogParser::finish`] if there are none.
    NeedMore,
    /// An entry.
    Entry(LogEntry),
    /// The file ends, exactly behind its header or an entry.
    EndOfFile,
    /// An entry of length 0: nothing was written from here on. What lies behind is not looked at.
    Padding,
    /// An entry begins here, and it is damaged.
    Damaged(Damage),
    /// The file ends inside its header; these many bytes are there.
    ShortHeader(u64),
    /// The file does not begin as a log does.
    NotALog,
}

/// Reads a log from bytes in any pieces. Once it returned anything but an entry or [`LogItem::NeedMore`], it returns that again.
#[derive(Clone, Debug, Default)]
pub struct LogParser {
    buffer: BytesMut,
    /// The file offset of the buffer's first byte.
    offset: u64,
    header_read: bool,
    finished: bool,
}

impl LogEntry {
    /// The txn's zxid; [`Zxid::ZERO`] when the payload is too short for one.
    pub fn zxid(&self) -> Zxid {
        match self.payload.get(12..20) {
            Some(bytes) => Zxid(i64::from_be_bytes(bytes.try_into().expect("eight bytes were asked"))),
            None => Zxid::ZERO,
        }
    }

    /// Bytes of the whole entry in the file.
    pub fn length(&self) -> u64 {
        (ENTRY_HEAD + self.payload.len() + 1) as u64
    }

    /// The offset behind it.
    pub fn end(&self) -> u64 {
        self.offset + self.length()
    }

    /// The txn.
    ///
    /// # Errors
    /// When the payload is intact but no txn this server knows.
    pub fn txn(&self, limit: u32) -> Result<Txn, DecodeError> {
        Txn::decode_all(&mut Reader::with_limit(self.payload.clone(), FieldLimit(limit)))
    }
}

impl fmt::Debug for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogEntry({} at {}, {} bytes)", self.zxid(), self.offset, self.payload.len())
    }
}

impl LogParser {
    /// A parser at the start of a file. It knows no limit but [`LONGEST_PAYLOAD`]: an entry that is whole is never taken for
    /// damage because it was written under a larger limit than is set now.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes that follow those pushed before.
    pub fn push(&mut self, bytes: &[u8]) {
        assert!(!self.finished, "bytes behind the end of a file");
        self.buffer.extend_from_slice(bytes);
    }

    /// There are no more bytes.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// Where the next item begins: behind the header, or behind the last entry.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes pushed, from [`Self::offset`] on.
    pub fn rest(&self) -> &[u8] {
        &self.buffer
    }

    /// What stands next.
    pub fn next_item(&mut self) -> LogItem {
        if !self.header_read {
            if self.buffer.len() < LOG_HEADER as usize {
                return if self.finished {
                    LogItem::ShortHeader(self.buffer.len() as u64)
                } else {
                    LogItem::NeedMore
                };
            }
            if self.buffer[..4] != LOG_MAGIC {
                return LogItem::NotALog;
            }
            self.skip(LOG_HEADER as usize);
            self.header_read = true;
        }
        match judge(&self.buffer) {
            Judgement::Whole(length) => {
                let offset = self.offset;
                let entry = self.skip(ENTRY_HEAD + length + 1).freeze();
                LogItem::Entry(LogEntry { offset, payload: entry.slice(ENTRY_HEAD..ENTRY_HEAD + length) })
            }
            Judgement::NeedMore if !self.finished => LogItem::NeedMore,
            Judgement::NeedMore if self.buffer.is_empty() => LogItem::EndOfFile,
            Judgement::NeedMore => LogItem::Damaged(Damage::CutShort),
            Judgement::Padding => LogItem::Padding,
            Judgement::Damaged(damage) => LogItem::Damaged(damage),
        }
    }

    fn skip(&mut self, count: usize) -> BytesMut {
        self.offset += count as u64;
        self.buffer.split_to(count)
    }
}

enum Judgement {
    NeedMore,
    Padding,
    Whole(usize),
    Damaged(Damage),
}

fn judge(bytes: &[u8]) -> Judgement {
    let Some(head) = bytes.get(..ENTRY_HEAD) else { return Judgement::NeedMore };
    let stored = u64::from_be_bytes(head[..8].try_into().expect("eight bytes were asked"));
    let length = i32::from_be_bytes(head[8..].try_into().expect("four bytes are left"));
    if length == 0 {
        return Judgement::Padding;
    }
    let Some(size) = usize::try_from(length).ok().filter(|size| *size <= LONGEST_PAYLOAD as usize) else {
        return Judgement::Damaged(Damage::Length(length));
    };
    let Some(&found) = bytes.get(ENTRY_HEAD + size) else { return Judgement::NeedMore };
    if found != END_OF_RECORD {
        return Judgement::Damaged(Damage::NoEndMark { found });
    }
    let computed = u64::from(simd_adler32::adler32(&&bytes[ENTRY_HEAD..ENTRY_HEAD + size]));
    if computed == stored {
        Judgement::Whole(size)
    } else {
        Judgement::Damaged(Damage::Checksum { stored, computed })
    }
}

/// The zxid and the position in `bytes` of the first whole entry that looks like a txn above `above`, wherever it begins.
///
/// Used behind damage, to tell a torn tail (nothing follows) from damage in the middle of a history.
pub fn find_entry_after(bytes: &[u8], above: Zxid) -> Option<(Zxid, usize)> {
    let last = bytes.len().checked_sub(ENTRY_HEAD + TXN_HEADER + 1)?;
    (0..=last).find_map(|position| {
        let length =
            i32::from_be_bytes(bytes[position + 8..position + 12].try_into().expect("four bytes were asked"));
        // Adler-32 fills the low half of the field, so a crc with a high half is none: cheap, and rules out most places.
        if length < TXN_HEADER as i32 || bytes[position..position + 4] != [0; 4] {
            return None;
        }
        let Judgement::Whole(size) = judge(&bytes[position..]) else { return None };
        let payload = &bytes[position + ENTRY_HEAD..position + ENTRY_HEAD + size];
        let zxid = Zxid(i64::from_be_bytes(payload[12..20].try_into().expect("a header is longer")));
        (zxid > above).then_some((zxid, position))
    })
}

/// Whether a file that begins with `bytes` and is no log was to be one: nothing of its header is there, or only the first bytes, and
/// zeros where the write was cut short, because the file had grown before.
///
/// # Panics
/// When there are fewer bytes than a header has.
pub fn is_torn_header(bytes: &[u8]) -> bool {
    let (header, bytes) = (log_header(), &bytes[..LOG_HEADER as usize]);
    if bytes.starts_with(&[0; LOG_MAGIC.len()]) {
        return true;
    }
    let there = header.iter().zip(bytes).take_while(|(wanted, found)| wanted == found).count();
    bytes[there..].iter().all(|byte| *byte == 0)
}

fn log_header() -> [u8; LOG_HEADER as usize] {
    let mut header = [0; LOG_HEADER as usize];
    header[..4].copy_from_slice(&LOG_MAGIC);
    header[7] = 2;
    header
}

/// Appends a log's header.
pub fn write_log_header(out: &mut BytesMut) {
    out.put_slice(&log_header());
}

/// Appends an entry.
///
/// # Panics
/// When the payload is longer than an i32 counts: limits are checked at admission.
pub fn write_log_entry(out: &mut BytesMut, payload: &[u8]) {
    out.reserve(ENTRY_HEAD + payload.len() + 1);
    out.put_u64(u64::from(simd_adler32::adler32(&payload)));
    out.put_i32(i32::try_from(payload.len()).expect("txns are limited at admission"));
    out.put_slice(payload);
    out.put_u8(END_OF_RECORD);
}
