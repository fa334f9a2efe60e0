//! What the tests of this crate share: a history to log, and a disk that loses power.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod calls;
pub(crate) mod history;
pub(crate) mod power;
pub(crate) mod script;

/// A directory for files whose syncs need not be slow: in memory if there is such a place.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::TempDir::new_in(memory) } else { tempfile::TempDir::new() };
    made.expect("there is room for a directory")
}

/// A small, good enough generator (SplitMix64): the tests want reproducible variety, nothing more.
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub u64);

impl Dice {
    /// The next number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// True once in `times`, on average.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}
