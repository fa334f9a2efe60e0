//! check, which lives only inside multi (`client-protocol.md` §12.5).

use super::{Context, Prep, Prep1, next_version, valid};
use crate::jute::{OpCode, Permissions, TxnRecord};
use crate::vocabulary::ErrorCode;

impl Prep {
    pub(super) fn check_version(&self, context: &Context<'_>, path: Option<&str>, expected: i32) -> Prep1 {
        let path = valid(path)?;
        let node = self.changes.look(context.ground.tree, path).ok_or(ErrorCode::NoNode)?;
        context.require(node.acl, Permissions::READ)?;
        let version = next_version(node.stat.version, expected)?;
        Ok((OpCode::Check, TxnRecord::Check { path: path.to_owned(), version }))
    }
}
