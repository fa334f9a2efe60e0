//! Rj: leaders of Java's making, one after the other, and a Quorate server that learns from them (`quorum-protocol.md` §5); then a
//! Quorate server that leads learners of Java's making (`led.rs`).

use super::expand::{Part, draw};
use super::led::{LedPlan, led};
use super::{DiskPlan, FORMAT, NetworkPlan, Plan, ServerPlan};
use crate::chooser::{Choice, Draws, Seeded};
use serde::{Deserialize, Serialize};

/// The learner, and the leaders that it meets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccentPlan {
    /// Whether it observes.
    pub is_observer: bool,
    /// Whether the leaders' txns carry digests.
    pub has_digests: bool,
    /// How often something that a leader says arrives in pieces, in a thousand.
    pub split_permille: u64,
    /// At how many calls of the disk the story is told again with a crash there; all of them, if there are no more.
    pub crashes: u32,
    /// The leaders.
    pub reigns: Vec<ReignPlan>,
    /// The other way round: whom a Quorate server leads.
    pub led: LedPlan,
}

/// What stands behind NEWLEADER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigText {
    /// Nothing, as from servers before 3.5.
    None,
    /// A configuration out of the file.
    Static,
    /// One of a version, as with `reconfigEnabled`.
    Versioned,
}

/// A leader, its history and what becomes of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReignPlan {
    /// How many of the txns that its predecessor left without a commit it holds, and takes up.
    pub inherits: u32,
    /// Whether a quorum has taken over its history before the learner comes.
    pub is_established: bool,
    /// How many txns it has committed by then.
    pub missed: u32,
    /// Whether a quorum ever does; else the learner is the only one that acknowledges it.
    pub is_ever_established: bool,
    /// How many committed txns it keeps for learners.
    pub ring: u32,
    /// `forceSnapshotSync`.
    pub forces_snap: bool,
    /// Whether it reads its log for learners that are behind the ring.
    pub reads_log: bool,
    /// How many txns it makes at most while it sends a database.
    pub during_snap: u32,
    /// How many it makes besides.
    pub live: u32,
    /// How many it never commits.
    pub leaves: u32,
    /// How often it asks for a sign of life.
    pub pings: u32,
    /// Whether one of them changes the configuration.
    pub reconfigures: bool,
    /// What it says of the configuration.
    pub config: ConfigText,
    /// After so many packets the connection breaks.
    pub breaks_after: Option<u32>,
    /// Whether that is its end; else the learner comes back to it.
    pub ends_broken: bool,
}

impl AccentPlan {
    /// In a few words.
    pub fn summary(&self) -> String {
        let learner = if self.is_observer { "an observer" } else { "a follower" };
        format!(
            "{learner} of {} leaders of Java's, then a leader of {} learners of Java's, each crashed at {} calls of its disk",
            self.reigns.len(),
            self.led.learners.len(),
            self.crashes
        )
    }
}

pub(super) fn rj(seed: u64) -> Plan {
    let server = draw(seed, Part::Server, super::expand::server);
    let server = ServerPlan {
        tick_time_ms: 2000,
        extended_types: false,
        snap_count: server.snap_count.max(10),
        ..server
    };
    Plan {
        format: FORMAT,
        scenario: "Rj".to_string(),
        seed,
        server,
        ensemble: None,
        accent: Some(accent(seed)),
        apps: Vec::new(),
        image: None,
        network: NetworkPlan { latency_us: 0, jitter_us: 0, split_permille: 0 },
        disk: DiskPlan { call_us: 0, sync_us: 0, fuzzy_permille: 0 },
        clients: Vec::new(),
        operations: Vec::new(),
        faults: Vec::new(),
        duration_ms: 0,
    }
}

fn accent(seed: u64) -> AccentPlan {
    let (mut leaders, mut learners) = (Seeded { seed }, Seeded { seed });
    let draws = &mut Draws::new(&mut leaders, Choice::Scene, (0, 0));
    let count = draws.between(2, 4);
    AccentPlan {
        is_observer: draws.chance(300),
        has_digests: draws.chance(800),
        split_permille: draws.of(&[0, 200, 800]),
        crashes: 24,
        reigns: (0..count).map(|number| reign(draws, number + 1 == count)).collect(),
        led: led(&mut Draws::new(&mut learners, Choice::Scene, (0, 1))),
    }
}

fn reign(draws: &mut Draws<'_>, is_last: bool) -> ReignPlan {
    let is_established = draws.chance(600);
    let is_ever_established = is_established || is_last || draws.chance(700);
    let missed = draws.of(&[0, 0, 1, 3, 10]);
    let live = draws.of(&[0, 1, 3, 8]);
    let breaks = draws.chance(400);
    ReignPlan {
        inherits: draws.of(&[0, 0, 0, 1, 2, 10]),
        is_established,
        missed: if is_established { missed } else { 0 },
        is_ever_established,
        ring: draws.of(&[0, 1, 3, 8, 500]),
        forces_snap: draws.chance(400),
        reads_log: draws.chance(400),
        during_snap: draws.of(&[0, 2, 6, 12]),
        live: if is_ever_established { live } else { 0 },
        leaves: if is_last || !is_ever_established { 0 } else { draws.of(&[0, 0, 1, 3]) },
        pings: draws.of(&[0, 1, 4]),
        reconfigures: is_ever_established && draws.chance(80),
        config: draws.of(&[ConfigText::None, ConfigText::Static, ConfigText::Static, ConfigText::Versioned]),
        breaks_after: breaks.then(|| draws.between(1, 25) as u32),
        ends_broken: !is_last && draws.chance(500),
    }
    .normalised()
}

impl ReignPlan {
    fn normalised(mut self) -> Self {
        // A learner can't stay with a leader that never commits what changes the configuration.
        self.reconfigures &= self.leaves == 0;
        self.live = self.live.max(self.leaves + u32::from(self.reconfigures));
        self
    }
}
