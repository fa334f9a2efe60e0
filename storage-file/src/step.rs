//! What one step of a lane came to, in the words of the peer's contract.

use quorate_core::contract::{Input, Lane, StoreSeq};

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is nothing to do.
    Idle,
    /// Something was done, and more is to do.
    Progress,
    /// Every op of the lane up to this one is done.
    Done(Lane, StoreSeq),
    /// This op of the lane failed, for this reason. Of the log lane nothing more will be done.
    Failed(Lane, StoreSeq, String),
}

impl Step {
    /// What the peer is to be told.
    pub fn into_input(self) -> Option<Input> {
        match self {
            Step::Idle | Step::Progress => None,
            Step::Done(lane, seq) => Some(Input::Stored { lane, seq }),
            Step::Failed(lane, seq, reason) => Some(Input::StoreFailed { lane, seq, reason }),
        }
    }
}
