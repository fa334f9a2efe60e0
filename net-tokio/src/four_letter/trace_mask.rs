//! `gtmk` and `stmk`. The mask is kept and shown, and selects nothing: `log.filter` does.

use super::Facts;

/// The mask.
pub(super) fn gtmk(facts: &Facts<'_>) -> String {
    facts.host.trace_mask.to_string()
}

/// The mask that is set from now on.
pub(super) fn stmk(mask: i64) -> String {
    mask.to_string()
}
