//! D1 to D3: from any crash image the server starts; what comes back holds all that was confirmed and nothing that was not logged.

use super::{Verdict, require, violated};
use quorate_core::vocabulary::Zxid;

const NAME: &str = "durability";

/// The end of a recovered history.
pub(crate) fn recovered(last: Zxid, confirmed: Zxid, logged: Zxid) -> Verdict {
    require(NAME, last >= confirmed, || {
        format!("history was confirmed up to {confirmed}, recovery brings it back up to {last}")
    })?;
    require(NAME, last <= logged, || {
        format!("history was logged up to {logged}, recovery brings back {last}")
    })
}

/// Recovery refused, though no call of the disk failed.
pub(crate) fn refused(reason: &str) -> Verdict {
    violated("recovery_is_total", format!("the server does not start again: {reason}"))
}

/// A reply or an event reflects `zxid`; history is confirmed up to `confirmed`.
pub(crate) fn visible(zxid: Zxid, confirmed: Zxid) -> Verdict {
    require(NAME, zxid <= confirmed, || {
        format!("a client is told of {zxid}, history is durable up to {confirmed} only")
    })
}
