//! One client connection: who it is, its session, what it waits for, and what operators ask of it.
//!
//! Invariants: the queue is in request order and its head can't be answered yet; requests that came before the session was
//! established wait in `early`, and so do those behind them; behind a request that ends the connection nothing is taken any more.

use crate::auth::Identities;
use crate::contract::Identity;
use crate::jute::{Request, WirePath};
use crate::metrics::{Decimal4, Summary};
use crate::vocabulary::{ConnId, ErrorCode, Millis, Mono, SessionId, Wall, Xid, Zxid};
use std::collections::VecDeque;
use std::sync::Arc;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// Nothing was heard yet; closed at the deadline.
    Accepted {
        /// When its patience ends.
        deadline: Mono,
    },
    /// It sent a four-letter word: the adapter answers and closes it.
    FourLetter,
    /// Its session is being created.
    Establishing,
    /// It has a session.
    Established,
    /// A request that ends it is in the queue, or one that can't be done any more before it ends; whatever comes behind is ignored.
    Condemned,
}

/// One place in a connection's queue.
#[derive(Clone, Debug)]
pub(crate) enum Pending {
    /// A write, answered when its txn is applied. With a refusal, an error txn is answered with that.
    Write { zxid: Zxid, refusal: Option<ErrorCode> },
    /// A re-attached session's earlier writes: nothing behind is answered before they are applied.
    Barrier { zxid: Zxid },
    /// A write that the leader was asked for, answered when its txn comes back and is applied.
    /// Its place in a multi is all that tells a create2, whose answer is longer, from a create once it has become a txn. With a
    /// refusal, an error txn is answered with that.
    Forwarded { xid: Xid, opcode: i32, arrived: Mono, create2_places: Vec<usize>, refusal: Option<ErrorCode> },
    /// Answered when the leader has said that history reaches as far as it did, and when that is applied.
    Sync { xid: Xid, path: WirePath, arrived: Mono, ready_at: Option<Zxid> },
    /// The same for a local session that has come back: nobody is answered by it.
    OwnSync { ready_at: Option<Zxid> },
    /// Answered from the tree as soon as everything before it is, for whom its client was when it asked.
    Read { xid: Xid, request: Request, identities: Arc<Identities>, arrived: Mono },
    /// Refused already, for its turn.
    Refused { xid: Xid, opcode: i32, code: i32, arrived: Mono },
}

/// A request that came before the session was established.
#[derive(Clone, Debug)]
pub(crate) struct Early {
    pub(crate) xid: Xid,
    pub(crate) request: Request,
}

/// A handshake that waits for the leader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Greeting {
    /// Whether its request had the byte, and so the answer has.
    pub(crate) read_only: Option<bool>,
    pub(crate) arrived: Mono,
}

/// What `cons` prints of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionStats {
    /// Frames received, four-letter words included.
    pub received: u64,
    /// Frames sent.
    pub sent: u64,
    /// When it was accepted.
    pub established: Wall,
    /// The last operation answered, by `cons`'s abbreviation.
    pub last_operation: &'static str,
    /// The xid of the last request answered.
    pub last_cxid: Option<Xid>,
    /// The zxid in the last reply.
    pub last_zxid: Zxid,
    /// When that was sent.
    pub last_response: Mono,
    /// How long it took.
    pub last_latency: Millis,
    /// How long all took, ms.
    pub latency: Summary,
}

impl ConnectionStats {
    pub(crate) fn new(established: Wall) -> Self {
        ConnectionStats {
            received: 0,
            sent: 0,
            established,
            last_operation: "NA",
            last_cxid: None,
            last_zxid: Zxid(-1),
            last_response: Mono(0),
            last_latency: Millis(0),
            latency: Summary::default(),
        }
    }

    /// `crst`: what is counted is forgotten.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.established);
    }

    /// The average latency, ms.
    pub fn average_latency(&self) -> Decimal4 {
        self.latency.average()
    }
}

/// Why a connection is not read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum PauseReason {
    /// Its session is being created, or asked about, or it waits for a sync.
    Handshake = 1,
    /// Too many requests are in process, and it has one of them.
    Outstanding = 2,
    /// It does not take its replies.
    Backlog = 4,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) id: ConnId,
    pub(crate) identity: Identity,
    /// Who its client is; shared with the reads that wait.
    pub(crate) identities: Arc<Identities>,
    pub(crate) state: ConnectionState,
    pub(crate) session: SessionId,
    pub(crate) timeout: Millis,
    pub(crate) queue: VecDeque<Pending>,
    pub(crate) early: VecDeque<Early>,
    /// Its handshake, while the leader is asked about its session.
    pub(crate) greeting: Option<Greeting>,
    /// Whether a sync waits for its answer: what comes behind it is not looked at before, since a write must not overtake it.
    pub(crate) is_syncing: bool,
    /// Txns of its session up to here were asked for over another connection.
    pub(crate) floor: Zxid,
    pub(crate) pauses: u8,
    /// Bytes of the last reply.
    pub(crate) reply_length: usize,
    pub(crate) stats: ConnectionStats,
}

impl Connection {
    pub(crate) fn new(id: ConnId, identity: Identity, deadline: Mono, now: Wall) -> Self {
        Connection {
            id,
            identities: Arc::new(Identities::new(identity.address.ip())),
            identity,
            state: ConnectionState::Accepted { deadline },
            session: SessionId::NONE,
            timeout: Millis(0),
            queue: VecDeque::new(),
            early: VecDeque::new(),
            greeting: None,
            is_syncing: false,
            floor: Zxid::ZERO,
            pauses: 0,
            reply_length: 0,
            stats: ConnectionStats::new(now),
        }
    }

    /// Its number.
    pub fn id(&self) -> ConnId {
        self.id
    }

    /// Who is at its other end.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its session, once there is one.
    pub fn session(&self) -> Option<SessionId> {
        (self.session != SessionId::NONE).then_some(self.session)
    }

    /// The session timeout that was negotiated.
    pub fn timeout(&self) -> Millis {
        self.timeout
    }

    /// How far it has come.
    pub fn state(&self) -> ConnectionState {
        self.state
    }

    /// Whether its client has asked for the end of its session, and that waits for its turn.
    pub(crate) fn is_to_end(&self) -> bool {
        let is_close = |request: &Request| matches!(request, Request::CloseSession);
        let waits = |pending: &Pending| matches!(pending, Pending::Read { request, .. } if is_close(request));
        self.queue.iter().any(waits) || self.early.iter().any(|early| is_close(&early.request))
    }

    /// Its oldest sync that waits may be answered when `zxid` is applied.
    pub(crate) fn sync_answered(&mut self, zxid: Zxid) {
        let waiting = self.queue.iter_mut().find_map(|pending| match pending {
            Pending::Sync { ready_at: ready_at @ None, .. }
            | Pending::OwnSync { ready_at: ready_at @ None } => Some(ready_at),
            _ => None,
        });
        if let Some(ready_at) = waiting {
            *ready_at = Some(zxid);
        }
    }

    /// Requests not answered yet.
    pub fn outstanding(&self) -> usize {
        self.queue.len() + self.early.len()
    }

    /// Whether it is not read from now.
    pub fn is_paused(&self) -> bool {
        self.pauses != 0
    }

    /// What `cons` prints.
    pub fn stats(&self) -> &ConnectionStats {
        &self.stats
    }
}
