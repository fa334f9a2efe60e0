//! What the two machines are configured with, and what a server brings into a role.

use crate::contract::{Epochs, Port};
use crate::quorum::ConfigVersion;
use crate::vocabulary::{LAST_COUNTER, Millis, ServerId, Zxid};

/// What a learner says its history ends in when it wants the leader's database and nothing else. It does not count for an epoch then.
pub(super) const NO_HISTORY: Zxid = Zxid(-1);

/// Settings of both roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZabConfig {
    /// This server.
    pub me: ServerId,
    /// `tickTime`.
    pub tick: Millis,
    /// `initLimit`: ticks that discovery and synchronisation may each take.
    pub init_limit: u32,
    /// `syncLimit`: ticks that the other end may be silent for, and that a follower may take to log a proposal.
    pub sync_limit: u32,
    /// Bytes that may wait to be written to a learner before it is closed.
    pub backlog_close: usize,
    /// The most that is read back from the log to bring a learner up to date; what is further behind gets a snapshot.
    pub load_bytes: u64,
    /// The last counter that a txn of an epoch may have, at least 1.
    pub last_counter: u32,
}

impl ZabConfig {
    /// The defaults for this server.
    pub fn new(me: ServerId, tick: Millis) -> Self {
        ZabConfig {
            me,
            tick,
            init_limit: 10,
            sync_limit: 5,
            backlog_close: 64 << 20,
            load_bytes: 16 << 20,
            last_counter: LAST_COUNTER,
        }
    }

    /// `initLimit` as a span.
    pub fn init_span(&self) -> Millis {
        Millis(self.tick.0 * u64::from(self.init_limit))
    }

    /// `syncLimit` as a span.
    pub fn sync_span(&self) -> Millis {
        Millis(self.tick.0 * u64::from(self.sync_limit))
    }
}

/// What a learner does with what it learns; it says so in its first packet, whatever its configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LearnerKind {
    /// It acknowledges proposals.
    Follower,
    /// It only hears of what is committed.
    Observer,
}

/// Settings of a learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerConfig {
    /// Those of both roles.
    pub zab: ZabConfig,
    /// What it is.
    pub kind: LearnerKind,
    /// Whom it learns from: the leader, or a follower that serves observers.
    pub leader: ServerId,
    /// At which of its ports.
    pub port: Port,
    /// The version of its committed configuration.
    pub config_version: ConfigVersion,
}

/// What a server brings into a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its epoch files.
    pub epochs: Epochs,
    /// The last zxid of its history, which is durable as far as that.
    pub last_zxid: Zxid,
}
