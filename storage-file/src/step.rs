//! What one step of a lane came to, in the words of the peer's contract.

use bytes::Bytes;
use quorate_core::contract::{History, Input, Lane, LoadId, StoreSeq};

/// What a step came to.
#[derive(Clone, Debug)]
pub enum Step {
    /// There is nothing to do.
    Idle,
    /// Something was done, and more is to do.
    Progress,
    /// Every op of the lane up to this one is done.
    Done(Lane, StoreSeq),
    /// This op of the lane failed, for this reason. Of the log and the epochs nothing more will be done, unless it is a truncation.
    Failed(Lane, StoreSeq, String),
    /// This truncation of the log is done, and this is what is left.
    Truncated(StoreSeq, Box<History>),
    /// These are the old txns that were asked for, if there are all of them.
    Loaded(LoadId, Option<Vec<Bytes>>),
}

impl Step {
    /// What the peer is to be told.
    pub fn into_input(self) -> Option<Input> {
        match self {
            Step::Idle | Step::Progress => None,
            Step::Done(lane, seq) => Some(Input::Stored { lane, seq }),
            Step::Failed(lane, seq, reason) => Some(Input::StoreFailed { lane, seq, reason }),
            Step::Truncated(seq, history) => Some(Input::Truncated { seq, history }),
            Step::Loaded(id, txns) => Some(Input::Loaded { id, txns }),
        }
    }
}
