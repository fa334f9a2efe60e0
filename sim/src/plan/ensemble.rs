//! What an ensemble is told, how servers reach each other, and what breaks between them.

use serde::{Deserialize, Serialize};

/// An ensemble's configuration, as far as runs differ in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the servers' settings")]
pub struct EnsemblePlan {
    /// Servers that vote; they come first.
    pub voters: u32,
    /// Servers that only learn.
    pub observers: u32,
    /// Whether followers serve observers.
    #[serde(default)]
    pub observer_masters: bool,
    /// Every voter in one of these groups: a majority of them decides, each by more than half of its weight. Without groups the
    /// majority of voters does.
    pub groups: Vec<Vec<u32>>,
    /// What each voter weighs in its group.
    pub weights: Vec<u64>,
    pub init_limit: u32,
    pub sync_limit: u32,
    pub min_notification_ms: u64,
    pub max_notification_ms: u64,
    pub finalize_wait_ms: u64,
    /// How long a server that could not be followed is left out of proposals, beyond the time that the attempt took.
    pub avoid_ms: u64,
    pub commit_log_count: u64,
    /// The last counter of an epoch's zxids.
    pub last_counter: u32,
    /// Whether an empty disk is a new database without the marker that says so.
    pub db_autocreate: bool,
    /// Servers that serve reads while they find no leader.
    pub read_only: Vec<u32>,
    /// What the end of all faults leaves alive: a quorum, and of the others each in this way.
    pub rest: Rest,
}

impl EnsemblePlan {
    /// How many there are in all.
    pub fn servers(&self) -> usize {
        (self.voters + self.observers) as usize
    }

    /// Whether what is left of the others at the end is heard, and can't be followed.
    pub fn has_half_broken_rest(&self) -> bool {
        matches!(self.rest, Rest::HalfBroken { .. })
    }
}

/// What becomes, at the end, of servers that are not needed for a quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rest {
    /// Nothing: all are healed.
    Healed,
    /// Their power is off.
    Dead,
    /// They stand still.
    Paused,
    /// Nobody reaches them, and they reach nobody, on both ports.
    CutOff,
    /// Of the one with the best vote nobody reaches the quorum port, while its election port goes on telling of that vote. The others'
    /// power is off.
    HalfBroken {
        /// Whether it reaches nobody's quorum port either.
        is_mute: bool,
        /// Whether its system accepts connections there all the same, and acknowledges what nobody will read.
        accepts: bool,
    },
}

/// Whose server a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// This one's, from 0.
    Server(u32),
    /// Whoever leads at that time; nobody, if nobody does.
    Leader,
    /// Everybody's at once.
    All,
}

/// Which of the two ports between servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are named after the ports")]
pub enum Ports {
    Both,
    Election,
    Quorum,
}

/// Which pairs of servers, seen from the fault's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shape {
    /// It and this one.
    Pair(u32),
    /// It and everybody else.
    Isolate,
    /// Two halves, by the bits of this number, that only the target reaches, both of them.
    Bridge(u32),
    /// Two halves, by the bits of this number.
    Halves(u32),
}

/// Which directions, seen from the fault's target, or from the half whose bits are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are named after the directions")]
pub enum Direction {
    Both,
    Out,
    In,
}
