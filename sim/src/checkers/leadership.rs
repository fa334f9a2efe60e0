//! S1, S15: an epoch has one leader at most: one server that got a quorum's word for it, and no other that was established. Nobody is
//! elected whose own word weighs nothing.
//!
//! L2, L10: nobody is elected anew where nothing breaks, and when everything is healed it is over soon.

use super::{Verdict, require};
use quorate_core::vocabulary::Epoch;

const NAME: &str = "leadership";

/// `server` has had the word of a quorum for `epoch`, as `before` had, if anybody.
pub(crate) fn elected(epoch: Epoch, server: usize, before: Option<usize>) -> Verdict {
    require(NAME, before.is_none(), || {
        format!("server {server} has a quorum's word for epoch {epoch:?}, as server {before:?} had")
    })
}

/// `server`, whose word weighs so much, is elected.
pub(crate) fn may_lead(server: usize, weight: u64) -> Verdict {
    require(NAME, weight > 0, || format!("server {server} is elected, and its word weighs nothing"))
}

/// `server` leads in `epoch`, as `before` does or did, if anybody.
pub(crate) fn established(epoch: Epoch, server: usize, before: Option<usize>) -> Verdict {
    require(NAME, before.is_none(), || {
        format!("server {server} is established in epoch {epoch:?}, as server {before:?} was")
    })
}

/// There were so many leaders, of whom so many had used up the zxids of their epoch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reigns {
    pub(crate) leaders: usize,
    pub(crate) used_up: usize,
}

impl Reigns {
    /// Those that came behind `before`.
    pub(crate) fn since(self, before: Reigns) -> Reigns {
        Reigns { leaders: self.leaders - before.leaders, used_up: self.used_up - before.used_up }
    }
}

/// These were the leaders until the end of faults: behind the first, each follows one whose zxids were used up.
pub(crate) fn stable(is_whole: bool, reigns: Reigns) -> Verdict {
    require("leadership_is_stable", !is_whole || reigns.leaders <= 1 + reigns.used_up, || {
        format!("nothing was broken, and there were {reigns:?}")
    })
}

/// These were the leaders since then.
pub(crate) fn settles(reigns: Reigns, most: usize) -> Verdict {
    require("elections_settle", reigns.leaders <= most + reigns.used_up, || {
        format!("everything was healed, and there were {reigns:?} before it was quiet")
    })
}
