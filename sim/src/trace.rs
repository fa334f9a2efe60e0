//! What happened, twice: a running hash of all of it, and the last entries in words. Held against another run's, the first entry that differs.
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

/// An event, and the hash of all that came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    before: u64,
    at: u64,
    what: &'static str,
    numbers: [u64; 3],
}

impl Step {
    fn words(&self) -> String {
        TraceEntry { at: self.at, what: self.what, numbers: self.numbers, words: None }.to_string()
    }
}

/// Where two runs of the same plan part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parting {
    /// The number of the event, from 0.
    pub(crate) event: usize,
    /// What the first run did there; nothing, if it was over.
    pub(crate) first: Option<String>,
    /// What the second did.
    pub(crate) second: Option<String>,
}

impl Parting {
    /// Both runs had the same event before the one of number `next`, and other bytes with it.
    fn behind(next: usize, last: Option<&Step>) -> Self {
        let with = |which: &str| last.map(|step| format!("{}, with {which}", step.words()));
        Parting { event: next.saturating_sub(1), first: with("some bytes"), second: with("other bytes") }
    }
}

/// All events of a run, or those that another's are held against.
#[derive(Clone, Debug)]
enum Steps {
    NotKept,
    Kept(Vec<Step>),
    Against { first: Vec<Step>, next: usize, parting: Option<Parting> },
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    hash: u64,
    ring: VecDeque<TraceEntry>,
    kept: usize,
    is_verbose: bool,
    steps: Steps,
}

impl Trace {
    /// An empty trace. Asked for a number of events, it keeps words beside the numbers.
    pub(crate) fn new(seed: u64, shown: Option<usize>) -> Self {
        let kept = shown.unwrap_or(KEPT);
        let (hash, is_verbose) = (seed ^ MULTIPLIER, shown.is_some());
        Trace { hash, ring: VecDeque::new(), kept, is_verbose, steps: Steps::NotKept }
    }

    /// An empty trace that keeps all events, for another to be held against it.
    pub(crate) fn kept(seed: u64) -> Self {
        Trace { steps: Steps::Kept(Vec::new()), ..Trace::new(seed, None) }
    }

    /// An empty trace that is held against a kept one.
    pub(crate) fn against(seed: u64, first: Trace) -> Self {
        let Steps::Kept(first) = first.steps else { panic!("the first run's trace keeps its events") };
        Trace { steps: Steps::Against { first, next: 0, parting: None }, ..Trace::new(seed, None) }
    }

    /// Where this run and the one that it is held against part. Both are over, the first with the hash `first_hash`.
    pub(crate) fn parting(self, first_hash: u64) -> Option<Parting> {
        let Steps::Against { first, next, parting } = self.steps else { return None };
        if parting.is_some() || self.hash == first_hash {
            return parting;
        }
        if let Some(step) = first.get(next) {
            return Some(Parting { event: next, first: Some(step.words()), second: None });
        }
        Some(Parting::behind(next, first.last()))
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    fn mix(&mut self, word: u64) {
        let product = u128::from(self.hash ^ word) * u128::from(MULTIPLIER);
        self.hash = (product as u64) ^ ((product >> 64) as u64).rotate_left(17) ^ word.rotate_left(32);
    }

    /// Keeps the event that is to be added, or holds it against the first run's.
    fn step(&mut self, step: Step) {
        match &mut self.steps {
            Steps::NotKept => {}
            Steps::Kept(steps) => steps.push(step),
            Steps::Against { parting: Some(_), .. } => {}
            Steps::Against { first, next, parting } => {
                *parting = match first.get(*next) {
                    Some(same) if *same == step => None,
                    Some(other) if other.before != step.before => {
                        Some(Parting::behind(*next, next.checked_sub(1).map(|last| &first[last])))
                    }
                    other => {
                        let words = other.map(Step::words);
                        Some(Parting { event: *next, first: words, second: Some(step.words()) })
                    }
                };
                *next += 1;
            }
        }
    }

    /// Adds an event.
    pub(crate) fn event(&mut self, at: u64, what: &'static str, numbers: [u64; 3]) {
        self.step(Step { before: self.hash, at, what, numbers });
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

#[cfg(test)]
mod tests {
    use super::*;

    type Told = (u64, &'static str, u64, &'static [u8]);

    fn tell(trace: &mut Trace, story: &[Told]) {
        for &(at, what, number, bytes) in story {
            trace.event(at, what, [number, 0, 0]);
            trace.bytes(bytes);
        }
    }

    fn parting(first: &[Told], second: &[Told]) -> Option<(usize, String, String)> {
        let mut kept = Trace::kept(7);
        tell(&mut kept, first);
        let hash = kept.hash();
        let mut against = Trace::against(7, kept);
        tell(&mut against, second);
        let words = |words: Option<String>| words.unwrap_or_default().trim().to_string();
        against.parting(hash).map(|parting| (parting.event, words(parting.first), words(parting.second)))
    }

    #[test]
    fn two_runs_part_with_the_first_event_that_differs() {
        let story: &[Told] = &[(0, "restart", 1, b""), (5, "arrive", 2, b"abc"), (5, "disk", 3, b"")];
        assert_eq!(parting(story, story), None);
        let other: &[Told] = &[story[0], (5, "arrive", 4, b"abc"), story[2]];
        let words = |first: &str, second: &str| (first.to_string(), second.to_string());
        let (first, second) = words("0.000000005 arrive 0x2", "0.000000005 arrive 0x4");
        assert_eq!(parting(story, other), Some((1, first, second)));
        let other: &[Told] = &[story[0], (5, "arrive", 2, b"abd"), story[2]];
        let (first, second) =
            words("0.000000005 arrive 0x2, with some bytes", "0.000000005 arrive 0x2, with other bytes");
        assert_eq!(parting(story, other), Some((1, first.clone(), second.clone())));
        assert_eq!(parting(&story[..2], &other[..2]), Some((1, first, second)));
        assert_eq!(parting(story, &story[..2]), Some((2, "0.000000005 disk 0x3".to_string(), String::new())));
        assert_eq!(parting(&story[..2], story), Some((2, String::new(), "0.000000005 disk 0x3".to_string())));
    }
}
