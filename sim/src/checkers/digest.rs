//! S23: the digest kept txn by txn is the one a full scan gives, and the one the log names.

use super::{Verdict, require};
use quorate_core::tree::Database;

/// Replay found digests in the log that are not the tree's.
pub(crate) fn replayed(mismatches: u64) -> Verdict {
    require("digest", mismatches == 0, || {
        format!("{mismatches} txns were replayed to another digest than logged")
    })
}

/// Walks everything.
pub(crate) fn scanned(database: &Database) -> Verdict {
    let found = database.check_full();
    require("digest", found.is_ok(), || found.err().unwrap_or_default())?;
    replayed(database.digest_mismatches())
}
