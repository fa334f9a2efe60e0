//! From a configuration to a running owner, and what can go wrong on the way (`operations.md` §1.1, §13).

use super::accept::BoundPort;
use super::advice::{about_disk, about_port, about_recovery, lost_ttl_nodes};
use super::clock::Clock;
use super::lanes::{Company, Lanes, ServerDisk};
use super::links::{BoundPorts, Links, PortProblem};
use super::mailbox::Mailbox;
use super::owner::{Exit, Message, Owner, Parts};
use super::version::FULL_VERSION;
use crate::config::{NoticeLevel, ServerConfig, SnapshotCompression, StorageConfig};
use crate::metrics::{self, HostMetrics, Startup, StartupReplay};
use quorate_core::contract::ExitCode;
use quorate_core::peer::Peer;
use quorate_core::tree::TreeOptions;
use quorate_core::vocabulary::{Entropy, LookupSeed, PeerConfig, Sequences, ServerId, Wall};
use quorate_storage_file::names::{parse_log_name, parse_snapshot_name};
use quorate_storage_file::{
    Compression, Directory, Recovered, Recovery, RecoveryError, RecoveryOptions, RecoveryReport,
    RecoveryStep, Repair, StdDisk, StdDiskOptions, Storage, StorageOptions,
};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;
use tokio::net::TcpListener as TokioListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

/// So many bytes of recent txns are read back at the start, for learners.
const RECENT_BYTES: usize = 64 << 20;

/// A server that runs, and what tells whoever supervises it to end it.
#[derive(Debug)]
pub(super) struct Running<S> {
    /// What was configured.
    pub(super) config: Arc<ServerConfig>,
    /// How to reach the owner.
    pub(super) mailbox: Arc<Mailbox<Message>>,
    /// How the owner ends.
    pub(super) exit: oneshot::Receiver<Exit>,
    /// The port of `/metrics`, if there is to be a page.
    pub(super) metrics: Option<TcpListener>,
    /// Heard from before clients may come.
    pub(super) signals: S,
}

/// Why a server can't start.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The directories can't be used.
    #[error("{0}")]
    DataDirectory(String),
    /// The data in them can't.
    #[error("cannot open the database: {0}")]
    Database(String),
    /// This server is none of the ensemble's.
    #[error("RuntimeException: My id {} not in the peer list: give it a server.{} line, or put another number into {}", .0.0, .0.0, .1.display())]
    NotInTheList(ServerId, PathBuf),
    /// A port for other servers can't be had.
    #[error(
        "{0}: another process has it, or the name in this server's line is not this machine's (quorumListenOnAllIPs=true binds every address)"
    )]
    MemberPort(#[from] PortProblem),
    /// A port can't be had; which setting names it comes first.
    #[error("{}", about_port(.0, *.1, .2))]
    Port(&'static str, SocketAddr, io::Error),
    /// The system refuses something else.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

impl Failure {
    /// Says so, and returns the exit code.
    pub(super) fn report(&self) -> u8 {
        let (line, code) = match self {
            Failure::DataDirectory(_) => ("Unable to access datadir, exiting abnormally", 3),
            Failure::MemberPort(_) => {
                ("As the election listener couldn't be started, exiting", ExitCode::PortFailed as u8)
            }
            _ => ("Unexpected exception, exiting abnormally", 1),
        };
        error!(name: "start_failed", "{line}: {self}");
        crate::logging::flush();
        eprintln!("{line}\n{self}");
        code
    }
}

/// Opens everything and starts the owner. `hear` begins to hear what may end the server. `over` puts another disk over the directories, or
/// takes them as they are.
pub(super) fn start<D: ServerDisk, S>(
    mut config: ServerConfig,
    hear: impl FnOnce() -> io::Result<S>,
    over: impl FnOnce(StdDisk) -> D,
) -> Result<Running<S>, Failure> {
    let begin = Instant::now();
    // That no configuration was given is the first thing said.
    announce(&config);
    info!(name: "starting", version = FULL_VERSION, pid = std::process::id());
    check_membership(&config)?;
    let disk = over(open_disk(&config.storage)?);
    let taken = |key| move |(address, error)| Failure::Port(key, address, error);
    let port = BoundPort::bind(&config.listen).map_err(taken("clientPort"))?;
    let metrics = metrics::bind(&config.metrics).map_err(taken("metricsProvider.httpPort"))?;
    let ports = bind_member_ports(&config)?;
    if let Some(port) = &port {
        // Who asked for any port is shown the one that the system chose.
        config.listen.port = Some(port.number()?);
    }
    let entropy = entropy(&config.peer);
    let (recovered, startup) = recover(&config, disk.clone(), entropy)?;
    announce_purging(&config, disk.clone());

    let clock = Clock::start();
    let mailbox = Arc::new(Mailbox::default());
    let storage = Storage::new(recovery_options(&config, entropy), recovered.report.last_zxid);
    let company = if config.member.is_some() { Company::Member } else { Company::Alone };
    let parts = Parts {
        lanes: Lanes::start(storage, &disk, &mailbox, (company, config.storage.fsync_warning))?,
        peer: make_peer(&config, recovered, entropy, &clock),
        clock,
        mailbox: Arc::clone(&mailbox),
        metrics: HostMetrics::new(startup),
        config: Arc::new(config),
    };
    let config = Arc::clone(&parts.config);
    // Recovery may be ended at any time by the system's own means; who serves clients ends in order.
    let signals = hear()?;
    let (exit, listening) = start_owner(parts, port, ports.map(|ports| (ports, entropy.lookup_seed())))?;
    let address = listening.recv().map_err(|_| io::Error::other("the owner's thread ended"))??;
    let took_ms = begin.elapsed().as_millis() as u64;
    match address {
        Some(address) => info!(name: "listening", %address, took_ms, "ready for clients"),
        None => warn!(name: "listening", took_ms, "no clientPort is set: nobody can connect"),
    }
    Ok(Running { config, mailbox, exit, metrics, signals })
}

/// A member has to be one of those that the configuration names.
fn check_membership(config: &ServerConfig) -> Result<(), Failure> {
    let me = config.peer.server_id;
    match &config.member {
        Some(member) if member.ensemble.membership.server(me).is_none() => {
            Err(Failure::NotInTheList(me, config.storage.data_dir.join("myid")))
        }
        _ => Ok(()),
    }
}

fn bind_member_ports(config: &ServerConfig) -> Result<Option<BoundPorts>, Failure> {
    let Some(member) = &config.member else { return Ok(None) };
    let tell = |problem: &PortProblem| warn!(name: "port_retry", "{problem}; tried again in a second");
    Ok(Some(BoundPorts::bind_patiently(member, config.peer.server_id, tell)?))
}

fn make_peer(config: &ServerConfig, recovered: Recovered, entropy: Entropy, clock: &Clock) -> Peer {
    let peer = config.peer.clone();
    match &config.member {
        None => Peer::new(peer, recovered.database, entropy, clock.now()),
        Some(member) => {
            let epochs = recovered.epochs;
            Peer::member(
                peer,
                member.ensemble.clone(),
                recovered.into_history(),
                epochs,
                entropy,
                clock.now(),
            )
        }
    }
}

fn open_disk(storage: &StorageConfig) -> Result<StdDisk, Failure> {
    let options = StdDiskOptions {
        data_dir: storage.data_dir.clone(),
        data_log_dir: storage.data_log_dir.clone(),
        autocreate: storage.datadir_autocreate,
        lock: true,
    };
    let disk =
        StdDisk::open(&options).map_err(|error| Failure::DataDirectory(about_disk(&error, storage)))?;
    for place in [Directory::Snap, Directory::Log].map(|place| disk.directory(place)) {
        if !place.is_dir() {
            let text =
                format!("{} is not a directory: move it away, or fix dataDir or dataLogDir", place.display());
            return Err(Failure::DataDirectory(text));
        }
    }
    Ok(disk)
}

type Listening = Receiver<io::Result<Option<SocketAddr>>>;

/// Starts the owner's thread, with a runtime of its own.
fn start_owner(
    parts: Parts,
    port: Option<BoundPort>,
    ports: Option<(BoundPorts, LookupSeed)>,
) -> io::Result<(oneshot::Receiver<Exit>, Listening)> {
    let (end, exit) = oneshot::channel();
    let (tell, listening) = channel();
    std::thread::Builder::new().name("quorate-owner".to_owned()).spawn(move || {
        let runtime = Builder::new_current_thread()
            .enable_all()
            // Of a crowd that speaks at once the owner's turns come between so many: waking one of those who were silent for
            // long costs as much as thirty requests.
            .event_interval(8)
            .max_io_events_per_tick(8)
            .build_local(LocalOptions::default());
        let run = move |runtime: tokio::runtime::LocalRuntime| {
            runtime.block_on(async move {
                let (listener, links) = match listen(&parts.config, port, ports) {
                    Ok(both) => both,
                    Err(error) => return drop(tell.send(Err(error))),
                };
                let address = listener.as_ref().and_then(|listener| listener.local_addr().ok());
                // The receiver lives until it has heard this.
                let _ = tell.send(Ok(address));
                let owner = Owner::start(parts, listener, links);
                // A task of its own, because the runtime polls it without asking the poller first.
                if let Ok(how) = tokio::task::spawn_local(owner.run()).await {
                    let _ = end.send(how);
                }
            });
        };
        // Without a runtime the sender is dropped, which is an answer too.
        runtime.map(run)
    })?;
    Ok((exit, listening))
}

/// Lets clients and other servers connect. Needs a local runtime.
fn listen(
    config: &ServerConfig,
    port: Option<BoundPort>,
    ports: Option<(BoundPorts, LookupSeed)>,
) -> io::Result<(Option<TokioListener>, Option<Links>)> {
    let listener = port.map(BoundPort::listen).transpose()?;
    let links = match (&config.member, ports) {
        (Some(member), Some((ports, seed))) => Some(Links::start(config, member, seed, ports)?),
        _ => None,
    };
    Ok((listener, links))
}

/// Logs what the operator should know of the configuration.
fn announce(config: &ServerConfig) {
    for notice in &config.notices {
        match notice.level {
            NoticeLevel::Info => info!(name: "configuration", "{}", notice.text),
            NoticeLevel::Warn => warn!(name: "configuration", "{}", notice.text),
            NoticeLevel::Error => error!(name: "configuration", "{}", notice.text),
        }
    }
    let StorageConfig { data_dir, data_log_dir, .. } = &config.storage;
    info!(
        name: "directories",
        data_dir = %data_dir.display(),
        data_log_dir = %data_log_dir.display(),
    );
}

/// ZooKeeper purges only when it is told to, so whoever comes from there should hear that old files will go.
fn announce_purging(config: &ServerConfig, mut disk: impl ServerDisk) {
    let Sequences { retain_snapshots: retain, retain_bytes, .. } = config.peer.sequences;
    if retain == 0 {
        return;
    }
    let mut files = |place| disk.list(place).unwrap_or_default();
    let (snap, log) = (files(Directory::Snap), files(Directory::Log));
    info!(
        name: "purging",
        retain,
        snapshots = snap.iter().filter(|entry| parse_snapshot_name(&entry.name).is_some()).count() as u64,
        logs = log.iter().filter(|entry| parse_log_name(&entry.name).is_some()).count() as u64,
        max_mb = retain_bytes >> 20,
        "whenever a snapshot has been written, older ones than are retained are removed, with their logs; \
         autopurge.purgeInterval=0 keeps them all"
    );
}

/// A source of randomness that no two starts share.
fn entropy(config: &PeerConfig) -> Entropy {
    // The standard library's hasher is keyed by the system's generator.
    let seed = RandomState::new().build_hasher().finish();
    let Wall(incarnation) = Clock::start().now().wall;
    Entropy::new(seed, config.server_id, incarnation.unsigned_abs())
}

fn storage_options(config: &ServerConfig) -> StorageOptions {
    let storage = &config.storage;
    StorageOptions {
        preallocate: storage.preallocate,
        log_size_limit: storage.log_size_limit,
        force_sync: storage.force_sync,
        compression: match storage.compression {
            SnapshotCompression::None => Compression::None,
            SnapshotCompression::Gzip => Compression::Gzip,
            SnapshotCompression::Snappy => Compression::Snappy,
        },
        max_txn: config.peer.limits.max_field(),
        ..StorageOptions::default()
    }
}

/// How recovery is to be done.
pub(crate) fn recovery_options(config: &ServerConfig, entropy: Entropy) -> RecoveryOptions {
    let switches = &config.peer.switches;
    RecoveryOptions {
        storage: storage_options(config),
        tree: TreeOptions {
            extended_types: switches.extended_types,
            digest: switches.digest,
            serialize_last_zxid: switches.serialize_last_zxid,
        },
        seed: entropy.lookup_seed(),
        db_autocreate: config.storage.db_autocreate,
        trust_empty: config.storage.trust_empty,
        member: config.member.is_some(),
        recent_txns: config.member.as_ref().map_or(0, |member| member.ensemble.commit_log_count),
        recent_bytes: RECENT_BYTES,
    }
}

/// Brings the database back, and logs how.
fn recover(
    config: &ServerConfig,
    mut disk: impl ServerDisk,
    entropy: Entropy,
) -> Result<(Recovered, Startup), Failure> {
    let begin = Instant::now();
    let mut recovery = Recovery::new(recovery_options(config, entropy));
    let mut snapshot = None;
    let run = loop {
        match recovery.step(&mut disk) {
            Ok(RecoveryStep::Progress) => {}
            Ok(RecoveryStep::Done(recovered)) => break Ok(*recovered),
            Err(error) => break Err(error),
        }
        if snapshot.is_none() && recovery.is_past_snapshots() {
            snapshot = Some(begin.elapsed());
        }
    };
    let recovered = run.map_err(|error| {
        let text = about_recovery(&error, &config.storage);
        match error {
            // ZooKeeper looks at that before it looks at the data, as at the directories themselves.
            RecoveryError::MixedDirectories { .. } => Failure::DataDirectory(text),
            _ => Failure::Database(text),
        }
    })?;
    let took = begin.elapsed();
    if let Some(text) = lost_ttl_nodes(&recovered.database) {
        warn!(name: "ttl_nodes_lost", "{text}");
    }
    log_report(&recovered.report, took.as_millis() as u64);
    let report = &recovered.report;
    let snapshot = snapshot.expect("whoever has a database is past its snapshots");
    let replay = StartupReplay { took: took - snapshot, txns: report.replayed };
    let startup = Startup { took, snapshot, replay: (!report.created).then_some(replay) };
    Ok((recovered, startup))
}

fn log_report(report: &RecoveryReport, took_ms: u64) {
    for (file, reason) in &report.skipped_snapshots {
        warn!(name: "snapshot_skipped", file, "{reason}");
    }
    for repair in &report.repairs {
        match repair {
            Repair::WroteSnapshot(_) | Repair::WroteEpoch(..) => info!(name: "repaired", "{repair}"),
            _ => warn!(name: "repaired", "{repair}"),
        }
    }
    if report.digest_mismatches > 0 {
        warn!(name: "digest_mismatch", count = report.digest_mismatches, "replayed txns left other trees than logged");
    }
    if report.out_of_order > 0 {
        warn!(name: "txns_out_of_order", count = report.out_of_order, "left out");
    }
    info!(
        name: "recovered",
        zxid = %report.last_zxid,
        snapshot = report.snapshot.as_deref().unwrap_or("none"),
        logs = report.logs.len() as u64,
        replayed = report.replayed,
        repaired = report.repairs.len() as u64,
        created = report.created,
        took_ms,
    );
}
