//! The one seam for every free choice of a run: [`Chooser::pick`], asked by kind and key.
//!
//! A key says what the choice belongs to (a connection and a byte offset, an incarnation and a disk call), never when it is
//! asked. So a plan with one fault less makes the same choices everywhere but where that fault was the cause.
//!
//! Absent: choosers that read a fuzzer's bytes or walk all choices.

use std::collections::BTreeMap;

/// What a choice is about; each kind is a stream of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u64)]
pub enum Choice {
    /// How long a segment travels.
    NetLatency = 1,
    /// Where a stream of bytes is split.
    NetSplit = 2,
    /// How long a disk call takes.
    DiskLatency = 3,
    /// Whether a disk call fails, and how.
    DiskFault = 4,
    /// What of unsynced writes and names a power loss leaves.
    CrashImage = 5,
    /// What a client does when it is free to: when it reconnects, whether it keeps its session.
    Client = 6,
    /// What a plan is made of.
    Plan = 7,
    /// The foreign data image a restart finds.
    Image = 8,
    /// Where a stream between servers is split.
    LinkSplit = 9,
    /// How long a segment travels between servers.
    LinkLatency = 10,
    /// What of a dead process's last words still arrives.
    LinkEnd = 11,
    /// Which servers a fault, or the end of all faults, picks.
    Servers = 12,
    /// Where a synchronisation breaks.
    LinkBreak = 13,
    /// What happens next in a small scene.
    Scene = 14,
    /// Which bytes rot.
    Rot = 15,
    /// What applications draw.
    App = 16,
    /// Which segments between servers get lost.
    LinkLoss = 17,
}

/// What a choice belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub u64, pub u64, pub u64);

/// Where free choices come from.
pub trait Chooser {
    /// A number below `n` for this question; the same question has the same answer.
    ///
    /// # Panics
    /// When `n` is 0.
    fn pick(&mut self, kind: Choice, key: Key, n: u64) -> u64;

    /// Whether something of `permille` in a thousand happens.
    fn chance(&mut self, kind: Choice, key: Key, permille: u64) -> bool {
        permille > 0 && self.pick(kind, key, 1000) < permille
    }
}

/// Choices by a seed: a hash of (seed, kind, key). Each word goes in through SplitMix64's finalizer, which loses nothing.
#[derive(Clone, Copy, Debug)]
pub struct Seeded {
    /// The seed.
    pub seed: u64,
}

impl Chooser for Seeded {
    fn pick(&mut self, kind: Choice, key: Key, n: u64) -> u64 {
        assert!(n > 0, "a choice between nothing");
        let words = [kind as u64, key.0, key.1, key.2];
        let hash = words.into_iter().fold(mix(self.seed), |hash, word| mix(hash ^ word));
        ((u128::from(hash) * u128::from(n)) >> 64) as u64
    }
}

fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Choices written down before; what is not written down comes from a seed.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The answers.
    pub answers: BTreeMap<(Choice, Key), u64>,
    /// Where the others come from.
    pub otherwise: Seeded,
}

impl Chooser for Recorded {
    fn pick(&mut self, kind: Choice, key: Key, n: u64) -> u64 {
        match self.answers.get(&(kind, key)) {
            Some(answer) => *answer % n,
            None => self.otherwise.pick(kind, key, n),
        }
    }
}

/// A sequence of choices under one kind and two keys, for making something step by step.
pub(crate) struct Draws<'a> {
    chooser: &'a mut dyn Chooser,
    kind: Choice,
    key: (u64, u64),
    counter: u64,
}

impl<'a> Draws<'a> {
    pub(crate) fn new(chooser: &'a mut dyn Chooser, kind: Choice, key: (u64, u64)) -> Self {
        Draws { chooser, kind, key, counter: 0 }
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.counter += 1;
        self.chooser.pick(self.kind, Key(self.key.0, self.key.1, self.counter), n)
    }

    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    pub(crate) fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }

    pub(crate) fn of<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len() as u64) as usize]
    }

    /// An index, by weight. The weights must not all be 0.
    pub(crate) fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index;
            }
            left -= weight;
        }
        unreachable!("a draw below the sum of the weights falls under one of them")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_has_the_same_answer_and_another_key_another() {
        let mut seeded = Seeded { seed: 7 };
        let first = seeded.pick(Choice::NetLatency, Key(1, 2, 3), u64::MAX);
        assert_eq!(first, seeded.pick(Choice::NetLatency, Key(1, 2, 3), u64::MAX));
        assert_ne!(first, seeded.pick(Choice::NetLatency, Key(1, 2, 4), u64::MAX));
        assert_ne!(first, seeded.pick(Choice::NetSplit, Key(1, 2, 3), u64::MAX));
    }

    #[test]
    fn neighbouring_keys_have_answers_that_are_spread_evenly() {
        let mut seeded = Seeded { seed: 1 };
        let mut counts = [0; 10];
        for key in 0..10_000 {
            counts[seeded.pick(Choice::Plan, Key(3, 0, key), 10) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    }

    #[test]
    fn recorded_answers_come_before_the_seed() {
        let otherwise = Seeded { seed: 7 };
        let answers = BTreeMap::from([((Choice::Client, Key(0, 0, 1)), 5)]);
        let mut recorded = Recorded { answers, otherwise };
        assert_eq!(recorded.pick(Choice::Client, Key(0, 0, 1), 10), 5);
        let asked = recorded.pick(Choice::Client, Key(0, 0, 2), 1000);
        assert_eq!(asked, otherwise.clone().pick(Choice::Client, Key(0, 0, 2), 1000));
    }
}
