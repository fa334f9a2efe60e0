//! S2, S3: a zxid is proposed once, by one leader, with one payload; what anybody logs is a proposal, byte for byte.

use super::{Verdict, require, violated};
use bytes::Bytes;
use quorate_core::vocabulary::Zxid;

const NAME: &str = "zxid_unique";

/// `by` proposes `zxid`, which `before` has proposed already, if anybody has.
pub(crate) fn proposed_once(zxid: Zxid, by: usize, before: Option<usize>) -> Verdict {
    require(NAME, before.is_none(), || format!("server {by} proposes {zxid}, as {before:?} has before"))
}

/// A history is to end at `zxid`.
pub(crate) fn is_known(zxid: Zxid, is_known: bool) -> Verdict {
    require(NAME, is_known, || format!("a history ends at {zxid}, which was never proposed"))
}

/// A learner logs `bytes` as `zxid`, of which its proposal says `proposed`.
pub(crate) fn as_proposed(zxid: Zxid, proposed: Option<&Bytes>, bytes: &Bytes) -> Verdict {
    let Some(proposed) = proposed else {
        return violated(NAME, format!("{zxid} is logged and was never proposed"));
    };
    require(NAME, proposed == bytes, || {
        format!("{zxid} is logged with other bytes than it was proposed with")
    })
}
