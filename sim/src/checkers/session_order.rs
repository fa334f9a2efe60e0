//! C1: the replies of a connection come in the order of its requests, and the zxids in them never fall.

use super::{Verdict, require};
use quorate_core::vocabulary::{Xid, Zxid};

const NAME: &str = "session_order";

/// What a connection has seen so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SessionOrder {
    last_zxid: Zxid,
}

impl SessionOrder {
    /// A reply with this xid came where `awaited` stands first in line.
    pub(crate) fn reply(&mut self, awaited: Option<Xid>, xid: Xid, zxid: Zxid) -> Verdict {
        require(NAME, awaited == Some(xid), || {
            format!("a reply to {xid:?} where {awaited:?} is first in line")
        })?;
        if zxid.0 > 0 {
            require(NAME, zxid >= self.last_zxid, || {
                format!("a reply at {zxid} behind one at {}", self.last_zxid)
            })?;
            self.last_zxid = zxid;
        }
        Ok(())
    }
}
