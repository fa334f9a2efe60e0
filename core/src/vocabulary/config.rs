//! What an operator can set of a peer, parsed: the adapter reads zoo.cfg, the core gets values.
//!
//! Defaults are ZooKeeper 3.9's (`operations.md` §2).

use super::{Millis, ServerId};

/// The configuration of one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerConfig {
    /// Top byte of the session ids this server makes: `myid`, 1 for a standalone server.
    pub server_id: ServerId,
    /// `tickTime`; also the width of the expiry buckets.
    pub tick_time: Millis,
    /// `minSessionTimeout` (default twice the tick).
    pub min_session_timeout: Millis,
    /// `maxSessionTimeout` (default twenty ticks).
    pub max_session_timeout: Millis,
    /// Things that are on or off.
    pub switches: Switches,
    /// Sizes and counts that must not be passed.
    pub limits: Limits,
    /// Snapshot, purge and reaper rhythms.
    pub sequences: Sequences,
    /// `DigestAuthenticationProvider.superDigest`: `super:<base64 of SHA-1>`.
    pub super_digest: Option<String>,
}

/// Settings that are on or off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switches {
    /// `extendedTypesEnabled`: TTL nodes.
    pub extended_types: bool,
    /// `enforceQuota`: hard quotas refuse writes.
    pub enforce_quota: bool,
    /// `skipACL=yes`: no ACL is checked.
    pub skip_acl: bool,
    /// `digest.enabled`: the tree digest is kept, logged and snapshotted.
    pub digest: bool,
    /// `serializeLastProcessedZxid.enabled`: the last section of a snapshot.
    pub serialize_last_zxid: bool,
    /// `closeSessionTxn.enabled`: closeSession lists its ephemerals.
    pub close_session_txn: bool,
    /// `reconfigEnabled`. On a standalone server reconfig then answers -6 instead of -123.
    pub reconfig: bool,
    /// `DigestAuthenticationProvider.enabled`.
    pub digest_auth: bool,
    /// `readonlymode.enabled`.
    pub read_only_mode: bool,
    /// `localSessionsEnabled`: a member of an ensemble makes sessions that it alone knows of.
    pub local_sessions: bool,
    /// `localSessionsUpgradingEnabled`: such a session becomes the ensemble's when it wants an ephemeral.
    pub local_sessions_upgrading: bool,
}

/// Settings that bound something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `jute.maxbuffer`: the longest frame a client may send, bytes.
    pub max_frame: u32,
    /// `jute.maxbuffer.extrasize`: what a field may have on top, and what a txn may have on top of a frame.
    pub extra_size: u32,
    /// `globalOutstandingLimit`: requests in process before reading pauses.
    pub outstanding_requests: u32,
    /// `maxClientCnxns`: connections from one address, 0 for any number.
    pub connections_per_address: u32,
    /// `maxCnxns`: connections in all, 0 for any number.
    pub connections: u32,
    /// Reply bytes that may wait for one slow reader before it is held back (its requests are not read).
    pub backlog_pause: usize,
    /// Reply bytes that may wait for one slow reader before it is closed.
    pub backlog_close: usize,
    /// Data of a node that is at least so many bytes long is sent from where it is kept, without a copy.
    pub share_from: usize,
    /// `nio.sessionlessCnxnTimeout`: how long a connection may live without a session.
    pub handshake_timeout: Millis,
    /// Free bytes on the log's disk below which writes that grow the data are refused.
    pub free_space_low: u64,
    /// Free bytes above which they are accepted again.
    pub free_space_high: u64,
}

/// Settings that say when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequences {
    /// `snapCount`: txns in a log before a snapshot is taken (between half of it and all of it).
    pub snap_count: u32,
    /// `snapSizeLimitInKb` in bytes, 0 for no limit: log bytes before a snapshot.
    pub snap_size: u64,
    /// `znode.container.checkIntervalMs`.
    pub container_check_interval: Millis,
    /// `znode.container.maxPerMinute`.
    pub container_max_per_minute: u32,
    /// `znode.container.maxNeverUsedIntervalMs`; 0 for never.
    pub container_max_never_used: Millis,
    /// How many snapshots are kept when a new one is durable; 0 keeps all.
    pub retain_snapshots: u32,
    /// What the snapshots kept may take together with their logs before fewer are kept, down to one; 0 for any.
    pub retain_bytes: u64,
    /// So many sessions and ephemerals may be on their way out by expiry before the next session follows: thousands at once do
    /// not stop the world.
    pub expiries_under_way: usize,
}

impl PeerConfig {
    /// ZooKeeper's defaults at this tick time for a standalone server.
    pub fn standalone(tick_time: Millis) -> Self {
        PeerConfig {
            server_id: ServerId(1),
            tick_time,
            min_session_timeout: Millis(tick_time.0 * 2),
            max_session_timeout: Millis(tick_time.0 * 20),
            switches: Switches::default(),
            limits: Limits::default(),
            sequences: Sequences::default(),
            super_digest: None,
        }
    }
}

impl Default for Switches {
    fn default() -> Self {
        Switches {
            extended_types: false,
            enforce_quota: false,
            skip_acl: false,
            digest: true,
            serialize_last_zxid: true,
            close_session_txn: true,
            reconfig: false,
            digest_auth: true,
            read_only_mode: false,
            local_sessions: false,
            local_sessions_upgrading: false,
        }
    }
}

impl Limits {
    /// The longest field a record may have, and the longest txn that may be logged: what the reader of the log accepts.
    pub fn max_field(&self) -> u32 {
        self.max_frame.saturating_add(self.extra_size).min(i32::MAX as u32)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_frame: 0xf_ffff,
            extra_size: 0xf_ffff,
            outstanding_requests: 1000,
            connections_per_address: 60,
            connections: 0,
            backlog_pause: 1 << 20,
            backlog_close: 64 << 20,
            share_from: 16 << 10,
            handshake_timeout: Millis(10_000),
            free_space_low: 8 << 20,
            free_space_high: 16 << 20,
        }
    }
}

impl Default for Sequences {
    fn default() -> Self {
        Sequences {
            snap_count: 100_000,
            snap_size: 4_194_304 * 1024,
            container_check_interval: Millis(60_000),
            container_max_per_minute: 10_000,
            container_max_never_used: Millis(0),
            retain_snapshots: 3,
            retain_bytes: 16 << 30,
            expiries_under_way: 200,
        }
    }
}
