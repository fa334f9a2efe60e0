//! What happened, twice: a running hash of all of it, and the last entries in words.
//!
//! The hash is made of 64-bit multiplications only, so it is the same on every build and machine.

use std::collections::VecDeque;
use std::fmt;

/// How many events are kept for the report of a failure that nobody expected.
const KEPT: usize = 30;
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// An entry of the ring: when, and what in few words.
#[derive(Clone, Debug)]
pub(crate) struct TraceEntry {
    pub(crate) at: u64,
    pub(crate) what: &'static str,
    pub(crate) numbers: [u64; 3],
    pub(crate) words: Option<String>,
}

impl fmt::Display for TraceEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.at / 1_000_000_000, self.at % 1_000_000_000);
        write!(f, "{seconds:>3}.{nanos:09} {}", self.what)?;
        for number in self.numbers {
            if number != 0 {
                write!(f, " {number:#x}")?;
            }
        }
        match &self.words {
            Some(words) => write!(f, " {words}"),
            None => Ok(()),
        }
    }
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    hash: u64,
    ring: VecDeque<TraceEntry>,
    kept: usize,
    is_verbose: bool,
}

impl Trace {
    /// An empty trace. Asked for a number of events, it keeps words beside the numbers.
    pub(crate) fn new(seed: u64, shown: Option<usize>) -> Self {
        let kept = shown.unwrap_or(KEPT);
        Trace { hash: seed ^ MULTIPLIER, ring: VecDeque::new(), kept, is_verbose: shown.is_some() }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    fn mix(&mut self, word: u64) {
        let product = u128::from(self.hash ^ word) * u128::from(MULTIPLIER);
        self.hash = (product as u64) ^ ((product >> 64) as u64).rotate_left(17) ^ word.rotate_left(32);
    }

    /// Adds an event.
    pub(crate) fn event(&mut self, at: u64, what: &'static str, numbers: [u64; 3]) {
        self.mix(at);
        self.mix(u64::from(what.as_bytes()[0]) | ((what.len() as u64) << 8));
        for number in numbers {
            self.mix(number);
        }
        self.keep(TraceEntry { at, what, numbers, words: None });
    }

    /// Adds words to the last entry. They are no part of the hash.
    pub(crate) fn words(&mut self, words: impl FnOnce() -> String) {
        if self.is_verbose
            && let Some(last) = self.ring.back_mut()
        {
            match &mut last.words {
                Some(before) => {
                    before.push_str(" | ");
                    before.push_str(&words());
                }
                none => *none = Some(words()),
            }
        }
    }

    /// Adds bytes that went over a wire.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let mut last = [0u8; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(last) ^ ((bytes.len() as u64) << 56));
    }

    fn keep(&mut self, entry: TraceEntry) {
        if self.ring.len() >= self.kept {
            self.ring.pop_front();
        }
        self.ring.push_back(entry);
    }

    /// The last entries, oldest first.
    pub(crate) fn last(&self) -> Vec<String> {
        self.ring.iter().map(ToString::to_string).collect()
    }
}
