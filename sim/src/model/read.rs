//! Reads (`client-protocol.md` §12.6 to §12.8).

use super::{ExpectedEvent, Model, Node, NodeKind, Who};
use quorate_core::jute::{Acl, MultiReadOp, MultiResult, Permissions, Request, Response, WirePath};
use quorate_core::vocabulary::{ConnId, SessionId};

/// What a read must bring: its error, or its body; and what the connection is told before.
pub(crate) type ReadOutcome = (Result<Response, i32>, Vec<(ConnId, ExpectedEvent)>);

impl Model {
    /// Executes a read of `conn`, asked by `who`, where history is now.
    pub(crate) fn read(
        &mut self,
        conn: ConnId,
        session: SessionId,
        who: &Who,
        request: &Request,
    ) -> ReadOutcome {
        if let Request::SetWatches(watches) | Request::SetWatches2(watches) = request {
            return (Ok(Response::Empty), self.set_watches(conn, watches));
        }
        (self.answer(conn, session, who, request), Vec::new())
    }

    fn answer(
        &mut self,
        conn: ConnId,
        session: SessionId,
        who: &Who,
        request: &Request,
    ) -> Result<Response, i32> {
        match request {
            Request::Exists { path, watch } => {
                let path = path.as_deref().ok_or(-5)?;
                if path.contains('\0') {
                    return Err(-8);
                }
                let stat = self.readable(who, path).map(Node::stat);
                if *watch && stat != Err(-102) {
                    self.watches.watch_data(conn, path);
                }
                Ok(Response::Stat(stat?))
            }
            Request::GetData { path, watch } => {
                let node = self.named(who, path)?;
                let response = Response::GetData { data: node.data.clone(), stat: node.stat() };
                if *watch {
                    self.watches.watch_data(conn, path.as_deref().unwrap_or_default());
                }
                Ok(response)
            }
            Request::GetChildren { path, watch } | Request::GetChildren2 { path, watch } => {
                let node = self.named(who, path)?;
                let (children, stat) = (sorted(&node.children), node.stat());
                if *watch {
                    self.watches.watch_children(conn, path.as_deref().unwrap_or_default());
                }
                let with_stat = matches!(request, Request::GetChildren2 { .. });
                Ok(if with_stat {
                    Response::GetChildren2 { children, stat }
                } else {
                    Response::Paths(children)
                })
            }
            Request::GetAcl { path } => {
                let node = self.tree.get(path.as_deref().ok_or(-5)?).ok_or(-101)?;
                self.check(who, &node.acl, Permissions(Permissions::READ.0 | Permissions::ADMIN.0))?;
                let acl: Vec<Acl> = self.masked_acl(who, node);
                Ok(Response::GetAcl { acl, stat: node.stat() })
            }
            Request::GetAllChildrenNumber { path } => {
                self.named(who, path)?;
                Ok(Response::Count(self.tree.descendants(path.as_deref().unwrap_or_default()) as i32))
            }
            Request::GetEphemerals { prefix } => Ok(Response::Paths(self.own_ephemerals(session, prefix))),
            Request::Sync { path } => Ok(Response::Sync { path: path.clone() }),
            Request::WhoAmI => Ok(Response::WhoAmI(who.who_am_i())),
            Request::Ping => Ok(Response::Empty),
            Request::MultiRead(ops) if ops.iter().any(has_null_path) => Err(-5),
            Request::MultiRead(ops) => {
                Ok(Response::Multi(ops.iter().map(|op| self.multi_read_one(who, op)).collect()))
            }
            Request::AddWatch { path, mode } => {
                if !(0..=1).contains(mode) {
                    return Err(-5);
                }
                self.watches.add(conn, path.as_deref().unwrap_or(NULL), *mode);
                Ok(Response::AddWatch { err: 0 })
            }
            Request::CheckWatches { path, kind } | Request::RemoveWatches { path, kind } => {
                if !(1..=5).contains(kind) {
                    return Err(-5);
                }
                let path = path.as_deref().unwrap_or(NULL);
                if !self.watches.has(conn, path, *kind) {
                    return Err(-121);
                }
                if matches!(request, Request::RemoveWatches { .. }) {
                    self.watches.remove(conn, path, *kind);
                }
                Ok(Response::Empty)
            }
            Request::Malformed(_) => Err(-5),
            other => unreachable!("{other:?} is no read"),
        }
    }

    fn readable(&self, who: &Who, path: &str) -> Result<&Node, i32> {
        let node = self.tree.get(path).ok_or(-101)?;
        self.check(who, &node.acl, Permissions::READ)?;
        Ok(node)
    }

    fn named(&self, who: &Who, path: &WirePath) -> Result<&Node, i32> {
        self.readable(who, path.as_deref().ok_or(-5)?)
    }

    fn own_ephemerals(&self, session: SessionId, prefix: &WirePath) -> Vec<String> {
        let prefix = prefix.as_deref().unwrap_or_default();
        let trimmed = prefix.trim_matches(|character| character <= ' ');
        let prefix = if matches!(trimmed, "" | "/") { "" } else { prefix };
        let is_own = |node: &Node| node.kind == NodeKind::Ephemeral(session);
        let own = self.tree.iter().filter(|(path, node)| is_own(node) && path.starts_with(prefix));
        own.map(|(path, _)| path.clone()).collect()
    }

    fn multi_read_one(&self, who: &Who, op: &MultiReadOp) -> MultiResult {
        let (MultiReadOp::GetData { path } | MultiReadOp::GetChildren { path }) = op;
        match self.named(who, path) {
            Err(code) => MultiResult::Error { code },
            Ok(node) if matches!(op, MultiReadOp::GetData { .. }) => {
                MultiResult::GetData { data: node.data.clone(), stat: node.stat() }
            }
            Ok(node) => MultiResult::GetChildren { children: sorted(&node.children) },
        }
    }
}

fn has_null_path(op: &MultiReadOp) -> bool {
    let (MultiReadOp::GetData { path } | MultiReadOp::GetChildren { path }) = op;
    path.is_none()
}

/// Where watches on a null path are kept: no node has this path.
pub(super) const NULL: &str = "null";

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort();
    names
}
