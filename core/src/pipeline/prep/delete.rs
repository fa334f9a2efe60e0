//! delete (`client-protocol.md` §12.2).

use super::changes::Edit;
use super::{Context, Prep, Prep1, parent_of};
use crate::jute::{OpCode, Permissions, TxnRecord};
use crate::tree::path as paths;
use crate::vocabulary::ErrorCode;

impl Prep {
    pub(super) fn delete(&mut self, context: &Context<'_>, path: Option<&str>, version: i32) -> Prep1 {
        let path = path.ok_or(ErrorCode::MarshallingError)?;
        let parent_path = parent_of(path)?;
        if paths::is_undeletable(path) {
            return Err(ErrorCode::BadArguments);
        }
        let tree = context.ground.tree;
        let parent = self.changes.look(tree, parent_path).ok_or(ErrorCode::NoNode)?;
        context.require(parent.acl, Permissions::DELETE)?;
        let node = self.changes.look(tree, path).ok_or(ErrorCode::NoNode)?;
        if version != -1 && version != node.stat.version {
            return Err(ErrorCode::BadVersion);
        }
        if node.children > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        self.remove_leaf(context, path);
        Ok((OpCode::Delete, TxnRecord::Delete { path: path.to_owned() }))
    }

    /// Takes a leaf that is there from the pending view, as the tree will: the parent's pzxid rises, its counter stays.
    pub(super) fn remove_leaf(&mut self, context: &Context<'_>, path: &str) {
        let tree = context.ground.tree;
        let parent_path = paths::parent(path).expect("a node that can be deleted has a parent");
        let parent = self.changes.look(tree, parent_path).expect("the parent of a node that exists does");
        let mut stat = parent.stat;
        stat.pzxid = stat.pzxid.max(context.zxid);
        let children = parent.children.checked_sub(1).expect("a parent counts its children");
        self.changes.put(tree, parent_path, (stat, children), Edit::default());
        self.changes.remove(tree, path);
    }
}
