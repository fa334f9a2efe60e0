//! getChildren, getChildren2, getAllChildrenNumber, getEphemerals.

use super::{Replier, count_read};
use crate::auth::Identities;
use crate::contract::Outbox;
use crate::jute::{Encode, Permissions, Writer};
use crate::metrics::java_length;
use crate::pipeline::reply::Asked;
use crate::pipeline::state::ServerState;
use crate::tree::NodeView;
use crate::vocabulary::ErrorCode;
use crate::watch::WatchMode;

/// Appends the names of a node's children, without collecting them.
pub(super) fn write_children(node: &NodeView<'_>, out: &mut Writer<'_>) {
    out.count(node.child_count());
    for name in node.children() {
        out.string(name);
        if out.is_full() {
            return;
        }
    }
}

/// What ZooKeeper counts of a read of children.
pub(super) fn length_of_names(node: &NodeView<'_>) -> i64 {
    node.children().map(java_length).sum()
}

impl ServerState {
    pub(super) fn get_children(
        &mut self,
        who: (&Asked, &Identities),
        path: Option<&str>,
        watch: bool,
        outbox: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        self.children(who, (path, watch), false, outbox)
    }

    pub(super) fn get_children2(
        &mut self,
        who: (&Asked, &Identities),
        path: Option<&str>,
        watch: bool,
        outbox: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        self.children(who, (path, watch), true, outbox)
    }

    fn children(
        &mut self,
        (asked, identities): (&Asked, &Identities),
        (path, watch): (Option<&str>, bool),
        with_stat: bool,
        outbox: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        let path = path.ok_or(ErrorCode::MarshallingError)?;
        let node = self.database.tree.node(path).ok_or(ErrorCode::NoNode)?;
        self.require(identities, node.acl(), Permissions::READ)?;
        if watch {
            self.watches.add(self.connections.at(asked.slot).id, path, WatchMode::Child);
        }
        count_read(&mut self.metrics, path, length_of_names(&node));
        let zxid = self.database.last_zxid();
        let limits = &self.config.limits;
        let mut replier =
            Replier { connections: &mut self.connections, metrics: &mut self.metrics, outbox, limits };
        replier.succeed(asked, zxid, |out| {
            write_children(&node, out);
            if with_stat {
                node.stat().encode(out);
            }
        });
        Ok(())
    }

    pub(super) fn get_all_children_number(
        &mut self,
        (asked, identities): (&Asked, &Identities),
        path: Option<&str>,
        outbox: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        let path = path.ok_or(ErrorCode::MarshallingError)?;
        let node = self.database.tree.node(path).ok_or(ErrorCode::NoNode)?;
        self.require(identities, node.acl(), Permissions::READ)?;
        let count = self.database.tree.descendants(path).expect("a node that is there has descendants");
        let zxid = self.database.last_zxid();
        self.replier(outbox).succeed(asked, zxid, |out| out.count(count));
        Ok(())
    }

    /// The asking session's own, by a prefix of characters, not of path components; all without one, and for a slash with
    /// anything around it that Java trims.
    pub(super) fn get_ephemerals(
        &mut self,
        asked: &Asked,
        prefix: Option<&str>,
        outbox: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        let trimmed = prefix.unwrap_or_default().trim_matches(|character| character <= ' ');
        let prefix = if matches!(trimmed, "" | "/") { "/" } else { prefix.unwrap_or_default() };
        let session = self.connections.at(asked.slot).session;
        let mut paths = self.database.tree.ephemerals(session);
        paths.retain(|path| path.starts_with(prefix));
        let zxid = self.database.last_zxid();
        self.replier(outbox).succeed(asked, zxid, |out| out.vector(&paths));
        Ok(())
    }
}
