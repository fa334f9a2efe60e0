//! What a peer is in its ensemble, and so what makes a txn committed.
//!
//! Absent: LOOKING, FOLLOWING, LEADING, OBSERVING. A standalone server commits what its own disk has confirmed.

use super::status::Mode;

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) enum Role {
    /// Alone: durable here is committed.
    Standalone,
}

impl Role {
    pub(super) fn mode(&self) -> Mode {
        match self {
            Role::Standalone => Mode::Standalone,
        }
    }
}
