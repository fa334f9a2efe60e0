//! The reference model: ZooKeeper's data model written a second time, as plainly as possible, from `client-protocol.md`.
//!
//! It shares no code with the core but the records of the wire: a map of paths, a map of sessions, watch tables that are walked
//! from end to end. It is asked what each request must bring at the place in history where the server put it.
//!
//! Absent: reconfig, SASL, 3.8's differences.

mod acl;
mod adopt;
mod auth;
mod path;
mod quota;
mod read;
mod replay;
mod session;
mod tree;
mod watch;
mod watching;
mod write;

pub(crate) use acl::Who;
pub(crate) use auth::{authenticate, digest_id, super_digest};
pub(crate) use session::password;
pub(crate) use tree::{Node, NodeKind, SavedStat, Tree};
pub(crate) use watch::{ExpectedEvent, WatchTables};
pub(crate) use watching::Watching;
pub(crate) use write::{Outcome, Place};

use quorate_core::vocabulary::{ConnId, SessionId, Zxid};
use std::collections::BTreeMap;

/// What of the configuration the model depends on.
#[derive(Clone, Debug)]
pub(crate) struct ModelConfig {
    pub(crate) extended_types: bool,
    pub(crate) enforce_quota: bool,
    /// The digest id that makes somebody `super`.
    pub(crate) super_digest: Option<String>,
    pub(crate) container_max_never_used_ms: u64,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) config: ModelConfig,
    pub(crate) tree: Tree,
    pub(crate) sessions: BTreeMap<SessionId, i32>,
    pub(crate) zxid: Zxid,
    pub(crate) watches: WatchTables,
    /// Who is at each open connection.
    pub(crate) who: BTreeMap<ConnId, Who>,
    quotas: quota::Quotas,
}

impl Model {
    pub(crate) fn new(config: ModelConfig) -> Self {
        Model {
            config,
            tree: Tree::fresh(),
            sessions: BTreeMap::new(),
            zxid: Zxid::ZERO,
            watches: WatchTables::default(),
            who: BTreeMap::new(),
            quotas: quota::Quotas::default(),
        }
    }

    /// What a restart forgets: connections and their watches.
    pub(crate) fn forget_connections(&mut self) {
        self.watches = WatchTables::default();
        self.who.clear();
    }

    pub(crate) fn forget_connection(&mut self, conn: ConnId) {
        self.watches.forget(conn);
        self.who.remove(&conn);
    }
}
