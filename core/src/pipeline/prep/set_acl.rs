//! setACL (`client-protocol.md` §12.4).

use super::changes::Edit;
use super::{Context, Prep, Prep1, next_version, valid};
use crate::jute::{Acl, OpCode, Permissions, TxnRecord};
use crate::vocabulary::ErrorCode;

impl Prep {
    pub(super) fn set_acl(
        &mut self,
        context: &Context<'_>,
        path: Option<&str>,
        acl: Option<&[Acl]>,
        expected: i32,
    ) -> Prep1 {
        let path = valid(path)?;
        let acl = self.fix_acl(context, acl)?;
        let tree = context.ground.tree;
        let node = self.changes.look(tree, path).ok_or(ErrorCode::NoNode)?;
        context.require(node.acl, Permissions::ADMIN)?;
        let (mut stat, children) = (node.stat, node.children);
        let version = next_version(stat.aversion, expected)?;
        stat.aversion = version;
        let edit = Edit { acl: Some(acl.as_slice().into()), ..Edit::default() };
        self.changes.put(tree, path, (stat, children), edit);
        Ok((OpCode::SetAcl, TxnRecord::SetAcl { path: path.to_owned(), acl, version }))
    }
}
