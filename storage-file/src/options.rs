//! What an operator can set of the files, as values.

use crate::names::Compression;
use quorate_core::tree::TreeOptions;
use quorate_core::vocabulary::LookupSeed;

/// Settings of writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageOptions {
    /// `preAllocSize`, bytes: a log file grows ahead of its content by this much; 0 for not at all.
    pub preallocate: u64,
    /// `txnLogSizeLimitInKb`, bytes: a log file longer than this is not continued; 0 for no limit.
    pub log_size_limit: u64,
    /// `forceSync`: false gives durability up.
    pub force_sync: bool,
    /// `snapshot.compression.method`.
    pub compression: Compression,
    /// The longest txn that may be written: what recovery reads back ([`quorate_core::vocabulary::Limits::max_field`]).
    pub max_txn: u32,
    /// Bytes that go into one write of the log, unless a single txn is longer.
    pub batch_bytes: usize,
    /// Bytes that go into one write, or come from one read, of a snapshot.
    pub chunk_bytes: usize,
}

impl Default for StorageOptions {
    fn default() -> Self {
        StorageOptions {
            preallocate: 65_536 * 1024,
            log_size_limit: 0,
            force_sync: true,
            compression: Compression::None,
            max_txn: 2_097_150,
            batch_bytes: 1 << 20,
            chunk_bytes: 256 << 10,
        }
    }
}

/// Settings of recovery.
#[derive(Clone, Debug)]
pub struct RecoveryOptions {
    /// How the files are written that recovery itself writes.
    pub storage: StorageOptions,
    /// How the tree is built.
    pub tree: TreeOptions,
    /// The key of its hash tables.
    pub seed: LookupSeed,
    /// `db.autocreate`: an empty directory is a new database even without the marker `initialize`.
    pub db_autocreate: bool,
    /// `snapshot.trust.empty`: logs without any snapshot are the whole history.
    pub trust_empty: bool,
    /// Whether the server is a member of an ensemble, which has epochs.
    pub member: bool,
    /// How many of the newest txns are kept, in memory, for learners.
    pub recent_txns: usize,
    /// And how many bytes of them at most.
    pub recent_bytes: usize,
}
