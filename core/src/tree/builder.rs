//! A tree on its way out of a snapshot: its nodes come one after the other, each behind its parent.
//!
//! Snapshots are written by walking down the tree, so a node's parent is nearly always one of the nodes on the way to the node before
//! it, and is found there without a lookup. The index is made once, when all nodes have come and its size is known: one that
//! grows with them would hash every node again and again. A node that comes in another order has its parent looked up, and the index
//! catches up for that.
//!
//! Invariant: `line` leads from the root to the last node, whose path is `path`: each node with the length of its own.

use super::acl_cache::{AclCache, AclId};
use super::data_tree::{DataTree, TreeOptions};
use super::page::{Node, NodeId};
use super::pages::ROOT;
use super::path;
use super::snapshot_decoder::SnapshotError;
use super::snapshot_scan::ScannedNode;
use crate::vocabulary::LookupSeed;

/// See the module's words.
#[derive(Clone)]
pub(super) struct TreeBuilder {
    tree: DataTree,
    path: String,
    line: Vec<(NodeId, usize)>,
}

impl TreeBuilder {
    /// A tree of nothing but the root, which is the first node of every snapshot.
    pub(super) fn new(
        (seed, options): (LookupSeed, TreeOptions),
        acls: AclCache,
        (root, acl): (&ScannedNode<'_>, AclId),
    ) -> Result<Self, SnapshotError> {
        if !root.path.is_empty() {
            return Err(SnapshotError::NoRoot(root.path.to_string()));
        }
        let mut tree = DataTree::with_root(seed, options, root.stat, root.data);
        tree.acls = acls;
        tree.acls.retain(acl);
        tree.slab.pages.set_acl(ROOT, acl);
        Ok(TreeBuilder { tree, path: String::new(), line: vec![(ROOT, 0)] })
    }

    /// The ACLs, to which more may come.
    pub(super) fn acls(&mut self) -> &mut AclCache {
        &mut self.tree.acls
    }

    /// Adds a node. That there are two of it may be found out only later.
    pub(super) fn add(&mut self, scanned: &ScannedNode<'_>, acl: AclId) -> Result<(), SnapshotError> {
        let path = scanned.path.as_ref();
        if path.is_empty() {
            return Err(SnapshotError::Duplicate("the root".to_string()));
        }
        let orphan = || SnapshotError::Orphan(path.to_string());
        let name = path::name(path).ok_or_else(orphan)?;
        let parent_path = &path[..path.len() - name.len() - 1];
        let parent = match self.on_line(parent_path) {
            Some(parent) => parent,
            None => self.look_up(parent_path)?.ok_or_else(orphan)?,
        };
        self.tree.acls.retain(acl);
        let node = Node::new(&scanned.stat, acl);
        let id = self.tree.place_node(parent, path, node, scanned.data, scanned.stat.ephemeral_owner);
        self.path.truncate(parent_path.len());
        self.path.push_str(&path[parent_path.len()..]);
        self.line.push((id, path.len()));
        Ok(())
    }

    /// The node at `parent_path` if it is on the way to the last one; what lies below it leaves the line.
    fn on_line(&mut self, parent_path: &str) -> Option<NodeId> {
        while let Some((id, length)) = self.line.last() {
            if *length <= parent_path.len() {
                return (self.path.get(..*length) == Some(parent_path)).then_some(*id);
            }
            self.line.pop();
        }
        None
    }

    /// The node at `parent_path`, which is not the root's: from here on the line leads to it.
    fn look_up(&mut self, parent_path: &str) -> Result<Option<NodeId>, SnapshotError> {
        self.tree.index_the_rest()?;
        // The root is always on the line; its other spelling is the start of a path with two slashes.
        let Some(parent) = self.tree.find(parent_path).filter(|id| *id != ROOT) else { return Ok(None) };
        self.path.clear();
        self.path.push_str(parent_path);
        self.line.truncate(1);
        self.line.push((parent, parent_path.len()));
        Ok(Some(parent))
    }

    /// All nodes have come: from here on they can be found.
    pub(super) fn index(&mut self) -> Result<(), SnapshotError> {
        self.tree.index_the_rest()
    }

    /// The tree, once it is indexed.
    pub(super) fn into_tree(self) -> DataTree {
        self.tree
    }
}
