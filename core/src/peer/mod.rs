//! The composition: one server as a state machine. [`Peer::handle`] takes one [`Input`] and fills the [`Outbox`]; everything else
//! is a view.
//!
//! A write is prepared, serialised once, and asked to be stored; when storage confirms it, it is applied, watchers hear of it,
//! and the client is answered. A read is answered at once, unless its own connection has writes under way. See
//! [`crate::pipeline`].
//!
//! What the adapter owes:
//! - every input carries the clocks as they are when it is handed in; `mono` never falls;
//! - [`Input::Timeout`] comes when [`Peer::next_timeout`] is reached, and *after* the clients' inputs that are already there:
//!   nothing ends but by a timeout, and everything that arrives prolongs its session, so a server that was paused hears its
//!   clients before it buries them;
//! - [`Input::Stored`] confirms a prefix of a lane; a failed log store ends the process;
//! - after [`crate::contract::Output::Close`] whatever comes from that connection is ignored.
//!
//! Invariants (`Peer::check`, `Peer::check_full`):
//! - prepared minus applied txns are the ones under way, and nothing of them is visible;
//! - the digest that a txn carries is the tree's after it;
//! - every ephemeral's owner is a session; every watch's connection is open;
//! - a session is attached to one connection at most;
//! - one input asks for a bounded amount of replies: what could still be answered then waits for a time-out that is due at once.
//!
//! Caveats: no ensemble, no read-only mode, no local sessions, no SASL, no connection or request throttling beyond the limits
//! on connections, outstanding requests and backlogs.

mod accept;
mod check;
mod handshake;
mod pressure;
mod reaper;
mod requests;
mod role;
mod snapshots;
mod status;
mod storage;
mod timers;

pub use status::{Mode, Status};

use crate::auth::AuthConfig;
use crate::contract::{ExitCode, Input, Lane, Outbox, Output, StoreSeq};
use crate::jute::ClientMessage;
use crate::metrics::Metrics;
use crate::pipeline::{CommitQueue, Connections, Prep, ServerState};
use crate::session::SessionTracker;
use crate::tree::Database;
use crate::vocabulary::{ConnId, Entropy, Millis, Mono, Now, PeerConfig};
use crate::watch::Watches;
use pressure::Pressure;
use reaper::Reaper;
use role::Role;
use snapshots::Snapshots;
use std::collections::BTreeSet;

/// How the peer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Not yet.
    Serving,
    /// What was accepted is still answered; nothing new is.
    Draining,
    /// The exit was asked for; every input is ignored.
    Ended,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub struct Peer {
    state: ServerState,
    prep: Prep,
    commit: CommitQueue,
    role: Role,
    snapshots: Snapshots,
    reaper: Reaper,
    pressure: Pressure,
    ending: Ending,
    /// The last op asked of the log's lane.
    log_seq: StoreSeq,
    /// The last op of it that is durable.
    log_stored: StoreSeq,
    /// Connections without a handshake, by the time they are closed.
    handshakes: BTreeSet<(Mono, ConnId)>,
    /// Digests that did not match before the first txn of our own.
    mismatches_at_start: u64,
    started: Now,
}

impl Peer {
    /// A standalone peer over what recovery found. Sessions live on for their whole timeout; ephemerals whose session is not
    /// known are deleted, as `disk-format.md` §6.3 has it.
    pub fn new(config: PeerConfig, mut database: Database, entropy: Entropy, now: Now) -> Self {
        let seed = entropy.lookup_seed();
        database.end_replay();
        database.drop_orphans();
        let mut sessions = SessionTracker::new(config.server_id, config.tick_time, entropy);
        for (session, timeout) in database.sessions() {
            sessions.create(*session, Millis(u64::try_from(*timeout).unwrap_or(0)), now.mono);
        }
        let prep = Prep::new(seed, database.last_zxid(), database.tree.digest());
        let snapshots = Snapshots::new(&config.sequences, entropy);
        let reaper = Reaper::new(&config.sequences, now.mono);
        let mismatches_at_start = database.digest_mismatches();
        let state = ServerState {
            auth: AuthConfig::from(&config),
            watches: Watches::new(seed),
            connections: Connections::new(seed),
            sessions,
            metrics: Metrics::new(),
            database,
            config,
            part_end: 0,
        };
        Peer {
            state,
            prep,
            commit: CommitQueue::default(),
            role: Role::Standalone,
            snapshots,
            reaper,
            pressure: Pressure::default(),
            ending: Ending::Serving,
            log_seq: StoreSeq(0),
            log_stored: StoreSeq(0),
            handshakes: BTreeSet::new(),
            mismatches_at_start,
            started: now,
        }
    }

    /// The only way in: one input, then drain the outbox.
    pub fn handle(&mut self, now: Now, input: Input, outbox: &mut Outbox) {
        if self.ending == Ending::Ended {
            return;
        }
        self.state.part_end = outbox.bytes() + self.state.config.limits.backlog_pause.max(1);
        match input {
            Input::Client { conn, message } => self.client(now, conn, message, outbox),
            Input::Accepted { conn, identity } => self.accept(now, conn, identity, outbox),
            Input::Closed { conn } => self.closed(conn),
            Input::Backlog { conn, bytes } => self.backlog(conn, bytes, outbox),
            Input::Stored { lane: Lane::Log, seq } => self.log_stored(now, seq, outbox),
            Input::Stored { lane: Lane::Snapshot, seq } => self.snapshot_stored(now, seq, outbox),
            Input::Stored { lane: Lane::Epoch, .. } => {}
            Input::StoreFailed { lane: Lane::Snapshot, seq, reason } => {
                self.snapshot_failed(now, seq, reason, outbox);
            }
            Input::StoreFailed { lane: Lane::Log | Lane::Epoch, reason, .. } => {
                self.exit(ExitCode::StorageFailed, reason, outbox);
            }
            Input::Dialled { .. }
            | Input::DialFailed { .. }
            | Input::LinkAccepted { .. }
            | Input::Election { .. }
            | Input::Quorum { .. }
            | Input::LinkWritten { .. }
            | Input::LinkBacklog { .. }
            | Input::LinkClosed { .. }
            | Input::Loaded { .. }
            | Input::Truncated { .. } => {
                unreachable!("a server alone has no links, and asks for no old txns")
            }
            Input::FreeSpace { bytes } => self.free_space(bytes, outbox),
            Input::Timeout => self.timeout(now, outbox),
            Input::Shutdown => self.shutdown(outbox),
            Input::ResetServerStats => self.state.metrics.reset(),
            Input::ResetConnectionStats => {
                self.state.connections.iter_mut().for_each(|connection| connection.stats.reset());
            }
        }
        self.drop_overlong(outbox);
        self.relieve(outbox);
    }

    fn client(&mut self, now: Now, conn: ConnId, message: ClientMessage, outbox: &mut Outbox) {
        match message {
            ClientMessage::Request { xid, request, frame_length } => {
                self.request(now, conn, (xid, request, frame_length), outbox);
            }
            ClientMessage::Connect(request) => self.connect(now, conn, request, outbox),
            ClientMessage::FourLetter { .. } => self.four_letter(conn),
        }
    }

    /// The read-only view that operators' questions are answered from.
    pub fn status(&self) -> Status<'_> {
        Status { peer: self }
    }

    /// Nothing new is accepted; when everything under way is answered, the process may end.
    fn shutdown(&mut self, outbox: &mut Outbox) {
        self.ending = Ending::Draining;
        self.end_when_drained(outbox);
    }

    fn end_when_drained(&mut self, outbox: &mut Outbox) {
        if self.ending != Ending::Draining || !self.commit.is_empty() || self.has_more() {
            return;
        }
        let open: Vec<ConnId> = self.state.connections.iter().map(|connection| connection.id()).collect();
        for conn in open {
            self.state.close(conn, outbox);
        }
        self.exit(ExitCode::Finished, "shut down".to_owned(), outbox);
    }

    fn exit(&mut self, code: ExitCode, reason: String, outbox: &mut Outbox) {
        self.ending = Ending::Ended;
        outbox.push(Output::Exit { code, reason });
    }

    fn is_ending(&self) -> bool {
        self.ending != Ending::Serving
    }

    /// Requests in process: txns under way, and reads that wait behind them.
    fn in_process(&self) -> usize {
        self.commit.len() + self.state.connections.waiting_reads
    }
}
