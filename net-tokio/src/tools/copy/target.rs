//! Writing nodes: many requests at once, which a server takes in their order, so that parents are there before their children.

use super::source::{Kind, Node};
use quorate_client::{Client, CreateOptions, Error, ErrorCode, Version};
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

    /// Writes nodes, parents before children; how many were there already.
    pub(super) async fn write(&self, nodes: &[Node]) -> Result<u64, String> {
        let made: Vec<_> = nodes
            .iter()
            .map(|node| {
                let options = node.kind.options().acl(node.acl.clone());
                let options = if node.data.is_none() { options.without_data() } else { options };
                self.client.create(&self.at(&node.path), node.data.clone().unwrap_or_default(), &options)
            })
            .collect();
        let mut overwritten = 0;
        for (node, made) in nodes.iter().zip(made) {
            let Err(error) = made.await else { continue };
            let is_root = self.at(&node.path) == "/";
            match error.code() {
                // The root is there always; it is nothing that stands in the way.
                Some(ErrorCode::NodeExists) if self.overwrites || is_root => {
                    self.overwrite(node).await?;
                    overwritten += u64::from(!is_root);
                }
                Some(ErrorCode::NodeExists) => {
                    return Err(format!(
                        "{}; --overwrite sets what is there, and removes nothing",
                        failed(&error)
                    ));
                }
                Some(ErrorCode::Unimplemented) if matches!(node.kind, Kind::Ttl(_)) => {
                    let text = "its servers need zookeeper.extendedTypesEnabled=true for nodes with a TTL";
                    return Err(format!("{}; {text}", failed(&error)));
                }
                _ => return Err(failed(&error)),
            }
        }
        Ok(overwritten)
    }

    async fn overwrite(&self, node: &Node) -> Result<(), String> {
        let at = self.at(&node.path);
        // The ACL first: what only some may read is not shown to others.
        self.client.set_acl(&at, node.acl.clone(), Version::ANY).await.map_err(|error| failed(&error))?;
        let data = node.data.clone().unwrap_or_default();
        self.client.set(&at, data, Version::ANY).await.map_err(|error| failed(&error))?;
        Ok(())
    }
}

fn failed(error: &Error) -> String {
    format!("the target: {error}")
}
