//! A frozen view of the tree: the page table and the ACLs of one moment. A value of its own, which can go to another thread.

use super::acl_cache::AclLists;
use super::page::NodeId;
use super::pages::{Pages, ROOT};

/// The tree as it was when it was frozen. Pages are shared with the living tree until that writes to them.
#[derive(Clone)]
pub struct FrozenTree {
    pub(super) pages: Pages,
    pub(super) lists: AclLists,
    nodes: usize,
}

impl FrozenTree {
    pub(super) fn new(pages: Pages, lists: AclLists, nodes: usize) -> Self {
        FrozenTree { pages, lists, nodes }
    }

    /// Nodes, the root counted once.
    pub fn node_count(&self) -> usize {
        self.nodes
    }
}

impl std::fmt::Debug for FrozenTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FrozenTree({} nodes in {} pages)", self.nodes, self.pages.len())
    }
}

/// A walk through all nodes, every parent before its children, that remembers the path and can rest anywhere.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    at: Option<NodeId>,
    path: String,
}

impl Walk {
    /// A walk that stands at the root.
    pub(super) fn new() -> Self {
        Walk { at: Some(ROOT), path: String::new() }
    }

    /// Where it stands: node and path; none behind the last node.
    pub(super) fn node(&self) -> Option<(NodeId, &str)> {
        Some((self.at?, &self.path))
    }

    /// Goes on to the next node.
    pub(super) fn advance(&mut self, pages: &Pages) {
        let Some(mut at) = self.at else { return };
        let first_child = pages.node(at).first_child;
        if first_child != NodeId::NONE {
            return self.step_down(pages, first_child);
        }
        self.at = None;
        while at != ROOT {
            let node = pages.node(at);
            self.path.truncate(self.path.len() - pages.name_bytes(at).len() - 1);
            if node.next != pages.node(node.parent).first_child {
                return self.step_down(pages, node.next);
            }
            at = node.parent;
        }
    }

    fn step_down(&mut self, pages: &Pages, to: NodeId) {
        self.path.push('/');
        self.path.push_str(pages.name(to));
        self.at = Some(to);
    }
}
