//! The deterministic simulator of Quorate.

mod accent;
pub mod against;
pub mod app;
mod checkers;
mod chooser;
mod counters;
mod disk;
pub mod explore;
pub mod history;
mod model;
mod oracle;
mod plan;
mod recorded;
mod shrink;
mod sim;
mod trace;
mod twice;
pub mod view;
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
pub use shrink::{Budget, Ending, Shrunk, Size, Trial, shrink};
pub use sim::{Faults, Report, Sim};
pub use twice::{Difference, run_twice};
pub use world::{Outcome, run, run_until, run_with};
