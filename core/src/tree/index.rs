//! From (parent, name) to the node: tables of ids, 5 bytes an entry, as both halves of the key stand in the nodes.
//!
//! Cut into shards, so that growing rehashes a small part at a time and no write waits for a whole table. The hash is keyed by
//! boot entropy: clients choose names, and nobody can aim at one bucket. It can't be walked.

use super::page::NodeId;
use super::pages::Pages;
use crate::vocabulary::LookupSeed;
use foldhash::quality::SeedableRandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

const SHARDS: usize = 64;

/// See the module's words.
#[derive(Clone)]
pub(super) struct Index {
    shards: Vec<HashTable<u32>>,
    state: SeedableRandomState,
}

impl Index {
    /// An empty index.
    pub(super) fn new(seed: LookupSeed) -> Self {
        Index { shards: vec![HashTable::new(); SHARDS], state: seed.hasher() }
    }

    /// The child of `parent` called `name`.
    pub(super) fn find(&self, pages: &Pages, parent: NodeId, name: &str) -> Option<NodeId> {
        let hash = hash(&self.state, parent, name.as_bytes());
        let found = self.shards[shard(hash)].find(hash, |id| is(pages, NodeId(*id), parent, name.as_bytes()));
        found.map(|id| NodeId(*id))
    }

    /// Adds a node that is linked and named.
    pub(super) fn insert(&mut self, pages: &Pages, id: NodeId) {
        let state = &self.state;
        let hash_of = |id: &u32| {
            let id = NodeId(*id);
            hash(state, pages.node(id).parent, pages.name_bytes(id))
        };
        let hash = hash_of(&id.0);
        self.shards[shard(hash)].insert_unique(hash, id.0, hash_of);
    }

    /// Adds many nodes that are linked and named, shard by shard: each is made at its size, and filled while the processor has it
    /// at hand.
    ///
    /// # Errors
    /// The node whose parent and name another one has.
    pub(super) fn extend(&mut self, pages: &Pages, ids: Range<u32>) -> Result<(), NodeId> {
        let state = &self.state;
        let key = |id: u32| (pages.node(NodeId(id)).parent, pages.name_bytes(NodeId(id)));
        let hash_of = |id: &u32| {
            let (parent, name) = key(*id);
            hash(state, parent, name)
        };
        let mut sorted: Vec<Vec<(u64, u32)>> = vec![Vec::new(); SHARDS];
        for id in ids {
            let hash = hash_of(&id);
            sorted[shard(hash)].push((hash, id));
        }
        for (table, entries) in self.shards.iter_mut().zip(sorted) {
            table.reserve(entries.len(), hash_of);
            for (hash, id) in entries {
                let is_twin = |other: &u32| key(*other) == key(id);
                match table.entry(hash, is_twin, hash_of) {
                    Entry::Vacant(entry) => drop(entry.insert(id)),
                    Entry::Occupied(_) => return Err(NodeId(id)),
                }
            }
        }
        Ok(())
    }

    /// Removes a node that is still linked and named.
    pub(super) fn remove(&mut self, pages: &Pages, id: NodeId) {
        let hash = hash(&self.state, pages.node(id).parent, pages.name_bytes(id));
        let entry = self.shards[shard(hash)].find_entry(hash, |other| *other == id.0);
        entry.expect("every node but the root is indexed").remove();
    }

    /// Entries there are.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(HashTable::len).sum()
    }

    /// Bytes on the heap, about.
    pub(super) fn heap_bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.allocation_size() + size_of::<HashTable<u32>>()).sum()
    }
}

fn is(pages: &Pages, id: NodeId, parent: NodeId, name: &[u8]) -> bool {
    pages.node(id).parent == parent && pages.name_bytes(id) == name
}

fn hash(state: &SeedableRandomState, parent: NodeId, name: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write_u32(parent.0);
    hasher.write(name);
    hasher.finish()
}

/// The tables take the lowest and the highest bits, so the shard takes others.
fn shard(hash: u64) -> usize {
    (hash >> 40) as usize % SHARDS
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Index({} entries)", self.len())
    }
}
