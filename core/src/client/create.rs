//! How a node is to be created.

use crate::jute::{Acl, CreateFlag, CreateKind, CreateRequest, Stat};
use crate::vocabulary::{Millis, Zxid};
use bytes::Bytes;

/// What kind of node, for whom, and whether its parents are made too. The default is a persistent node, open to all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateOptions {
    kind: Kind,
    is_sequential: bool,
    is_without_data: bool,
    acl: Option<Vec<Acl>>,
    pub(super) parents: Parents,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Persistent,
    Ephemeral,
    Container,
    Ttl(Millis),
}

/// Which parents are made where they are missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Parents {
    #[default]
    None,
    Persistent,
    Container,
}

impl CreateOptions {
    /// A node that stays.
    pub fn persistent() -> Self {
        CreateOptions::default()
    }

    /// A node that goes with this session.
    pub fn ephemeral() -> Self {
        CreateOptions { kind: Kind::Ephemeral, ..CreateOptions::default() }
    }

    /// A node that the servers remove some time after its last child has gone.
    pub fn container() -> Self {
        CreateOptions { kind: Kind::Container, ..CreateOptions::default() }
    }

    /// A node that the servers remove when it has neither changed nor had a child for so long. They must have
    /// `zookeeper.extendedTypesEnabled` set.
    pub fn ttl(ttl: Millis) -> Self {
        CreateOptions { kind: Kind::Ttl(ttl), ..CreateOptions::default() }
    }

    /// Ten digits of the parent's counter are put behind the name. Containers have no sequence: theirs is refused.
    #[must_use]
    pub fn sequential(mut self) -> Self {
        self.is_sequential = true;
        self
    }

    /// The node has no data at all, which is told from empty data; what is given as data is left out.
    #[must_use]
    pub fn without_data(mut self) -> Self {
        self.is_without_data = true;
        self
    }

    /// The node's ACL instead of "everything for everybody".
    #[must_use]
    pub fn acl(mut self, acl: Vec<Acl>) -> Self {
        self.acl = Some(acl);
        self
    }

    /// Missing parents are made first: persistent nodes, open to all.
    #[must_use]
    pub fn parents(mut self) -> Self {
        self.parents = Parents::Persistent;
        self
    }

    /// Missing parents are made first: containers, open to all, that go when they have been emptied.
    #[must_use]
    pub fn container_parents(mut self) -> Self {
        self.parents = Parents::Container;
        self
    }

    pub(super) fn of_parents(&self) -> Self {
        match self.parents {
            Parents::Container => CreateOptions::container(),
            Parents::None | Parents::Persistent => CreateOptions::persistent(),
        }
    }

    /// The request.
    pub(super) fn request(&self, path: String, data: Bytes) -> CreateRequest {
        use CreateFlag::*;
        let flag = match (self.kind, self.is_sequential) {
            (Kind::Persistent, false) => Persistent,
            (Kind::Persistent, true) => PersistentSequential,
            (Kind::Ephemeral, false) => Ephemeral,
            (Kind::Ephemeral, true) => EphemeralSequential,
            (Kind::Container, _) => Container,
            (Kind::Ttl(_), false) => PersistentWithTtl,
            (Kind::Ttl(_), true) => PersistentSequentialWithTtl,
        };
        let (kind, ttl) = match self.kind {
            Kind::Container => (CreateKind::CreateContainer, -1),
            Kind::Ttl(ttl) => (CreateKind::CreateTtl, i64::try_from(ttl.0).unwrap_or(i64::MAX)),
            Kind::Persistent | Kind::Ephemeral => (CreateKind::Create2, -1),
        };
        let acl = Some(self.acl.clone().unwrap_or_else(Acl::open));
        let data = (!self.is_without_data).then_some(data);
        CreateRequest { kind, path: Some(path), data, acl, flags: flag as i32, ttl }
    }

    /// Whether the node goes with the session.
    pub(crate) fn is_ephemeral(&self) -> bool {
        self.kind == Kind::Ephemeral
    }

    pub(super) fn is_sequential(&self) -> bool {
        self.is_sequential
    }

    /// Whether no server would make such a node.
    pub(super) fn is_impossible(&self) -> bool {
        self.kind == Kind::Container && self.is_sequential
    }
}

/// A node that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its path, with its sequence number if it has one.
    pub path: String,
    /// Its numbers.
    pub stat: Stat,
    /// The txn that created it.
    pub zxid: Zxid,
}
