//! The slab: a table of pages, shared with frozen views until one side writes (`Arc::make_mut`), and the links among nodes.
//!
//! Invariants: every node but the root has a parent and stands in the ring of that parent's children; `child_count` is the
//! ring's length; ids of removed nodes are used again, last removed first. Nothing here knows paths' hash or digests.

use super::acl_cache::AclId;
use super::page::{Node, NodeId, PAGE_NODES, Page};
use super::stat::StatPersisted;
use crate::jute::Stat;
use crate::vocabulary::SessionId;
use bytes::Bytes;
use std::sync::Arc;

/// The root's id, from the first node on.
pub(super) const ROOT: NodeId = NodeId(0);

/// The page table. Cloning it is a freeze.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages {
    pages: Vec<Arc<Page>>,
}

impl Pages {
    /// A node's numbers and links.
    pub(super) fn node(&self, id: NodeId) -> &Node {
        self.pages[id.page()].node(id.slot())
    }

    /// A node's numbers and links, to change; copies the page if a frozen view holds it.
    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.page_mut(id).node_mut(id.slot())
    }

    fn page_mut(&mut self, id: NodeId) -> &mut Page {
        Arc::make_mut(&mut self.pages[id.page()])
    }

    /// A node's name as bytes, for comparing.
    pub(super) fn name_bytes(&self, id: NodeId) -> &[u8] {
        self.pages[id.page()].name(id.slot())
    }

    /// A node's name; the root's is empty.
    pub(super) fn name(&self, id: NodeId) -> &str {
        std::str::from_utf8(self.name_bytes(id)).expect("names are stored from strings")
    }

    /// A node's data.
    pub(super) fn data(&self, id: NodeId) -> Option<&[u8]> {
        self.pages[id.page()].data(id.slot())
    }

    /// A node's data, when it is kept by itself.
    pub(super) fn shared_data(&self, id: NodeId) -> Option<&Bytes> {
        self.pages[id.page()].shared_data(id.slot())
    }

    /// What a node lives by, as stored.
    pub(super) fn owner(&self, id: NodeId) -> i64 {
        self.pages[id.page()].owner(id.slot())
    }

    /// A node's path, "" for the root.
    pub(super) fn path(&self, id: NodeId) -> String {
        let mut names = Vec::new();
        let mut at = id;
        while at != ROOT {
            names.push(self.name(at));
            at = self.node(at).parent;
        }
        let mut path = String::with_capacity(names.iter().map(|name| name.len() + 1).sum());
        for name in names.iter().rev() {
            path.push('/');
            path.push_str(name);
        }
        path
    }

    /// A node's numbers as disk and digest have them.
    pub(super) fn stored(&self, id: NodeId) -> StatPersisted {
        let node = self.node(id);
        StatPersisted {
            czxid: node.czxid,
            mzxid: node.mzxid,
            ctime: node.ctime,
            mtime: node.mtime,
            version: node.version,
            cversion: node.cversion,
            aversion: node.aversion,
            ephemeral_owner: self.owner(id),
            pzxid: node.pzxid,
        }
    }

    /// A node's numbers as clients see them (`client-protocol.md` §10); `session` is 0 unless the node is a real ephemeral.
    pub(super) fn stat(&self, id: NodeId, session: SessionId) -> Stat {
        let node = self.node(id);
        // Wrapping, as Java's: counters that overflowed are still answered.
        let children = node.child_count as i32;
        Stat {
            czxid: node.czxid,
            mzxid: node.mzxid,
            ctime: node.ctime,
            mtime: node.mtime,
            version: node.version,
            cversion: node.cversion.wrapping_mul(2).wrapping_sub(children),
            aversion: node.aversion,
            ephemeral_owner: session.0,
            data_length: self.data(id).map_or(0, <[u8]>::len) as i32,
            num_children: children,
            pzxid: node.pzxid,
        }
    }

    /// Replaces a node's data.
    pub(super) fn set_data(&mut self, id: NodeId, data: Option<&[u8]>) {
        self.page_mut(id).set_data(id.slot(), data);
    }

    /// Replaces a node's ACL; returns the old one.
    pub(super) fn set_acl(&mut self, id: NodeId, acl: AclId) -> AclId {
        std::mem::replace(&mut self.node_mut(id).acl, acl)
    }

    /// The children of a node, first created first.
    pub(super) fn children(&self, id: NodeId) -> Children<'_> {
        let node = self.node(id);
        Children { pages: self, next: node.first_child, left: node.child_count }
    }

    /// The node behind `at` when walking `top` and everything below it, parents first.
    pub(super) fn behind(&self, at: NodeId, top: NodeId) -> Option<NodeId> {
        let first_child = self.node(at).first_child;
        if first_child != NodeId::NONE {
            return Some(first_child);
        }
        let mut at = at;
        while at != top {
            let node = self.node(at);
            if node.next != self.node(node.parent).first_child {
                return Some(node.next);
            }
            at = node.parent;
        }
        None
    }

    /// Pages there are.
    pub(super) fn len(&self) -> usize {
        self.pages.len()
    }

    /// Bytes on the heap, about, pages shared with frozen views included.
    pub(super) fn heap_bytes(&self) -> usize {
        self.pages.capacity() * 8 + self.pages.iter().map(|page| page.heap_bytes()).sum::<usize>()
    }

    fn link(&mut self, parent: NodeId, child: NodeId) {
        let first = self.node(parent).first_child;
        let (next, previous) =
            if first == NodeId::NONE { (child, child) } else { (first, self.node(first).previous) };
        let node = self.node_mut(child);
        (node.parent, node.next, node.previous) = (parent, next, previous);
        if first != NodeId::NONE {
            self.node_mut(previous).next = child;
            self.node_mut(first).previous = child;
        }
        let parent = self.node_mut(parent);
        if first == NodeId::NONE {
            parent.first_child = child;
        }
        parent.child_count += 1;
    }

    fn unlink(&mut self, child: NodeId) {
        let Node { parent, next, previous, .. } = *self.node(child);
        if next == child {
            self.node_mut(parent).first_child = NodeId::NONE;
        } else {
            self.node_mut(previous).next = next;
            self.node_mut(next).previous = previous;
            if self.node(parent).first_child == child {
                self.node_mut(parent).first_child = next;
            }
        }
        self.node_mut(parent).child_count -= 1;
    }
}

/// See [`Pages::children`].
#[derive(Debug)]
pub(super) struct Children<'a> {
    pages: &'a Pages,
    next: NodeId,
    left: u32,
}

impl Iterator for Children<'_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        self.left = self.left.checked_sub(1)?;
        let id = self.next;
        self.next = self.pages.node(id).next;
        Some(id)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

/// The pages with what is needed to add and remove nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Slab {
    /// For reading, and for changing nodes in place.
    pub(super) pages: Pages,
    free: Vec<NodeId>,
    live: usize,
}

impl Slab {
    /// A slab with a root of these numbers.
    pub(super) fn new(root: Node, data: Option<&[u8]>) -> Self {
        let mut slab = Slab::default();
        let id = slab.place(root, "", data);
        assert_eq!(id, ROOT, "the root is the first node");
        slab
    }

    /// Adds a node as the last child of `parent`.
    pub(super) fn insert(&mut self, parent: NodeId, node: Node, name: &str, data: Option<&[u8]>) -> NodeId {
        let id = self.place(node, name, data);
        self.pages.link(parent, id);
        id
    }

    fn place(&mut self, node: Node, name: &str, data: Option<&[u8]>) -> NodeId {
        let id = self.free.pop().unwrap_or_else(|| {
            // Nothing is free, so the ids below `live` are all taken.
            let id = u32::try_from(self.live).expect("fewer nodes than 2^32");
            assert!(id != NodeId::NONE.0, "the last id means no node");
            NodeId(id)
        });
        if id.page() == self.pages.pages.len() {
            self.pages.pages.push(Arc::new(Page::default()));
        }
        self.pages.page_mut(id).fill(id.slot(), node, name, data);
        self.live += 1;
        id
    }

    /// Says what a node lives by.
    pub(super) fn set_owner(&mut self, id: NodeId, owner: i64) {
        self.pages.page_mut(id).set_owner(id.slot(), owner);
    }

    /// Removes a node without children.
    pub(super) fn remove(&mut self, id: NodeId) {
        assert!(id != ROOT, "the root stays");
        assert_eq!(self.pages.node(id).child_count, 0, "only a leaf can be removed");
        self.pages.unlink(id);
        self.pages.page_mut(id).free(id.slot());
        self.free.push(id);
        self.live -= 1;
    }

    /// Nodes there are.
    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// Bytes on the heap, about.
    pub(super) fn heap_bytes(&self) -> usize {
        self.pages.heap_bytes() + self.free.capacity() * 4
    }

    /// Every invariant of pages, free list and links.
    ///
    /// # Errors
    /// Says which does not hold.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut live = 0;
        for page in &self.pages.pages {
            page.check()?;
            live += page.live();
        }
        if live != self.live || live + self.free.len() > self.pages.len() * PAGE_NODES {
            return Err(format!(
                "{} nodes counted, {live} in pages, {} ids free",
                self.live,
                self.free.len()
            ));
        }
        if self.free.iter().any(|id| !self.pages.pages[id.page()].is_free(id.slot())) {
            return Err("a node's id is in the free list".to_string());
        }
        let mut walked = 1;
        let mut at = ROOT;
        while let Some(next) = self.pages.behind(at, ROOT) {
            let node = self.pages.node(next);
            if self.pages.node(node.next).previous != next || self.pages.node(node.previous).next != next {
                return Err(format!("the ring of siblings is broken at {}", self.pages.path(next)));
            }
            walked += 1;
            if walked > live {
                return Err("the tree goes in circles".to_string());
            }
            at = next;
        }
        if walked == live { Ok(()) } else { Err(format!("{live} nodes, of which {walked} can be reached")) }
    }
}
