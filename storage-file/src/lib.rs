//! ZooKeeper's files, over a [`Disk`] that may be real or simulated: txn logs, snapshots, recovery, purging
//! (`disk-format.md`). Java opens what is written here, and the other way round.
//!
//! Everything is an explicit, cloneable state machine whose `step` makes at most one call of the disk: production loops over it on
//! a thread of its own, the simulator schedules each step as an event, so that crashes fall between any two calls.
//!
//! - [`Recovery`] turns the directories into a database when the process starts.
//! - [`Storage`] takes a peer's `Output::Store` and says when it is durable: a lane for the log ([`LogLane`]), which also
//!   truncates and replaces it, one for epochs ([`EpochLane`]), one for snapshots and purging ([`SnapshotLane`]); beside them
//!   [`Loader`] reads old txns back.
//! - [`StdDisk`] is the real disk; [`conformance`] says what any disk must do.
//!
//! Promises: an op is confirmed only when it survives a power loss, its file's name included; a torn tail is mended, damage
//! to acknowledged txns is refused with file, offset and zxid, and no whole txn ever leaves the disk; a snapshot's name only ever
//! belongs to a whole file.

pub mod compression;
pub mod conformance;
mod disk;
mod epoch_lane;
mod epochs;
mod load_job;
mod loader;
pub mod log_format;
mod log_lane;
pub mod names;
mod options;
mod purge_job;
mod recovery;
mod replace_job;
mod rewrite;
mod seal;
mod snapshot_job;
mod snapshot_lane;
mod std_disk;
mod step;
mod storage;
mod truncate_job;

pub use disk::{DirEntry, Directory, Disk, DiskError, DiskErrorKind, DiskOperation, FileName, OpenMode};
pub use epoch_lane::{EpochLane, EpochOp};
pub use epochs::{EpochJob, epoch_name};
pub use load_job::Wanted;
pub use loader::Loader;
pub use log_lane::{LogLane, LogOp, Rewrites};
pub use names::Compression;
pub use options::{RecoveryOptions, StorageOptions};
pub use purge_job::{PurgeJob, RemovedFile};
pub use recovery::{
    LogSummary, Recovered, Recovery, RecoveryError, RecoveryReport, RecoveryStep, Remains, Repair, Tail,
    TailBytes, TailProblem,
};
pub use seal::SealCheck;
pub use snapshot_job::{JobStep, SnapshotJob};
pub use snapshot_lane::{SnapshotLane, SnapshotOp};
pub use std_disk::{LOCK_FILE, StdDisk, StdDiskOptions, StdFile};
pub use step::Step;
pub use storage::{LaneOp, Lanes, Sorter, Storage};
pub use truncate_job::TruncateJob;
