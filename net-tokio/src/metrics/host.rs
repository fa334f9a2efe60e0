//! What the host measures itself.

use quorate_core::metrics::{AdvancedSummary, Basic};
use std::time::Duration;

/// What ZooKeeper's trace mask is until `stmk` sets another.
const DEFAULT_TRACE_MASK: i64 = 306;
/// Characters that ZooKeeper's server writes at once when it answers a four-letter word; it counts each writing as a packet.
const WORD_PACKET: usize = 8192;

/// What starting took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Startup {
    /// Recovery as a whole.
    pub(crate) took: Duration,
    /// Until a snapshot was loaded, or there was found to be none.
    pub(crate) snapshot: Duration,
    /// What was replayed; nothing when the database was made now.
    pub(crate) replay: Option<StartupReplay>,
}

/// The part of recovery that reads the logs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StartupReplay {
    /// How long it took.
    pub(crate) took: Duration,
    /// Txns that were applied.
    pub(crate) txns: u64,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(crate) struct HostMetrics {
    fsync: AdvancedSummary,
    snapshot: AdvancedSummary,
    db_init: AdvancedSummary,
    snap_load: AdvancedSummary,
    txns_load: AdvancedSummary,
    txns_loaded: AdvancedSummary,
    /// Packets that answers to four-letter words went out in.
    pub(crate) word_packets: u64,
    /// What `gtmk` shows.
    pub(crate) trace_mask: i64,
}

impl HostMetrics {
    /// Metrics of a process that has just started.
    pub(crate) fn new(startup: Startup) -> Self {
        let mut metrics = HostMetrics::nothing(DEFAULT_TRACE_MASK);
        metrics.db_init.add(millis(startup.took));
        metrics.snap_load.add(millis(startup.snapshot));
        match startup.replay {
            Some(StartupReplay { took, txns }) => {
                metrics.txns_load.add(millis(took));
                metrics.txns_loaded.add(i64::try_from(txns).unwrap_or(i64::MAX));
            }
            // A new database begins with a snapshot.
            None => metrics.snapshot.add(millis(startup.took)),
        }
        metrics
    }

    fn nothing(trace_mask: i64) -> Self {
        let none = AdvancedSummary::default;
        HostMetrics {
            fsync: none(),
            snapshot: none(),
            db_init: none(),
            snap_load: none(),
            txns_load: none(),
            txns_loaded: none(),
            word_packets: 0,
            trace_mask,
        }
    }

    /// A sync of the log.
    pub(crate) fn add_fsync(&mut self, took: Duration) {
        self.fsync.add(millis(took));
    }

    /// A snapshot that was written.
    pub(crate) fn add_snapshot(&mut self, took: Duration) {
        self.snapshot.add(millis(took));
    }

    /// An answer to a four-letter word, of so many characters.
    pub(crate) fn add_word(&mut self, length: usize) {
        self.word_packets += length.div_ceil(WORD_PACKET) as u64;
    }

    /// `srst`.
    pub(crate) fn reset(&mut self) {
        *self = HostMetrics::nothing(self.trace_mask);
    }

    /// The summary of this name, if it is the host's.
    pub(super) fn summary(&self, name: &str) -> Option<&AdvancedSummary> {
        let mine = [
            (Basic::FsyncTime, &self.fsync),
            (Basic::SnapshotTime, &self.snapshot),
            (Basic::DbInitTime, &self.db_init),
            (Basic::StartupSnapLoadTime, &self.snap_load),
            (Basic::StartupTxnsLoadTime, &self.txns_load),
            (Basic::StartupTxnsLoaded, &self.txns_loaded),
        ];
        mine.into_iter().find_map(|(basic, summary)| (basic.name() == name).then_some(summary))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
