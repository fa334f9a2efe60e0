//! C3 to C6: what a session is shown never goes back, on whichever server; and from the answer to a sync on it shows everything that
//! was committed before the sync was asked for.

use super::{Verdict, require};
use quorate_core::vocabulary::Zxid;

/// How far a session has seen history.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SessionView {
    seen: Zxid,
    synced: Zxid,
}

impl SessionView {
    /// It is answered at `zxid`.
    pub(crate) fn answered(&mut self, zxid: Zxid) -> Verdict {
        if zxid.0 <= 0 {
            return Ok(());
        }
        require("session_view", zxid >= self.seen, || {
            format!("a session that has seen {} is answered at {zxid}", self.seen)
        })?;
        require("sync", zxid >= self.synced, || {
            format!("a session is answered at {zxid}, {} was committed before its sync", self.synced)
        })?;
        self.seen = zxid;
        Ok(())
    }

    /// Its sync is about to be answered, which was asked for when so much was committed.
    pub(crate) fn synced(&mut self, committed: Zxid) {
        self.synced = self.synced.max(committed);
    }
}
