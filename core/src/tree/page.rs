//! A page: 64 nodes with their names and data in one block of bytes, so that a million small znodes cost a few large
//! allocations, and copying a page on the first write behind a freeze is two copies of memory.
//!
//! Invariants: a slot is free or holds a node; a node's name, then its data, stand at its offset in `bytes`, unless the data
//! is longer than [`INLINE_LIMIT`] and is shared instead; `waste` counts the bytes that no node's blob covers.

use super::acl_cache::AclId;
use super::stat::StatPersisted;
use crate::vocabulary::Zxid;
use bytes::Bytes;

/// Nodes in a page.
pub(super) const PAGE_NODES: usize = 64;
/// Longer data is kept in an allocation of its own, shared by the copies of a page.
const INLINE_LIMIT: usize = 512;
/// Data lengths that say something else.
const NULL_DATA: u32 = u32::MAX;
const LARGE_DATA: u32 = u32::MAX - 1;
/// The name length of a free slot.
const FREE_SLOT: u32 = u32::MAX;

/// A node's number in the slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeId(pub(super) u32);

impl NodeId {
    /// No node.
    pub(super) const NONE: NodeId = NodeId(u32::MAX);

    /// Which page it is in.
    pub(super) fn page(self) -> usize {
        self.0 as usize / PAGE_NODES
    }

    /// Where in that page.
    pub(super) fn slot(self) -> usize {
        self.0 as usize % PAGE_NODES
    }
}

/// What every node has, 88 bytes. Siblings form a ring in the order of their creation, entered at the parent's `first_child`;
/// `ephemeral_owner` stands beside the nodes, as few have one.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) czxid: Zxid,
    pub(super) mzxid: Zxid,
    pub(super) pzxid: Zxid,
    pub(super) ctime: i64,
    pub(super) mtime: i64,
    pub(super) version: i32,
    pub(super) cversion: i32,
    pub(super) aversion: i32,
    pub(super) acl: AclId,
    pub(super) parent: NodeId,
    pub(super) first_child: NodeId,
    pub(super) child_count: u32,
    pub(super) next: NodeId,
    pub(super) previous: NodeId,
    offset: u32,
    name_length: u32,
    data_length: u32,
}

impl Node {
    /// A node with these numbers and no place yet.
    pub(super) fn new(stat: &StatPersisted, acl: AclId) -> Self {
        Node {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            pzxid: stat.pzxid,
            ctime: stat.ctime,
            mtime: stat.mtime,
            version: stat.version,
            cversion: stat.cversion,
            aversion: stat.aversion,
            acl,
            parent: NodeId::NONE,
            first_child: NodeId::NONE,
            child_count: 0,
            next: NodeId::NONE,
            previous: NodeId::NONE,
            offset: 0,
            name_length: FREE_SLOT,
            data_length: NULL_DATA,
        }
    }

    fn inline_length(&self) -> usize {
        if self.data_length >= LARGE_DATA { 0 } else { self.data_length as usize }
    }

    fn blob_length(&self) -> usize {
        self.name_length as usize + self.inline_length()
    }
}

/// See the module's words.
#[derive(Debug, Default)]
pub(super) struct Page {
    nodes: Vec<Node>,
    bytes: Vec<u8>,
    waste: usize,
    live: usize,
    /// Data above the limit, by slot.
    large: Vec<(u8, Bytes)>,
    /// The stored owners that are not 0, by slot.
    owners: Vec<(u8, i64)>,
}

impl Clone for Page {
    /// A copy that can still take as many nodes as a page has.
    fn clone(&self) -> Self {
        let mut nodes = Vec::with_capacity(PAGE_NODES);
        nodes.extend_from_slice(&self.nodes);
        Page {
            nodes,
            bytes: self.bytes.clone(),
            waste: self.waste,
            live: self.live,
            large: self.large.clone(),
            owners: self.owners.clone(),
        }
    }
}

impl Page {
    /// The node in `slot`.
    pub(super) fn node(&self, slot: usize) -> &Node {
        let node = &self.nodes[slot];
        debug_assert!(node.name_length != FREE_SLOT, "slot {slot} is free");
        node
    }

    /// The node in `slot`, to change its numbers and links.
    pub(super) fn node_mut(&mut self, slot: usize) -> &mut Node {
        &mut self.nodes[slot]
    }

    /// The name in `slot`, as bytes.
    pub(super) fn name(&self, slot: usize) -> &[u8] {
        let node = self.node(slot);
        let start = node.offset as usize;
        &self.bytes[start..start + node.name_length as usize]
    }

    /// The data in `slot`.
    pub(super) fn data(&self, slot: usize) -> Option<&[u8]> {
        let node = self.node(slot);
        match node.data_length {
            NULL_DATA => None,
            LARGE_DATA => Some(self.shared_data(slot).expect("large data is in the list")),
            length => {
                let start = (node.offset + node.name_length) as usize;
                Some(&self.bytes[start..start + length as usize])
            }
        }
    }

    /// The data in `slot`, when it is above the limit.
    pub(super) fn shared_data(&self, slot: usize) -> Option<&Bytes> {
        let found = self.large.binary_search_by_key(&(slot as u8), |(slot, _)| *slot);
        found.ok().map(|at| &self.large[at].1)
    }

    /// The stored owner in `slot`.
    pub(super) fn owner(&self, slot: usize) -> i64 {
        if self.owners.is_empty() {
            return 0;
        }
        let found = self.owners.binary_search_by_key(&(slot as u8), |(slot, _)| *slot);
        found.map_or(0, |at| self.owners[at].1)
    }

    /// Whether `slot` can be filled.
    pub(super) fn is_free(&self, slot: usize) -> bool {
        self.nodes.get(slot).is_none_or(|node| node.name_length == FREE_SLOT)
    }

    /// Puts a node into the free `slot`.
    pub(super) fn fill(&mut self, slot: usize, node: Node, name: &str, data: Option<&[u8]>) {
        assert!(self.is_free(slot), "slot {slot} is taken");
        assert!(slot <= self.nodes.len(), "slots are filled in order");
        if slot == self.nodes.len() {
            if self.nodes.capacity() == 0 {
                self.nodes.reserve_exact(PAGE_NODES);
            }
            self.nodes.push(node);
        } else {
            self.nodes[slot] = node;
        }
        self.live += 1;
        self.store(slot, name.as_bytes(), data);
    }

    /// Says what the node in `slot` lives by.
    pub(super) fn set_owner(&mut self, slot: usize, owner: i64) {
        let found = self.owners.binary_search_by_key(&(slot as u8), |(slot, _)| *slot);
        match (found, owner) {
            (Ok(at), 0) => drop(self.owners.remove(at)),
            (Ok(at), owner) => self.owners[at].1 = owner,
            (Err(_), 0) => {}
            (Err(at), owner) => self.owners.insert(at, (slot as u8, owner)),
        }
    }

    /// Replaces the data in `slot`.
    pub(super) fn set_data(&mut self, slot: usize, data: Option<&[u8]>) {
        if let Some(data) = data
            && self.nodes[slot].data_length as usize == data.len()
            && data.len() <= INLINE_LIMIT
        {
            let node = &self.nodes[slot];
            let start = (node.offset + node.name_length) as usize;
            self.bytes[start..start + data.len()].copy_from_slice(data);
            return;
        }
        let name = self.name(slot).to_vec();
        self.forget(slot);
        self.store(slot, &name, data);
    }

    /// Empties `slot`.
    pub(super) fn free(&mut self, slot: usize) {
        assert!(!self.is_free(slot), "slot {slot} is free already");
        self.forget(slot);
        self.set_owner(slot, 0);
        self.live -= 1;
        if self.live == 0 {
            self.bytes = Vec::new();
            self.waste = 0;
        }
    }

    /// Gives up the blob of `slot` and leaves the slot free.
    fn forget(&mut self, slot: usize) {
        self.waste += self.nodes[slot].blob_length();
        if self.nodes[slot].data_length == LARGE_DATA {
            self.large.retain(|(at, _)| *at != slot as u8);
        }
        self.nodes[slot].data_length = NULL_DATA;
        self.nodes[slot].name_length = FREE_SLOT;
    }

    /// Places the blob of `slot`, which has none.
    fn store(&mut self, slot: usize, name: &[u8], data: Option<&[u8]>) {
        let (inline, data_length) = match data {
            None => (&[][..], NULL_DATA),
            Some(data) if data.len() <= INLINE_LIMIT => (data, data.len() as u32),
            Some(data) => {
                let at = self.large.partition_point(|(other, _)| *other < slot as u8);
                self.large.insert(at, (slot as u8, Bytes::copy_from_slice(data)));
                (&[][..], LARGE_DATA)
            }
        };
        self.make_room(name.len() + inline.len());
        let node = &mut self.nodes[slot];
        node.offset = u32::try_from(self.bytes.len()).expect("a page's names are far below 4 GiB");
        node.name_length = u32::try_from(name.len()).expect("a name is limited as every string is");
        node.data_length = data_length;
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(inline);
    }

    /// Room for `more` bytes: waste is swept out once it is a quarter, and growth foresees a page full of such nodes.
    fn make_room(&mut self, more: usize) {
        if self.waste > 256 && self.waste * 4 > self.bytes.len() {
            self.compact(more);
        }
        let needed = self.bytes.len() + more;
        if needed > self.bytes.capacity() {
            let foreseen = needed / self.live.max(1) * PAGE_NODES;
            let target = foreseen.clamp(needed + needed / 32, needed * 2);
            self.bytes.reserve_exact(target - self.bytes.len());
        }
    }

    fn compact(&mut self, more: usize) {
        let used = self.bytes.len() - self.waste + more;
        let mut bytes = Vec::with_capacity(used + used / 32);
        for node in &mut self.nodes {
            if node.name_length != FREE_SLOT {
                let start = node.offset as usize;
                node.offset = bytes.len() as u32;
                bytes.extend_from_slice(&self.bytes[start..start + node.blob_length()]);
            }
        }
        self.bytes = bytes;
        self.waste = 0;
    }

    /// Nodes in the page.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Bytes on the heap, about.
    pub(super) fn heap_bytes(&self) -> usize {
        let large: usize = self.large.iter().map(|(_, data)| data.len()).sum();
        let vectors = self.nodes.capacity() * size_of::<Node>() + self.bytes.capacity();
        let lists = self.large.capacity() * size_of::<(u8, Bytes)>() + self.owners.capacity() * 16;
        large + vectors + lists + size_of::<Page>() + 16
    }

    /// Every invariant of the page.
    ///
    /// # Errors
    /// Says which does not hold.
    pub(super) fn check(&self) -> Result<(), String> {
        let taken: Vec<&Node> = self.nodes.iter().filter(|node| node.name_length != FREE_SLOT).collect();
        if taken.len() != self.live {
            return Err(format!("a page counts {} nodes and has {}", self.live, taken.len()));
        }
        let used: usize = taken.iter().map(|node| node.blob_length()).sum();
        if used + self.waste != self.bytes.len() {
            return Err(format!("{used} bytes used and {} wasted of {}", self.waste, self.bytes.len()));
        }
        let large = taken.iter().filter(|node| node.data_length == LARGE_DATA).count();
        if large != self.large.len() {
            return Err(format!("{large} nodes with large data, {} such data", self.large.len()));
        }
        if self.owners.iter().any(|(slot, owner)| *owner == 0 || self.is_free(usize::from(*slot))) {
            return Err("an owner of a free slot".to_string());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Node {
        Node::new(&StatPersisted::default(), AclId::OPEN)
    }

    #[test]
    fn a_node_takes_88_bytes() {
        assert_eq!(size_of::<Node>(), 88);
    }

    #[test]
    fn a_page_keeps_names_and_data_through_every_kind_of_change() {
        let mut page = Page::default();
        let mut expected: Vec<Option<(String, Option<Vec<u8>>)>> = Vec::new();
        for slot in 0..PAGE_NODES {
            page.fill(slot, node(), &format!("n{slot}"), Some(&[slot as u8; 10]));
            expected.push(Some((format!("n{slot}"), Some(vec![slot as u8; 10]))));
        }
        let lengths = [0, 10, 600, 512, 513, 3, 10, 100];
        for round in 0..2_000_usize {
            let slot = round * 37 % PAGE_NODES;
            let length = lengths[round % lengths.len()];
            let data = (round % 11 != 0).then(|| vec![round as u8; length]);
            if expected[slot].is_some() && round % 5 == 0 {
                page.free(slot);
                expected[slot] = None;
            } else if let Some((_, old)) = &mut expected[slot] {
                page.set_data(slot, data.as_deref());
                *old = data;
            } else {
                page.fill(slot, node(), &format!("m{round}"), data.as_deref());
                page.set_owner(slot, round as i64);
                expected[slot] = Some((format!("m{round}"), data));
            }
            page.check().unwrap();
            for (slot, expected) in expected.iter().enumerate() {
                assert_eq!(page.is_free(slot), expected.is_none());
                if let Some((name, data)) = expected {
                    assert_eq!(page.name(slot), name.as_bytes());
                    assert_eq!(page.data(slot), data.as_deref());
                }
            }
        }
        assert!(page.bytes.capacity() < 64 * 600 * 2, "waste is swept out");
    }
}
