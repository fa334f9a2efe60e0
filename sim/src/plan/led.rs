//! The second half of Rj: a Quorate server that leads, and the Java servers that learn from it (`quorum-protocol.md` §5, §6).

use crate::chooser::Draws;
use serde::{Deserialize, Serialize};

/// The learners, and what becomes of their leader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedPlan {
    /// Everybody else; two or four of them vote.
    pub learners: Vec<JavaLearnerPlan>,
    /// How often something arrives in pieces, in a thousand.
    pub split_permille: u64,
    /// How many committed txns the leader keeps for learners.
    pub commit_log_count: u64,
    /// The leader's process ends each time that so many packets have arrived, with the power or without.
    pub ends: Vec<(u32, bool)>,
    /// How often nothing but time passes, in the end.
    pub silences: u32,
}

/// How a release of Java's takes over a history (`quorum-protocol.md` §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JavaRelease {
    /// 3.8.0: the epoch is written first, then everything that was proposed is logged while it acknowledges.
    EpochFirst,
    /// 3.8.5: everything that was proposed is logged, then the epoch is written; it acknowledges proposals behind UPTODATE.
    LogsAll,
    /// 3.9.4: what is committed is logged, then the epoch is written; the rest waits for UPTODATE.
    LogsCommitted,
}

/// How much of LearnerInfo it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Introduces {
    /// All of it.
    Fully,
    /// As servers before 3.5: without the version of a configuration.
    WithoutConfig,
    /// Its id.
    ById,
}

/// One learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JavaLearnerPlan {
    /// Whether it observes.
    pub is_observer: bool,
    /// Which Java it is.
    pub release: JavaRelease,
    /// What it says of itself.
    pub introduces: Introduces,
    /// How many requests it forwards.
    pub requests: u32,
    /// How many of its acknowledgements leave together, at most.
    pub batch: u32,
    /// How often its connection breaks; in silence, the leader does not hear of it.
    pub breaks: u32,
    /// How often its process ends.
    pub kills: u32,
    /// Whether those are losses of power.
    pub loses_power: bool,
    /// How far beyond its first leader it has promised itself to somebody who came to nothing.
    pub promised: u32,
    /// How long it stands still once, in the middle of something, ms.
    pub sleeps_ms: u64,
    /// Whether it connects only when the others have come far.
    pub is_late: bool,
}

pub(super) fn led(draws: &mut Draws<'_>) -> LedPlan {
    let voters = draws.of(&[2, 4, 4]);
    let observers = draws.below(if voters == 2 { 2 } else { 1 });
    let ends = draws.below(4);
    LedPlan {
        learners: (0..voters + observers).map(|number| learner(draws, number >= voters)).collect(),
        split_permille: draws.of(&[0, 0, 300]),
        commit_log_count: draws.of(&[1, 3, 500]),
        ends: (0..ends).map(|_| (draws.between(5, 120) as u32, draws.chance(600))).collect(),
        silences: draws.of(&[2, 6, 20]),
    }
}

fn learner(draws: &mut Draws<'_>, is_observer: bool) -> JavaLearnerPlan {
    let releases = [
        JavaRelease::EpochFirst,
        JavaRelease::LogsAll,
        JavaRelease::LogsCommitted,
        JavaRelease::LogsCommitted,
    ];
    let release = draws.of(&releases);
    let introduces = [Introduces::Fully, Introduces::Fully, Introduces::WithoutConfig, Introduces::ById];
    JavaLearnerPlan {
        is_observer,
        release,
        introduces: draws.of(&introduces),
        requests: draws.of(&[0, 2, 6, 15]),
        batch: draws.of(&[1, 1, 4]),
        breaks: draws.of(&[0, 0, 1, 3]),
        kills: draws.of(&[0, 0, 1, 2]),
        // What 3.8.0 has acknowledged may not be on its disk: its own fault, which nobody else can mend.
        loses_power: release != JavaRelease::EpochFirst && draws.chance(500),
        promised: if is_observer { 0 } else { draws.of(&[0, 0, 0, 0, 1, 5]) },
        sleeps_ms: draws.of(&[0, 0, 0, 3000, 60_000]),
        is_late: draws.chance(250),
    }
}
