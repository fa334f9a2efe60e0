//! deleteContainer, the server's own: an empty container or a TTL node whose time has come (`client-protocol.md` §11.4).
//!
//! What was reapable when the tree was scanned may be used again by now, also by a txn that is only pending: then nothing is
//! logged.

use super::{Asker, Context, Ground, Prep, Prepared};
use crate::auth::Identities;
use crate::jute::{OpCode, TxnRecord};
use crate::tree::Owner;
use crate::vocabulary::{Millis, SessionId, Xid};

impl Prep {
    /// Prepares the deletion of the container or TTL node at `path`, if it is still due.
    pub(crate) fn reap(&mut self, ground: Ground<'_>, path: &str) -> Option<Prepared> {
        if !self.is_due(ground, path) {
            return None;
        }
        let asker = Asker::global(SessionId::NONE, Xid(0), Identities::server());
        Some(self.prepare(ground, asker, |prep: &mut Prep, context: &Context<'_>| {
            prep.remove_leaf(context, path);
            Ok((OpCode::DeleteContainer, TxnRecord::Delete { path: path.to_owned() }))
        }))
    }

    fn is_due(&self, ground: Ground<'_>, path: &str) -> bool {
        let Some(node) = self.changes.look(ground.tree, path) else { return false };
        let age = Millis(u64::try_from(ground.time.0.saturating_sub(node.stat.mtime)).unwrap_or(0));
        let never_used = ground.config.sequences.container_max_never_used;
        node.children == 0
            && match node.owner(ground.tree) {
                Owner::Container => node.stat.cversion > 0 || (never_used.0 != 0 && age > never_used),
                Owner::Ttl(ttl) => age > ttl,
                Owner::Persistent | Owner::Ephemeral(_) => false,
            }
    }
}
