//! The composition: one server, driven by inputs.

mod role;
mod status;

pub use status::{Mode, Status};

use crate::auth::AuthConfig;
use crate::contract::{Input, Outbox};
use crate::metrics::Metrics;
use crate::pipeline::{Connections, ServerState};
use crate::session::SessionTracker;
use crate::tree::Database;
use crate::vocabulary::{Entropy, Mono, Now, PeerConfig};
use crate::watch::Watches;
use role::Role;

/// See the module's words.
#[derive(Clone, Debug)]
pub struct Peer {
    state: ServerState,
    role: Role,
    is_space_low: bool,
    started: Now,
}

impl Peer {
    /// A standalone peer over what recovery found.
    pub fn new(config: PeerConfig, database: Database, entropy: Entropy, now: Now) -> Self {
        let seed = entropy.lookup_seed();
        let state = ServerState {
            auth: AuthConfig::from(&config),
            watches: Watches::new(seed),
            connections: Connections::new(seed),
            sessions: SessionTracker::new(config.server_id, config.tick_time, entropy),
            metrics: Metrics::new(),
            database,
            config,
        };
        Peer { state, role: Role::Standalone, is_space_low: false, started: now }
    }

    /// The only way in: one input, then drain the outbox.
    pub fn handle(&mut self, now: Now, input: Input, outbox: &mut Outbox) {
        let _ = (now, input, outbox);
    }

    /// When [`Input::Timeout`] is due; none when nothing will happen by itself.
    pub fn next_timeout(&self) -> Option<Mono> {
        None
    }

    /// The read-only view that operators' questions are answered from.
    pub fn status(&self) -> Status<'_> {
        Status { peer: self }
    }

    /// A number that equal states share: for comparing replays.
    pub fn digest(&self) -> u64 {
        self.state.database.tree.digest()
    }

    /// The invariants that cost nothing to look at; to be called after every input.
    ///
    /// # Errors
    /// The invariant that does not hold.
    pub fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Every invariant, by walking everything.
    ///
    /// # Errors
    /// The invariant that does not hold.
    pub fn check_full(&self) -> Result<(), String> {
        self.state.connections.check()
    }

    fn is_ending(&self) -> bool {
        false
    }

    fn in_process(&self) -> usize {
        self.state.connections.waiting_reads
    }
}
