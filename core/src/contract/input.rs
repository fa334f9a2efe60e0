//! Everything that can happen to a peer.

use super::link::{Port, QuorumMessage};
use super::store::{History, Lane, LoadId, StoreSeq};
use crate::jute::{ClientMessage, ElectionMessage};
use crate::vocabulary::{ConnId, LinkId, ServerId};
use bytes::Bytes;
use std::net::SocketAddr;

/// Who is at the other end of a connection, as far as the transport knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The remote address; its IP is the session's `ip` identity.
    pub address: SocketAddr,
    /// The client certificate's subject (RFC 2253), for TLS connections.
    pub certificate: Option<String>,
}

/// One thing that happens to a peer. Time comes beside it, never in it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// A client connected.
    Accepted {
        /// The connection's number, never used before.
        conn: ConnId,
        /// Who it is.
        identity: Identity,
    },
    /// A client said something.
    Client {
        /// On which connection.
        conn: ConnId,
        /// What.
        message: ClientMessage,
    },
    /// The connection is gone, whoever closed it. Nothing more comes from it.
    Closed {
        /// Which.
        conn: ConnId,
    },
    /// How many bytes wait to be written to a client; reported when it changes a lot, and at 0.
    Backlog {
        /// On which connection.
        conn: ConnId,
        /// Bytes that the transport has not taken yet.
        bytes: usize,
    },
    /// Every op of the lane up to this one is durable.
    Stored {
        /// Which lane.
        lane: Lane,
        /// The last durable op of it.
        seq: StoreSeq,
    },
    /// An op failed. Of the log this is the end of the process; of a snapshot it is a warning.
    StoreFailed {
        /// Which lane.
        lane: Lane,
        /// The op that failed.
        seq: StoreSeq,
        /// What the disk said.
        reason: String,
    },
    /// A dial came through.
    Dialled {
        /// To which port.
        port: Port,
        /// Of which server.
        to: ServerId,
        /// The connection.
        link: LinkId,
    },
    /// A dial came to nothing.
    DialFailed {
        /// To which port.
        port: Port,
        /// Of which server.
        to: ServerId,
        /// What the network said.
        reason: String,
    },
    /// Another server connected; who it is, it says itself.
    LinkAccepted {
        /// To which port.
        port: Port,
        /// The connection.
        link: LinkId,
        /// From where.
        address: SocketAddr,
    },
    /// Something came over an election connection.
    Election {
        /// Over which.
        link: LinkId,
        /// What.
        message: ElectionMessage,
    },
    /// Something came over a quorum connection.
    Quorum {
        /// Over which.
        link: LinkId,
        /// What.
        message: QuorumMessage,
    },
    /// Everything that was given to an election connection is written.
    LinkWritten {
        /// Which.
        link: LinkId,
    },
    /// How many bytes wait to be written to a quorum connection, a snapshot's not counted; reported when it changes a lot, and at 0.
    LinkBacklog {
        /// Which.
        link: LinkId,
        /// Bytes.
        bytes: usize,
    },
    /// A connection between servers is gone, whoever closed it. Nothing more comes from it.
    LinkClosed {
        /// Which.
        link: LinkId,
        /// Why, in the network's or the decoder's words.
        reason: String,
    },
    /// Old txns that were asked for.
    Loaded {
        /// The request.
        id: LoadId,
        /// Without a gap, oldest first; none when the log does not have them all.
        txns: Option<Vec<Bytes>>,
    },
    /// The log was truncated, and this is what is left, read anew; the op counts as stored.
    Truncated {
        /// The op, of the log's lane.
        seq: StoreSeq,
        /// What the directory holds now.
        history: Box<History>,
    },
    /// Free bytes on the log's disk.
    FreeSpace {
        /// How many.
        bytes: u64,
    },
    /// There is time for more of what earlier inputs have left behind. Unlike a time-out it ends nothing.
    GoOn,
    /// The time that `next_timeout` named has come.
    Timeout,
    /// The operator wants the process to end: answer what was accepted, then exit.
    Shutdown,
    /// `srst`: forget the server's statistics.
    ResetServerStats,
    /// `crst`: forget the connections' statistics.
    ResetConnectionStats,
}
