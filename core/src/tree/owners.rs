//! Which nodes do not simply persist: the ephemerals of each session, the containers, the nodes with a TTL.
//!
//! Kept in step with the stored owners; walked in the order of ids, which callers turn into the order of paths.

use super::owner::Owner;
use super::page::NodeId;
use crate::vocabulary::SessionId;
use std::collections::{BTreeMap, BTreeSet};

/// See the module's words.
#[derive(Clone, Debug, Default)]
pub(super) struct Owners {
    ephemerals: BTreeMap<SessionId, BTreeSet<NodeId>>,
    containers: BTreeSet<NodeId>,
    ttls: BTreeSet<NodeId>,
}

impl Owners {
    /// Notes a new node.
    pub(super) fn insert(&mut self, id: NodeId, owner: Owner) {
        let is_new = match owner {
            Owner::Persistent => true,
            Owner::Ephemeral(session) => self.ephemerals.entry(session).or_default().insert(id),
            Owner::Container => self.containers.insert(id),
            Owner::Ttl(_) => self.ttls.insert(id),
        };
        assert!(is_new, "a node is noted once");
    }

    /// Forgets a node.
    pub(super) fn remove(&mut self, id: NodeId, owner: Owner) {
        let was_known = match owner {
            Owner::Persistent => true,
            Owner::Container => self.containers.remove(&id),
            Owner::Ttl(_) => self.ttls.remove(&id),
            Owner::Ephemeral(session) => {
                let nodes = self.ephemerals.get_mut(&session).expect("an ephemeral's session is noted");
                let was_known = nodes.remove(&id);
                if nodes.is_empty() {
                    self.ephemerals.remove(&session);
                }
                was_known
            }
        };
        assert!(was_known, "only what was noted can be forgotten");
    }

    /// The ephemerals of `session`.
    pub(super) fn of_session(&self, session: SessionId) -> impl Iterator<Item = NodeId> + '_ {
        self.ephemerals.get(&session).into_iter().flatten().copied()
    }

    /// Sessions that own a node.
    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.ephemerals.keys().copied()
    }

    /// Ephemerals of all sessions.
    pub(super) fn ephemeral_count(&self) -> usize {
        self.ephemerals.values().map(BTreeSet::len).sum()
    }

    /// The containers, then the nodes with a TTL.
    pub(super) fn mortal(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.containers.iter().chain(&self.ttls).copied()
    }

    /// Nodes noted, of all kinds.
    pub(super) fn len(&self) -> usize {
        self.ephemeral_count() + self.containers.len() + self.ttls.len()
    }

    /// Whether a node is noted under `owner`.
    pub(super) fn contains(&self, id: NodeId, owner: Owner) -> bool {
        match owner {
            Owner::Persistent => false,
            Owner::Container => self.containers.contains(&id),
            Owner::Ttl(_) => self.ttls.contains(&id),
            Owner::Ephemeral(session) => {
                self.ephemerals.get(&session).is_some_and(|nodes| nodes.contains(&id))
            }
        }
    }
}
