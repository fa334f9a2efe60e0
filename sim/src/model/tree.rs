//! Nodes by path, and their numbers (`client-protocol.md` §10, `disk-format.md` §4.1).

use bytes::Bytes;
use quorate_core::jute::{Acl, Stat};
use quorate_core::vocabulary::{SessionId, Zxid};
use std::collections::BTreeMap;

/// What a node lives by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    Persistent,
    Ephemeral(SessionId),
    Container,
    Ttl(i64),
}

/// A node's numbers as they are stored: `cversion` counts creations of children only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct SavedStat {
    pub(crate) czxid: Zxid,
    pub(crate) mzxid: Zxid,
    pub(crate) pzxid: Zxid,
    pub(crate) ctime: i64,
    pub(crate) mtime: i64,
    pub(crate) version: i32,
    pub(crate) cversion: i32,
    pub(crate) aversion: i32,
}

impl SavedStat {
    /// Of a node that was just created.
    pub(super) fn created(zxid: Zxid, time: i64) -> Self {
        SavedStat { czxid: zxid, mzxid: zxid, pzxid: zxid, ctime: time, mtime: time, ..SavedStat::default() }
    }
}

/// One node. Its children are the paths below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) data: Option<Bytes>,
    /// Empty where none was ever set: open to all.
    pub(crate) acl: Vec<Acl>,
    pub(crate) stat: SavedStat,
    pub(crate) kind: NodeKind,
    pub(crate) children: Vec<String>,
}

impl Node {
    fn system() -> Self {
        Node {
            data: Some(Bytes::new()),
            acl: Vec::new(),
            stat: SavedStat::default(),
            kind: NodeKind::Persistent,
            children: Vec::new(),
        }
    }

    /// What clients see.
    pub(crate) fn stat(&self) -> Stat {
        let children = self.children.len() as i32;
        let owner = match self.kind {
            NodeKind::Ephemeral(session) => session.0,
            _ => 0,
        };
        Stat {
            czxid: self.stat.czxid,
            mzxid: self.stat.mzxid,
            ctime: self.stat.ctime,
            mtime: self.stat.mtime,
            version: self.stat.version,
            cversion: self.stat.cversion.wrapping_mul(2).wrapping_sub(children),
            aversion: self.stat.aversion,
            ephemeral_owner: owner,
            data_length: self.data.as_ref().map_or(0, |data| data.len() as i32),
            num_children: children,
            pzxid: self.stat.pzxid,
        }
    }
}

/// Every node by its path; the root is "/".
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    nodes: BTreeMap<String, Node>,
    /// While a multi may still fail: what each node was that it has changed, oldest first.
    undo: Option<Vec<(String, Option<Node>)>>,
}

/// The parent's path of a path with a slash in it, as ZooKeeper cuts it: the root for "/a".
pub(super) fn parent_of(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(slash) => &path[..slash],
    }
}

pub(super) fn name_of(path: &str) -> &str {
    path.rfind('/').map_or(path, |slash| &path[slash + 1..])
}

impl Tree {
    pub(super) fn fresh() -> Self {
        let mut root = Node::system();
        root.children = vec!["zookeeper".to_string()];
        let mut zookeeper = Node::system();
        zookeeper.children = vec!["config".to_string(), "quota".to_string()];
        let mut config = Node::system();
        config.acl = Acl::world_readable();
        config.stat.aversion = -1;
        let nodes = [
            ("/", root),
            ("/zookeeper", zookeeper),
            ("/zookeeper/config", config),
            ("/zookeeper/quota", Node::system()),
        ];
        let nodes = nodes.into_iter().map(|(path, node)| (path.to_string(), node)).collect();
        Tree { nodes, undo: None }
    }

    /// From here on everything may be taken back.
    pub(super) fn begin(&mut self) {
        self.undo = Some(Vec::new());
    }

    /// What was done since [`Self::begin`] stays.
    pub(super) fn commit(&mut self) {
        self.undo = None;
    }

    /// What was done since [`Self::begin`] was never done.
    pub(super) fn roll_back(&mut self) {
        for (path, before) in self.undo.take().unwrap_or_default().into_iter().rev() {
            match before {
                Some(node) => self.nodes.insert(path, node),
                None => self.nodes.remove(&path),
            };
        }
    }

    fn remember(&mut self, path: &str) {
        if let Some(undo) = &mut self.undo {
            undo.push((path.to_string(), self.nodes.get(path).cloned()));
        }
    }

    /// Nothing but these nodes is there from now on.
    pub(super) fn replace(&mut self, nodes: Vec<(String, Node)>) {
        self.nodes = nodes.into_iter().collect();
    }

    /// The node at `path`; "" is the root too.
    pub(crate) fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(if path.is_empty() { "/" } else { path })
    }

    pub(super) fn get_mut(&mut self, path: &str) -> Option<&mut Node> {
        let path = if path.is_empty() { "/" } else { path };
        self.remember(path);
        self.nodes.get_mut(path)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Node)> {
        self.nodes.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Adds a node whose parent exists; the parent counts it.
    pub(super) fn insert(&mut self, path: &str, node: Node) {
        let zxid = node.stat.czxid;
        let parent = self.get_mut(parent_of(path)).expect("the parent was found before");
        // It only rises: at its end it stays, and so does what is told of the last change.
        if let Some(cversion) = parent.stat.cversion.checked_add(1) {
            (parent.stat.cversion, parent.stat.pzxid) = (cversion, zxid);
        }
        parent.children.push(name_of(path).to_string());
        self.remember(path);
        self.nodes.insert(path.to_string(), node);
    }

    /// Removes a node; its parent notes the zxid.
    pub(super) fn remove(&mut self, path: &str, zxid: Zxid) -> Node {
        self.remember(path);
        let node = self.nodes.remove(path).expect("the node was found before");
        let parent = self.get_mut(parent_of(path)).expect("a node has a parent");
        parent.children.retain(|name| name != name_of(path));
        parent.stat.pzxid = parent.stat.pzxid.max(zxid);
        node
    }

    /// Paths of a session's ephemerals, ascending.
    pub(crate) fn ephemerals(&self, session: SessionId) -> Vec<String> {
        let own = |node: &Node| node.kind == NodeKind::Ephemeral(session);
        self.nodes.iter().filter(|(_, node)| own(node)).map(|(path, _)| path.clone()).collect()
    }

    /// How many nodes are below `path`.
    pub(super) fn descendants(&self, path: &str) -> usize {
        if path.is_empty() || path == "/" {
            return self.nodes.len() - 1;
        }
        let prefix = format!("{path}/");
        self.nodes.keys().filter(|other| other.starts_with(&prefix)).count()
    }
}
