//! What a server process is told: the peer's own configuration and everything around it that the host owns.
//!
//! Plain data, made only by [`super::load`]; every field is already checked, and every default is in the settings table
//! ([`super::settings`]), not here. Times are milliseconds, sizes bytes, unless a name says otherwise.

use quorate_core::quorum::EnsembleConfig;
use quorate_core::vocabulary::{Millis, PeerConfig};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Everything `server::run` needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// What the state machine is told.
    pub peer: PeerConfig,
    /// What a member of an ensemble is told beyond that; none for a server alone.
    pub member: Option<MemberConfig>,
    /// Where data lies and how it is written.
    pub storage: StorageConfig,
    /// Where clients connect.
    pub listen: ListenConfig,
    /// `4lw.commands.whitelist`.
    pub four_letter: FourLetterWhitelist,
    /// `metricsProvider.*`.
    pub metrics: MetricsConfig,
    /// `log.*`.
    pub log: LogConfig,
    /// The configuration as it was given.
    pub source: ConfigSource,
    /// What the operator should hear at the start, in this order; the server logs each once its log is up.
    pub notices: Vec<Notice>,
}

/// How a member of an ensemble meets the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberConfig {
    /// What the state machine is told.
    pub ensemble: EnsembleConfig,
    /// `observerMasterPort`: where followers serve observers; everybody's.
    pub observer_master_port: Option<u16>,
    /// `quorumListenOnAllIPs`: both ports are bound on every address, not only on those that the server's line names.
    pub listen_on_all_ips: bool,
    /// `electionPortBindRetry`: how often a port is tried that can't be bound; 0 for ever.
    pub bind_attempts: u32,
    /// `cnxTimeout`: how long a dial may take.
    pub dial_timeout: Millis,
    /// `tcpKeepAlive`.
    pub tcp_keep_alive: bool,
}

/// Where data lies and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageConfig {
    /// `dataDir`, absolute, without `version-2`: snapshots, `myid`, and logs unless [`Self::data_log_dir`] differs.
    pub data_dir: PathBuf,
    /// `dataLogDir`, absolute, without `version-2`: txn logs.
    pub data_log_dir: PathBuf,
    /// `datadir.autocreate`: missing directories are made.
    pub datadir_autocreate: bool,
    /// `db.autocreate`: an empty directory is a new database.
    pub db_autocreate: bool,
    /// `snapshot.trust.empty`: logs without any snapshot are accepted.
    pub trust_empty: bool,
    /// `preAllocSize` in bytes: by how much a log file grows ahead; 0 for not at all.
    pub preallocate: u64,
    /// `txnLogSizeLimitInKb` in bytes: a log file is rolled when it passes this; 0 for no limit.
    pub log_size_limit: u64,
    /// `forceSync`: false is the literal `no`, which gives durability up.
    pub force_sync: bool,
    /// `fsync.warningthresholdms`: a slower sync is logged.
    pub fsync_warning: Millis,
    /// `snapshot.compression.method`.
    pub compression: SnapshotCompression,
}

/// How snapshots are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotCompression {
    /// Plain files.
    None,
    /// `gz`.
    Gzip,
    /// `snappy`.
    Snappy,
}

/// Where clients connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenConfig {
    /// `clientPort`; `None` as Java allows it: the process stays up and serves nobody.
    pub port: Option<u16>,
    /// `clientPortAddress`, resolved; `None` for every address.
    pub address: Option<IpAddr>,
    /// `clientPortListenBacklog`; `None` (-1) for the default.
    pub backlog: Option<u32>,
    /// `clientTcpKeepAlive`.
    pub tcp_keep_alive: bool,
}

impl ListenConfig {
    /// The address to bind, if there is a port.
    pub fn socket_address(&self) -> Option<SocketAddr> {
        self.port.map(|port| SocketAddr::new(self.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port))
    }

    /// `clientPortListenBacklog` as `conf` prints it: -1 when unset.
    pub fn backlog_as_set(&self) -> i64 {
        self.backlog.map_or(-1, i64::from)
    }
}

/// Which four-letter words are answered. `srvr` always is; `isro` when read-only mode is enabled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FourLetterWhitelist {
    /// `*`.
    All,
    /// These.
    Only(BTreeSet<String>),
}

impl FourLetterWhitelist {
    /// Whether `word` is answered.
    pub fn allows(&self, word: &str) -> bool {
        match self {
            FourLetterWhitelist::All => true,
            FourLetterWhitelist::Only(words) => words.contains(word),
        }
    }
}

/// `metricsProvider.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsConfig {
    /// Which class was asked for, as far as it makes a difference.
    pub provider: MetricsProvider,
    /// `metricsProvider.httpHost`, resolved.
    pub address: IpAddr,
    /// `metricsProvider.httpPort`.
    pub port: u16,
}

/// What becomes of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsProvider {
    /// `mntr` only.
    Default,
    /// None are kept; `mntr` prints what is not a metric.
    Null,
    /// `/metrics` over HTTP too.
    Prometheus,
}

/// How the log is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Text or JSON, one event a line.
    pub format: LogFormat,
    /// What is logged, as `tracing`'s directives spell it (`info`, `quorate=debug,info`).
    pub filter: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// The configuration as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSource {
    /// The file, as it was named; `None` for the embedded default.
    pub file: Option<PathBuf>,
    /// Its text (`icfg` returns it).
    pub text: String,
}

/// Something the operator should hear at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How loud.
    pub level: NoticeLevel,
    /// One line: where it was set, and what it means.
    pub text: String,
}

/// How loud a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeLevel {
    /// For the record.
    Info,
    /// The server behaves otherwise than what was written suggests.
    Warn,
    /// ZooKeeper logs it as an error, and starts all the same.
    Error,
}

impl ServerConfig {
    /// A standalone server in `data_dir` on a loopback port, everything else as ZooKeeper has it by default.
    /// `port` 0 lets the system choose.
    pub fn standalone(data_dir: PathBuf, port: u16) -> Self {
        ServerConfig {
            peer: PeerConfig::standalone(Millis(3000)),
            member: None,
            storage: StorageConfig::in_directory(data_dir),
            listen: ListenConfig {
                port: Some(port),
                address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                backlog: None,
                tcp_keep_alive: false,
            },
            four_letter: FourLetterWhitelist::Only(BTreeSet::from(["srvr".to_owned()])),
            metrics: MetricsConfig {
                provider: MetricsProvider::Default,
                address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                port: 7000,
            },
            log: LogConfig { format: LogFormat::Text, filter: "info".to_owned() },
            source: ConfigSource { file: None, text: String::new() },
            notices: Vec::new(),
        }
    }
}

impl StorageConfig {
    /// ZooKeeper's defaults in `data_dir`.
    fn in_directory(data_dir: PathBuf) -> Self {
        StorageConfig {
            data_log_dir: data_dir.clone(),
            data_dir,
            datadir_autocreate: true,
            db_autocreate: true,
            trust_empty: false,
            preallocate: 65_536 * 1024,
            log_size_limit: 0,
            force_sync: true,
            fsync_warning: Millis(1000),
            compression: SnapshotCompression::None,
        }
    }
}
