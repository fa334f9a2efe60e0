//! S4 to S9, S11 to S13, S21: histories have no holes, zxids rise in them, and the committed history only grows at its tail: every
//! leader holds all of it before it commits or proposes anything.

use super::{Verdict, require};
use quorate_core::vocabulary::Zxid;

const NAME: &str = "prefix_consistency";

/// A learner, whose log ends at `end`, logs `zxid`, which its leader has behind `before`.
pub(crate) fn follows(zxid: Zxid, before: Option<Zxid>, end: Zxid) -> Verdict {
    require(NAME, before == Some(end), || {
        format!("{zxid} is logged behind {end}, its leader has it behind {before:?}")
    })
}

/// `zxid` stands behind `before` in a leader's history, which holds what is committed up to `tail`, or does not.
pub(crate) fn extends(zxid: Zxid, before: Zxid, tail: Zxid, holds: bool) -> Verdict {
    require(NAME, zxid > before && zxid.epoch() >= before.epoch(), || {
        format!("{zxid} stands behind {before}")
    })?;
    require(NAME, holds, || {
        format!(
            "{zxid} stands behind {before} in a history that does not hold what is committed, up to {tail}"
        )
    })
}
