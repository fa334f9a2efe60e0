//! A server's machine: its disk, its clocks, and what runs on it.

use super::clock::Clocks;
use super::faults::Troubles;
use super::lanes::Work;
use super::member::{ForeignDisk, initialize};
use super::wires::id;
use crate::disk::{SimDisk, SimFile};
use crate::model::{ModelConfig, super_digest};
use crate::oracle::{Checks, Oracle, OracleConfig};
use crate::plan::{EnsemblePlan, ServerPlan};
use quorate_core::contract::Outbox;
use quorate_core::jute::{ClientDecoder, FieldLimit};
use quorate_core::peer::Peer;
use quorate_core::quorum::EnsembleConfig;
use quorate_core::tree::TreeOptions;
use quorate_core::vocabulary::{ConnId, LookupSeed, Millis, PeerConfig};
use quorate_storage_file::{Recovery, RecoveryOptions, Storage, StorageOptions};
use std::collections::BTreeMap;

/// Reply bytes that may wait for one client before it is not read any more.
pub(super) const BACKLOG_PAUSE: usize = 16 << 10;
/// Some of the data that clients write is longer.
const SHARE_FROM: usize = 1 << 10;

/// The server's end of a connection.
#[derive(Debug)]
pub(super) struct ServerConn {
    pub(super) decoder: ClientDecoder,
    pub(super) is_paused: bool,
    pub(super) reported_backlog: u64,
}

/// A process that serves.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) peer: Peer,
    pub(super) storage: Storage<SimFile>,
    pub(super) conns: BTreeMap<ConnId, ServerConn>,
    /// The world's time of the timer that is planned.
    pub(super) timer: Option<u64>,
    /// Which calls of the storage are under way.
    pub(super) busy: Vec<Work>,
    pub(super) handled: u64,
}

/// What runs.
#[derive(Debug)]
pub(super) enum State {
    /// Nothing; without power nobody is even refused.
    Down { has_power: bool },
    /// The process reads its disk.
    Recovering { recovery: Box<Recovery<SimFile>>, had_errors: bool },
    /// The process serves.
    Running(Box<Process>),
}

/// One life of a server's process: what belongs to an earlier one is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) server: usize,
    pub(super) number: u64,
}

impl Life {
    /// For free choices: no other life of any server has it.
    pub(super) fn key(self) -> u64 {
        self.number | (self.server as u64) << 32
    }
}

/// See the module's words.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) disk: SimDisk,
    pub(super) state: State,
    /// Which life of the process this is.
    pub(super) life: u64,
    pub(super) clocks: Clocks,
    pub(super) config: PeerConfig,
    pub(super) storage_options: StorageOptions,
    pub(super) tree_options: TreeOptions,
    pub(super) outbox: Outbox,
    /// What happens to a paused process waits.
    pub(super) waiting: Option<Vec<super::Event>>,
    /// How often it was paused.
    pub(super) pauses: u64,
    pub(super) troubles: Troubles,
    /// Of which ensemble it is, and which part it plays there.
    pub(super) ensemble: Option<EnsembleConfig>,
    /// Disks as they were, by the fault that brings them back.
    pub(super) backups: Vec<(usize, ForeignDisk)>,
    /// What the machine has in place of its own disk at its next start.
    pub(super) foreign_disk: Option<Box<ForeignDisk>>,
    /// Its own disk, while one is in the machine that is empty and that nobody has said should be.
    pub(super) missing_disk: Option<Box<SimDisk>>,
    /// Whether an empty disk is a new database without the marker that says so.
    db_autocreate: bool,
    model: ModelConfig,
}

impl Server {
    pub(super) fn new(
        plan: &ServerPlan,
        (ensemble, db_autocreate, serves_reads): (Option<EnsembleConfig>, bool, bool),
        index: usize,
    ) -> Self {
        let mut config = PeerConfig::standalone(Millis(plan.tick_time_ms));
        config.switches.extended_types = plan.extended_types;
        config.switches.enforce_quota = plan.enforce_quota;
        config.switches.close_session_txn = plan.close_session_txn;
        config.switches.digest = plan.digest;
        config.switches.local_sessions = plan.local_sessions;
        config.switches.local_sessions_upgrading = plan.local_sessions_upgrading;
        config.limits.max_frame = plan.max_frame;
        config.limits.outstanding_requests = plan.outstanding_requests;
        config.limits.connections_per_address = 0;
        config.limits.backlog_pause = BACKLOG_PAUSE;
        config.limits.share_from = SHARE_FROM;
        config.sequences.snap_count = plan.snap_count;
        config.sequences.container_check_interval = Millis(plan.container_check_ms);
        config.sequences.container_max_never_used = Millis(plan.container_max_never_used_ms);
        config.server_id = id(index);
        config.switches.read_only_mode = serves_reads;
        config.super_digest = plan.super_password.as_deref().map(super_digest);
        let storage_options = StorageOptions {
            preallocate: plan.preallocate,
            log_size_limit: plan.log_size_limit,
            chunk_bytes: 4096,
            ..StorageOptions::default()
        };
        let switches = &config.switches;
        let tree_options = TreeOptions {
            extended_types: switches.extended_types,
            digest: switches.digest,
            serialize_last_zxid: switches.serialize_last_zxid,
        };
        let model = ModelConfig {
            extended_types: plan.extended_types,
            enforce_quota: plan.enforce_quota,
            super_digest: config.super_digest.clone(),
            container_max_never_used_ms: plan.container_max_never_used_ms,
        };
        let mut disk = SimDisk::new();
        if !db_autocreate {
            disk.install(&initialize(), &[]);
        }
        Server {
            disk,
            state: State::Down { has_power: true },
            life: 0,
            clocks: Clocks::new(),
            config,
            storage_options,
            tree_options,
            outbox: Outbox::new(),
            waiting: None,
            pauses: 0,
            troubles: Troubles::default(),
            ensemble,
            backups: Vec::new(),
            foreign_disk: None,
            missing_disk: None,
            db_autocreate,
            model,
        }
    }

    pub(super) fn oracle(&self, ensemble: Option<&EnsemblePlan>, checks: Checks) -> Oracle {
        let ms = |span: Millis| span.0 as i32;
        let config = OracleConfig {
            min_timeout: ms(self.config.min_session_timeout),
            max_timeout: ms(self.config.max_session_timeout),
            tick_ms: self.config.tick_time.0,
            handshake_timeout_ms: self.config.limits.handshake_timeout.0,
            local_sessions: self.config.switches.local_sessions && ensemble.is_some(),
            local_sessions_upgrading: self.config.switches.local_sessions_upgrading,
            last_counter: ensemble.map_or(u32::MAX, |ensemble| ensemble.last_counter),
        };
        Oracle::new(self.model.clone(), config, ensemble, checks)
    }

    pub(super) fn recovery_options(&self) -> RecoveryOptions {
        RecoveryOptions {
            storage: self.storage_options.clone(),
            tree: self.tree_options,
            seed: LookupSeed(self.life),
            db_autocreate: self.db_autocreate,
            trust_empty: false,
            member: self.ensemble.is_some(),
            recent_txns: self.ensemble.as_ref().map_or(0, |ensemble| ensemble.commit_log_count),
            recent_bytes: 1 << 20,
        }
    }

    pub(super) fn autocreates(&self) -> bool {
        self.db_autocreate
    }

    pub(super) fn process(&mut self) -> Option<&mut Process> {
        match &mut self.state {
            State::Running(process) => Some(process),
            _ => None,
        }
    }

    pub(super) fn running(&self) -> Option<&Process> {
        match &self.state {
            State::Running(process) => Some(process),
            _ => None,
        }
    }

    pub(super) fn is_serving(&self) -> bool {
        matches!(&self.state, State::Running(process) if process.peer.status().is_serving())
    }

    pub(super) fn is_paused(&self) -> bool {
        self.waiting.is_some()
    }

    pub(super) fn new_conn(&self) -> ServerConn {
        let limits = &self.config.limits;
        ServerConn {
            decoder: ClientDecoder::new(limits.max_frame, FieldLimit(limits.max_field())),
            is_paused: false,
            reported_backlog: 0,
        }
    }

    pub(super) fn fill_disk(&mut self, room: u64) {
        self.disk.set_capacity(self.disk.used() + room);
    }

    pub(super) fn empty_disk(&mut self) {
        self.disk.set_capacity(u64::MAX);
    }
}
