//! C18: a request is executed once or never, and nothing is executed that nobody asked for.

use super::{Verdict, violated};
use quorate_core::jute::TxnHeader;

const NAME: &str = "executed_at_most_once";

/// A txn for which no request that was not executed yet can be found.
pub(crate) fn unasked(header: &TxnHeader) -> Verdict {
    violated(NAME, format!("a txn that nobody waits for: {header:?}"))
}
