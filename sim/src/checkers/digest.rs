//! S23: the digest kept txn by txn is the one a full scan gives, and the one that each txn names.

use super::{Verdict, require};
use quorate_core::tree::Database;

/// Walks everything.
pub(crate) fn scanned(database: &Database) -> Verdict {
    let found = database.check_full();
    require("digest", found.is_ok(), || found.err().unwrap_or_default())?;
    let mismatches = database.digest_mismatches();
    require("digest", mismatches == 0, || format!("{mismatches} txns came to another digest than they name"))
}
