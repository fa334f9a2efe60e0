//! System properties of a server: requests and sessions, network, pipeline and disk, quorum (`operations.md` §2.2).

use super::kind::INT;
use super::{Effect, From, Kind, Setting, Value};
use crate::config::{FourLetterWhitelist, SnapshotCompression};
use quorate_core::vocabulary::Millis;

const OWN_ENSEMBLE: &str = "tunes how Java's servers work together";
const OWN_LOOP: &str = "connections are served by an event loop of their own";
const OWN_PIPELINE: &str = "the pipeline has no worker threads";
const OWN_LOG: &str = "the log goes to standard error; log.filter and log.format say how";
const CLIENTS: &str = "concerns clients only";
const NO_CACHE: &str = "replies are made, not cached";
// These shape load and keep nobody out, so a server without them is no less safe: what is in process stays bounded by
// `globalOutstandingLimit`, and connections by `maxClientCnxns` and `maxCnxns`.
const NO_THROTTLE: &str =
    "it shapes load and keeps nobody out; what is in process is bounded by globalOutstandingLimit only";
const NO_CONNECTION_THROTTLE: &str =
    "it shapes load and keeps nobody out; connections are bounded by maxClientCnxns and maxCnxns only";

const MS: Kind = Kind::Decoded(0, INT, "milliseconds");
const ANY: Kind = Kind::Decoded(-INT, INT, "");
const KIB: Kind = Kind::Decoded(-INT, INT, "KiB");

/// The rows, by subject.
pub(super) const ROWS: &[Setting] = &[
    // Requests and sessions.
    Setting::new("jute.maxbuffer", From::Bare, Kind::Decoded(1, INT, "bytes"), "1048575")
        .is(Effect::Sets(|draft, value| draft.config.peer.limits.max_frame = value.small()), "longest frame"),
    Setting::new("jute.maxbuffer.extrasize", From::Prefixed, Kind::Decoded(0, INT, "bytes"), "").is(
        Effect::Sets(|draft, value| draft.extra_size = Some(value.small().max(1024))),
        "what a field of a txn may have on top; unset: jute.maxbuffer, at least 1024",
    ),
    prefixed("globalOutstandingLimit", Kind::Decoded(1, INT, "requests"), "1000").is(
        Effect::Sets(|draft, value| draft.config.peer.limits.outstanding_requests = value.small()),
        "requests in process before reading pauses",
    ),
    prefixed("maxCnxns", Kind::Decoded(-INT, INT, "connections"), "0").is(
        Effect::Sets(|draft, value| {
            draft.config.peer.limits.connections = u32::try_from(value.signed()).unwrap_or(0);
        }),
        "connections in all; 0 or less: any number",
    ),
    prefixed("extendedTypesEnabled", Kind::Flag, "false").is(
        Effect::Sets(|draft, value| draft.config.peer.switches.extended_types = value.flag()),
        "TTL nodes",
    ),
    prefixed("emulate353TTLNodes", Kind::Flag, "false").is(
        Effect::Protects(
            Value::flag,
            "TTL nodes of 3.5.3 are not understood: their owners would be read as sessions",
        ),
        "TTL nodes as 3.5.3 encoded them",
    ),
    prefixed("enforceQuota", Kind::Flag, "false").is(
        Effect::Sets(|draft, value| draft.config.peer.switches.enforce_quota = value.flag()),
        "hard quotas refuse writes",
    ),
    prefixed("skipACL", Kind::YesNo, "no").is(
        Effect::Sets(|draft, value| draft.config.peer.switches.skip_acl = value.flag()),
        "no ACL is checked",
    ),
    prefixed("enableEagerACLCheck", Kind::Flag, "false")
        .is(Effect::Inert(OWN_ENSEMBLE), "learners check ACLs early"),
    prefixed("closeSessionTxn.enabled", Kind::Flag, "true").is(
        Effect::Sets(|draft, value| draft.config.peer.switches.close_session_txn = value.flag()),
        "closeSession lists its ephemerals in the log",
    ),
    prefixed("request_throttle_max_requests", ANY, "0")
        .is(Effect::Absent(positive, NO_THROTTLE), "requests in process before the throttler stalls; 0: off"),
    prefixed("request_throttle_stall_time", MS, "100")
        .is(Effect::Inert(NO_THROTTLE), "how long the throttler stalls"),
    prefixed("request_throttle_drop_stale", Kind::Flag, "true")
        .is(Effect::Inert(NO_THROTTLE), "the throttler drops stale requests"),
    prefixed("request_stale_connection_check", Kind::Flag, "true")
        .is(Effect::Inert(NO_THROTTLE), "requests of closed connections are stale"),
    prefixed("request_stale_latency_check", Kind::Flag, "false")
        .is(Effect::Inert(NO_THROTTLE), "requests older than the session timeout are stale"),
    prefixed("request_throttler.shutdownTimeout", MS, "10000")
        .is(Effect::Inert(NO_THROTTLE), "wait at shutdown"),
    prefixed("throttled_op_wait_time", ANY, "0")
        .is(Effect::Absent(positive, NO_THROTTLE), "requests that waited longer are refused; 0: off"),
    prefixed("largeRequestThreshold", ANY, "-1").is(
        Effect::Absent(positive, "large requests are counted like small ones"),
        "bytes that make a request large",
    ),
    prefixed("largeRequestMaxBytes", ANY, "104857600").is(
        Effect::Inert("large requests are counted like small ones"),
        "bytes of large requests in process",
    ),
    prefixed("connection_throttle_tokens", ANY, "0")
        .is(Effect::Absent(positive, NO_CONNECTION_THROTTLE), "tokens for new connections; 0: off"),
    prefixed("connection_throttle_*", Kind::Text, "")
        .is(Effect::Inert(NO_CONNECTION_THROTTLE), "how the connection throttle works"),
    prefixed("maxResponseCacheSize", ANY, "400").is(Effect::Inert(NO_CACHE), "cached replies"),
    prefixed("maxGetChildrenResponseCacheSize", ANY, "400")
        .is(Effect::Inert(NO_CACHE), "cached getChildren replies"),
    prefixed("intBufferStartingSizeBytes", ANY, "1024").is(Effect::Inert(OWN_LOOP), "first size of a buffer"),
    Setting::new("znode.container.checkIntervalMs", From::Bare, MS, "60000").is(
        Effect::Sets(|draft, value| {
            draft.config.peer.sequences.container_check_interval = Millis(value.number())
        }),
        "time between searches for empty containers and dead TTL nodes",
    ),
    Setting::new("znode.container.maxPerMinute", From::Bare, Kind::Decoded(1, INT, "nodes"), "10000").is(
        Effect::Sets(|draft, value| draft.config.peer.sequences.container_max_per_minute = value.small()),
        "containers removed in a minute",
    ),
    Setting::new("znode.container.maxNeverUsedIntervalMs", From::Bare, MS, "0").is(
        Effect::Sets(|draft, value| {
            draft.config.peer.sequences.container_max_never_used = Millis(value.number())
        }),
        "age at which a container that never had a child goes; 0: never",
    ),
    Setting::new("readonlymode.enabled", From::Bare, Kind::Flag, "false").is(
        Effect::Sets(|draft, value| draft.config.peer.switches.read_only_mode = value.flag()),
        "members serve reads without a quorum; allows isro",
    ),
    prefixed("watchManagerName", Kind::Text, "org.apache.zookeeper.server.watch.WatchManager")
        .is(Effect::Inert("there is one watch manager"), "class that keeps watches"),
    prefixed("watcherCleanThreadsNum", ANY, "2")
        .is(Effect::Inert(OWN_PIPELINE), "threads that forget dead watchers"),
    prefixed("watcherCleanThreshold", ANY, "1000")
        .is(Effect::Inert(OWN_PIPELINE), "dead watchers a cleaning"),
    prefixed("watcherCleanIntervalInSeconds", ANY, "600")
        .is(Effect::Inert(OWN_PIPELINE), "time between cleanings"),
    prefixed("maxInProcessingDeadWatchers", ANY, "-1")
        .is(Effect::Inert(OWN_PIPELINE), "dead watchers waiting"),
    prefixed("bitHashCacheSize", ANY, "10")
        .is(Effect::Inert(OWN_PIPELINE), "cache of the optimized watch manager"),
    // Network.
    prefixed("serverCnxnFactory", Kind::Text, "org.apache.zookeeper.server.NIOServerCnxnFactory")
        .is(Effect::Inert(OWN_LOOP), "class that accepts connections"),
    prefixed("nio.sessionlessCnxnTimeout", Kind::Decoded(1, INT, "milliseconds"), "10000").is(
        Effect::Sets(|draft, value| draft.config.peer.limits.handshake_timeout = Millis(value.number())),
        "how long a connection may live without a session",
    ),
    prefixed("nio.*", Kind::Text, "").is(Effect::Inert(OWN_LOOP), "threads and buffers of Java's NIO"),
    prefixed("netty.*", Kind::Text, "").is(Effect::Inert(OWN_LOOP), "Java's Netty"),
    prefixed("clientTcpKeepAlive", Kind::Flag, "false").is(
        Effect::Sets(|draft, value| draft.config.listen.tcp_keep_alive = value.flag()),
        "keep-alive on clients' sockets",
    ),
    prefixed("tcpKeepAlive", Kind::Flag, "false").is(
        Effect::Sets(|draft, value| draft.member.tcp_keep_alive = value.flag()),
        "keep-alive on sockets between servers",
    ),
    prefixed("4lw.commands.whitelist", Kind::Text, "srvr").is(
        Effect::Sets(|draft, value| draft.config.four_letter = four_letter_whitelist(value.text())),
        "four-letter words that are answered, separated by commas; `*`: all; srvr always is",
    ),
    // Pipeline and disk.
    prefixed("snapCount", Kind::Decoded(-INT, INT, "txns"), "100000").is(
        Effect::Sets(|draft, value| draft.raise_snap_count(value.signed())),
        "txns between snapshots (from half of it to all of it); less than 2 becomes 2",
    ),
    prefixed("snapSizeLimitInKb", KIB, "4194304").is(
        Effect::Sets(|draft, value| draft.config.peer.sequences.snap_size = kib(value)),
        "bytes of log between snapshots; 0 or less: no limit",
    ),
    prefixed("preAllocSize", Kind::Number(-INT, INT, "KiB"), "65536").is(
        Effect::Sets(|draft, value| draft.config.storage.preallocate = kib(value)),
        "by how much a log grows ahead; 0 or less: not at all",
    ),
    prefixed("txnLogSizeLimitInKb", KIB, "-1").is(
        Effect::Sets(|draft, value| draft.config.storage.log_size_limit = kib(value)),
        "size at which a log is rolled; 0 or less: none",
    ),
    prefixed("forceSync", Kind::YesNo, "yes").is(
        Effect::Sets(|draft, value| draft.set_force_sync(value.flag())),
        "a write is synced before it is answered; no: a power loss takes acknowledged writes",
    ),
    Setting::new("fsync.warningthresholdms", From::Either, MS, "1000").is(
        Effect::Sets(|draft, value| draft.config.storage.fsync_warning = Millis(value.number())),
        "a slower sync is logged",
    ),
    prefixed("flushDelay", MS, "0")
        .is(Effect::Inert("a batch is what gathered while the last sync ran"), "wait for a batch"),
    prefixed("maxWriteQueuePollTime", MS, "0")
        .is(Effect::Inert("a batch is what gathered while the last sync ran"), "wait for a write"),
    prefixed("maxBatchSize", ANY, "1000").is(Effect::Inert("a batch is bounded by bytes"), "txns in a batch"),
    prefixed("commitLogCount", ANY, "500").is(
        Effect::Sets(|draft, value| {
            draft.member.commit_log_count = usize::try_from(value.signed()).unwrap_or(0);
        }),
        "recent txns kept in memory for learners",
    ),
    prefixed("snapshotSizeFactor", Kind::Decimal, "0.33")
        .is(Effect::Inert(OWN_ENSEMBLE), "log or snapshot to a learner"),
    prefixed("snapshot.compression.method", Kind::OneOf(&["", "gz", "snappy"]), "").is(
        Effect::Sets(|draft, value| {
            draft.config.storage.compression = match value.text() {
                "gz" => SnapshotCompression::Gzip,
                "snappy" => SnapshotCompression::Snappy,
                _ => SnapshotCompression::None,
            }
        }),
        "compression of snapshots",
    ),
    prefixed("snapshot.trust.empty", Kind::Flag, "false").is(
        Effect::Sets(|draft, value| draft.config.storage.trust_empty = value.flag()),
        "logs without a snapshot are accepted",
    ),
    prefixed("serializeLastProcessedZxid.enabled", Kind::Flag, "true").is(
        Effect::Sets(|draft, value| draft.config.peer.switches.serialize_last_zxid = value.flag()),
        "snapshots end with their last zxid",
    ),
    prefixed("digest.enabled", Kind::Flag, "true").is(
        Effect::Sets(|draft, value| draft.config.peer.switches.digest = value.flag()),
        "the tree's digest is kept, logged and checked",
    ),
    prefixed("datadir.autocreate", Kind::Flag, "true").is(
        Effect::Sets(|draft, value| draft.config.storage.datadir_autocreate = value.flag()),
        "missing data directories are made",
    ),
    prefixed("db.autocreate", Kind::Flag, "true").is(
        Effect::Sets(|draft, value| draft.config.storage.db_autocreate = value.flag()),
        "an empty data directory is a new database",
    ),
    prefixed("commitProcessor.*", Kind::Text, "")
        .is(Effect::Inert(OWN_PIPELINE), "threads of the commit processor"),
    prefixed("pathStats.*", Kind::Text, "")
        .is(Effect::Inert("paths are not counted"), "log of the busiest paths"),
    // Quorum.
    prefixed("leaderServes", Kind::YesNo, "yes").is(
        Effect::Sets(|draft, value| draft.member.leader_serves = value.flag()),
        "a leader serves clients",
    ),
    prefixed("cnxTimeout", ANY, "5000").is(
        Effect::Sets(|draft, value| draft.member.set_dial_timeout(value.signed())),
        "how long a connect to another server may take; 0: any time",
    ),
    prefixed("quorumCnxnTimeoutMs", ANY, "-1").is(Effect::Inert(OWN_ENSEMBLE), "election read timeout"),
    prefixed("electionPortBindRetry", ANY, "3").is(
        Effect::Sets(|draft, value| draft.member.set_bind_attempts(value.signed())),
        "attempts to bind the ports for other servers, a second apart; 0: for ever",
    ),
    prefixed("fastleader.minNotificationInterval", Kind::Decoded(1, INT, "milliseconds"), "200").is(
        Effect::Sets(|draft, value| draft.member.election.min_interval = Millis(value.number())),
        "shortest notification pause",
    ),
    prefixed("fastleader.maxNotificationInterval", Kind::Decoded(1, INT, "milliseconds"), "60000").is(
        Effect::Sets(|draft, value| draft.member.election.max_interval = Millis(value.number())),
        "longest notification pause",
    ),
    Setting::new("leader.*", From::Either, Kind::Text, "")
        .is(Effect::Inert(OWN_ENSEMBLE), "how a leader works"),
    Setting::new("learner.*", From::Either, Kind::Text, "")
        .is(Effect::Inert(OWN_ENSEMBLE), "how a learner works"),
    Setting::new("follower.*", From::Either, Kind::Text, "")
        .is(Effect::Inert(OWN_ENSEMBLE), "how a follower works"),
    prefixed("observer.*", Kind::Text, "").is(Effect::Inert(OWN_ENSEMBLE), "how an observer works"),
    prefixed("observerMaster.sizeLimit", Kind::Decoded(1, INT, "bytes"), "33554432").is(
        Effect::Differs(
            |draft, value| {
                draft.member.observer_backlog_close = usize::try_from(value.signed()).unwrap_or(usize::MAX);
            },
            "of each observer, whose connection is closed beyond it; ZooKeeper's is of the txns that a follower keeps for all of them",
        ),
        "what may wait to be written to an observer of a follower",
    ),
    prefixed("observerMaster.*", Kind::Text, "")
        .is(Effect::Inert(OWN_ENSEMBLE), "how a follower serves observers"),
    prefixed("leaderConnectDelayDuringRetryMs", ANY, "100")
        .is(Effect::Inert(OWN_ENSEMBLE), "pause between connects"),
    prefixed("forceSnapshotSync", Kind::Flag, "false")
        .is(Effect::Inert(OWN_ENSEMBLE), "learners always get snapshots"),
    prefixed("forward_learner_requests_to_commit_processor_disabled", Kind::Flag, "false")
        .is(Effect::Inert(OWN_ENSEMBLE), "path of learners' requests"),
    prefixed("messageTracker.*", Kind::Text, "")
        .is(Effect::Inert(OWN_ENSEMBLE), "buffer of recent quorum packets"),
    // What scripts pass on, though no server reads it.
    prefixed("root.logger", Kind::Text, "").is(Effect::Inert(OWN_LOG), "level and appenders of log4j"),
    prefixed("console.threshold", Kind::Text, "").is(Effect::Inert(OWN_LOG), "level of the console"),
    prefixed("log.dir", Kind::Text, "").is(Effect::Inert(OWN_LOG), "directory of the log file"),
    prefixed("log.file", Kind::Text, "").is(Effect::Inert(OWN_LOG), "name of the log file"),
    prefixed("log.threshold", Kind::Text, "").is(Effect::Inert(OWN_LOG), "level of the log file"),
    prefixed("log.maxfilesize", Kind::Text, "")
        .is(Effect::Inert(OWN_LOG), "size at which the log file is rolled"),
    prefixed("log.maxbackupindex", Kind::Text, "").is(Effect::Inert(OWN_LOG), "log files kept"),
    prefixed("client.secure", Kind::Flag, "false").is(Effect::Inert(CLIENTS), "clients speak TLS"),
    prefixed("clientCnxnSocket", Kind::Text, "").is(Effect::Inert(CLIENTS), "class of a client's socket"),
    prefixed("disableAutoWatchReset", Kind::Flag, "false")
        .is(Effect::Inert(CLIENTS), "clients set no watches again"),
    prefixed("request.timeout", ANY, "0").is(Effect::Inert(CLIENTS), "how long a client waits"),
    prefixed("jmx.log4j.disable", Kind::Flag, "false").is(Effect::Inert("there is no JMX"), "log4j beans"),
];

const fn prefixed(key: &'static str, kind: Kind, default: &'static str) -> Setting {
    Setting::new(key, From::Prefixed, kind, default)
}

/// Whether a limit that 0 switches off is on.
fn positive(value: &Value) -> bool {
    value.signed() > 0
}

/// KiB as bytes; less than none is none.
fn kib(value: &Value) -> u64 {
    u64::try_from(value.signed()).unwrap_or(0) * 1024
}

fn four_letter_whitelist(text: &str) -> FourLetterWhitelist {
    let words = || text.split(',').map(str::trim).filter(|word| !word.is_empty());
    match words().any(|word| word == "*") {
        true => FourLetterWhitelist::All,
        false => FourLetterWhitelist::Only(words().chain(["srvr"]).map(str::to_owned).collect()),
    }
}
