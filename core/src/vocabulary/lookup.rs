//! The only hash map of the core: lookup, insert, remove; it can't be walked, so its order can't leak into behaviour.
//!
//! Keys chosen by clients are hashed with a seed drawn at boot, so that nobody can aim at one bucket.

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use hashbrown::HashMap;
use std::hash::Hash;

/// What a [`LookupMap`] can be keyed by.
pub trait LookupKey: Hash + Eq {}
impl<T: Hash + Eq + ?Sized> LookupKey for T {}

/// The boot entropy that keys a map's hash function.
#[derive(Clone, Copy, Debug)]
pub struct LookupSeed(pub u64);

static SHARED: SharedSeed = SharedSeed::from_u64(0x5155_4f52_4154_4531);

impl LookupSeed {
    /// The hash state for this seed, for tables that store their keys elsewhere.
    pub fn hasher(self) -> SeedableRandomState {
        SeedableRandomState::with_seed(self.0, &SHARED)
    }
}

/// A map that can't be walked. See the module's words.
#[derive(Clone)]
pub struct LookupMap<K, V> {
    map: HashMap<K, V, SeedableRandomState>,
}

impl<K: LookupKey, V> LookupMap<K, V> {
    /// An empty map keyed by `seed`.
    pub fn new(seed: LookupSeed) -> Self {
        LookupMap { map: HashMap::with_hasher(seed.hasher()) }
    }

    /// The value at `key`.
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.map.get(key)
    }

    /// The value at `key`, to change.
    pub fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.map.get_mut(key)
    }

    /// Whether `key` is present.
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.map.contains_key(key)
    }

    /// Puts `value` at `key`; returns what was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.map.insert(key, value)
    }

    /// The value at `key`, made by `default` when absent.
    pub fn get_or_insert_with(&mut self, key: K, default: impl FnOnce() -> V) -> &mut V {
        self.map.entry(key).or_insert_with(default)
    }

    /// Removes `key`; returns what was there.
    pub fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.map.remove(key)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.map.clear();
    }
}

impl<K, V> std::fmt::Debug for LookupMap<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LookupMap({} entries)", self.map.len())
    }
}
