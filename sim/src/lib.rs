//! The deterministic simulator of Quorate.

mod accent;
pub mod app;
mod checkers;
mod chooser;
mod counters;
mod disk;
pub mod explore;
mod model;
mod oracle;
mod plan;
mod recorded;
mod trace;
mod world;

pub use checkers::Violation;
pub use chooser::{Choice, Chooser, Key, Recorded, Seeded};
pub use counters::Counters;
pub use disk::{SimDisk, SimFile};
pub use oracle::Checks;
pub use plan::*;
pub use recorded::{
    RecordedConnection, RecordedCounts, RecordedHistory, RecordedReply, RecordedRequest, RecordedSettings,
    judge as judge_recorded,
};
pub use world::{Outcome, run, run_with};
