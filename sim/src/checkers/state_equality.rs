//! S22: two servers that have applied the same txns have the same tree.

use super::{Verdict, require};
use quorate_core::vocabulary::Zxid;

/// `server` is at `zxid` with this digest; the first server that was there had `known`.
pub(crate) fn digests(zxid: Zxid, server: usize, digest: u64, known: u64) -> Verdict {
    require("state_equality", digest == known, || {
        format!("at {zxid} server {server} has the digest {digest:x}, another had {known:x}")
    })
}
