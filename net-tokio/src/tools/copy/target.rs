//! Writing nodes: many requests at once, which a server takes in their order, so that parents are there before their children.

use super::Account;
use super::source::Node;
use quorate_client::{Client, CreateOptions, Error, ErrorCode, Stat, Version};
use quorate_core::tree::path;

/// See the module's words.
pub(super) struct Target {
    pub(super) client: Client,
    root: String,
    overwrites: bool,
}

impl Target {
    pub(super) fn new(client: Client, root: &str, overwrites: bool) -> Self {
        Target { client, root: root.to_owned(), overwrites }
    }

    fn at(&self, relative: &str) -> String {
        let path = format!("{}{relative}", self.root);
        if path.is_empty() { "/".to_owned() } else { path }
    }

    /// Makes the parents that are missing, open to all, as nobody has said whom they are for.
    pub(super) async fn prepare(&self) -> Result<(), String> {
        let above: Vec<&str> =
            std::iter::successors(path::parent(&self.root), |node| path::parent(node)).collect();
        for node in above.into_iter().rev().filter(|node| !path::is_root(node)) {
            match self.client.create(node, "", &CreateOptions::persistent()).await {
                Err(error) if error.code() != Some(ErrorCode::NodeExists) => return Err(failed(&error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes nodes, parents before children, and counts those that are written.
    pub(super) async fn write(&self, nodes: &[Node], account: &mut Account) -> Result<(), String> {
        let made: Vec<_> = nodes
            .iter()
            .map(|node| {
                let options = CreateOptions::persistent().acl(node.acl.clone());
                let options = if node.data.is_none() { options.without_data() } else { options };
                self.client.create(&self.at(&node.path), node.data.clone().unwrap_or_default(), &options)
            })
            .collect();
        let mut refusal = None;
        for (node, made) in nodes.iter().zip(made) {
            let done = match made.await {
                Ok(_) => Ok(()),
                Err(error) if refusal.is_none() => self.in_the_way(node, &error, account).await,
                // Behind a refusal only what was asked for before it is waited for.
                Err(_) => continue,
            };
            match done {
                Ok(()) => account.count(node),
                Err(reason) => drop(refusal.get_or_insert(reason)),
            }
        }
        refusal.map_or(Ok(()), Err)
    }

    /// A node could not be created: what is there is overwritten, if that was asked for.
    async fn in_the_way(&self, node: &Node, error: &Error, account: &mut Account) -> Result<(), String> {
        let is_root = self.at(&node.path) == "/";
        match error.code() {
            // The root is there always; it is nothing that stands in the way.
            Some(ErrorCode::NodeExists) if self.overwrites || is_root => {
                let stat = self.overwrite(node).await?;
                account.overwritten += u64::from(!is_root);
                account.stays_ephemeral += u64::from(stat.ephemeral_owner != 0);
                Ok(())
            }
            Some(ErrorCode::NodeExists) => {
                Err(format!("{}; --overwrite sets what is there, and removes nothing", failed(error)))
            }
            _ => Err(failed(error)),
        }
    }

    /// The numbers of what was there, behind that.
    async fn overwrite(&self, node: &Node) -> Result<Stat, String> {
        let at = self.at(&node.path);
        // The ACL first: what only some may read is not shown to others.
        self.client.set_acl(&at, node.acl.clone(), Version::ANY).await.map_err(|error| failed(&error))?;
        let data = node.data.clone().unwrap_or_default();
        self.client.set(&at, data, Version::ANY).await.map_err(|error| failed(&error))
    }
}

fn failed(error: &Error) -> String {
    format!("the target: {error}")
}
