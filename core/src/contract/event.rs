//! What a peer tells the operator, and how its process ends.

use crate::jute::PeerState;
use crate::vocabulary::{ConnId, Epoch, LinkId, Millis, ServerId, SessionId, Zxid};

/// How the process ends (`operations.md` §13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// As asked.
    Finished = 0,
    /// Something that should not happen.
    UnexpectedError = 1,
    /// A committed txn is not the one that was proposed next: history would fork.
    UnmatchedCommit = 12,
    /// The leader began with something that is no synchronisation, or the log can't be truncated as it asks.
    SynchronisationFailed = 13,
    /// A port for other servers can't be bound.
    PortFailed = 14,
    /// The log could not be written: nothing may be served from memory that is not on disk.
    StorageFailed = 10,
}

/// How a learner is sent what it lacks (`quorum-protocol.md` §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are named after the packets")]
pub enum SyncMode {
    Diff,
    Trunc,
    Snap,
}

/// Something an operator wants to read in the log. The adapter renders it; nothing here is per request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each field is named by its type")]
pub enum PeerEvent {
    SessionCreated {
        session: SessionId,
        conn: ConnId,
        timeout: Millis,
    },
    /// The session came back on another connection.
    SessionReattached {
        session: SessionId,
        conn: ConnId,
        timeout: Millis,
    },
    /// A session that was this server's own wants an ephemeral, and is to be the ensemble's.
    SessionUpgraded {
        session: SessionId,
    },
    /// The client asked for its end.
    SessionClosed {
        session: SessionId,
    },
    /// Nobody was heard of it for its timeout.
    SessionExpired {
        session: SessionId,
        timeout: Millis,
    },
    /// The tree behind this txn is not the one that whoever prepared it had: its digest says so, or not all of it could be applied.
    DigestMismatch {
        zxid: Zxid,
    },
    /// A leader is looked for, with this vote.
    Looking {
        zxid: Zxid,
        epoch: i64,
    },
    /// No leader was found for so long. Of the other voters whom each has named last, and those of whom nothing is heard.
    NoLeader {
        looking: Millis,
        heard: Vec<(ServerId, Option<ServerId>)>,
        silent: Vec<ServerId>,
    },
    /// The election lasts: reads are served meanwhile, up to this txn.
    ReadOnly {
        zxid: Zxid,
    },
    /// The election is over.
    Elected {
        leader: ServerId,
        took: Millis,
    },
    /// Clients are served from here on: by the leader itself, or by one that learns from it.
    Serving {
        state: PeerState,
        leader: ServerId,
        epoch: Epoch,
        took: Millis,
    },
    /// The part in the ensemble has ended; clients were sent away.
    RoleEnded {
        reason: String,
        lasted: Millis,
    },
    /// A learner of this server, which leads, is sent what it lacks.
    LearnerSynchronises {
        sid: i64,
        by: SyncMode,
    },
    /// A learner has left its leader, which this server is.
    LearnerGone {
        link: LinkId,
        sid: Option<i64>,
        reason: String,
    },
    /// A handshake was refused: with the reason.
    HandshakeRefused {
        conn: ConnId,
        session: SessionId,
        reason: &'static str,
    },
    /// Credentials were refused.
    AuthFailed {
        conn: ConnId,
        scheme: String,
    },
    /// The connection was closed by the server for this reason.
    ConnectionDropped {
        conn: ConnId,
        reason: &'static str,
    },
    /// A request took this long from arrival to reply.
    SlowRequest {
        session: SessionId,
        opcode: i32,
        took: Millis,
    },
    /// A soft quota was passed.
    QuotaExceeded {
        path: String,
        hard: bool,
    },
    SnapshotStarted {
        zxid: Zxid,
    },
    SnapshotDurable {
        zxid: Zxid,
    },
    SnapshotFailed {
        zxid: Zxid,
        reason: String,
    },
    /// Writes are refused until space is freed.
    FreeSpaceLow {
        bytes: u64,
    },
    FreeSpaceRecovered {
        bytes: u64,
    },
}
