//! What a txn that was logged before the run has done, from its record alone (`disk-format.md` §4.2): who had asked for it, nobody knows.

use super::{Model, Node, NodeKind, SavedStat, tree};
use quorate_core::jute::{CreateTxn, Txn, TxnHeader, TxnRecord};

impl Model {
    /// Goes one txn further. False for one that can't stand at this place.
    pub(crate) fn replay(&mut self, txn: &Txn) -> bool {
        let TxnHeader { session, zxid, time, .. } = txn.header;
        self.zxid = zxid;
        match &txn.record {
            TxnRecord::Create(create) => return self.replay_create(&txn.header, create),
            TxnRecord::Delete { path } => {
                if self.tree.get(path).is_none_or(|node| !node.children.is_empty()) {
                    return false;
                }
                self.tree.remove(path, zxid);
            }
            TxnRecord::SetData { path, data, version } => {
                let Some(node) = self.tree.get_mut(path) else { return false };
                node.data.clone_from(data);
                (node.stat.version, node.stat.mzxid, node.stat.mtime) = (*version, zxid, time.0);
            }
            TxnRecord::SetAcl { path, acl, version } => {
                let Some(node) = self.tree.get_mut(path) else { return false };
                node.acl.clone_from(acl);
                node.stat.aversion = *version;
            }
            TxnRecord::CreateSession { timeout } => self.create_session(zxid, session, *timeout),
            TxnRecord::CloseSession { paths } => {
                self.close_session(zxid, session, paths.as_deref());
            }
            TxnRecord::Check { .. } | TxnRecord::Error { .. } | TxnRecord::Multi(_) => return false,
        }
        true
    }

    fn replay_create(&mut self, header: &TxnHeader, create: &CreateTxn) -> bool {
        let (zxid, time) = (header.zxid, header.time.0);
        let parent = tree::parent_of(&create.path);
        let Some(before) = self.tree.get(parent).map(|node| node.stat.cversion) else { return false };
        if self.tree.get(&create.path).is_some() {
            return false;
        }
        let kind = if create.ephemeral { NodeKind::Ephemeral(header.session) } else { NodeKind::Persistent };
        let stat = SavedStat::created(zxid, time);
        let (data, acl) = (create.data.clone(), create.acl.clone());
        self.tree.insert(&create.path, Node { data, acl, stat, kind, children: Vec::new() });
        // -1 says one more.
        if create.parent_cversion != -1 {
            let parent = self.tree.get_mut(parent).expect("it was just there");
            parent.stat.cversion = create.parent_cversion.max(before);
        }
        true
    }
}
