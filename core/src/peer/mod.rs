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
//! - one input asks for a bounded amount of replies: what could still be answered then ([`Peer::has_more`]) waits for
//!   [`Input::GoOn`], or for a time-out that is due at once.
//!
//! A member of an ensemble ([`Peer::member`]) is the same, but that others say what is committed: `ensemble`.
//!
//! Caveats: no SASL, no connection or request throttling beyond the limits on connections,
//! outstanding requests and backlogs.

mod accept;
mod check;
mod ensemble;
mod handshake;
mod local;
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
use crate::contract::{Epochs, ExitCode, History, Input, Lane, Outbox, Output, StoreSeq};
use crate::jute::ClientMessage;
use crate::metrics::Metrics;
use crate::pipeline::{CommitQueue, Connections, Prep, ServerState};
use crate::quorum::EnsembleConfig;
use crate::session::{Noted, SessionTracker};
use crate::tree::Database;
use crate::vocabulary::{ConnId, Entropy, LookupSeed, Millis, Mono, Now, PeerConfig, Zxid};
use crate::watch::Watches;
use crate::zab::Leader;
use ensemble::Member;
use pressure::Pressure;
use reaper::Reaper;
use role::Role;
use snapshots::Snapshots;
use std::collections::BTreeSet;

/// How long what was accepted may keep a member of an ensemble from ending.
const LAST_ANSWERS: Millis = Millis(3_000);

/// How the peer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Not yet.
    Serving,
    /// What was accepted is still answered, as long as it can be; nothing new is.
    Draining { until: Mono },
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
    /// Txns under way up to this one are committed.
    committed: Zxid,
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
    seed: LookupSeed,
}

impl Peer {
    /// A standalone peer over what recovery found. Sessions live on for their whole timeout; ephemerals whose session is not
    /// known are deleted, as `disk-format.md` §6.3 has it.
    pub fn new(config: PeerConfig, mut database: Database, entropy: Entropy, now: Now) -> Self {
        database.end_replay();
        database.drop_orphans();
        let mut peer = Self::with_role(config, database, Role::Standalone, entropy, now);
        peer.track_sessions(now, Noted::Nothing);
        peer
    }

    /// A member of an ensemble over what recovery found. It begins to look for a leader with its first time-out, which is due.
    pub fn member(
        config: PeerConfig,
        ensemble: EnsembleConfig,
        history: History,
        epochs: Epochs,
        entropy: Entropy,
        now: Now,
    ) -> Self {
        let History { mut database, recent } = history;
        database.end_replay();
        let member = Member::new(&config, ensemble, epochs, database.last_zxid(), recent, now);
        let mut peer = Self::with_role(config, database, Role::Member(Box::new(member)), entropy, now);
        peer.track_sessions(now, Noted::Touched);
        peer
    }

    fn with_role(config: PeerConfig, database: Database, role: Role, entropy: Entropy, now: Now) -> Self {
        let seed = entropy.lookup_seed();
        let sessions = SessionTracker::new(config.server_id, config.tick_time, entropy);
        let prep = Prep::new(seed, database.last_zxid(), database.tree.digest());
        let snapshots = Snapshots::new(&config.sequences, entropy);
        let reaper = Reaper::new(&config.sequences, now.mono);
        let mismatches_at_start = database.digest_mismatches();
        let committed = database.last_zxid();
        let state = ServerState {
            auth: AuthConfig::from(&config),
            watches: Watches::new(seed),
            connections: Connections::new(seed),
            sessions,
            metrics: Metrics::new(),
            database,
            config,
            fuzzy_until: Zxid::ZERO,
            part_end: 0,
        };
        Peer {
            state,
            prep,
            commit: CommitQueue::default(),
            role,
            committed,
            snapshots,
            reaper,
            pressure: Pressure::default(),
            ending: Ending::Serving,
            log_seq: StoreSeq(0),
            log_stored: StoreSeq(0),
            handshakes: BTreeSet::new(),
            mismatches_at_start,
            started: now,
            seed,
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
            Input::Stored { lane: Lane::Epoch, seq } => self.epoch_stored(now, seq, outbox),
            Input::StoreFailed { lane: Lane::Snapshot, seq, reason } => {
                self.snapshot_failed(now, seq, reason, outbox);
            }
            Input::StoreFailed { lane: lane @ (Lane::Log | Lane::Epoch), seq, reason } => {
                if lane == Lane::Epoch || !self.truncation_refused(now, seq, outbox) {
                    self.exit(ExitCode::StorageFailed, reason, outbox);
                }
            }
            Input::Dialled { port, to, link } => self.dialled(now, (port, to), link, outbox),
            Input::DialFailed { port, to, reason } => self.dial_failed(now, (port, to), &reason, outbox),
            Input::LinkAccepted { port, link, .. } => self.link_accepted(now, port, link, outbox),
            Input::Election { link, message } => self.election_message(now, link, &message, outbox),
            Input::Quorum { link, message } => self.quorum_message(now, link, message, outbox),
            Input::LinkWritten { link } => self.link_written(link, outbox),
            Input::LinkBacklog { link, bytes } => self.link_backlog(now, link, bytes, outbox),
            Input::LinkClosed { link, reason } => self.link_closed(now, link, &reason, outbox),
            Input::Loaded { id, txns } => self.loaded(now, id, txns, outbox),
            Input::Truncated { seq, history } => self.truncated(now, seq, *history, outbox),
            Input::FreeSpace { bytes } => self.free_space(bytes, outbox),
            Input::GoOn => self.go_on(now, outbox),
            Input::Timeout => self.timeout(now, outbox),
            Input::Shutdown => self.ending = Ending::Draining { until: now.mono + LAST_ANSWERS },
            Input::ResetServerStats => {
                self.state.metrics.reset();
                self.forget_proposal_sizes();
            }
            Input::ResetConnectionStats => {
                self.state.connections.iter_mut().for_each(|connection| connection.stats.reset());
            }
        }
        self.drop_overlong(outbox);
        self.relieve(outbox);
        // Last: whoever was dropped just now is waited for no more.
        self.end_when_drained(now, outbox);
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

    /// Nothing new is accepted any more; when everything under way is answered, whatever input that took, the process may end.
    fn end_when_drained(&mut self, now: Now, outbox: &mut Outbox) {
        let Ending::Draining { until } = self.ending else { return };
        // Alone, the disk has the last word: what it was given is answered, however long that takes.
        let may_wait = matches!(self.role, Role::Standalone) || now.mono < until;
        if may_wait && self.has_answers_left() {
            return;
        }
        let open: Vec<ConnId> = self.state.connections.iter().map(|connection| connection.id()).collect();
        for conn in open {
            self.state.close(conn, outbox);
        }
        self.end_role(outbox);
        self.exit(ExitCode::Finished, "shut down".to_owned(), outbox);
    }

    /// Whether somebody waits for an answer that can still come. A leader whose followers have gone commits nothing any more: what is
    /// under way gets no answer, as at any leader that falls.
    fn has_answers_left(&self) -> bool {
        let may_commit = self.as_member().and_then(|member| member.leader()).is_none_or(Leader::has_quorum);
        self.is_serving() && (self.has_more() || (may_commit && self.in_process() > 0))
    }

    fn is_draining(&self) -> bool {
        matches!(self.ending, Ending::Draining { .. })
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
        self.commit.len() + self.state.connections.waiting
    }

    /// Whether clients are served: a member of an ensemble does so only under a leader, unless read-only.
    fn is_serving(&self) -> bool {
        match &self.role {
            Role::Standalone => true,
            Role::Member(member) => member.is_serving(),
        }
    }

    /// Whether txns are prepared here, sessions expire here, nodes are reaped here.
    fn decides(&self) -> bool {
        match &self.role {
            Role::Standalone => true,
            Role::Member(member) => member.is_serving() && member.is_leading(),
        }
    }

    /// Tracks the sessions of the database, each heard of now.
    fn track_sessions(&mut self, now: Now, noted: Noted) {
        let sessions = self.state.database.sessions().iter();
        let sessions = sessions.map(|(session, timeout)| (*session, Millis::from_int(*timeout)));
        self.state.sessions.reset(sessions, now.mono, noted);
    }
}
