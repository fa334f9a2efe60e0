//! What a member of an ensemble is configured with, beyond what every server is.

use super::membership::{Membership, Role};
use crate::vocabulary::{LAST_COUNTER, Millis};

/// The rhythm of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElectionTimes {
    /// `fastleader.minNotificationInterval`: after so much silence a proposal is told again, then after twice that, and so on.
    pub min_interval: Millis,
    /// `fastleader.maxNotificationInterval`: but at least so often.
    pub max_interval: Millis,
    /// How long a better vote is waited for once a quorum agrees.
    pub finalize_wait: Millis,
    /// How long a server that could not be followed is left out of proposals, beyond the time that the attempt took.
    pub avoid: Millis,
}

impl Default for ElectionTimes {
    fn default() -> Self {
        ElectionTimes {
            min_interval: Millis(200),
            max_interval: Millis(60_000),
            finalize_wait: Millis(200),
            avoid: Millis(10_000),
        }
    }
}

/// See the module's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnsembleConfig {
    /// The servers, out of `zoo.cfg` or the dynamic configuration file.
    pub membership: Membership,
    /// `peerType`: what this server is, whatever its line says.
    pub role: Role,
    /// `initLimit`: ticks that discovery and synchronisation may take.
    pub init_limit: u32,
    /// `syncLimit`: ticks that a learner may be silent for.
    pub sync_limit: u32,
    /// `leaderServes`: whether a leader has clients of its own.
    pub leader_serves: bool,
    /// `syncEnabled`: whether an observer logs what it learns.
    pub observer_logs: bool,
    /// `commitLogCount`: committed txns kept in memory for learners that come back.
    pub commit_log_count: usize,
    /// The last counter that a txn of an epoch may have, at least 1; with it the leader's part ends. Nothing in `zoo.cfg` says it:
    /// only what is to see many epochs has a smaller one.
    pub last_counter: u32,
    /// `observerMasterPort`: whether followers serve observers, and observers ask them.
    pub observer_masters: bool,
    /// `observerMaster.sizeLimit`: bytes that may wait to be written to an observer of a follower before it is closed.
    pub observer_backlog_close: usize,
    /// The rhythm of elections.
    pub election: ElectionTimes,
}

impl EnsembleConfig {
    /// ZooKeeper's defaults (and `initLimit=10`, `syncLimit=5` of its sample configuration) for these servers.
    pub fn new(membership: Membership, role: Role) -> Self {
        EnsembleConfig {
            membership,
            role,
            init_limit: 10,
            sync_limit: 5,
            leader_serves: true,
            observer_logs: true,
            commit_log_count: 500,
            last_counter: LAST_COUNTER,
            observer_masters: false,
            observer_backlog_close: 32 << 20,
            election: ElectionTimes::default(),
        }
    }
}
