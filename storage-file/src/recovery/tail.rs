//! What lies behind the last whole entry of a log: nothing, padding, a torn write, or damage (`disk-format.md` §2.4, §12).
//!
//! A power loss may keep, drop or tear each 512-byte sector of what was written after the last sync, in any order; and one write
//! holds many txns, none of them acknowledged. So a torn tail may well have whole entries behind it. It is told from damage to
//! acknowledged txns by the sign that a lost sector leaves: it still holds what it held before, zeros. Therefore a damaged entry
//! at the end of the history is a torn tail when nothing valid follows it, or when a sector of it was lost and all that
//! follows is within reach of one batch. Anything else is damage, and fatal.
//!
//! A disk that lost a sector of something acknowledged leaves the same sign. So whole txns behind a torn entry are never thrown
//! away: they are [`Remains`], kept in a file of their own before the log is cut.

use super::report::TailProblem;
use crate::log_format::{Damage, END_OF_RECORD, ENTRY_HEAD, find_entry_after};
use bytes::Bytes;
use quorate_core::jute::{Reader, Txn};
use quorate_core::vocabulary::Zxid;
use std::fmt;

/// What a disk writes as a whole.
const SECTOR: u64 = 512;
/// The length of an entry's checksum.
const CHECKSUM: usize = 8;
/// A torn write reaches no further than this behind its first byte. Ours are 1 MiB at most; Java's are as long as a
/// thousand requests.
const TEAR_REACH: usize = 16 << 20;

/// The bytes of a file from the end of its last whole entry on, without trailing zeros.
#[derive(Clone, Debug)]
pub struct TailBytes {
    offset: u64,
    bytes: Vec<u8>,
    /// Zeros seen behind `bytes`.
    zeros: u64,
    too_long: bool,
}

/// What a tail is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing, or zeros.
    Clean,
    /// A write that was never acknowledged, and the whole txns behind its tear.
    Torn(TailProblem, Option<Remains>),
    /// Not that; with why not.
    Damaged(TailProblem, String),
}

/// The end of a log from a torn entry on, which holds whole txns.
#[derive(Clone, PartialEq, Eq)]
pub struct Remains {
    /// How many txns are whole.
    pub txns: u64,
    /// The first and the last of them.
    pub range: (Zxid, Zxid),
    /// Everything, without zeros at its end.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Remains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Remains { txns, range: (first, last), bytes } = self;
        write!(f, "Remains({txns} txns {first} to {last}, {} bytes)", bytes.len())
    }
}

impl TailBytes {
    /// Beginning at `offset` of the file.
    pub fn new(offset: u64) -> Self {
        TailBytes { offset, bytes: Vec::new(), zeros: 0, too_long: false }
    }

    /// The bytes that follow.
    pub fn push(&mut self, bytes: &[u8]) {
        let content = content_length(bytes);
        if content > 0 && !self.too_long {
            let reach = self.bytes.len() as u64 + self.zeros + content as u64;
            if reach > TEAR_REACH as u64 {
                self.too_long = true;
            } else {
                let zeros = usize::try_from(self.zeros).expect("it is below the reach");
                self.bytes.resize(self.bytes.len() + zeros, 0);
                self.bytes.extend_from_slice(&bytes[..content]);
                self.zeros = 0;
            }
        }
        self.zeros += (bytes.len() - content) as u64;
    }

    /// Whether there is anything but zeros.
    pub fn is_clean(&self) -> bool {
        self.bytes.is_empty() && !self.too_long
    }

    /// Says what the tail is; `last` is the txn before it, `damage` the parser's verdict on its first entry.
    pub fn judge(&self, problem: TailProblem, last: Zxid) -> Tail {
        if self.is_clean() && !matches!(problem, TailProblem::Entry(Damage::CutShort)) {
            return Tail::Clean;
        }
        if problem == TailProblem::NotALog {
            return Tail::Damaged(problem, "its first bytes are not those of one".to_owned());
        }
        if self.too_long {
            return Tail::Damaged(
                problem,
                format!("more than {TEAR_REACH} bytes follow, so this is no torn write"),
            );
        }
        match find_entry_after(&self.bytes, last) {
            None => Tail::Torn(problem, None),
            Some((_, position)) if self.lost_a_sector(problem, position as u64) => {
                Tail::Torn(problem, Some(self.remains(last)))
            }
            Some((zxid, position)) => {
                let at = self.offset + position as u64;
                Tail::Damaged(
                    problem,
                    format!("txn {zxid} at offset {at} follows intact, so this is no torn write"),
                )
            }
        }
    }

    /// Whether its first entry was whole once, so that it is no torn write whatever is wrong with it now: it is all there but for its
    /// length or its end mark, or it has both, or says what was never written. `problem` is the parser's verdict on it.
    pub fn was_whole(&self, problem: TailProblem) -> bool {
        let TailProblem::Entry(damage) = problem else {
            return problem == TailProblem::BytesBehindZeros && self.is_one_entry();
        };
        match damage {
            // Java refuses to start over this, so nothing would follow.
            Damage::Checksum { .. } | Damage::Length(_) => true,
            Damage::NoEndMark { found } if found != 0 && !self.lost_a_sector(problem, u64::MAX) => true,
            Damage::NoEndMark { .. } | Damage::CutShort => self.is_one_entry(),
        }
    }

    /// Whether these are the bytes of one entry that has its end mark, or has its checksum.
    fn is_one_entry(&self) -> bool {
        let Some((head, behind)) = self.bytes.split_at_checked(ENTRY_HEAD) else { return false };
        let by_end = behind.split_last().is_some_and(|(end, payload)| {
            let txn = || Txn::decode_all(&mut Reader::new(Bytes::copy_from_slice(payload)));
            *end == END_OF_RECORD && txn().is_ok()
        });
        let stored = u64::from_be_bytes(head[..8].try_into().expect("eight bytes were asked"));
        let length = self.first_entry_length().unwrap_or_default() as usize;
        let payload = length.checked_sub(ENTRY_HEAD + 1).and_then(|length| behind.get(..length));
        by_end || payload.is_some_and(|payload| u64::from(simd_adler32::adler32(&payload)) == stored)
    }

    /// Counts the whole txns.
    fn remains(&self, last: Zxid) -> Remains {
        let (mut txns, mut first, mut newest, mut from) = (0, None, last, 0);
        while let Some((zxid, position)) = find_entry_after(&self.bytes[from..], newest) {
            txns += 1;
            first.get_or_insert(zxid);
            newest = zxid;
            let length = &self.bytes[from + position + 8..from + position + ENTRY_HEAD];
            let length = u32::from_be_bytes(length.try_into().expect("four bytes were asked"));
            from += position + ENTRY_HEAD + length as usize + 1;
        }
        Remains { txns, range: (first.unwrap_or(newest), newest), bytes: self.bytes.clone() }
    }

    /// Whether the first entry of the tail, which ends before a whole one at `follower`, has a sector that holds zeros to its end.
    fn lost_a_sector(&self, problem: TailProblem, follower: u64) -> bool {
        let first_entry = match problem {
            TailProblem::Header | TailProblem::BytesBehindZeros => SECTOR,
            // The length itself may be what is damaged.
            TailProblem::Entry(_) | TailProblem::NotALog => {
                self.first_entry_length().unwrap_or(follower).min(follower)
            }
        };
        let end = self.offset + first_entry;
        let mut start = self.offset;
        while start < end {
            let sector_end = (start / SECTOR + 1) * SECTOR;
            let from = (start - self.offset) as usize;
            let to = ((sector_end - self.offset) as usize).min(self.bytes.len());
            let is_zero = from >= self.bytes.len() || self.bytes[from..to].iter().all(|byte| *byte == 0);
            if is_zero && !(from == 0 && zeros_are_as_written(problem, to)) {
                return true;
            }
            start = sector_end;
        }
        false
    }

    /// The length that the first entry claims, if it can be read.
    fn first_entry_length(&self) -> Option<u64> {
        let length = i32::from_be_bytes(self.bytes.get(8..12)?.try_into().ok()?);
        Some(u64::try_from(length).ok()? + ENTRY_HEAD as u64 + 1)
    }
}

/// Whether an entry may begin with so many zeros though nothing of it is lost: the upper half of its checksum is always zero, and what
/// follows of that is known if the payload is whole.
fn zeros_are_as_written(problem: TailProblem, count: usize) -> bool {
    match problem {
        TailProblem::Entry(_) if count >= CHECKSUM => false,
        TailProblem::Entry(Damage::Checksum { stored, computed }) => {
            stored != computed & (u64::MAX >> (8 * count))
        }
        TailProblem::Entry(_) => true,
        TailProblem::BytesBehindZeros | TailProblem::Header | TailProblem::NotALog => false,
    }
}

/// The length of `bytes` without the zeros at their end. A log may have 64 MiB of them, so they are looked at in blocks.
fn content_length(bytes: &[u8]) -> usize {
    let is_zero = |block: &&[u8]| block.iter().fold(0, |any, byte| any | byte) == 0;
    let zeros: usize = bytes.rchunks(512).take_while(is_zero).map(<[u8]>::len).sum();
    bytes[..bytes.len() - zeros].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_format::{LogItem, LogParser, write_log_entry};
    use bytes::BytesMut;

    fn payload(zxid: i64, length: usize) -> Vec<u8> {
        let mut payload = vec![0xaa; length.max(32)];
        payload[12..20].copy_from_slice(&zxid.to_be_bytes());
        payload
    }

    /// Two entries of 1,600 bytes, 2 and 3, that begin at offset 1,000 of a file.
    fn batch() -> BytesMut {
        let mut bytes = BytesMut::new();
        write_log_entry(&mut bytes, &payload(2, 1600));
        write_log_entry(&mut bytes, &payload(3, 1600));
        bytes
    }

    fn judge(bytes: &[u8], problem: TailProblem) -> Tail {
        let mut tail = TailBytes::new(1000);
        for piece in bytes.chunks(100) {
            tail.push(piece);
        }
        tail.judge(problem, Zxid(1))
    }

    /// What a verdict says: a torn tail by its problem and the whole txns behind it.
    fn torn(tail: Tail) -> Option<(TailProblem, u64)> {
        match tail {
            Tail::Torn(problem, remains) => Some((problem, remains.map_or(0, |remains| remains.txns))),
            _ => None,
        }
    }

    const WRONG: TailProblem = TailProblem::Entry(Damage::Checksum { stored: 1, computed: 2 });

    #[test]
    fn a_lost_sector_of_a_batch_is_a_torn_write_even_when_later_entries_are_whole() {
        let mut bytes = batch();
        bytes[24..536].fill(0);
        assert_eq!(torn(judge(&bytes, WRONG)), Some((WRONG, 1)));
    }

    #[test]
    fn a_flipped_bit_in_front_of_a_whole_entry_is_damage() {
        let mut bytes = batch();
        bytes[700] ^= 1;
        assert!(matches!(judge(&bytes, WRONG), Tail::Damaged(..)));
    }

    #[test]
    fn a_checksum_that_begins_at_the_end_of_a_sector_has_lost_nothing_by_its_zeros() {
        for in_sector in 1..=7 {
            let mut bytes = batch();
            let lost = |bytes: &[u8]| {
                let mut parser = LogParser::new();
                parser.push(b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0");
                parser.push(bytes);
                let LogItem::Damaged(damage) = parser.next_item() else { return None };
                let mut tail = TailBytes::new(1024 - in_sector);
                tail.push(bytes);
                torn(tail.judge(TailProblem::Entry(damage), Zxid(1)))
            };
            assert_eq!(lost(&bytes), None, "nothing is wrong");
            bytes[700] ^= 1;
            assert_eq!(lost(&bytes), None, "{in_sector} bytes are as they were");
            bytes[700] ^= 1;
            bytes[..in_sector as usize].fill(0);
            let is_lost = in_sector > 4;
            assert_eq!(lost(&bytes).is_some(), is_lost, "{in_sector} bytes are lost");
        }
    }

    #[test]
    fn a_length_that_grew_in_front_of_a_whole_entry_is_damage() {
        for length in [0x7fff_ffff_u32, 3_000_000, 1600 + 65536, 1700] {
            let mut bytes = batch();
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
            let problem = TailProblem::Entry(Damage::Length(length as i32));
            assert!(matches!(judge(&bytes, problem), Tail::Damaged(..)), "of {length}");
        }
    }

    #[test]
    fn a_flipped_bit_in_the_last_entry_is_a_torn_write() {
        let mut bytes = batch();
        bytes.truncate(1613);
        bytes[700] ^= 1;
        assert_eq!(torn(judge(&bytes, WRONG)), Some((WRONG, 0)));
    }

    #[test]
    fn the_loss_of_the_first_sector_is_seen_though_nothing_begins_there() {
        let mut bytes = batch();
        bytes[..24].fill(0);
        let problem = TailProblem::BytesBehindZeros;
        assert_eq!(torn(judge(&bytes, problem)), Some((problem, 1)));
    }

    #[test]
    fn zeros_of_any_length_are_clean() {
        let mut tail = TailBytes::new(1000);
        for _ in 0..40 {
            tail.push(&[0; 1 << 20]);
        }
        assert_eq!(tail.judge(TailProblem::BytesBehindZeros, Zxid(1)), Tail::Clean);
        tail.push(&[1]);
        assert!(matches!(tail.judge(TailProblem::BytesBehindZeros, Zxid(1)), Tail::Damaged(..)));
    }
}
