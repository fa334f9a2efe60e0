//! Reading a subtree, many nodes at once.

use super::Account;
use bytes::Bytes;
use quorate_client::{Acl, Client, Error, ErrorCode};
use quorate_core::tree::path;

/// So many nodes are read at once, each with three requests.
pub(super) const AT_ONCE: usize = 256;

/// A node as it was read; its path is relative to the subtree's root, whose own is "".
#[derive(Debug)]
pub(super) struct Node {
    pub(super) path: String,
    pub(super) data: Option<Bytes>,
    pub(super) acl: Vec<Acl>,
}

/// See the module's words.
pub(super) struct Source {
    pub(super) client: Client,
    root: String,
}

impl Source {
    pub(super) fn new(client: Client, root: &str) -> Self {
        Source { client, root: root.to_owned() }
    }

    fn at(&self, relative: &str) -> String {
        let path = format!("{}{relative}", self.root);
        if path.is_empty() { "/".to_owned() } else { path }
    }

    fn failed(&self, error: &Error) -> String {
        format!("the source: {error}")
    }

    /// What was written before this is seen.
    pub(super) async fn catch_up(&self) -> Result<(), String> {
        self.client.sync(&self.at("")).await.map_err(|error| self.failed(&error))
    }

    /// Whether the subtree's root has a quota.
    pub(super) async fn has_quota(&self) -> bool {
        let limits = format!("{}{}/zookeeper_limits", path::QUOTA, self.root);
        // Whoever may not see it is not told of it.
        self.client.exists(&limits).await.is_ok_and(|stat| stat.is_some())
    }

    /// Reads nodes; also the paths of their children.
    pub(super) async fn read(
        &self,
        paths: Vec<String>,
        account: &mut Account,
    ) -> Result<(Vec<Node>, Vec<String>), String> {
        let asked: Vec<_> = paths
            .iter()
            .map(|relative| {
                let at = self.at(relative);
                (self.client.get(&at), self.client.acl(&at), self.client.children(&at))
            })
            .collect();
        let (mut nodes, mut below) = (Vec::new(), Vec::new());
        for (relative, (value, acl, children)) in paths.into_iter().zip(asked) {
            let (value, acl, children) = (value.await, acl.await, children.await);
            let (value, (acl, _), (children, stat)) = match (value, acl, children) {
                (Ok(value), Ok(acl), Ok(children)) => (value, acl, children),
                (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
                    if error.code() == Some(ErrorCode::NoNode) && !relative.is_empty() {
                        account.vanished += 1;
                        account.sequences.leave_out(&relative);
                        continue;
                    }
                    return Err(self.failed(&error));
                }
            };
            if value.stat.ephemeral_owner != 0 {
                account.ephemeral += 1;
                account.sequences.leave_out(&relative);
                continue;
            }
            self.refuse_masked(&relative, &acl)?;
            account.sequences.see(&relative, &stat, &children);
            // What servers keep for themselves is theirs.
            let children =
                children.iter().filter(|name| !(self.at(&relative) == "/" && *name == "zookeeper"));
            below.extend(children.map(|name| format!("{relative}/{name}")));
            nodes.push(Node { path: relative, data: value.data, acl });
        }
        Ok((nodes, below))
    }

    /// To who is no administrator of a node, servers show `x` for the hashes of its ACL: whoever writes that locks everybody out.
    fn refuse_masked(&self, relative: &str, acl: &[Acl]) -> Result<(), String> {
        let is_masked = |entry: &Acl| {
            let (scheme, id) = (entry.id.scheme.as_deref(), entry.id.id.as_deref().unwrap_or_default());
            scheme == Some("digest") && id.ends_with(":x")
        };
        match acl.iter().any(is_masked) {
            true => {
                let at = self.at(relative);
                Err(format!(
                    "the source shows the ACL of {at} only in part: prove an identity with ADMIN there (--auth)"
                ))
            }
            false => Ok(()),
        }
    }
}
