//! The digest of a server: what its peer shows of itself, with every point in time told from where its clock stands.
//!
//! It is taken from what `Debug` writes, because that is derived: whatever field a peer is given tomorrow is in it, where a digest
//! written by hand would merge states that differ in just that field. It is slow, some twenty microseconds, and is needed once for
//! each pair of a server's state and what happens to it, not once for each state of the ensemble: `space.rs`.
//!
//! Left out is what decides nothing (counters, statistics, buffers), what never changes here (configuration, entropy), and
//! when sessions expire, which lies beyond everything that is explored. A tree shows its digest. What the core's lookup tables hold is not
//! shown by them; each is an index of something that is, or overlays the tree with txns that are.

use quorate_core::vocabulary::LookupSeed;
use std::fmt::Write;
use std::hash::BuildHasher as _;

/// Fields that are left out, wherever they stand.
const LEFT_OUT: [&[u8]; 13] = [
    b"metrics",
    b"config",
    b"members",
    b"membership",
    b"auth",
    b"arena",
    b"stats",
    b"queues",
    b"started",
    b"unavailable_since",
    b"entropy",
    b"introduction",
    b"part_end",
];

/// Two numbers that equal states have in common, and others practically never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Print(u64, u64);

/// Reads what `Debug` writes, and keeps what counts.
#[derive(Debug, Default)]
pub(super) struct Printer {
    /// Where the clock stands, ns.
    now: u64,
    kept: Vec<u8>,
    /// Where the word under way begins in `kept`.
    word: usize,
    is_text: bool,
    is_escaped: bool,
    /// While something is left out, how deep in it the reader is.
    depth: Option<u32>,
    /// A point in time under way.
    point: Option<u64>,
}

impl Printer {
    /// Begins anew, for a server whose clock stands at `now`.
    pub(super) fn begin(&mut self, now: u64) {
        *self = Printer { now, kept: std::mem::take(&mut self.kept), ..Printer::default() };
        self.kept.clear();
    }

    /// Adds bytes as they are.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
        self.word = self.kept.len();
    }

    /// The digest of everything that was added.
    pub(super) fn print(&self) -> Print {
        let half = |seed| LookupSeed(seed).hasher().hash_one(&self.kept);
        Print(half(1), half(2))
    }

    fn byte(&mut self, byte: u8) {
        if self.is_text {
            let ends = byte == b'"' && !self.is_escaped;
            self.is_escaped = byte == b'\\' && !self.is_escaped;
            self.is_text = !ends;
            return self.keep(byte);
        }
        if let Some(point) = &mut self.point {
            if byte.is_ascii_digit() {
                *point = *point * 10 + u64::from(byte - b'0');
                return;
            }
            let relative = point.wrapping_sub(self.now);
            self.point = None;
            self.kept.extend_from_slice(&relative.to_le_bytes());
        }
        self.is_text = byte == b'"';
        if let Some(depth) = self.depth {
            self.depth = match (byte, depth) {
                (b'{' | b'(' | b'[', _) => Some(depth + 1),
                (b',' | b'}' | b')' | b']', 0) => None,
                (b'}' | b')' | b']', _) => Some(depth - 1),
                _ => Some(depth),
            };
            if self.depth.is_some() {
                return;
            }
        }
        let word = &self.kept[self.word..];
        if byte == b':' && LEFT_OUT.contains(&word) {
            self.depth = Some(0);
        } else if byte == b'(' && word == b"Mono" {
            self.point = Some(0);
        }
        self.keep(byte);
        if !(byte.is_ascii_alphanumeric() || byte == b'_') {
            self.word = self.kept.len();
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.depth.is_none() {
            self.kept.push(byte);
        }
    }
}

impl Write for Printer {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_plain || self.point.is_some() {
            text.bytes().for_each(|byte| self.byte(byte));
        } else if self.depth.is_none() {
            self.kept.extend_from_slice(text.as_bytes());
        }
        self.is_escaped &= text.is_empty() || !is_plain;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use quorate_core::vocabulary::Mono;

    #[derive(Debug)]
    #[expect(dead_code, reason = "they are shown")]
    struct Shown {
        due: Option<Mono>,
        metrics: Vec<(u32, &'static str)>,
        bytes: Bytes,
        started: Mono,
    }

    fn print(now: u64, shown: &Shown) -> Print {
        let mut printer = Printer::default();
        printer.begin(now);
        write!(printer, "{shown:?}").expect("a printer takes everything");
        printer.print()
    }

    #[test]
    fn it_tells_time_from_where_the_clock_stands_and_leaves_out_what_decides_nothing() {
        let shown = |due, counted, bytes, started| Shown {
            due: Some(Mono(due)),
            metrics: vec![(counted, "), started: {")],
            bytes: Bytes::from_static(bytes),
            started: Mono(started),
        };
        let first = print(100, &shown(150, 1, b"a", 0));
        assert_eq!(first, print(200, &shown(250, 2, b"a", 7)), "the same, later, and counted otherwise");
        assert_ne!(first, print(200, &shown(251, 1, b"a", 0)), "due at another time");
        assert_ne!(first, print(100, &shown(150, 1, b"b", 0)), "other bytes behind what is left out");
        let quoted = print(100, &shown(150, 1, b"\"metrics: ", 0));
        assert_ne!(quoted, print(100, &shown(150, 1, b"\"metrics: x", 0)), "text is no field");
    }
}
