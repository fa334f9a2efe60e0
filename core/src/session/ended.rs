//! The ensemble's sessions that ended last: what is still forwarded in the name of one is not taken for a local session's.

use crate::vocabulary::{LookupMap, LookupSeed, SessionId};
use std::collections::VecDeque;

/// So many are remembered. A learner forwards for a session until it has applied its end, which is soon.
const REMEMBERED: usize = 10_000;

/// See the module's words. Invariant: what is known is what stands in the order.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    order: VecDeque<SessionId>,
    known: LookupMap<SessionId, ()>,
}

impl Ended {
    pub(super) fn new(seed: LookupSeed) -> Self {
        Ended { order: VecDeque::new(), known: LookupMap::new(seed) }
    }

    pub(super) fn insert(&mut self, session: SessionId) {
        if self.known.insert(session, ()).is_some() {
            return;
        }
        self.order.push_back(session);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub(super) fn contains(&self, session: SessionId) -> bool {
        self.known.contains_key(&session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let mut ended = Ended::new(LookupSeed(1));
        (1..=REMEMBERED as i64 + 1).for_each(|id| ended.insert(SessionId(id)));
        ended.insert(SessionId(2));
        assert!(!ended.contains(SessionId(1)) && ended.contains(SessionId(2)));
        assert_eq!((ended.order.len(), ended.known.len()), (REMEMBERED, REMEMBERED));
    }
}
