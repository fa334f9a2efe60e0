//! How Java chooses what a learner is brought up to date by: `LearnerHandler.syncFollower` (`quorum-protocol.md` §5.3, §5.4).

use super::history::JavaHistory;
use crate::plan::ReignPlan;
use quorate_core::vocabulary::Zxid;
use std::ops::Range;

/// The first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Diff,
    Trunc(Zxid),
    Snap,
}

/// The first packet, what follows it as PROPOSAL and COMMIT, and how far that goes.
#[derive(Debug)]
pub(super) struct Sync {
    pub(super) opening: Opening,
    pub(super) pairs: Range<usize>,
    pub(super) current: Zxid,
}

/// What a walk over proposals has come to.
#[derive(Default)]
struct Walk {
    opening: Option<Opening>,
    from: Option<usize>,
    to: usize,
}

impl Walk {
    /// `queueCommittedProposals`. False: it gives up.
    fn walk(&mut self, history: &JavaHistory, range: Range<usize>, last: Zxid) -> bool {
        let mut before = Zxid(-1);
        for at in range {
            let zxid = history.zxid(at);
            if zxid < last {
                before = zxid;
                continue;
            }
            if self.opening.is_none() {
                if zxid == last {
                    self.opening = Some(Opening::Diff);
                    continue;
                }
                if is_new_epoch(last) {
                    self.opening = Some(Opening::Diff);
                } else if zxid.epoch() != last.epoch() {
                    return false;
                } else {
                    self.opening = Some(Opening::Trunc(before));
                }
            }
            if self.from.is_none() || at >= self.to {
                self.from.get_or_insert(at);
                self.to = at + 1;
            }
        }
        if self.opening.is_none() && is_new_epoch(last) {
            self.opening = Some(Opening::Diff);
        }
        true
    }

    fn into_sync(self, history: &JavaHistory, last: Zxid) -> Option<Sync> {
        let opening = self.opening?;
        let pairs = self.from.map_or(0..0, |from| from..self.to);
        let current = if pairs.is_empty() { last } else { history.zxid(pairs.end - 1) };
        Some(Sync { opening, pairs, current })
    }
}

fn is_new_epoch(zxid: Zxid) -> bool {
    zxid.counter() == 0
}

/// What a learner whose history ends in `last` gets of what is applied.
pub(super) fn choose(plan: &ReignPlan, (history, processed): (&JavaHistory, Zxid), last: Zxid) -> Sync {
    let snap = Sync { opening: Opening::Snap, pairs: 0..0, current: processed };
    let applied = history.applied;
    let ring = applied.saturating_sub(plan.ring as usize)..applied;
    let (min, max) = match ring.is_empty() {
        true => (processed, processed),
        false => (history.zxid(ring.start), history.zxid(applied - 1)),
    };
    if plan.forces_snap {
        return snap;
    }
    if last == processed {
        return Sync { opening: Opening::Diff, pairs: 0..0, current: last };
    }
    if last > max && !is_new_epoch(last) {
        return Sync { opening: Opening::Trunc(max), pairs: 0..0, current: max };
    }
    let mut walk = Walk::default();
    if min <= last && last <= max {
        if !walk.walk(history, ring, last) {
            return snap;
        }
    } else if last < min && plan.reads_log {
        let has_file = history.len() > 0 && history.zxid(0) <= last;
        if !has_file || !walk.walk(history, 0..ring.start + usize::from(!ring.is_empty()), last) {
            return snap;
        }
        if walk.opening.is_none() || !walk.walk(history, ring, last) {
            return snap;
        }
    }
    walk.into_sync(history, last).unwrap_or(snap)
}
