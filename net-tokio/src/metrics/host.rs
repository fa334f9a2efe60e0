//! What the host measures itself.

use quorate_core::metrics::{Basic, Summary};
use std::time::Duration;

/// What ZooKeeper's trace mask is until `stmk` sets another.
const DEFAULT_TRACE_MASK: i64 = 306;

/// What starting took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Startup {
    /// Recovery as a whole.
    pub(crate) took: Duration,
    /// Txns that were replayed; none when the database was made now.
    pub(crate) txns: Option<u64>,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(crate) struct HostMetrics {
    fsync: Summary,
    snapshot: Summary,
    db_init: Summary,
    txns_loaded: Summary,
    /// What `gtmk` shows.
    pub(crate) trace_mask: i64,
}

impl HostMetrics {
    /// Metrics of a process that has just started.
    pub(crate) fn new(startup: Startup) -> Self {
        let mut metrics = HostMetrics {
            fsync: Summary::default(),
            snapshot: Summary::default(),
            db_init: Summary::default(),
            txns_loaded: Summary::default(),
            trace_mask: DEFAULT_TRACE_MASK,
        };
        metrics.db_init.add(millis(startup.took));
        match startup.txns {
            Some(txns) => metrics.txns_loaded.add(i64::try_from(txns).unwrap_or(i64::MAX)),
            // A new database begins with a snapshot.
            None => metrics.snapshot.add(millis(startup.took)),
        }
        metrics
    }

    /// A sync of the log.
    pub(crate) fn add_fsync(&mut self, took: Duration) {
        self.fsync.add(millis(took));
    }

    /// A snapshot, or a purge.
    pub(crate) fn add_snapshot(&mut self, took: Duration) {
        self.snapshot.add(millis(took));
    }

    /// `srst`.
    pub(crate) fn reset(&mut self) {
        for summary in [&mut self.fsync, &mut self.snapshot, &mut self.db_init, &mut self.txns_loaded] {
            *summary = Summary::default();
        }
    }

    /// The summary of this name, if it is the host's.
    pub(super) fn summary(&self, name: &str) -> Option<&Summary> {
        let mine = [
            (Basic::FsyncTime, &self.fsync),
            (Basic::SnapshotTime, &self.snapshot),
            (Basic::DbInitTime, &self.db_init),
            (Basic::StartupTxnsLoaded, &self.txns_loaded),
        ];
        mine.into_iter().find_map(|(basic, summary)| (basic.name() == name).then_some(summary))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
