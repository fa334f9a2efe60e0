//! Outstanding changes: what prepared txns will have done to the tree once they are applied, path by path.
//!
//! A request is validated against the tree overlaid with these, so that pipelined writes see each other. The digest of the
//! tree after every pending txn is kept in step, so that a txn can carry it.
//!
//! Invariants (`Changes::check`):
//! - a path has a record exactly as long as a txn that changed it is not applied;
//! - a rollback restores what the failed txn changed and nothing else (ZOOKEEPER-1624);
//! - with nothing pending, the digest is the tree's.

use crate::jute::Acl;
use crate::tree::{DataTree, Owner, StatPersisted, node_digest, path as paths};
use crate::vocabulary::{LookupMap, LookupSeed, SessionId, Zxid};
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// A node as it will be.
#[derive(Clone, Debug)]
struct PendingNode {
    stat: StatPersisted,
    children: usize,
    /// The ACL, when a pending txn sets it; the tree's otherwise.
    acl: Option<Arc<[Acl]>>,
    /// The data, when a pending txn sets it; the tree's otherwise.
    data: Option<Option<Bytes>>,
    digest: u32,
}

/// What is pending for one path.
#[derive(Clone, Debug)]
struct Change {
    /// The last txn that changes it.
    zxid: Zxid,
    /// None when that txn deletes it.
    node: Option<PendingNode>,
}

/// A node as a request finds it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) stat: StatPersisted,
    pub(super) children: usize,
    pub(super) acl: &'a [Acl],
    pub(super) data: Option<&'a [u8]>,
}

impl Seen<'_> {
    pub(super) fn owner(&self, tree: &DataTree) -> Owner {
        owner(tree, &self.stat)
    }
}

/// What a txn changes of a node, besides its existence.
#[derive(Clone, Debug, Default)]
pub(super) struct Edit {
    pub(super) acl: Option<Arc<[Acl]>>,
    pub(super) data: Option<Option<Bytes>>,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    records: LookupMap<Arc<str>, Change>,
    /// Every change in the order of txns, so that records can be forgotten, and the paths walked.
    order: VecDeque<(Zxid, Arc<str>)>,
    /// Those of them that make or change a session's ephemeral: what a session will have is found without walking the rest.
    ephemeral: VecDeque<(Zxid, SessionId, Arc<str>)>,
    /// What the txn being prepared replaced.
    undo: Vec<(Arc<str>, Option<Change>)>,
    zxid: Zxid,
    digest: u64,
    digest_before: u64,
}

impl Changes {
    pub(super) fn new(seed: LookupSeed, digest: u64) -> Self {
        Changes {
            records: LookupMap::new(seed),
            order: VecDeque::new(),
            ephemeral: VecDeque::new(),
            undo: Vec::new(),
            zxid: Zxid::ZERO,
            digest,
            digest_before: digest,
        }
    }

    /// What follows belongs to the txn `zxid`.
    pub(super) fn begin(&mut self, zxid: Zxid) {
        self.undo.clear();
        self.zxid = zxid;
        self.digest_before = self.digest;
    }

    /// The txn failed: what it changed is as it was before.
    pub(super) fn rollback(&mut self) {
        while let Some((path, before)) = self.undo.pop() {
            let last = self.order.pop_back();
            assert!(
                last.is_some_and(|(zxid, _)| zxid == self.zxid),
                "a rollback reached another txn's change"
            );
            match before {
                Some(change) => drop(self.records.insert(path, change)),
                None => drop(self.records.remove(&path)),
            }
        }
        while self.ephemeral.pop_back_if(|(zxid, ..)| *zxid == self.zxid).is_some() {}
        self.digest = self.digest_before;
    }

    /// The digest of the tree after everything pending.
    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    /// How many changes are pending.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Every txn up to `zxid` has been applied. Returns how many changes that were.
    pub(super) fn applied(&mut self, zxid: Zxid) -> usize {
        let before = self.order.len();
        while let Some((changed_by, _)) = self.order.front()
            && *changed_by <= zxid
        {
            let (_, path) = self.order.pop_front().expect("it has a front");
            if self.records.get(&path).is_some_and(|change| change.zxid <= zxid) {
                self.records.remove(&path);
            }
        }
        while self.ephemeral.pop_front_if(|(changed_by, ..)| *changed_by <= zxid).is_some() {}
        before - self.order.len()
    }

    /// The node at `path` as it will be when everything pending is applied.
    pub(super) fn look<'a>(&'a self, tree: &'a DataTree, path: &str) -> Option<Seen<'a>> {
        let Some(change) = self.records.get(key(path)) else {
            let node = tree.node(path)?;
            let (acl, data) = (node.acl(), node.data());
            return Some(Seen { stat: node.stored(), children: node.child_count(), acl, data });
        };
        let node = change.node.as_ref()?;
        let in_tree =
            || tree.node(path).expect("a pending node without ACL or data of its own is in the tree");
        let acl = match &node.acl {
            Some(acl) => acl,
            None => in_tree().acl(),
        };
        let data = match &node.data {
            Some(data) => data.as_deref(),
            None => in_tree().data(),
        };
        Some(Seen { stat: node.stat, children: node.children, acl, data })
    }

    /// Makes a node, or changes one: `stat` and `children` are those after it.
    pub(super) fn put(
        &mut self,
        tree: &DataTree,
        path: &str,
        (stat, children): (StatPersisted, usize),
        edit: Edit,
    ) {
        let key = key(path);
        let (path, before) = self.take_out(tree, key);
        let kept = before.as_ref().and_then(|change| change.node.as_ref());
        let acl = edit.acl.or_else(|| kept.and_then(|node| node.acl.clone()));
        let data = edit.data.or_else(|| kept.and_then(|node| node.data.clone()));
        let digest = if tree.options().digest {
            let bytes = match &data {
                Some(data) => data.as_deref(),
                None => tree.node(key).and_then(|node| node.data()),
            };
            node_digest(key, bytes, &stat)
        } else {
            0
        };
        self.digest = self.digest.wrapping_add(u64::from(digest));
        if let Owner::Ephemeral(session) = owner(tree, &stat) {
            self.ephemeral.push_back((self.zxid, session, Arc::clone(&path)));
        }
        self.record(path, before, Some(PendingNode { stat, children, acl, data, digest }));
    }

    /// Removes a node.
    pub(super) fn remove(&mut self, tree: &DataTree, path: &str) {
        let (path, before) = self.take_out(tree, key(path));
        self.record(path, before, None);
    }

    /// Takes the node at `key` out of the digest, as it is before the change.
    fn take_out(&mut self, tree: &DataTree, key: &str) -> (Arc<str>, Option<Change>) {
        let before = self.records.get(key).cloned();
        let digest = match &before {
            Some(change) => change.node.as_ref().map_or(0, |node| node.digest),
            None if tree.options().digest => {
                tree.node(key).map_or(0, |node| node_digest(key, node.data(), &node.stored()))
            }
            None => 0,
        };
        self.digest = self.digest.wrapping_sub(u64::from(digest));
        (Arc::from(key), before)
    }

    fn record(&mut self, path: Arc<str>, before: Option<Change>, node: Option<PendingNode>) {
        self.order.push_back((self.zxid, Arc::clone(&path)));
        self.undo.push((Arc::clone(&path), before));
        self.records.insert(path, Change { zxid: self.zxid, node });
    }

    /// The ephemerals `session` will have, in the order of their paths.
    pub(super) fn ephemerals(&self, tree: &DataTree, session: SessionId) -> Vec<String> {
        let is_its = |path: &str| match self.records.get(path) {
            None => true,
            Some(change) => {
                change.node.as_ref().is_some_and(|node| owner(tree, &node.stat) == Owner::Ephemeral(session))
            }
        };
        let mut found = BTreeSet::from_iter(tree.ephemerals(session));
        let pending = self.ephemeral.iter().filter(|(_, owner, _)| *owner == session);
        found.extend(pending.map(|(_, _, path)| path.to_string()));
        found.retain(|path| is_its(path));
        found.into_iter().collect()
    }

    /// What can be seen without walking: with nothing pending this is the tree.
    pub(super) fn check(&self, tree: &DataTree) -> Result<(), String> {
        if self.order.is_empty() && !(self.records.is_empty() && self.ephemeral.is_empty()) {
            return Err("records of changes outlive their txns".to_owned());
        }
        if self.order.is_empty() && tree.options().digest && self.digest != tree.digest() {
            return Err(format!(
                "the digest of prepared txns is {}, that of the tree {}",
                self.digest,
                tree.digest()
            ));
        }
        Ok(())
    }
}

fn owner(tree: &DataTree, stat: &StatPersisted) -> Owner {
    Owner::from_stored(stat.ephemeral_owner, tree.options().extended_types)
}

/// The one key of a path: the root has two spellings.
fn key(path: &str) -> &str {
    if paths::is_root(path) { "/" } else { path }
}
