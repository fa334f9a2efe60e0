//! Subtrees: depth first, as zkCli prints them, and breadth first, to be deleted from the leaves.
//!
//! No walk is a snapshot: it shows what each node was when it was asked about.

use super::failure::{Failure, Result};
use quorate_client::{Client, ErrorCode};
use quorate_core::tree::path;

/// So many lists are asked for at once.
const AT_ONCE: usize = 256;

/// A walk that visits all children of a node before it goes down into the first of them.
#[derive(Debug)]
pub(super) struct Walk {
    /// Whose children are still to be visited, the next one last.
    ahead: Vec<String>,
}

impl Walk {
    /// From a node that exists.
    pub(super) fn below(path: &str) -> Self {
        Walk { ahead: vec![path.to_owned()] }
    }

    /// The node whose children are next. It may be gone by then, which ends nothing.
    pub(super) fn next(&mut self) -> Option<String> {
        self.ahead.pop()
    }

    /// The paths of its children, in order; they are gone down into after it.
    pub(super) fn children(&mut self, parent: &str, mut names: Vec<String>) -> Vec<String> {
        names.sort();
        let paths: Vec<String> = names.iter().map(|name| path::join(parent, name)).collect();
        self.ahead.extend(paths.iter().rev().cloned());
        paths
    }

    /// The next children at all, in order; None behind the last.
    pub(super) async fn advance(&mut self, client: &Client) -> Result<Option<Vec<String>>> {
        while let Some(parent) = self.next() {
            match client.children(&parent).await {
                Ok((names, _)) => return Ok(Some(self.children(&parent, names))),
                Err(error) if error.code() == Some(ErrorCode::NoNode) => {}
                Err(error) => return Err(Failure::from(error)),
            }
        }
        Ok(None)
    }
}

/// A node and all that is below it, parents before their children.
pub(super) async fn breadth_first(client: &Client, root: &str) -> Result<Vec<String>> {
    let mut tree = vec![root.to_owned()];
    let mut listed = 0;
    while listed < tree.len() {
        let asked: Vec<String> = tree[listed..].iter().take(AT_ONCE).cloned().collect();
        let replies: Vec<_> = asked.iter().map(|parent| client.children(parent)).collect();
        for (parent, reply) in asked.iter().zip(replies) {
            let (names, _) = reply.await?;
            tree.extend(names.iter().map(|name| path::join(parent, name)));
        }
        listed += asked.len();
    }
    Ok(tree)
}
