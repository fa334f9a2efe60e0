//! What a snapshot holds between its frame, whatever that is: sessions, ACLs, nodes and their end (`disk-format.md` §5).
//!
//! Read item by item by whoever knows the frame: [`super::SnapshotDecoder`] that of a file, [`super::SnapshotStreamDecoder`] that of a
//! leader's SNAP.

use super::acl_cache::{AclCache, AclId};
use super::builder::TreeBuilder;
use super::data_tree::TreeOptions;
use super::database::{Database, SnapshotDigest};
use super::path;
use super::snapshot_decoder::SnapshotError;
use super::snapshot_scan::{Scan, ScannedNode, Stop};
use crate::jute::{Acl, Id, Permissions};
use crate::vocabulary::{LookupSeed, SessionId, Zxid};
use std::collections::BTreeMap;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    SessionCount,
    Sessions(i32),
    ListCount,
    Lists(i32),
    Nodes,
    End,
}

/// See the module's words.
#[derive(Clone)]
pub(super) struct SnapshotBody {
    seed: LookupSeed,
    options: TreeOptions,
    part: Part,
    sessions: BTreeMap<SessionId, i32>,
    acls: AclCache,
    /// The file's ACL ids. Each keeps one use until the end, so that lists live before their nodes come.
    lists: BTreeMap<i64, AclId>,
    builder: Option<TreeBuilder>,
}

impl SnapshotBody {
    pub(super) fn new(seed: LookupSeed, options: TreeOptions) -> Self {
        SnapshotBody {
            seed,
            options,
            part: Part::SessionCount,
            sessions: BTreeMap::new(),
            acls: AclCache::new(),
            lists: BTreeMap::new(),
            builder: None,
        }
    }

    /// Whether the end of the nodes has come.
    pub(super) fn is_complete(&self) -> bool {
        self.part == Part::End
    }

    /// Reads one item.
    ///
    /// # Panics
    /// When it is complete.
    pub(super) fn read_item(&mut self, scan: &mut Scan<'_>) -> Result<(), Stop> {
        self.part = match self.part {
            Part::SessionCount => Part::Sessions(scan.int()?),
            Part::Sessions(left) if left <= 0 => Part::ListCount,
            Part::Sessions(left) => {
                let session = SessionId(scan.long()?);
                self.sessions.insert(session, scan.int()?);
                Part::Sessions(left - 1)
            }
            Part::ListCount => Part::Lists(scan.int()?),
            Part::Lists(left) if left <= 0 => Part::Nodes,
            Part::Lists(left) => {
                let (id, list) = (scan.long()?, scan.acls()?);
                let list = self.acls.acquire(&list);
                if let Some(replaced) = self.lists.insert(id, list) {
                    self.acls.release(replaced);
                }
                Part::Lists(left - 1)
            }
            Part::Nodes => match scan.node()? {
                Some(node) => {
                    self.add(&node).map_err(Stop::Bad)?;
                    Part::Nodes
                }
                None => {
                    self.builder.as_mut().map_or(Ok(()), TreeBuilder::index).map_err(Stop::Bad)?;
                    Part::End
                }
            },
            Part::End => unreachable!("nothing is read behind the end"),
        };
        Ok(())
    }

    fn add(&mut self, node: &ScannedNode<'_>) -> Result<(), SnapshotError> {
        let acl = self.acl_of(node.acl);
        match &mut self.builder {
            Some(builder) => builder.add(node, acl),
            None => {
                let acls = std::mem::replace(&mut self.acls, AclCache::new());
                self.builder = Some(TreeBuilder::new((self.seed, self.options), acls, (node, acl))?);
                Ok(())
            }
        }
    }

    /// Our id of the file's ACL. Java has written snapshots with nodes whose ACL is missing (ZOOKEEPER-4846): until the replay
    /// sets it, such a node is closed to everybody.
    fn acl_of(&mut self, stored: i64) -> AclId {
        if stored == -1 {
            return AclId::OPEN;
        }
        let acls = self.builder.as_mut().map_or(&mut self.acls, TreeBuilder::acls);
        *self
            .lists
            .entry(stored)
            .or_insert_with(|| acls.acquire(&[Acl { perms: Permissions(0), id: Id::new("world", "anyone") }]))
    }

    /// The database, named `zxid`.
    ///
    /// # Errors
    /// When there is no root.
    pub(super) fn into_database(
        self,
        zxid: Zxid,
        digest: Option<SnapshotDigest>,
    ) -> Result<Database, SnapshotError> {
        let mut tree = self.builder.ok_or(SnapshotError::Truncated)?.into_tree();
        for list in self.lists.into_values() {
            tree.acls.release(list);
        }
        if let Some(zookeeper) = tree.find(path::SYSTEM)
            && tree.find(path::CONFIG).is_none()
        {
            tree.add_config_node(zookeeper);
        }
        tree.load_quotas();
        Ok(Database::loaded(tree, self.sessions, zxid, digest))
    }
}

impl std::fmt::Debug for SnapshotBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SnapshotBody({:?})", self.part)
    }
}
