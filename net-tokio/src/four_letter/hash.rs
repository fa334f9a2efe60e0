//! `hash`: digests of the tree at certain txns, to compare servers by.

use super::Facts;

/// One line for each digest that is kept; nothing before the first.
pub(super) fn hash(facts: &Facts<'_>) -> String {
    let digests = facts.status.database().digest_log();
    // Java's digests are signed.
    digests.map(|(zxid, digest)| format!("{:x}: {}\n", zxid.0, digest as i64)).collect()
}
