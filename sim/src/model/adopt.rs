//! The model takes a database over as it is: after a disk has lied, history goes on from an earlier place, and what was asked up to
//! there can't be asked again.

use super::{Model, Node, NodeKind, SavedStat};
use bytes::Bytes;
use quorate_core::tree::{Database, Owner};

/// The last name of a quota's node of usage.
const STATS: &str = "/zookeeper_stats";

impl Model {
    /// Nodes, sessions and zxid are those of `database`.
    pub(crate) fn adopt(&mut self, database: &Database) {
        let mut to_copy = vec![String::new()];
        let mut nodes = Vec::new();
        while let Some(path) = to_copy.pop() {
            let Some(node) = database.tree.node(&path) else { continue };
            let mut children: Vec<String> = node.children().map(str::to_string).collect();
            children.sort();
            to_copy.extend(children.iter().map(|name| format!("{path}/{name}")));
            let stored = node.stored();
            let stat = SavedStat {
                czxid: stored.czxid,
                mzxid: stored.mzxid,
                pzxid: stored.pzxid,
                ctime: stored.ctime,
                mtime: stored.mtime,
                version: stored.version,
                cversion: stored.cversion,
                aversion: stored.aversion,
            };
            let kind = match node.owner() {
                Owner::Persistent => NodeKind::Persistent,
                Owner::Ephemeral(session) => NodeKind::Ephemeral(session),
                Owner::Container => NodeKind::Container,
                Owner::Ttl(ttl) => NodeKind::Ttl(ttl.0 as i64),
            };
            let data = node.data().map(Bytes::copy_from_slice);
            let path = if path.is_empty() { "/".to_string() } else { path };
            nodes.push((path, Node { data, acl: node.acl().to_vec(), stat, kind, children }));
        }
        self.tree.replace(nodes);
        self.sessions.clone_from(database.sessions());
        self.zxid = database.last_zxid();
        self.adopt_quotas();
    }

    /// Usage of quotas is each server's own.
    pub(crate) fn adopt_usage(&mut self, database: &Database) {
        let paths: Vec<String> =
            self.tree.iter().map(|(path, _)| path).filter(|path| path.ends_with(STATS)).cloned().collect();
        for path in paths {
            if let (Some(node), Some(theirs)) = (self.tree.get_mut(&path), database.tree.node(&path)) {
                node.data = theirs.data().map(Bytes::copy_from_slice);
            }
        }
    }
}
