//! A picture of a node, of its children or of its tree, that follows what the servers have.
//!
//! One persistent watch tells what has changed; the changed nodes are read, nothing else. Where changes may have gone by unseen
//! ([`Resync`](crate::client::Resync)) the numbers of what is known are compared, and only what differs is read. Invariants:
//! - every node is as it was at some moment, and none goes back to an earlier one; two nodes may be of different moments;
//! - a node is another one if its `czxid` or `mzxid` is: a version says nothing, since a node that was made again begins at 0;
//! - whoever reads the events of a cache can keep the same picture: the `old` of each is what the event before it left.
//!
//! What a node's numbers say of its children (`cversion`, `pzxid`, `num_children`) and its ACL are those of when it was read last:
//! no watch tells of them. What this client may not read is left out.

mod keeper;
mod picture;

pub use picture::{CacheEvent, CacheEvents};

use crate::client::{Client, Error, Live, Result, Runtime, Value, live};
use crate::recipe::persist::below;
use futures_channel::oneshot;
use futures_util::future::{Either, select};
use keeper::Keeper;
use picture::Picture;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

/// Which nodes are in the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The node itself.
    Node,
    /// The node and its children.
    Children,
    /// The node and all below it.
    Tree,
}

/// A picture of nodes; Curator's `CuratorCache` and those before it. The picture is of this client: a clone looks at the same one.
///
/// When the connection is lost it stays as it is, and catches up behind that, in a new session too if the client
/// [replaces](crate::client::OnExpiry::Replace) what expired; else it ends with the session, see [`ended`](Cache::ended).
#[derive(Clone, Debug)]
#[doc(alias = "CuratorCache")]
#[doc(alias = "TreeCache")]
#[doc(alias = "PathChildrenCache")]
#[doc(alias = "NodeCache")]
#[doc(alias = "DataWatch")]
#[doc(alias = "ChildrenWatch")]
pub struct Cache {
    root: String,
    picture: Live<Picture>,
    /// The keeper stops when the last of these is dropped.
    _stop: Arc<oneshot::Sender<()>>,
}

impl Cache {
    /// A picture of what is at `root`, which need not exist; ready when it is whole, and at least of now.
    ///
    /// # Errors
    /// The session's end, and refusals to watch.
    pub async fn start<R: Runtime>(client: &Client<R>, root: &str, scope: Scope) -> Result<Self> {
        let (sender, mut picture) = live(Picture::default());
        let (stop, is_stopped) = oneshot::channel();
        let keeper = Keeper::new(client, root, scope, sender);
        client.runtime().spawn(async move {
            if let Either::Left(((picture, error), _)) = select(pin!(keeper.run()), is_stopped).await {
                picture.update(|picture| picture.end(error));
            }
        });
        let whole = picture.clone();
        loop {
            if let Some(error) = whole.look(|picture| picture.ended.clone()) {
                return Err(error);
            }
            if whole.look(|picture| picture.is_whole) {
                return Ok(Cache { root: root.to_owned(), picture, _stop: Arc::new(stop) });
            }
            picture.moved().await;
        }
    }

    /// The node at the top, if it exists.
    pub fn root(&self) -> Option<Value> {
        self.get(&self.root)
    }

    /// A node, if it exists and is in the picture.
    pub fn get(&self, path: &str) -> Option<Value> {
        self.picture.look(|picture| picture.nodes.get(path).cloned())
    }

    /// The child of this name of the node at the top.
    pub fn child(&self, name: &str) -> Option<Value> {
        self.get(&below(&self.root, name))
    }

    /// The children of a node in the picture, by their names.
    pub fn children(&self, path: &str) -> BTreeMap<String, Value> {
        self.picture.look(|picture| {
            let children = picture.children(path);
            children.map(|(name, value)| (name.to_owned(), value.clone())).collect()
        })
    }

    /// All of it, by paths.
    pub fn nodes(&self) -> BTreeMap<String, Value> {
        self.picture.look(|picture| picture.nodes.clone())
    }

    /// Ready when the picture is another than this handle has waited for; false when it will not change any more.
    pub async fn changed(&mut self) -> bool {
        self.picture.moved().await
    }

    /// What changes, from here on; first what there is, as if it came to be now. A reader that is slow gets what has become of a
    /// node as one change.
    pub fn events(&self) -> CacheEvents {
        self.picture.look(Picture::events)
    }

    /// Why the picture is not followed any more, if it is not.
    pub fn ended(&self) -> Option<Error> {
        self.picture.look(|picture| picture.ended.clone())
    }
}
