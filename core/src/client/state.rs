//! What a client's session is like, as a value that applications watch.

use super::session::KeeperState;
use crate::vocabulary::{Millis, Mono, SessionId};
use std::sync::Arc;

/// What a session is like now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// There is no session yet.
    Connecting,
    /// On a server.
    Connected {
        /// The server has lost its ensemble, and only reads.
        read_only: bool,
    },
    /// Not on a server.
    Suspended {
        /// By this client's clock: until then the servers keep the session and its ephemeral nodes. Behind it they may have
        /// given it up; whether they have is heard from the next server, or never.
        assured_until: Mono,
    },
    /// The servers have given the session up, or must have. Its ephemeral nodes and watches are gone.
    Expired,
    /// Closed by this client.
    Closed,
    /// A server refused the credentials.
    AuthFailed,
}

impl SessionState {
    /// Whether nothing follows but, by policy, another session.
    pub fn is_over(self) -> bool {
        matches!(self, SessionState::Expired | SessionState::Closed | SessionState::AuthFailed)
    }

    /// Whether a server answers.
    pub fn is_connected(self) -> bool {
        matches!(self, SessionState::Connected { .. })
    }

    /// How long the session is certain to live on the servers, if it is suspended.
    pub fn time_left(self, now: Mono) -> Option<Millis> {
        match self {
            SessionState::Suspended { assured_until } => Some(assured_until.millis_since(now)),
            _ => None,
        }
    }

    pub(super) fn of(state: KeeperState, assured_until: Option<Mono>) -> Self {
        match state {
            KeeperState::SyncConnected => SessionState::Connected { read_only: false },
            KeeperState::ConnectedReadOnly => SessionState::Connected { read_only: true },
            KeeperState::Disconnected => match assured_until {
                Some(assured_until) => SessionState::Suspended { assured_until },
                None => SessionState::Connecting,
            },
            KeeperState::Expired => SessionState::Expired,
            KeeperState::AuthFailed => SessionState::AuthFailed,
            KeeperState::Closed => SessionState::Closed,
        }
    }
}

/// A session, as its client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// Its id; [`SessionId::NONE`] before the first.
    pub id: SessionId,
    /// Its timeout: negotiated, or asked for before there is one.
    pub timeout: Millis,
    /// What it is like.
    pub state: SessionState,
    /// By this client's clock: until then the servers keep it, as far as the latest answer shows; None before the first. It
    /// rises with every answer, which is no change that readers are woken for. A server that is itself cut off from its leader
    /// answers until it has noticed, for `syncLimit` ticks at most.
    pub assured_until: Option<Mono>,
    /// Why the last connection that was lost, or never came about, is not there; for people.
    pub trouble: Option<Arc<str>>,
}
