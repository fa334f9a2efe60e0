//! What requests are served from: database, watches, connections, sessions, counters. Owned by the peer, worked on by the
//! pipeline, whatever the peer's role.

use super::connections::Connections;
use crate::auth::AuthConfig;
use crate::metrics::Metrics;
use crate::session::SessionTracker;
use crate::tree::Database;
use crate::vocabulary::{PeerConfig, Zxid};
use crate::watch::Watches;

/// See the module's words.
#[derive(Clone, Debug)]
pub(crate) struct ServerState {
    pub(crate) config: PeerConfig,
    pub(crate) auth: AuthConfig,
    pub(crate) database: Database,
    pub(crate) watches: Watches,
    pub(crate) connections: Connections,
    pub(crate) sessions: SessionTracker,
    pub(crate) metrics: Metrics,
    /// Txns up to this one may be in the tree already, for what it came from was fuzzy: what then can't be applied is no error.
    pub(crate) fuzzy_until: Zxid,
    /// The size of the outbox at which the input under way has asked for enough: what could still be answered waits for the next.
    pub(crate) part_end: usize,
}
