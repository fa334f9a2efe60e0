//! Who decides: by which voters together a thing is agreed, written from the specification (`quorum-protocol.md` §2.5) and sharing
//! nothing with the core.

use crate::plan::EnsemblePlan;
use std::fmt;

/// Some of the voters.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Voters(u32);

impl Voters {
    pub(crate) fn contains(self, server: usize) -> bool {
        self.0 >> server & 1 == 1
    }

    pub(crate) fn with(self, server: usize) -> Voters {
        Voters(self.0 | 1 << server)
    }

    pub(crate) fn count(self) -> usize {
        self.0.count_ones() as usize
    }
}

impl FromIterator<usize> for Voters {
    fn from_iter<I: IntoIterator<Item = usize>>(servers: I) -> Self {
        servers.into_iter().fold(Voters::default(), Voters::with)
    }
}

impl fmt::Debug for Voters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries((0..32).filter(|server| self.contains(*server))).finish()
    }
}

/// The rule of an ensemble: the majority of its voters, or of its groups, each won by more than half of what it weighs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quorums {
    voters: usize,
    groups: Vec<Voters>,
    weights: Vec<u64>,
}

impl Quorums {
    /// The rule of a plan; a server alone decides alone.
    pub(crate) fn new(plan: Option<&EnsemblePlan>) -> Self {
        let Some(plan) = plan else { return Quorums { voters: 1, ..Quorums::default() } };
        let members = |group: &Vec<u32>| group.iter().map(|server| *server as usize).collect();
        Quorums {
            voters: plan.voters as usize,
            groups: plan.groups.iter().map(members).collect(),
            weights: plan.weights.clone(),
        }
    }

    pub(crate) fn voters(&self) -> usize {
        self.voters
    }

    /// Whether more than half of all voters are among these.
    pub(crate) fn are_majority(&self, who: Voters) -> bool {
        2 * who.count() > self.voters
    }

    /// What a server's word weighs.
    pub(crate) fn weight(&self, server: usize) -> u64 {
        if self.groups.is_empty() { u64::from(server < self.voters) } else { self.weights[server] }
    }

    /// Whether these decide.
    pub(crate) fn decide(&self, who: Voters) -> bool {
        if self.groups.is_empty() {
            return self.are_majority(who);
        }
        let weigh = |group: &Voters, counts: &dyn Fn(usize) -> bool| -> u64 {
            let members = (0..self.voters).filter(|server| group.contains(*server) && counts(*server));
            members.map(|server| self.weights[server]).sum()
        };
        let (mut all, mut won) = (0, 0);
        for group in &self.groups {
            let weight = weigh(group, &|_| true);
            all += usize::from(weight > 0);
            won += usize::from(2 * weigh(group, &|server| who.contains(server)) > weight);
        }
        2 * won > all
    }

    /// Whether nobody decides without one of these.
    pub(crate) fn block(&self, who: Voters) -> bool {
        !self.decide((0..self.voters).filter(|server| !who.contains(*server)).collect())
    }
}
