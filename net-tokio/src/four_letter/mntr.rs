//! `mntr` (`operations.md` §4.8): the registry as lines.

use super::Facts;

/// Every metric, one a line.
pub(super) fn mntr(facts: &Facts<'_>) -> String {
    crate::metrics::mntr_page(facts)
}
