//! Who is there: members stand for themselves with an ephemeral node below the group's, and anybody sees the list.
//!
//! The layout is that of Curator's `GroupMember`, `<group>/<id>` with the member's data; or that of kazoo's `Party`,
//! `<group>/<guid>__party__` with the member's identifier as data, which knows a member by its data alone.

use super::cache::{Cache, Scope};
use super::persist::{Guid, Layout, below};
use super::persistent_node::{Lifetime, NodeView, PersistentNode};
use crate::client::{Client, Live, Result, Runtime};
use bytes::Bytes;
use std::collections::BTreeMap;

/// What kazoo has behind the GUID in a member's name.
const PARTY: &str = "__party__";

/// A group as one sees it from outside, live: it is one's picture, see [`Cache`]. Members that died are on the list until their
/// sessions are over.
#[derive(Clone, Debug)]
pub struct Group {
    path: String,
    layout: Layout,
    cache: Cache,
}

impl Group {
    /// Begins to watch the group of the node `path`, which need not exist; ready when the list is whole.
    ///
    /// # Errors
    /// Those of [`Cache::start`].
    pub async fn watch<R: Runtime>(client: &Client<R>, path: &str, layout: Layout) -> Result<Self> {
        let cache = Cache::start(client, path, Scope::Children).await?;
        Ok(Group { path: path.to_owned(), layout, cache })
    }

    /// The data of all members, by the names of their nodes: their ids, in Curator's layout.
    pub fn members(&self) -> BTreeMap<String, Bytes> {
        let nodes = self.cache.children(&self.path).into_iter();
        let members = nodes.filter(|(name, _)| self.layout == Layout::Curator || name.contains(PARTY));
        members.map(|(name, value)| (name, value.data.unwrap_or_default())).collect()
    }

    /// Ready when the list may be another than this handle has waited for; false when it will not change any more.
    pub async fn changed(&mut self) -> bool {
        self.cache.changed().await
    }
}

/// One's membership; Curator's `GroupMember`, kazoo's `Party`. Dropping it leaves the group. Whoever is deleted, or loses its
/// session and gets another, joins again.
#[derive(Debug)]
#[must_use = "whoever drops it has left"]
#[doc(alias = "GroupMember")]
#[doc(alias = "Party")]
pub struct Member(PersistentNode);

impl Member {
    /// Joins the group of the node `path`, by an id that nobody else has: whoever comes second joins when the first has gone.
    pub fn join<R: Runtime>(client: &Client<R>, path: &str, id: &str, data: impl Into<Bytes>) -> Self {
        Member(PersistentNode::start(client, &below(path, id), data, Lifetime::Ephemeral, None))
    }

    /// Joins a party of kazoo's.
    pub fn join_party<R: Runtime>(client: &Client<R>, path: &str, identifier: &str) -> Self {
        let name = Guid::new(client.runtime()).name(Layout::Kazoo, PARTY);
        Member::join(client, path, &name, identifier.to_owned())
    }

    /// Ready when the others can see this member: true; or never will, since the session is over: false.
    pub async fn joined(&self) -> bool {
        self.0.ready().await
    }

    /// Whether the others can see it, as a value that changes.
    pub fn view(&self) -> Live<NodeView> {
        self.0.view()
    }

    /// Sets what the others see of it.
    pub fn set_data(&self, data: impl Into<Bytes>) {
        self.0.set_data(data);
    }

    /// Leaves; ready when it has.
    ///
    /// # Errors
    /// When the session is over: the servers see to it then.
    pub async fn leave(self) -> Result<()> {
        self.0.close().await
    }
}
