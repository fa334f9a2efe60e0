//! What follows from the session's timeout (`client-protocol.md` §23).

use crate::vocabulary::Millis;

/// A client that says nothing for this long pings, whatever its timeout.
const MAX_PING_INTERVAL_MS: u64 = 10_000;

/// The times of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    session_timeout: Millis,
    hosts: u64,
}

impl Timing {
    /// Those of a session with this timeout (asked for, later negotiated) and a choice of `hosts`.
    ///
    /// # Panics
    /// When there is no host.
    pub fn new(session_timeout: Millis, hosts: usize) -> Self {
        assert!(hosts > 0, "a client has a host to try");
        Timing { session_timeout, hosts: hosts as u64 }
    }

    /// The session's timeout.
    pub fn session_timeout(&self) -> Millis {
        self.session_timeout
    }

    /// How long connecting may take, and then how long the handshake may.
    pub fn connect_timeout(&self) -> Millis {
        Millis((self.session_timeout.0 / self.hosts).max(1))
    }

    /// How long a server may be silent before another is tried: two thirds leave a third to find it.
    pub fn read_timeout(&self) -> Millis {
        Millis((self.session_timeout.0 * 2 / 3).max(1))
    }

    /// How long the client may be silent before it pings: half the read timeout, less a second where that leaves more than
    /// one.
    pub fn ping_interval(&self) -> Millis {
        let half = self.read_timeout().0 / 2;
        let early = if half > 1000 { half.saturating_sub(1000).max(1001).min(half) } else { half };
        Millis(early.clamp(1, MAX_PING_INTERVAL_MS))
    }

    /// How long nobody may be heard of before the client itself takes the session for expired.
    pub fn expiry(&self) -> Millis {
        Millis(self.session_timeout.0 * 4 / 3)
    }
}
