//! What the machines want from whoever holds them. Handled in order, and before the next call.

use crate::contract::{EpochKind, ExitCode, SyncMode};
use crate::jute::ForwardedRequest;
use crate::tree::Database;
use crate::vocabulary::{Epoch, LinkId, SessionId, Zxid};
use bytes::Bytes;

/// The number of a sync that a client of the leader itself asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SyncToken(pub u64);

/// What a leader wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaderEvent {
    /// Write this epoch file; confirmed by `epoch_stored`.
    StoreEpoch {
        /// Which.
        kind: EpochKind,
        /// The number.
        epoch: Epoch,
    },
    /// A quorum has taken over this server's history: serve, and prepare txns from `Zxid::new(epoch, 1)` on.
    Established {
        /// The epoch.
        epoch: Epoch,
    },
    /// This txn is committed, and so is every one before it: into the [`super::CommittedLog`], and to be applied.
    Commit {
        /// Which.
        zxid: Zxid,
        /// As it was proposed.
        txn: Bytes,
    },
    /// A learner's client asks for something.
    Request {
        /// Over which link.
        link: LinkId,
        /// The learner, as it calls itself.
        sid: i64,
        /// What.
        request: ForwardedRequest,
    },
    /// A learner asks whether a session may go on there; answered by `revalidated`.
    Revalidate {
        /// Over which link.
        link: LinkId,
        /// Which session.
        session: SessionId,
        /// Its timeout in ms, as the learner knows it.
        timeout: i32,
    },
    /// These sessions, with their timeouts in ms, were heard of by a learner.
    Touched(Vec<(SessionId, i32)>),
    /// Everything that was committed anywhere before this sync was asked for is committed here, and named by events before this one.
    Synced(SyncToken),
    /// A learner is sent what it lacks.
    Synchronises {
        /// The learner, as it calls itself.
        sid: i64,
        /// How.
        by: SyncMode,
    },
    /// A learner's link has ended, by either side; its owner's sessions have no owner.
    LearnerGone {
        /// Which.
        link: LinkId,
        /// The learner, as it called itself, if it had.
        sid: Option<i64>,
        /// Why.
        reason: String,
    },
    /// The role ends; the machine does nothing more but close its links when it is told to stop.
    Gone {
        /// Why.
        reason: String,
    },
}

/// What a learner wants.
#[derive(Clone, Debug)]
pub enum LearnerEvent {
    /// Write this epoch file; confirmed by `epoch_stored`.
    StoreEpoch {
        /// Which.
        kind: EpochKind,
        /// The number.
        epoch: Epoch,
    },
    /// Cut off every txn after this one; answered by `truncated`, until when nothing is appended.
    Truncate {
        /// The last txn that stays.
        to: Zxid,
    },
    /// This takes the place of the whole history.
    Replace(Box<Database>),
    /// Append this to the log; it is not committed yet.
    Append {
        /// Its zxid.
        zxid: Zxid,
        /// As the leader sent it.
        txn: Bytes,
    },
    /// This txn, appended before, is committed: into the [`super::CommittedLog`], and to be applied.
    Commit {
        /// Which.
        zxid: Zxid,
        /// As it was appended.
        txn: Bytes,
    },
    /// The leader's configuration, as text; before [`LearnerEvent::HistoryComplete`].
    LeaderConfig(Bytes),
    /// The history is the leader's; when everything that was asked of the log so far is durable, `history_stored` is called.
    HistoryComplete,
    /// The leader serves in this epoch: so may its learner.
    Established {
        /// The epoch.
        epoch: Epoch,
    },
    /// The leader asks for the sessions heard of; answered by `answer_ping`.
    Ping {
        /// To be echoed.
        zxid: Zxid,
    },
    /// The oldest sync that was forwarded and not answered yet; what was committed before it is named by events before this one.
    Synced,
    /// An answer about a session.
    Revalidated {
        /// Which.
        session: SessionId,
        /// Whether it may go on here.
        valid: bool,
    },
    /// The leader's quorum port can't be reached, or nothing comes from there within `initLimit`: the role ends, and that server is not
    /// worth a vote for a while.
    Unreachable {
        /// Why.
        reason: String,
    },
    /// The role ends.
    Failed {
        /// Why.
        reason: String,
    },
    /// The process ends.
    Fatal {
        /// With this code.
        code: ExitCode,
        /// For this reason.
        reason: String,
    },
}
