//! Randomness as data: ChaCha keyed by (seed, server, incarnation), asked by purpose and counter.
//!
//! The same question always has the same answer, so a peer can be cloned, replayed and compared.

use super::{LookupSeed, ServerId};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a random number is for; each purpose is its own stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum EntropyPurpose {
    /// Middle bits of new session ids.
    SessionId = 1,
    /// Keys of the hash tables.
    LookupSeed = 2,
    /// How many txns until the next snapshot.
    SnapshotSpread = 3,
    /// Time-outs that must not march in step (elections, reconnects).
    Backoff = 4,
    /// Which host a client tries next.
    HostOrder = 5,
}

/// A source of reproducible randomness. Cheap to copy; holds no position.
#[derive(Clone, Copy, Debug)]
pub struct Entropy {
    key: [u8; 32],
}

impl Entropy {
    /// The source of `server`'s life number `incarnation` under `seed`.
    pub fn new(seed: u64, server: ServerId, incarnation: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8] = server.0;
        key[16..24].copy_from_slice(&incarnation.to_le_bytes());
        Entropy { key }
    }

    /// The `counter`-th number of `purpose`, uniform over all of u64.
    pub fn draw(&self, purpose: EntropyPurpose, counter: u64) -> u64 {
        let mut rng = ChaCha8Rng::from_seed(self.key);
        rng.set_stream(purpose as u64);
        rng.set_word_pos(u128::from(counter) * 2);
        rng.next_u64()
    }

    /// The `counter`-th number of `purpose` below `bound`.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn below(&self, purpose: EntropyPurpose, counter: u64, bound: u64) -> u64 {
        assert!(bound > 0, "a draw below nothing");
        ((u128::from(self.draw(purpose, counter)) * u128::from(bound)) >> 64) as u64
    }

    /// The key of the hash tables.
    pub fn lookup_seed(&self) -> LookupSeed {
        LookupSeed(self.draw(EntropyPurpose::LookupSeed, 0))
    }
}
