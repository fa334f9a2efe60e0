//! `dirs`, and the sizes that `conf` shows too.

use super::Facts;
use crate::config::StorageConfig;
use std::path::Path;

/// Bytes of all files in the two directories; the same number twice when they are one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DirectorySizes {
    /// Snapshots.
    pub(crate) data: u64,
    /// Logs.
    pub(crate) log: u64,
}

impl DirectorySizes {
    /// Adds the files up. What can't be read counts as nothing.
    pub(crate) fn measure(storage: &StorageConfig) -> Self {
        DirectorySizes {
            data: size(&storage.data_dir.join("version-2")),
            log: size(&storage.data_log_dir.join("version-2")),
        }
    }
}

fn size(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let lengths = entries.flatten().filter_map(|entry| entry.metadata().ok());
    lengths.filter(std::fs::Metadata::is_file).map(|file| file.len()).sum()
}

/// Both sizes.
pub(super) fn dirs(facts: &Facts<'_>) -> String {
    format!("datadir_size: {}\nlogdir_size: {}\n", facts.sizes.data, facts.sizes.log)
}
