//! `ruok` and `isro`: what load balancers ask.

use super::Facts;

/// The process lives, whether or not it serves.
pub(super) fn ruok(_: &Facts<'_>) -> String {
    "imok".to_owned()
}

/// What clients may do; `null` when nothing.
pub(super) fn isro(facts: &Facts<'_>) -> String {
    let text = match (facts.status.is_serving(), facts.status.is_read_only()) {
        (false, _) => "null",
        (true, true) => "ro",
        (true, false) => "rw",
    };
    text.to_owned()
}
