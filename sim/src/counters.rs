//! Counters against vacuity: what a run really did, so that a verdict over nothing is seen to be one.

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// What a run, or many, did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Non-timer inputs, and timers that changed something.
    pub events: u64,
    /// Virtual nanoseconds.
    pub simulated_ns: u64,
    /// Operations that clients sent.
    pub operations: u64,
    /// Txns that were committed.
    pub commits: u64,
    /// How many of them before everything was healed, in an ensemble.
    pub commits_before_liveness: u64,
    /// Runs of ensembles that committed next to nothing before everything was healed.
    pub thin_runs: u64,
    /// Replies by error code.
    pub replies: BTreeMap<i32, u64>,
    /// Operations by name.
    #[serde(deserialize_with = "named")]
    pub operations_by_kind: BTreeMap<&'static str, u64>,
    /// Faults that fired, by name.
    #[serde(deserialize_with = "named")]
    pub faults: BTreeMap<&'static str, u64>,
    /// Rare branches that were taken, by name.
    #[serde(deserialize_with = "named")]
    pub probes: BTreeMap<&'static str, u64>,
    /// Checks made, by checker.
    #[serde(deserialize_with = "named")]
    pub checks: BTreeMap<&'static str, u64>,
}

/// Counts whose names were written down. The names stay in memory for good: there are a few hundred, and somebody reads them once.
fn named<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<&'static str, u64>, D::Error> {
    let counts = BTreeMap::<String, u64>::deserialize(from)?;
    Ok(counts.into_iter().map(|(name, count)| (&*name.leak(), count)).collect())
}

fn add<K: Ord + Copy>(into: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
    for (key, count) in from {
        *into.entry(*key).or_default() += count;
    }
}

impl Counters {
    /// Counts an operation that a client began.
    pub(crate) fn operation(&mut self, name: &'static str) {
        self.operations += 1;
        *self.operations_by_kind.entry(name).or_default() += 1;
    }

    /// Counts a fault that fired.
    pub(crate) fn fault(&mut self, name: &'static str) {
        *self.faults.entry(name).or_default() += 1;
    }

    /// Counts a rare branch.
    pub(crate) fn probe(&mut self, name: &'static str) {
        *self.probes.entry(name).or_default() += 1;
    }

    /// Adds another run's.
    pub fn merge(&mut self, other: &Counters) {
        self.events += other.events;
        self.simulated_ns += other.simulated_ns;
        self.operations += other.operations;
        self.commits += other.commits;
        self.commits_before_liveness += other.commits_before_liveness;
        self.thin_runs += other.thin_runs;
        add(&mut self.replies, &other.replies);
        add(&mut self.operations_by_kind, &other.operations_by_kind);
        add(&mut self.faults, &other.faults);
        add(&mut self.probes, &other.probes);
        add(&mut self.checks, &other.checks);
    }
}
