//! The Quorate server of the scene: the core's peer over the real storage and the real decoder, whose process ends and comes back.

use crate::checkers::{Verdict, Violation, violated};
use crate::chooser::{Choice, Chooser, Key};
use crate::disk::{SimDisk, SimFile};
use crate::plan::Plan;
use quorate_core::contract::{Epochs, Input, Lane, Outbox, Output, QuorumDecoder};
use quorate_core::jute::FieldLimit;
use quorate_core::peer::Peer;
use quorate_core::quorum::{ConfigVersion, EnsembleConfig, Membership, Role, Server, ServerAddresses};
use quorate_core::tree::{Database, TreeOptions};
use quorate_core::vocabulary::{Entropy, LookupSeed, Millis, Mono, Now, PeerConfig, ServerId, Wall, Zxid};
use quorate_storage_file::{
    Recovered, Recovery, RecoveryOptions, RecoveryStep, Storage, StorageOptions, Wanted,
};
use std::collections::BTreeMap;

pub(super) const ME: ServerId = ServerId(1);
/// The Java servers.
pub(super) const OTHERS: std::ops::RangeInclusive<u8> = 2..=5;

/// A process that serves.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) peer: Peer,
    pub(super) storage: Storage<SimFile>,
}

/// See the module's words.
#[derive(Debug)]
pub(super) struct Host {
    config: PeerConfig,
    pub(super) ensemble: EnsembleConfig,
    storage: StorageOptions,
    tree: TreeOptions,
    pub(super) disk: SimDisk,
    pub(super) process: Option<Box<Process>>,
    pub(super) life: u64,
    outbox: Outbox,
}

/// Of what is not synced nothing is left.
struct Nothing;

impl Chooser for Nothing {
    fn pick(&mut self, _: Choice, _: Key, n: u64) -> u64 {
        match n {
            // The fates of a file, and of the names in a directory.
            6 => 1,
            4 => 2,
            n => n - 1,
        }
    }
}

/// The ensemble of this server and the others, of which some observe.
pub(super) fn ensemble(others: impl IntoIterator<Item = u8>, observers: &[u8]) -> EnsembleConfig {
    let role = |id| if observers.contains(&id) { Role::Observer } else { Role::Participant };
    let line = |id: u8| Server {
        addresses: vec![ServerAddresses {
            host: format!("10.0.0.{id}"),
            quorum_port: 2888,
            election_port: 3888,
        }],
        role: role(id),
        client: None,
    };
    let lines: BTreeMap<_, _> =
        std::iter::once(ME.0).chain(others).map(|id| (ServerId(id), line(id))).collect();
    let membership = Membership::new(ConfigVersion::default(), lines, BTreeMap::new(), BTreeMap::new())
        .expect("there are servers that vote");
    EnsembleConfig::new(membership, role(ME.0))
}

impl Host {
    pub(super) fn new(plan: &Plan, ensemble: EnsembleConfig) -> Self {
        let mut config = PeerConfig::standalone(Millis(plan.server.tick_time_ms));
        config.server_id = ME;
        config.sequences.snap_count = plan.server.snap_count;
        config.switches.extended_types = false;
        let storage = StorageOptions {
            preallocate: plan.server.preallocate,
            log_size_limit: plan.server.log_size_limit,
            chunk_bytes: 4096,
            ..StorageOptions::default()
        };
        let tree = TreeOptions {
            extended_types: false,
            digest: config.switches.digest,
            serialize_last_zxid: config.switches.serialize_last_zxid,
        };
        Host {
            config,
            ensemble,
            storage,
            tree,
            disk: SimDisk::new(),
            process: None,
            life: 0,
            outbox: Outbox::new(),
        }
    }

    fn options(&self) -> RecoveryOptions {
        RecoveryOptions {
            storage: self.storage.clone(),
            tree: self.tree,
            seed: LookupSeed(self.life),
            db_autocreate: true,
            trust_empty: false,
            member: true,
            recent_txns: self.ensemble.commit_log_count,
            recent_bytes: 1 << 20,
        }
    }

    pub(super) fn decoder(&self, number: u64) -> QuorumDecoder {
        QuorumDecoder::dialled(LookupSeed(number), self.tree, FieldLimit(self.config.limits.max_field()))
    }

    /// What would be found if the power went now, and nothing were left of what is not synced.
    pub(super) fn survivors(&self) -> Result<Recovered, Violation> {
        let mut disk = self.disk.clone();
        disk.lose_power(&mut Nothing, 0);
        let refused = |error: quorate_storage_file::RecoveryError| Violation {
            checker: "recovery_is_total",
            detail: error.to_string(),
        };
        Recovery::new(self.options()).run(&mut disk).map_err(refused)
    }

    /// The process is gone; with the power what was not synced is, as `chooser` says.
    pub(super) fn dies(&mut self, power: Option<&mut dyn Chooser>) {
        self.process = None;
        self.life += 1;
        match power {
            Some(chooser) => self.disk.lose_power(chooser, self.life),
            None => self.disk.process_ended(),
        }
    }

    /// The process starts, as far as the disk lets it before `crash_at` calls: what it found, or none if it has come to that.
    pub(super) fn start(
        &mut self,
        (seed, now): (u64, Now),
        crash_at: Option<u64>,
    ) -> Result<Option<(Epochs, Box<Database>)>, Violation> {
        let mut recovery = Recovery::new(self.options());
        let recovered = loop {
            if crash_at.is_some_and(|at| self.disk.calls() >= at) {
                return Ok(None);
            }
            match recovery.step(&mut self.disk) {
                Ok(RecoveryStep::Progress) => {}
                Ok(RecoveryStep::Done(recovered)) => break *recovered,
                Err(error) => {
                    let detail = error.to_string();
                    return Err(Violation { checker: "recovery_is_total", detail });
                }
            }
        };
        let found = (recovered.epochs, Box::new(recovered.database.clone()));
        let storage = Storage::new(self.options(), recovered.report.last_zxid);
        let entropy = Entropy::new(seed, ME, self.life);
        let (config, ensemble, epochs) = (self.config.clone(), self.ensemble.clone(), recovered.epochs);
        let peer = Peer::member(config, ensemble, recovered.into_history(), epochs, entropy, now);
        self.process = Some(Box::new(Process { peer, storage }));
        Ok(Some(found))
    }

    /// One input, and what comes of it; what is for the storage is there already.
    pub(super) fn handle(&mut self, now: Now, input: Input) -> Result<Vec<Output>, Violation> {
        let Some(process) = &mut self.process else { return Ok(Vec::new()) };
        process.peer.handle(now, input, &mut self.outbox);
        let mut outputs = Vec::new();
        for output in self.outbox.drain() {
            match output {
                Output::Store { lane, seq, op } => process.storage.queue(lane, seq, op),
                Output::Load { id, after, up_to, max_bytes } => {
                    process.storage.load(id, Wanted { after, up_to, max_bytes });
                }
                output => outputs.push(output),
            }
        }
        match process.peer.check() {
            Ok(()) => Ok(outputs),
            Err(broken) => violated("peer_check", broken).map(|()| outputs),
        }
    }

    /// Which lanes have something to do.
    pub(super) fn busy(&self) -> Vec<Lane> {
        let Some(process) = &self.process else { return Vec::new() };
        let lanes = [Lane::Epoch, Lane::Log, Lane::Snapshot];
        lanes.into_iter().filter(|lane| !process.storage.is_idle(*lane)).collect()
    }

    /// Whether old txns are to be read back.
    pub(super) fn is_loading(&self) -> bool {
        self.process.as_ref().is_some_and(|process| !process.storage.is_load_idle())
    }

    /// A call for that, and what the peer is to hear of it.
    pub(super) fn load(&mut self) -> Option<Input> {
        let process = self.process.as_mut()?;
        process.storage.step_load(&mut self.disk).into_input()
    }

    /// A call of the disk, and what the peer is to hear of it.
    pub(super) fn step(&mut self, lane: Lane) -> Option<Input> {
        let process = self.process.as_mut()?;
        process.storage.step_lane(lane, &mut self.disk).into_input()
    }

    pub(super) fn next_timeout(&self) -> Option<Mono> {
        self.process.as_ref()?.peer.next_timeout().filter(|due| due.0 != u64::MAX)
    }

    pub(super) fn database(&self) -> Option<&Database> {
        Some(self.process.as_ref()?.peer.status().database())
    }

    pub(super) fn is_serving(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.peer.status().is_serving())
    }

    pub(super) fn check_full(&self) -> Verdict {
        let Some(process) = &self.process else { return Ok(()) };
        process.peer.check_full().or_else(|broken| violated("peer_check_full", broken))
    }
}

/// The clocks, so many steps after the beginning.
pub(super) fn clocks(now_ns: u64) -> Now {
    Now { mono: Mono(7_000_000_000 + now_ns), wall: Wall(1_700_000_100_000 + (now_ns / 1_000_000) as i64) }
}

/// Where the history of a database ends.
pub(super) fn end(database: &Database) -> Zxid {
    database.last_zxid()
}
