//! What must hold of all servers together: what each is asked for, and what is remembered of the answers.

use super::super::disk::end_of;
use super::super::rules;
use super::{Known, Space};
use crate::checkers::{Verdict, violated};
use quorate_core::vocabulary::{Epoch, ServerId};
use std::rc::Rc;

impl Space {
    fn begins_with(&mut self, history: u32, beginning: u32) -> bool {
        if history == beginning {
            return true;
        }
        if let Some(is_so) = self.prefixes.get(&(history, beginning)) {
            return *is_so;
        }
        let is_so = rules::is_prefix(self.histories.at(beginning), self.histories.at(history));
        self.prefixes.insert((history, beginning), is_so);
        is_so
    }

    fn match_up(&mut self, one: u32, other: u32) -> bool {
        if one == other {
            return true;
        }
        if let Some(is_so) = self.matches.get(&(one, other)) {
            return *is_so;
        }
        let is_so = rules::match_up(self.histories.at(one), self.histories.at(other));
        self.matches.insert((one, other), is_so);
        is_so
    }

    /// A leader's history is everybody's from now on.
    pub(super) fn established(&mut self, state: &mut [u32], server: usize, epoch: Epoch) -> Verdict {
        let me = ServerId(server as u8 + 1);
        let known = Rc::clone(self.known.at(state[self.known_at()]));
        let earlier = known.leaders.iter().find(|(other, _)| *other == epoch).map(|(_, leader)| *leader);
        let Some(own) = self.facts(state, server).serves else { return Ok(()) };
        let (committed, own) =
            (Rc::clone(self.histories.at(known.committed)), Rc::clone(self.histories.at(own)));
        rules::established((me, epoch), earlier, (&committed, &own))?;
        let mut known = Known::clone(&known);
        known.leaders.push((epoch, me));
        let at = self.known_at();
        state[at] = self.known.number(known);
        Ok(())
    }

    /// A server serves something else than before: a leader what it has committed, others what is committed.
    pub(super) fn served(&mut self, state: &mut [u32], server: usize) -> Verdict {
        let facts = self.facts(state, server);
        let Some(serves) = facts.serves else { return Ok(()) };
        let at = self.known_at();
        let committed = self.known.at(state[at]).committed;
        if self.begins_with(committed, serves) {
            return Ok(());
        }
        if facts.leads && self.begins_with(serves, committed) {
            let leaders = self.known.at(state[at]).leaders.clone();
            state[at] = self.known.number(Known { committed: serves, leaders });
            return Ok(());
        }
        let (own, all) = (end_of(self.histories.at(serves)), end_of(self.histories.at(committed)));
        let detail = format!(
            "server {} serves a history that ends with {own}, which is not that of the others: {all} is committed",
            server + 1
        );
        violated("prefix_consistency", detail)
    }

    /// What must hold in every state.
    ///
    /// # Errors
    /// The rule that is broken.
    pub(in crate::explore) fn check(&mut self, state: &[u32]) -> Verdict {
        let committed = self.known.at(state[self.known_at()]).committed;
        let mut holders = 0;
        for server in 0..self.count() {
            let durable = self.facts(state, server).durable;
            holders += usize::from(self.begins_with(durable, committed));
            for other in 0..server {
                let theirs = self.facts(state, other).durable;
                if !self.match_up(durable, theirs) {
                    let detail = format!(
                        "the logs of servers {} and {} have a txn in common, and not all before it",
                        other + 1,
                        server + 1
                    );
                    return violated("prefix_consistency", detail);
                }
            }
        }
        rules::committed_never_lost(holders, self.count(), self.histories.at(committed))
    }
}
