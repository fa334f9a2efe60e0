//! Connections between servers: which port, what comes over the quorum port, and how its bytes become that.

use crate::jute::QuorumPacket;
use crate::tree::Database;

/// One of the ports that servers talk to each other on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// Votes.
    Election,
    /// A leader and its learners.
    Quorum,
    /// A follower and the observers that it serves (`observerMasterPort`), in the same packets.
    ObserverMaster,
}

/// One thing that came over a quorum connection.
#[derive(Clone, Debug)]
pub enum QuorumMessage {
    /// A packet; a SNAP comes only as [`QuorumMessage::Snapshot`], when all of it is there.
    Packet(QuorumPacket),
    /// A good part of a database has come, and more is to come: the other end is alive.
    SnapshotUnderWay,
    /// The whole database, built beside the one that is there; its last zxid is the SNAP's.
    Snapshot(Box<Database>),
}
