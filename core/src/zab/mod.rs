//! Zab: how a leader makes its history everybody's, and how a learner takes it over (`quorum-protocol.md` §4–§6).
//!
//! [`Leader`] and [`Learner`] are the two ends of a quorum connection. They know packets, epochs, zxids and txns as bytes; they know no
//! tree, no sessions, no pipeline and no disk. What they want done comes out as packets in the outbox and as [`LeaderEvent`]s and
//! [`LearnerEvent`]s, which whoever holds the machine handles before it calls again; what became of that goes in by calls
//! (`epoch_stored`, `history_stored`, `truncated`, `logged`).
//!
//! [`CommittedLog`] is the ring of recent committed txns that learners are brought up to date from.

mod committed_log;
mod config;
mod event;
mod leader;
mod learner;

pub use committed_log::CommittedLog;
pub use config::{LearnerConfig, LearnerKind, Standing, ZabConfig};
pub use event::{LeaderEvent, LearnerEvent, SyncToken};
pub use leader::{Ground, Leader, LeaderPhase, LeaderTurn, LearnerView, ProposalSizes};
pub use learner::{Learner, LearnerPhase, LearnerTurn};
