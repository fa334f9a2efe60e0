//! S27: nothing that a client is told reflects a txn that is not committed.

use super::{Verdict, require};
use quorate_core::vocabulary::Zxid;

/// Something speaks of `zxid`, which is committed or not.
pub(crate) fn committed(zxid: Zxid, is_committed: bool, tail: Zxid) -> Verdict {
    require("commit_before_visible", is_committed, || {
        format!("{zxid} is visible, what is committed ends at {tail}")
    })
}
