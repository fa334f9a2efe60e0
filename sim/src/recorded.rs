//! Histories of real servers, for the checkers of the simulated ones.
//!
//! What is recorded is what can be seen from outside: what every client sent and was answered, when, over which connection
//! ([`RecordedConnection`]); the txns on the servers' disks in the end, as they were logged; and the databases that the servers
//! come back with. [`judge`] lets the model execute the txns and holds everything else against that.
//!
//! Needed of a recording:
//! - it begins with an empty ensemble, and has every connection with a session, the ones that got no answer included;
//! - all times are of one monotonic clock, taken before a request leaves and after its reply has come;
//! - a session's xids rise over all its connections: they tell a txn's request;
//! - nothing but what [`quorate_core::jute::Request`] has for nodes, sync, multi, reads without watches, and closeSession; no
//!   credentials, quotas, containers or TTL nodes.
//!
//! Absent: watches, local sessions, and what was proposed and lost.

use crate::checkers::Violation;
use crate::oracle;
use bytes::Bytes;
use quorate_core::jute::{ConnectRequest, ConnectResponse, ReplyHeader, Request};
use quorate_core::tree::Database;
use quorate_core::vocabulary::Xid;

/// See the module's words.
#[derive(Clone, Debug, Default)]
pub struct RecordedHistory {
    /// Every txn that is committed in the end, as it was logged, oldest first.
    pub txns: Vec<Bytes>,
    /// In any order.
    pub connections: Vec<RecordedConnection>,
    /// What each server comes back with.
    pub databases: Vec<Database>,
    /// What the servers were configured with.
    pub settings: RecordedSettings,
}

/// What the verdict depends on beside what was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordedSettings {
    /// The shortest session timeout, milliseconds.
    pub min_session_timeout: i32,
    /// The longest.
    pub max_session_timeout: i32,
    /// How long a server may serve clients of which its leader does not hear, milliseconds: that much earlier a session may expire.
    pub unheard_ms: i64,
    /// The wall clock at time 0, milliseconds.
    pub wall_at_zero_ms: i64,
}

/// A connection on which a session was asked for.
#[derive(Clone, Debug)]
pub struct RecordedConnection {
    /// The server, counted from 0: one less than its id.
    pub server: usize,
    /// What the client said first.
    pub handshake: ConnectRequest,
    /// When it was sent, nanoseconds.
    pub sent: u64,
    /// What was answered, and when.
    pub answer: Option<(u64, ConnectResponse)>,
    /// In the order in which they were sent.
    pub requests: Vec<RecordedRequest>,
}

/// A request, and what is known of its end.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// As it was sent.
    pub xid: Xid,
    /// What was asked.
    pub request: Request,
    /// When it was sent, nanoseconds.
    pub sent: u64,
    /// What came for it; `None` when nobody knows what became of it.
    pub reply: Option<RecordedReply>,
}

/// A reply.
#[derive(Clone, Debug)]
pub struct RecordedReply {
    /// When it had come, nanoseconds.
    pub at: u64,
    /// As it came.
    pub header: ReplyHeader,
    /// What came behind the header.
    pub body: Bytes,
}

/// What a recording had to show, so that an empty one is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordedCounts {
    /// Committed txns.
    pub txns: usize,
    /// Requests of clients.
    pub requests: usize,
    /// Of those, without an answer.
    pub unknown: usize,
    /// Of those, executed all the same.
    pub executed_unanswered: usize,
    /// Writes that were answered, with a success or an error.
    pub writes: usize,
    /// Reads that were answered.
    pub reads: usize,
    /// And syncs.
    pub syncs: usize,
    /// Sessions that were created.
    pub sessions: usize,
    /// Connections that took a session up again.
    pub reattached: usize,
    /// Sessions that the ensemble has ended by itself.
    pub expired: usize,
    /// Epochs in which something was committed.
    pub epochs: usize,
}

/// Judges a recording.
///
/// # Errors
/// The first rule that is broken, as the simulator names it.
pub fn judge(history: &RecordedHistory) -> Result<RecordedCounts, Violation> {
    oracle::judge_recorded(history)
}
