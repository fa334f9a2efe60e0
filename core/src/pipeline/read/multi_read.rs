//! multiRead (`client-protocol.md` §13.2): each op succeeds or fails by itself; no watch is left.

use super::children::{length_of_names, write_children};
use super::node::write_data;
use super::{Replier, count_read};
use crate::auth::{Identities, check_acl};
use crate::contract::Outbox;
use crate::jute::{Encode, MultiReadOp, MultiResult, OpCode, Permissions, Writer};
use crate::pipeline::reply::Asked;
use crate::pipeline::state::ServerState;
use crate::tree::NodeView;
use crate::vocabulary::ErrorCode;

impl ServerState {
    pub(super) fn multi_read(
        &mut self,
        (asked, identities): (&Asked, &Identities),
        ops: &[MultiReadOp],
        outbox: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        let path_of = |op: &MultiReadOp| match op {
            MultiReadOp::GetData { path } | MultiReadOp::GetChildren { path } => path.is_none(),
        };
        if ops.iter().any(path_of) {
            self.malformed_list(asked, outbox);
            return Ok(());
        }
        let (tree, auth) = (&self.database.tree, &self.auth);
        let find = |path: &Option<String>| -> Result<NodeView<'_>, ErrorCode> {
            let node = tree.node(path.as_deref().unwrap_or_default()).ok_or(ErrorCode::NoNode)?;
            let allowed = check_acl(auth, identities, node.acl(), Permissions::READ);
            if allowed { Ok(node) } else { Err(ErrorCode::NoAuth) }
        };
        let zxid = self.database.last_zxid();
        let limits = &self.config.limits;
        let mut replier =
            Replier { connections: &mut self.connections, metrics: &mut self.metrics, outbox, limits };
        let mut granted = Vec::new();
        replier.succeed(asked, zxid, |out| {
            for op in ops {
                if out.is_full() {
                    return;
                }
                let (MultiReadOp::GetData { path } | MultiReadOp::GetChildren { path }) = op;
                match (find(path), op) {
                    (Err(error), _) => MultiResult::Error { code: error.code() }.encode(out),
                    (Ok(node), MultiReadOp::GetData { .. }) => {
                        granted.push((path, node.data().map_or(0, <[u8]>::len) as i64));
                        header(OpCode::GetData, out);
                        write_data(&node, out);
                        node.stat().encode(out);
                    }
                    (Ok(node), MultiReadOp::GetChildren { .. }) => {
                        granted.push((path, length_of_names(&node)));
                        header(OpCode::GetChildren, out);
                        write_children(&node, out);
                    }
                }
            }
            MultiResult::encode_list(&[], out);
        });
        for (path, bytes) in granted {
            count_read(&mut self.metrics, path.as_deref().unwrap_or_default(), bytes);
        }
        Ok(())
    }
}

/// What precedes a successful result.
fn header(opcode: OpCode, out: &mut Writer<'_>) {
    out.int(opcode.code());
    out.boolean(false);
    out.int(0);
}
