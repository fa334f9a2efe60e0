//! exists, getData, getACL.

use super::{Replier, count_read};
use crate::auth::{Identities, check_acl, mask_acl};
use crate::contract::Outbox;
use crate::jute::{Encode, Permissions, Writer};
use crate::pipeline::reply::Asked;
use crate::pipeline::state::ServerState;
use crate::tree::NodeView;
use crate::vocabulary::ErrorCode;
use crate::watch::WatchMode;

impl ServerState {
    pub(super) fn get_data(
        &mut self,
        (asked, identities): (&Asked, &Identities),
        path: Option<&str>,
        watch: bool,
        outbox: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        let path = path.ok_or(ErrorCode::MarshallingError)?;
        let node = self.database.tree.node(path).ok_or(ErrorCode::NoNode)?;
        self.require(identities, node.acl(), Permissions::READ)?;
        if watch {
            self.watches.add(self.connections.at(asked.slot).id, path, WatchMode::Data);
        }
        let (stat, zxid) = (node.stat(), self.database.last_zxid());
        count_read(&mut self.metrics, path, node.data().map_or(0, <[u8]>::len) as i64);
        let limits = &self.config.limits;
        let mut replier =
            Replier { connections: &mut self.connections, metrics: &mut self.metrics, outbox, limits };
        replier.succeed(asked, zxid, |out| {
            write_data(&node, out);
            stat.encode(out);
        });
        Ok(())
    }

    /// A watch is left on a missing node too; on one that may not be read none is.
    pub(super) fn exists(
        &mut self,
        (asked, identities): (&Asked, &Identities),
        path: Option<&str>,
        watch: bool,
        outbox: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        let path = path.ok_or(ErrorCode::MarshallingError)?;
        if path.contains('\0') {
            return Err(ErrorCode::BadArguments);
        }
        let node = self.database.tree.node(path);
        if let Some(node) = node {
            self.require(identities, node.acl(), Permissions::READ)?;
        }
        let stat = node.map(|node| node.stat());
        if watch {
            self.watches.add(self.connections.at(asked.slot).id, path, WatchMode::Data);
        }
        let stat = stat.ok_or(ErrorCode::NoNode)?;
        count_read(&mut self.metrics, path, 0);
        let zxid = self.database.last_zxid();
        self.replier(outbox).succeed(asked, zxid, |out| stat.encode(out));
        Ok(())
    }

    /// Whoever may not administer the node sees digests masked.
    pub(super) fn get_acl(
        &mut self,
        (asked, identities): (&Asked, &Identities),
        path: Option<&str>,
        outbox: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        let path = path.ok_or(ErrorCode::MarshallingError)?;
        let node = self.database.tree.node(path).ok_or(ErrorCode::NoNode)?;
        let may = |wanted| check_acl(&self.auth, identities, node.acl(), wanted);
        let acl = if may(Permissions::ADMIN) {
            node.acl().to_vec()
        } else if may(Permissions::READ) {
            mask_acl(node.acl())
        } else {
            return Err(ErrorCode::NoAuth);
        };
        let (stat, zxid) = (node.stat(), self.database.last_zxid());
        self.replier(outbox).succeed(asked, zxid, |out| {
            out.vector(&acl);
            stat.encode(out);
        });
        Ok(())
    }
}

/// Appends a node's data.
pub(super) fn write_data(node: &NodeView<'_>, out: &mut Writer<'_>) {
    match node.shared_data() {
        Some(data) => out.shared(data),
        None => out.buffer(node.data()),
    }
}
