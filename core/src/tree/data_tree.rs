//! The tree itself: what is in it and how it is read. How txns change it is in `apply`.
//!
//! Invariants (`check_full` verifies them all): pages, index, ACL uses, owners, quotas, sizes and digest describe the same nodes;
//! the digest is the sum of all nodes' digests, the root counted once, 0 below `/zookeeper/`.

use super::acl_cache::{AclCache, AclId};
use super::digest::node_digest;
use super::frozen::FrozenTree;
use super::index::Index;
use super::owner::Owner;
use super::owners::Owners;
use super::page::{Node, NodeId};
use super::pages::{ROOT, Slab};
use super::path;
use super::quota::Quotas;
use super::snapshot_decoder::SnapshotError;
use super::stat::StatPersisted;
use crate::jute::{Acl, Stat};
use crate::vocabulary::{LookupSeed, Millis, SessionId, Wall, Zxid};
use bytes::Bytes;

/// What the operator chose that changes what the tree does or how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeOptions {
    /// `zookeeper.extendedTypesEnabled`: TTL owners are understood.
    pub extended_types: bool,
    /// `zookeeper.digest.enabled`: the digest is kept, compared and written.
    pub digest: bool,
    /// `zookeeper.serializeLastProcessedZxid.enabled`: snapshots end with the last zxid (3.9 and later).
    pub serialize_last_zxid: bool,
}

impl Default for TreeOptions {
    /// ZooKeeper 3.9's defaults.
    fn default() -> Self {
        TreeOptions { extended_types: false, digest: true, serialize_last_zxid: true }
    }
}

/// The znodes. See the module's words.
#[derive(Clone)]
pub struct DataTree {
    pub(super) options: TreeOptions,
    pub(super) slab: Slab,
    pub(super) index: Index,
    pub(super) acls: AclCache,
    pub(super) owners: Owners,
    pub(super) quotas: Quotas,
    pub(super) digest: u64,
    /// Path lengths (UTF-16 units) and data lengths of all nodes but the root's path.
    pub(super) data_size: u64,
}

/// How many there are, and their digest: all of them would fill a book.
impl std::fmt::Debug for DataTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("DataTree");
        shown.field("nodes", &self.node_count()).field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// One node, to read.
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'a> {
    tree: &'a DataTree,
    id: NodeId,
}

impl DataTree {
    /// The tree of a fresh database: the root, `/zookeeper`, `/zookeeper/quota` and `/zookeeper/config` (`disk-format.md` §4.3).
    pub fn new(seed: LookupSeed, options: TreeOptions) -> Self {
        let mut tree = DataTree::with_root(seed, options, StatPersisted::default(), Some(&[]));
        tree.acls.acquire(&Acl::open());
        let zookeeper = tree.add_system_node(ROOT, path::SYSTEM);
        tree.add_system_node(zookeeper, path::QUOTA);
        tree.add_config_node(zookeeper);
        tree
    }

    /// A tree of nothing but a root, whose ACL (open) the caller still has to acquire.
    pub(super) fn with_root(
        seed: LookupSeed,
        options: TreeOptions,
        stat: StatPersisted,
        data: Option<&[u8]>,
    ) -> Self {
        let mut tree = DataTree {
            options,
            slab: Slab::new(Node::new(&stat, AclId::OPEN), data),
            index: Index::new(seed),
            acls: AclCache::new(),
            owners: Owners::default(),
            quotas: Quotas::default(),
            digest: 0,
            data_size: data.map_or(0, <[u8]>::len) as u64,
        };
        tree.digest_in(ROOT, "/");
        tree
    }

    fn add_system_node(&mut self, parent: NodeId, path: &str) -> NodeId {
        let acl = self.acls.acquire(&Acl::open());
        let node = Node::new(&StatPersisted::default(), acl);
        self.add_node(parent, path, node, Some(&[]), 0)
    }

    /// Everybody may read the configuration; its ACL was set with version -1.
    pub(super) fn add_config_node(&mut self, zookeeper: NodeId) {
        let acl = self.acls.acquire(&Acl::world_readable());
        let node = Node::new(&StatPersisted { aversion: -1, ..StatPersisted::default() }, acl);
        self.add_node(zookeeper, path::CONFIG, node, Some(&[]), 0);
    }

    /// Adds a node, whose ACL is acquired already, to everything that describes nodes, but not to quotas.
    pub(super) fn add_node(
        &mut self,
        parent: NodeId,
        path: &str,
        node: Node,
        data: Option<&[u8]>,
        owner: i64,
    ) -> NodeId {
        let id = self.place_node(parent, path, node, data, owner);
        self.index.insert(&self.slab.pages, id);
        id
    }

    /// The same, but for the index: [`Self::index_the_rest`] has to follow.
    pub(super) fn place_node(
        &mut self,
        parent: NodeId,
        path: &str,
        node: Node,
        data: Option<&[u8]>,
        owner: i64,
    ) -> NodeId {
        let name = path::name(path).expect("a node has a name");
        let id = self.slab.insert(parent, node, name, data);
        if owner != 0 {
            self.slab.set_owner(id, owner);
            self.owners.insert(id, Owner::from_stored(owner, self.options.extended_types));
        }
        self.data_size += size_of_entry(path, data);
        self.digest_in(id, path);
        id
    }

    /// Indexes the nodes that were placed and not indexed, in a tree that no node was ever removed from.
    ///
    /// # Errors
    /// When two nodes have one path.
    pub(super) fn index_the_rest(&mut self) -> Result<(), SnapshotError> {
        let (first, end) = (self.index.len() + 1, self.slab.len());
        let twin = |id| SnapshotError::Duplicate(self.slab.pages.path(id));
        self.index.extend(&self.slab.pages, first as u32..end as u32).map_err(twin)
    }

    /// Removes a leaf from everything that describes nodes, quotas included.
    pub(super) fn remove_node(&mut self, id: NodeId, path: &str) {
        self.digest_out(id, path);
        let data = self.slab.pages.data(id);
        let bytes = data.map_or(0, <[u8]>::len);
        self.data_size -= size_of_entry(path, data);
        let owner = self.owner_of(id);
        self.owners.remove(id, owner);
        self.index.remove(&self.slab.pages, id);
        let acl = self.slab.pages.node(id).acl;
        self.acls.release(acl);
        self.slab.remove(id);
        self.quota_deleted(path, bytes);
    }

    /// The node at `path`; "" and "/" are the root. A path that no node can have is simply not there.
    pub(super) fn find(&self, path: &str) -> Option<NodeId> {
        if path::is_root(path) {
            return Some(ROOT);
        }
        let mut at = ROOT;
        for name in path.strip_prefix('/')?.split('/') {
            at = self.index.find(&self.slab.pages, at, name)?;
        }
        Some(at)
    }

    pub(super) fn owner_of(&self, id: NodeId) -> Owner {
        Owner::from_stored(self.slab.pages.owner(id), self.options.extended_types)
    }

    /// Takes a node's digest out of the tree's, before the node changes.
    pub(super) fn digest_out(&mut self, id: NodeId, path: &str) {
        if self.options.digest {
            self.digest = self.digest.wrapping_sub(u64::from(self.digest_of(id, path)));
        }
    }

    /// Puts a node's digest into the tree's, after the node changed.
    pub(super) fn digest_in(&mut self, id: NodeId, path: &str) {
        if self.options.digest {
            self.digest = self.digest.wrapping_add(u64::from(self.digest_of(id, path)));
        }
    }

    pub(super) fn digest_of(&self, id: NodeId, path: &str) -> u32 {
        node_digest(path, self.slab.pages.data(id), &self.slab.pages.stored(id))
    }

    pub(super) fn stat_of(&self, id: NodeId) -> Stat {
        self.slab.pages.stat(id, SessionId(self.owner_of(id).visible()))
    }

    pub(super) fn acl_of(&self, id: NodeId) -> &[Acl] {
        self.acls.list(self.slab.pages.node(id).acl)
    }

    /// The options it was made with.
    pub fn options(&self) -> TreeOptions {
        self.options
    }

    /// The node at `path`; "" and "/" are both the root.
    pub fn node(&self, path: &str) -> Option<NodeView<'_>> {
        self.find(path).map(|id| NodeView { tree: self, id })
    }

    /// The digest of all nodes (version 2), 0 when digests are off.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The ephemerals of `session`, in the order of their paths.
    pub fn ephemerals(&self, session: SessionId) -> Vec<String> {
        self.sorted_paths(self.owners.of_session(session))
    }

    /// Sessions that own a node, in order.
    pub fn sessions_with_ephemerals(&self) -> Vec<SessionId> {
        self.owners.sessions().collect()
    }

    /// Ephemerals of all sessions.
    pub fn ephemeral_count(&self) -> usize {
        self.owners.ephemeral_count()
    }

    /// Containers and nodes with a TTL whose time has come (`client-protocol.md` §11.4), in the order of their paths. 0 as
    /// `max_never_used` keeps containers that never had a child.
    pub fn reapable(&self, now: Wall, max_never_used: Millis) -> Vec<String> {
        self.sorted_paths(self.owners.mortal().filter(|id| self.is_reapable(*id, now, max_never_used)))
    }

    fn is_reapable(&self, id: NodeId, now: Wall, max_never_used: Millis) -> bool {
        let node = self.slab.pages.node(id);
        let age = Millis(u64::try_from(now.0.saturating_sub(node.mtime)).unwrap_or(0));
        let is_due = match self.owner_of(id) {
            Owner::Ttl(ttl) => age > ttl,
            Owner::Container => node.cversion > 0 || (max_never_used.0 != 0 && age > max_never_used),
            Owner::Persistent | Owner::Ephemeral(_) => false,
        };
        is_due && node.child_count == 0
    }

    fn sorted_paths(&self, ids: impl Iterator<Item = NodeId>) -> Vec<String> {
        let mut paths: Vec<String> = ids.map(|id| self.slab.pages.path(id)).collect();
        paths.sort_unstable();
        paths
    }

    /// Everything below `path`, counted: at once for the root, by walking elsewhere.
    pub fn descendants(&self, path: &str) -> Option<usize> {
        let top = self.find(path)?;
        if top == ROOT {
            return Some(self.node_count() - 1);
        }
        let mut count = 0;
        let mut at = top;
        while let Some(next) = self.slab.pages.behind(at, top) {
            count += 1;
            at = next;
        }
        Some(count)
    }

    /// Nodes, the root counted once. ZooKeeper prints one more, as it keeps the root under two names.
    pub fn node_count(&self) -> usize {
        self.slab.len()
    }

    /// Bytes of paths and data, as `mntr` prints them; the root's second name counts 1. Unlike Java's it knows what quotas write.
    pub fn approximate_data_size(&self) -> u64 {
        self.data_size + 1
    }

    /// Different ACLs in use.
    pub fn acl_count(&self) -> usize {
        self.acls.len()
    }

    /// A view of the tree as it is now, that later writes leave alone. Costs one pointer for 64 nodes.
    pub fn freeze(&self) -> FrozenTree {
        FrozenTree::new(self.slab.pages.clone(), self.acls.lists(), self.slab.len())
    }

    /// Bytes on the heap, about.
    pub fn heap_bytes(&self) -> usize {
        self.slab.heap_bytes() + self.index.heap_bytes() + self.acls.heap_bytes() + self.owners.len() * 24
    }

    /// Sets the ensemble's configuration node as servers do when they start: `zxid` is the configuration's version, and the node's
    /// version is -1. No txn does this, and it is not in the digest.
    pub fn set_config(&mut self, config: &[u8], zxid: Zxid) {
        let Some(id) = self.find(path::CONFIG) else { return };
        let before = self.slab.pages.data(id).map_or(0, <[u8]>::len) as u64;
        self.data_size = self.data_size - before + config.len() as u64;
        self.slab.pages.set_data(id, Some(config));
        let node = self.slab.pages.node_mut(id);
        (node.mzxid, node.version) = (zxid, -1);
    }
}

/// What a node counts in [`DataTree::approximate_data_size`].
pub(super) fn size_of_entry(path: &str, data: Option<&[u8]>) -> u64 {
    let units = if path.is_ascii() { path.len() } else { path.encode_utf16().count() };
    (units + data.map_or(0, <[u8]>::len)) as u64
}

impl<'a> NodeView<'a> {
    /// Its numbers as clients see them.
    pub fn stat(&self) -> Stat {
        self.tree.stat_of(self.id)
    }

    /// Its numbers as disk and digest have them; `cversion` here is the next sequence number.
    pub fn stored(&self) -> StatPersisted {
        self.tree.slab.pages.stored(self.id)
    }

    /// Its data.
    pub fn data(&self) -> Option<&'a [u8]> {
        self.tree.slab.pages.data(self.id)
    }

    /// Its data, when it is long and therefore kept by itself.
    pub fn shared_data(&self) -> Option<&'a Bytes> {
        self.tree.slab.pages.shared_data(self.id)
    }

    /// Its ACL.
    pub fn acl(&self) -> &'a [Acl] {
        self.tree.acl_of(self.id)
    }

    /// What it lives by.
    pub fn owner(&self) -> Owner {
        self.tree.owner_of(self.id)
    }

    /// Its direct children, counted.
    pub fn child_count(&self) -> usize {
        self.tree.slab.pages.node(self.id).child_count as usize
    }

    /// Its children's names, first created first.
    pub fn children(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let pages = &self.tree.slab.pages;
        pages.children(self.id).map(|child| pages.name(child))
    }

    /// Its path; "/" for the root.
    pub fn path(&self) -> String {
        if self.id == ROOT { "/".to_string() } else { self.tree.slab.pages.path(self.id) }
    }

    /// Its digest.
    pub fn digest(&self) -> u32 {
        self.tree.digest_of(self.id, &self.path())
    }
}
