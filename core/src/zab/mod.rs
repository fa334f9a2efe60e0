//! Zab: how a leader makes its history everybody's, and how a learner takes it over (`quorum-protocol.md` §4–§6).
//!
//! [`Leader`] and [`Learner`] are the two ends of a quorum connection. They know packets, epochs, zxids and txns as bytes; they know no
//! tree, no sessions, no pipeline and no disk. What they want done comes out as packets in the outbox and as [`LeaderEvent`]s and
//! [`LearnerEvent`]s, which whoever holds the machine handles before it calls again; what became of that goes in by calls
//! (`epoch_stored`, `history_stored`, `truncated`, `logged`). [`CommittedLog`] is the ring of recent committed txns that learners are
//! brought up to date from; it belongs to the server, not to a role.
//!
//! ```text
//!            learner                                            leader
//!  discovery         FOLLOWERINFO(accepted) ───────────▶   a quorum: epoch := newest + 1
//!                    ◀─────────── LEADERINFO(epoch)        acceptedEpoch stored before
//!                    acceptedEpoch stored
//!                    ACKEPOCH(last, current) ──────────▶   a quorum
//!  synchronisation   ◀─ DIFF | TRUNC | SNAP(database)      what the learner lacks, in one call with …
//!                    ◀─ PROPOSAL, COMMIT, … NEWLEADER
//!                    history, then currentEpoch stored
//!                    ACK(NEWLEADER) ───────────────────▶   a quorum, its own currentEpoch stored: established
//!  broadcast         ◀─────────────────────── UPTODATE     the history is committed by that
//!                    ◀─ PROPOSAL   ACK ─▶   ◀─ COMMIT      each txn by a quorum of logs, in order
//! ```
//!
//! Why it is safe, in short:
//! - A server promises itself to an epoch on disk before it says so, and acknowledges nothing of an earlier one any more. Two leaders
//!   of an epoch would need two quorums of first promises.
//! - A leader goes on only if nobody in the quorum that promised has a history ahead of its own, so it has everything that any quorum
//!   ever acknowledged.
//! - `currentEpoch` says that the history of that epoch's leader is on disk, never earlier; so a server that can be elected for its epoch
//!   has what that epoch began with.
//! - A learner is told of everything behind what it was sent, because both happen in one call; and it takes nothing that does not follow
//!   what it has.
//!
//! An [`ObserverMaster`] is a follower's other end: what a leader is to an observer, without what a leader decides.
//!
//! Caveats, what is absent: changes of the configuration (a learner ends before it acknowledges one), the early end of discovery for voters
//! that changed their mind (ZOOKEEPER-3109), learners from before 3.4.

mod committed_log;
mod config;
mod event;
mod leader;
mod learner;

pub use committed_log::CommittedLog;
pub use config::{LearnerConfig, LearnerKind, Standing, ZabConfig};
pub use event::{LeaderEvent, LearnerEvent, SyncToken};
pub use leader::{Ground, Leader, LeaderPhase, LeaderTurn, LearnerView, ObserverMaster, ProposalSizes};
pub use learner::{Learner, LearnerPhase, LearnerTurn};
