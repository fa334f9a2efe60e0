//! C2: what was answered before a request was sent is behind it in history.
//!
//! The zxid in a reply is the witness: a write's is above every zxid answered to anybody before the write was sent; a read's, at a
//! server alone, is not below it. In an ensemble a read may be behind; how far, `session_view` says.

use super::{Verdict, require};
use quorate_core::vocabulary::Zxid;

const NAME: &str = "linearizable_writes";

/// The newest zxid that anybody was answered with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RealTime {
    newest: Zxid,
    /// Up to where history is committed.
    pub(crate) committed: Zxid,
    /// Whether several servers answer.
    is_ensemble: bool,
    /// Whether a session may end without a txn: then its end is answered where its server stands, as a read is.
    pub(crate) has_local_sessions: bool,
}

impl RealTime {
    pub(crate) fn new(is_ensemble: bool, has_local_sessions: bool) -> Self {
        RealTime { is_ensemble, has_local_sessions, ..RealTime::default() }
    }

    /// What a request that is sent now must not fall behind.
    pub(crate) fn floor(&self) -> Zxid {
        self.newest
    }

    /// A request sent when the floor was `floor` was answered at `zxid`.
    pub(crate) fn answered(&mut self, is_write: bool, floor: Zxid, zxid: Zxid) -> Verdict {
        if zxid.0 <= 0 {
            return Ok(());
        }
        let holds = if is_write { zxid > floor } else { zxid >= floor || self.is_ensemble };
        require(NAME, holds, || {
            let kind = if is_write { "write" } else { "read" };
            format!("a {kind} sent when {floor} had been answered is itself answered at {zxid}")
        })?;
        self.newest = self.newest.max(zxid);
        Ok(())
    }
}
