//! A node's numbers as they are stored (`disk-format.md` §4.1): 60 bytes in a snapshot.

use crate::jute::{Decode, DecodeError, Encode, Reader, Writer};
use crate::vocabulary::Zxid;

/// A node's numbers as disk and digest have them. Unlike in [`crate::jute::Stat`], `cversion` counts creations only and
/// `ephemeral_owner` also says container and TTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StatPersisted {
    /// The txn that created the node.
    pub czxid: Zxid,
    /// The txn that last set its data.
    pub mzxid: Zxid,
    /// When it was created, wall ms.
    pub ctime: i64,
    /// When its data was last set, wall ms.
    pub mtime: i64,
    /// Changes of its data.
    pub version: i32,
    /// Children ever created; the next sequence number.
    pub cversion: i32,
    /// Changes of its ACL.
    pub aversion: i32,
    /// What it lives by ([`super::Owner`]).
    pub ephemeral_owner: i64,
    /// The txn that last created or deleted a child.
    pub pzxid: Zxid,
}

impl Encode for StatPersisted {
    fn encode(&self, out: &mut Writer<'_>) {
        out.long(self.czxid.0);
        out.long(self.mzxid.0);
        out.long(self.ctime);
        out.long(self.mtime);
        out.int(self.version);
        out.int(self.cversion);
        out.int(self.aversion);
        out.long(self.ephemeral_owner);
        out.long(self.pzxid.0);
    }
}

impl Decode for StatPersisted {
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(StatPersisted {
            czxid: Zxid(input.long()?),
            mzxid: Zxid(input.long()?),
            ctime: input.long()?,
            mtime: input.long()?,
            version: input.int()?,
            cversion: input.int()?,
            aversion: input.int()?,
            ephemeral_owner: input.long()?,
            pzxid: Zxid(input.long()?),
        })
    }
}
