//! What a txn does to the tree (`disk-format.md` §4.2), and why it may be done again (§6.3).
//!
//! A snapshot that was written while txns were applied holds all effects up to its zxid and some later ones. Replaying from
//! that zxid must converge, so a parent's cversion and pzxid only rise, a create of an existing node still sets its ACL, and
//! a delete of a missing node still raises its parent's pzxid. `NodeExists` and `NoNode` are answers here, not failures.

use super::data_tree::DataTree;
use super::owner::Owner;
use super::page::{Node, NodeId};
use super::path;
use super::stat::StatPersisted;
use crate::jute::{Acl, CreateTxn, OpCode, Stat, TxnHeader, TxnRecord};
use crate::vocabulary::{ErrorCode, SessionId, Zxid};

/// What a txn did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// A node was created.
    Created {
        /// Its path.
        path: String,
        /// Its numbers.
        stat: Stat,
    },
    /// A node was deleted.
    Deleted,
    /// Data was set.
    DataSet {
        /// The node's numbers after it.
        stat: Stat,
    },
    /// An ACL was set.
    AclSet {
        /// The node's numbers after it.
        stat: Stat,
    },
    /// A version was as expected, when the txn was prepared.
    Checked,
    /// A session began.
    SessionCreated,
    /// A session ended, and its ephemerals with it.
    SessionClosed,
    /// Nothing: the request had failed with this code. In a failed multi, 0 before the op that failed and -2 behind it.
    Error(i32),
    /// Each op of a multi, in order.
    Multi(Vec<Applied>),
}

/// Who is told about changes while they are applied: watches (`client-protocol.md` §16.3). The parent of a top-level node is "/".
pub trait TreeObserver {
    /// A node was created; ACLs as they are after it.
    fn created(&mut self, zxid: Zxid, path: &str, acl: &[Acl], parent: &str, parent_acl: &[Acl]);
    /// A node was deleted; its ACL is the last it had.
    fn deleted(&mut self, zxid: Zxid, path: &str, acl: &[Acl], parent: &str, parent_acl: &[Acl]);
    /// A node's data was set.
    fn data_changed(&mut self, zxid: Zxid, path: &str, acl: &[Acl]);
}

/// Nobody is told: replay.
#[derive(Clone, Copy, Debug)]
pub struct Unobserved;

impl TreeObserver for Unobserved {
    fn created(&mut self, _: Zxid, _: &str, _: &[Acl], _: &str, _: &[Acl]) {}
    fn deleted(&mut self, _: Zxid, _: &str, _: &[Acl], _: &str, _: &[Acl]) {}
    fn data_changed(&mut self, _: Zxid, _: &str, _: &[Acl]) {}
}

impl DataTree {
    /// Applies a txn. Applying it again, or over a snapshot that has some of its effects, brings the tree where applying it once does.
    ///
    /// # Errors
    /// `NodeExists` or `NoNode` where a replay meets what later txns did, and `BadArguments` for a txn that can never be applied: the
    /// createTTL without a TTL that Java's leaders let a client make, before they end by it.
    /// What §6.3 says is done nevertheless is done. Inside of a multi such an error is an [`Applied::Error`], and the ops behind
    /// it are applied.
    pub fn apply(
        &mut self,
        header: &TxnHeader,
        record: &TxnRecord,
        observer: &mut dyn TreeObserver,
    ) -> Result<Applied, ErrorCode> {
        match record {
            TxnRecord::Create(create) => self.create(header, create, observer),
            TxnRecord::Delete { path } => self.delete(header.zxid, path, observer),
            TxnRecord::SetData { path, data, version } => {
                self.set_data(header, path, (data.as_deref(), *version), observer)
            }
            TxnRecord::SetAcl { path, acl, version } => self.set_acl(path, acl, *version),
            TxnRecord::Check { .. } => Ok(Applied::Checked),
            TxnRecord::CreateSession { .. } => Ok(Applied::SessionCreated),
            TxnRecord::CloseSession { paths } => {
                self.close_session(header, paths.as_deref().unwrap_or_default(), observer);
                Ok(Applied::SessionClosed)
            }
            TxnRecord::Error { err } => Ok(Applied::Error(*err)),
            TxnRecord::Multi(txns) => Ok(self.multi(header, txns, observer)),
        }
    }

    fn multi(
        &mut self,
        header: &TxnHeader,
        txns: &[(OpCode, TxnRecord)],
        observer: &mut dyn TreeObserver,
    ) -> Applied {
        if txns.iter().any(|(_, record)| matches!(record, TxnRecord::Error { .. })) {
            return Applied::Multi(failed_multi(txns));
        }
        let apply_one = |(opcode, record): &(OpCode, TxnRecord)| {
            let header = TxnHeader { opcode: *opcode, ..*header };
            self.apply(&header, record, observer).unwrap_or_else(|error| Applied::Error(error.code()))
        };
        Applied::Multi(txns.iter().map(apply_one).collect())
    }

    fn create(
        &mut self,
        header: &TxnHeader,
        create: &CreateTxn,
        observer: &mut dyn TreeObserver,
    ) -> Result<Applied, ErrorCode> {
        let path = create.path.as_str();
        let (parent_path, name) = path::split(path).ok_or(ErrorCode::BadArguments)?;
        let owner = owner_of_txn(header, create)?.to_stored();
        let parent = self.find(parent_path).ok_or(ErrorCode::NoNode)?;
        let acl = self.acls.acquire(&create.acl);
        if let Some(existing) = self.index.find(&self.slab.pages, parent, name) {
            let replaced = self.slab.pages.set_acl(existing, acl);
            self.acls.release(replaced);
            if header.opcode == OpCode::Create {
                self.raise_cversion(parent, parent_path, create.parent_cversion, header.zxid);
            }
            return Err(ErrorCode::NodeExists);
        }
        self.raise_cversion(parent, parent_path, create.parent_cversion, header.zxid);
        let (zxid, time) = (header.zxid, header.time.0);
        let stat = StatPersisted {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time,
            mtime: time,
            ..StatPersisted::default()
        };
        let id = self.add_node(parent, path, Node::new(&stat, acl), create.data.as_deref(), owner);
        self.quota_created(path, create.data.as_ref().map_or(0, |data| data.len()));
        observer.created(zxid, path, self.acl_of(id), parent_path, self.acl_of(parent));
        Ok(Applied::Created { path: path.to_string(), stat: self.stat_of(id) })
    }

    /// Counts a creation in the parent: never backwards, so that replaying an old create over a newer parent changes nothing.
    fn raise_cversion(&mut self, parent: NodeId, path: &str, cversion: i32, zxid: Zxid) {
        let stored = self.slab.pages.node(parent).cversion;
        let cversion = if cversion == -1 { stored.wrapping_add(1) } else { cversion };
        if cversion > stored {
            self.digest_out(parent, path);
            let node = self.slab.pages.node_mut(parent);
            (node.cversion, node.pzxid) = (cversion, zxid);
            self.digest_in(parent, path);
        }
    }

    fn delete(
        &mut self,
        zxid: Zxid,
        path: &str,
        observer: &mut dyn TreeObserver,
    ) -> Result<Applied, ErrorCode> {
        let (parent_path, name) = path::split(path).ok_or(ErrorCode::NoNode)?;
        let parent = self.find(parent_path).ok_or(ErrorCode::NoNode)?;
        if zxid > self.slab.pages.node(parent).pzxid {
            self.digest_out(parent, parent_path);
            self.slab.pages.node_mut(parent).pzxid = zxid;
            self.digest_in(parent, parent_path);
        }
        let id = self.index.find(&self.slab.pages, parent, name).ok_or(ErrorCode::NoNode)?;
        let acl = self.acls.shared(self.slab.pages.node(id).acl);
        self.remove_with_descendants(id, path);
        observer.deleted(zxid, path, &acl, parent_path, self.acl_of(parent));
        Ok(Applied::Deleted)
    }

    /// A leader deletes only leaves. A replay may meet a node that was deleted, created again and given children: those come
    /// again with the txns behind, so they go with it and nobody is told.
    fn remove_with_descendants(&mut self, id: NodeId, path: &str) {
        let mut below = Vec::new();
        let mut at = id;
        while let Some(next) = self.slab.pages.behind(at, id) {
            below.push(next);
            at = next;
        }
        for descendant in below.into_iter().rev() {
            let path = self.slab.pages.path(descendant);
            self.remove_node(descendant, &path);
        }
        self.remove_node(id, path);
    }

    fn set_data(
        &mut self,
        header: &TxnHeader,
        path: &str,
        (data, version): (Option<&[u8]>, i32),
        observer: &mut dyn TreeObserver,
    ) -> Result<Applied, ErrorCode> {
        let id = self.find(path).ok_or(ErrorCode::NoNode)?;
        self.digest_out(id, path);
        let before = self.slab.pages.data(id).map_or(0, <[u8]>::len);
        let after = data.map_or(0, <[u8]>::len);
        self.slab.pages.set_data(id, data);
        let node = self.slab.pages.node_mut(id);
        (node.mzxid, node.mtime, node.version) = (header.zxid, header.time.0, version);
        self.data_size = self.data_size - before as u64 + after as u64;
        self.digest_in(id, path);
        self.quota_moved(path, after as i64 - before as i64, 0);
        observer.data_changed(header.zxid, path, self.acl_of(id));
        Ok(Applied::DataSet { stat: self.stat_of(id) })
    }

    fn set_acl(&mut self, path: &str, acl: &[Acl], version: i32) -> Result<Applied, ErrorCode> {
        let id = self.find(path).ok_or(ErrorCode::NoNode)?;
        let acl = self.acls.acquire(acl);
        let replaced = self.slab.pages.set_acl(id, acl);
        self.acls.release(replaced);
        self.digest_out(id, path);
        self.slab.pages.node_mut(id).aversion = version;
        self.digest_in(id, path);
        Ok(Applied::AclSet { stat: self.stat_of(id) })
    }

    fn close_session(&mut self, header: &TxnHeader, paths: &[String], observer: &mut dyn TreeObserver) {
        for path in paths {
            // Missing ones were deleted by a txn that this snapshot has already seen; their parent's pzxid rises all the same.
            let _ = self.delete(header.zxid, path, observer);
        }
        self.kill_session(header.session, header.zxid, observer);
    }

    /// Deletes what `session` still owns.
    pub(super) fn kill_session(&mut self, session: SessionId, zxid: Zxid, observer: &mut dyn TreeObserver) {
        for path in self.ephemerals(session) {
            // An ephemeral below another, which only a damaged log can make, went with that one.
            let _ = self.delete(zxid, &path, observer);
        }
    }
}

/// What the new node lives by.
fn owner_of_txn(header: &TxnHeader, create: &CreateTxn) -> Result<Owner, ErrorCode> {
    match header.opcode {
        OpCode::CreateContainer => Ok(Owner::Container),
        OpCode::CreateTtl => Owner::ttl(create.ttl).ok_or(ErrorCode::BadArguments),
        _ if create.ephemeral => Ok(Owner::Ephemeral(header.session)),
        _ => Ok(Owner::Persistent),
    }
}

/// The results of a multi that failed: nothing of it was done.
fn failed_multi(txns: &[(OpCode, TxnRecord)]) -> Vec<Applied> {
    let mut has_failed = false;
    let result = |(_, record): &(OpCode, TxnRecord)| match record {
        TxnRecord::Error { err } => {
            has_failed = true;
            Applied::Error(*err)
        }
        _ if has_failed => Applied::Error(ErrorCode::RuntimeInconsistency.code()),
        _ => Applied::Error(0),
    };
    txns.iter().map(result).collect()
}
