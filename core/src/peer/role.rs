//! What makes a txn committed: one's own disk, or an ensemble.

use super::ensemble::Member;
use super::status::Mode;

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) enum Role {
    /// Alone: durable here is committed.
    Standalone,
    /// One of several: committed is what the leader says, who asks a quorum.
    Member(Box<Member>),
}

impl Role {
    pub(super) fn mode(&self) -> Mode {
        match self {
            Role::Standalone => Mode::Standalone,
            Role::Member(member) => member.mode(),
        }
    }
}
