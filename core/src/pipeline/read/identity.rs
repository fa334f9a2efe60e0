//! ping, sync, whoAmI: what asks nothing of the tree.

use crate::auth::{Identities, who_am_i};
use crate::contract::Outbox;
use crate::jute::ReplyHeader;
use crate::pipeline::reply::Asked;
use crate::pipeline::state::ServerState;
use crate::vocabulary::{ErrorCode, Xid};

impl ServerState {
    /// Answered with xid -2, whatever xid it came with.
    pub(super) fn ping(&mut self, asked: &Asked, outbox: &mut Outbox) -> Result<(), ErrorCode> {
        let header = ReplyHeader { xid: Xid::PING, zxid: self.database.last_zxid(), err: 0 };
        self.replier(outbox).reply(asked, header, |_| {});
        Ok(())
    }

    /// Its place in the queue is all it needs here: whatever was acknowledged to anybody is applied. The path is echoed.
    pub(super) fn sync(
        &mut self,
        asked: &Asked,
        path: Option<&str>,
        outbox: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        let zxid = self.database.last_zxid();
        self.replier(outbox).succeed(asked, zxid, |out| out.nullable(path));
        Ok(())
    }

    pub(super) fn who_am_i(
        &mut self,
        (asked, identities): (&Asked, &Identities),
        outbox: &mut Outbox,
    ) -> Result<(), ErrorCode> {
        let infos = who_am_i(identities, &self.auth);
        let zxid = self.database.last_zxid();
        self.replier(outbox).succeed(asked, zxid, |out| out.vector(&infos));
        Ok(())
    }
}
