//! A read-only view of a peer: everything that four-letter words, `mntr` and the metrics page are rendered from
//! (`operations.md` §4, §6). Rendering is the adapter's.
//!
//! Order for a four-letter word: first [`super::Peer::handle`] gets the message, which counts it, then the word is rendered from
//! this, then the connection is closed; so a fresh server answers `srvr` with one packet received and none sent.

use super::Peer;
use crate::contract::Epochs;
use crate::election::Round;
use crate::metrics::Metrics;
use crate::pipeline::Connection;
use crate::session::SessionTracker;
use crate::tree::Database;
use crate::vocabulary::{ConnId, Mono, Now, PeerConfig, ServerId, SessionId, Zxid};
use crate::watch::Watches;
use crate::zab::{Leader, ObserverMaster};

/// What a peer is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Alone, without an ensemble.
    Standalone,
    /// In an ensemble, without a leader.
    Looking,
    /// It leads.
    Leader,
    /// It votes and follows.
    Follower,
    /// It observes.
    Observer,
    /// In an ensemble, without a leader, serving what it has.
    ReadOnly,
}

impl Mode {
    /// As `srvr` and `mntr` print it.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Standalone => "standalone",
            Mode::Looking => "looking",
            Mode::Leader => "leader",
            Mode::Follower => "follower",
            Mode::Observer => "observer",
            Mode::ReadOnly => "read-only",
        }
    }
}

/// See the module's words.
#[derive(Clone, Copy, Debug)]
pub struct Status<'a> {
    pub(super) peer: &'a Peer,
}

impl<'a> Status<'a> {
    /// What the peer is.
    pub fn mode(&self) -> Mode {
        self.peer.role.mode()
    }

    /// Whether requests are served: false once the log has failed or the peer is shutting down, and without a
    /// leader, unless the service is read-only.
    pub fn is_serving(&self) -> bool {
        !self.peer.is_ending() && self.peer.is_serving()
    }

    /// The leader's machine, where this server leads.
    pub fn leader(&self) -> Option<&'a Leader> {
        self.peer.as_member()?.leader()
    }

    /// The machine of a follower that serves observers.
    pub fn observer_master(&self) -> Option<&'a ObserverMaster> {
        self.peer.as_member()?.master()
    }

    /// Whom this server learns from: its leader, or as an observer perhaps a follower.
    pub fn learns_from(&self) -> Option<ServerId> {
        self.peer.as_member()?.learns_from()
    }

    /// The logical clock of a member's elections.
    pub fn election_round(&self) -> Option<Round> {
        Some(self.peer.as_member()?.election_round())
    }

    /// Since when a member plays the part that it plays.
    pub fn mode_since(&self) -> Option<Mono> {
        Some(self.peer.as_member()?.since())
    }

    /// The epoch files of a member, as they were asked for last.
    pub fn epochs(&self) -> Option<Epochs> {
        Some(self.peer.as_member()?.epochs())
    }

    /// The last txn that was logged, or is about to be.
    pub fn last_logged(&self) -> Zxid {
        self.peer.commit.last_zxid().unwrap_or(self.last_zxid())
    }

    /// Whether only reads are served.
    pub fn is_read_only(&self) -> bool {
        self.peer.is_read_only()
    }

    /// Whether writes that grow the data are refused, because the log's disk is nearly full.
    pub fn is_space_low(&self) -> bool {
        self.peer.pressure.is_space_low
    }

    /// The configuration.
    pub fn config(&self) -> &'a PeerConfig {
        &self.peer.state.config
    }

    /// Tree, sessions, last zxid, digest log.
    pub fn database(&self) -> &'a Database {
        &self.peer.state.database
    }

    /// The last txn applied.
    pub fn last_zxid(&self) -> Zxid {
        self.database().last_zxid()
    }

    /// How far it is known what is committed. A leader has applied less while there is a lot to apply; a server that just came back may have
    /// applied more.
    pub fn committed(&self) -> Zxid {
        self.peer.committed
    }

    /// Nodes as `srvr` prints them: the root counts twice.
    pub fn node_count(&self) -> usize {
        self.database().tree.node_count() + 1
    }

    /// Every counter and summary.
    pub fn metrics(&self) -> &'a Metrics {
        &self.peer.state.metrics
    }

    /// Who watches what.
    pub fn watches(&self) -> &'a Watches {
        &self.peer.state.watches
    }

    /// Whether new sessions are this server's own, without a txn.
    pub fn makes_local_sessions(&self) -> bool {
        self.peer.makes_local_sessions()
    }

    /// Which sessions are alive, by expiry bucket.
    pub fn sessions(&self) -> &'a SessionTracker {
        &self.peer.state.sessions
    }

    /// Every open connection, in the order of its place in the table.
    pub fn connections(&self) -> impl Iterator<Item = &'a Connection> + use<'a> {
        self.peer.state.connections.iter()
    }

    /// One connection.
    pub fn connection(&self, conn: ConnId) -> Option<&'a Connection> {
        self.peer.state.connections.get(conn)
    }

    /// Open connections, those without a session included.
    pub fn connection_count(&self) -> usize {
        self.peer.state.connections.len()
    }

    /// The session of a connection: what `wchc` and `wchp` print for a watch.
    pub fn session_of(&self, conn: ConnId) -> Option<SessionId> {
        self.connection(conn).and_then(Connection::session)
    }

    /// Requests in process: txns not yet durable, and reads that wait behind them.
    pub fn outstanding(&self) -> usize {
        self.peer.in_process()
    }

    /// Both clocks when the peer was made.
    pub fn started(&self) -> Now {
        self.peer.started
    }
}
