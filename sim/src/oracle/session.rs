//! Sessions as expiry sees them.

use super::Oracle;
use crate::checkers::Verdict;
use crate::checkers::no_early_expiry::{self, Touched};
use quorate_core::vocabulary::Zxid;

#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) touched: Touched,
    /// Its closeSession txn, once there is one.
    pub(super) closing: Option<Zxid>,
}

impl Oracle {
    /// The server has had its chance to expire sessions.
    pub(super) fn expiry_is_due(&self) -> Verdict {
        for (id, session) in &self.sessions {
            if session.closing.is_none() {
                no_early_expiry::spared(*id, session.touched, (self.now.mono, self.config.tick_ms))?;
            }
        }
        Ok(())
    }
}
