//! A configuration while it is being read: what rows of the table have set so far, and what can only be judged when all
//! of them have spoken.

use super::member::MemberDraft;
use super::membership::Membership;
use super::settings::Refusal;
use super::{Notice, NoticeLevel, ServerConfig};
use quorate_core::quorum::Role;
use quorate_core::vocabulary::Millis;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

/// See the module's words.
#[derive(Debug)]
pub struct Draft {
    /// What needs no second thought is set here at once.
    pub(super) config: ServerConfig,
    /// `dataDir`.
    pub(super) data_dir: Option<PathBuf>,
    /// `dataLogDir`.
    pub(super) data_log_dir: Option<PathBuf>,
    /// `clientPort`, 0 being none.
    pub(super) client_port: Option<u16>,
    /// `minSessionTimeout`, unless -1.
    pub(super) min_session_timeout: Option<Millis>,
    /// `maxSessionTimeout`, unless -1.
    pub(super) max_session_timeout: Option<Millis>,
    /// `jute.maxbuffer.extrasize`.
    pub(super) extra_size: Option<u32>,
    /// `autopurge.snapRetainCount`.
    pub(super) snap_retain_count: u32,
    /// Whether somebody has set it.
    pub(super) snap_retain_count_is_set: bool,
    /// `retention.maxMb` in bytes.
    pub(super) retain_bytes: Option<u64>,
    /// Whether `autopurge.purgeInterval` is anything but 0.
    pub(super) purge: bool,
    /// `freeSpace.resumeMb` in bytes.
    pub(super) resume_space: Option<u64>,
    /// `standaloneEnabled`.
    pub(super) standalone_enabled: bool,
    /// What matters in an ensemble.
    pub(super) member: MemberDraft,
}

/// A refusal, and the key it is about.
pub(super) type KeyRefusal = (&'static str, Refusal);

impl Draft {
    /// Nothing set yet; the table's defaults come first.
    pub(super) fn new() -> Self {
        let mut config = ServerConfig::standalone(PathBuf::new(), 0);
        config.listen.address = None;
        Draft {
            config,
            data_dir: None,
            data_log_dir: None,
            client_port: None,
            min_session_timeout: None,
            max_session_timeout: None,
            extra_size: None,
            snap_retain_count: 3,
            snap_retain_count_is_set: false,
            retain_bytes: None,
            purge: true,
            resume_space: None,
            standalone_enabled: true,
            member: MemberDraft::new(),
        }
    }

    /// `autopurge.snapRetainCount`, raised to 3 as ZooKeeper raises it.
    pub(super) fn raise_snap_retain_count(&mut self, count: i64) {
        if count < 3 {
            self.notice(
                NoticeLevel::Warn,
                format!("Invalid autopurge.snapRetainCount: {count}. Defaulting to 3"),
            );
        }
        self.snap_retain_count = u32::try_from(count.max(3)).unwrap_or(u32::MAX);
    }

    /// `snapCount`, raised to 2 as ZooKeeper raises it.
    pub(super) fn raise_snap_count(&mut self, count: i64) {
        if count < 2 {
            self.notice(
                NoticeLevel::Warn,
                format!("snapCount should be 2 or more, not {count}. Now, snapCount is reset to 2"),
            );
        }
        self.config.peer.sequences.snap_count = u32::try_from(count.max(2)).unwrap_or(u32::MAX);
    }

    /// `forceSync`.
    pub(super) fn set_force_sync(&mut self, force: bool) {
        if !force {
            self.notice(
                NoticeLevel::Warn,
                "forceSync=no: a power loss takes acknowledged writes with it".to_owned(),
            );
        }
        self.config.storage.force_sync = force;
    }

    /// Adds something the operator should hear.
    pub(super) fn notice(&mut self, level: NoticeLevel, text: String) {
        self.config.notices.push(Notice { level, text });
    }

    /// What is left to judge once every row has spoken; the configuration is whole when nothing is returned.
    pub(super) fn judge(&mut self, membership: &Membership) -> Vec<KeyRefusal> {
        let mut refusals = Vec::new();
        self.judge_directories(&mut refusals);
        self.judge_timeouts(&mut refusals);
        self.judge_membership(membership, &mut refusals);
        self.judge_listen(&mut refusals);
        let switches = &self.config.peer.switches;
        if let super::FourLetterWhitelist::Only(words) = &mut self.config.four_letter
            && switches.read_only_mode
        {
            words.insert("isro".to_owned());
        }
        let limits = &mut self.config.peer.limits;
        limits.extra_size = self.extra_size.unwrap_or(limits.max_frame.max(1024));
        if limits.backlog_close < limits.backlog_pause {
            refusals
                .push(("client.backlogCloseBytes", Refusal::new("smaller than client.backlogPauseBytes")));
        }
        limits.free_space_high = self.resume_space.unwrap_or(limits.free_space_low.saturating_mul(2));
        if limits.free_space_high < limits.free_space_low {
            refusals.push(("freeSpace.resumeMb", Refusal::new("smaller than freeSpace.lowMb")));
        }
        let sequences = &mut self.config.peer.sequences;
        sequences.retain_snapshots = if self.purge { self.snap_retain_count } else { 0 };
        match self.retain_bytes {
            Some(bytes) => sequences.retain_bytes = bytes,
            // Whoever has said how many snapshots to keep gets as many.
            None if self.snap_retain_count_is_set => sequences.retain_bytes = 0,
            None => {}
        }
        refusals
    }

    fn judge_directories(&mut self, refusals: &mut Vec<KeyRefusal>) {
        let Some(data_dir) = self.data_dir.clone() else {
            refusals.push(("dataDir", Refusal::new("dataDir is not set").expected("dataDir=<directory>")));
            return;
        };
        let log_dir = self.data_log_dir.clone().unwrap_or_else(|| data_dir.clone());
        for (key, dir) in [("dataDir", Some(&data_dir)), ("dataLogDir", self.data_log_dir.clone().as_ref())] {
            if let Some(dir) = dir.filter(|dir| dir.is_relative() && self.config.source.file.is_some()) {
                let text =
                    format!("{key}={} is relative to the directory the server is started in", dir.display());
                self.notice(NoticeLevel::Warn, text);
            }
        }
        self.config.storage.data_dir = absolute(&data_dir);
        self.config.storage.data_log_dir = absolute(&log_dir);
    }

    fn judge_timeouts(&mut self, refusals: &mut Vec<KeyRefusal>) {
        let peer = &mut self.config.peer;
        peer.min_session_timeout = self.min_session_timeout.unwrap_or(Millis(peer.tick_time.0 * 2));
        peer.max_session_timeout = self.max_session_timeout.unwrap_or(Millis(peer.tick_time.0 * 20));
        if peer.min_session_timeout > peer.max_session_timeout {
            let (min, max) = (peer.min_session_timeout.0, peer.max_session_timeout.0);
            let refusal = Refusal::new("minSessionTimeout must not be larger than maxSessionTimeout");
            refusals.push(("minSessionTimeout", refusal.expected(format!("at most {max}, not {min}"))));
        }
    }

    /// A single `server.N` line makes a standalone server, unless that is forbidden; several make a member of an ensemble.
    fn judge_membership(&mut self, membership: &Membership, refusals: &mut Vec<KeyRefusal>) {
        let participants = membership.count(Role::Participant);
        let observers = membership.count(Role::Observer);
        let refuse = |text: &str| ("server.*", Refusal::new(text));
        match (participants, observers) {
            (0, 0) if self.standalone_enabled => {}
            (0, 0) => {
                let text = "standaloneEnabled = false then number of participants should be >0";
                refusals.push(("standaloneEnabled", Refusal::new(text)));
            }
            (0, _) => refusals.push(refuse("Observers w/o participants is an invalid configuration")),
            (1, 1..) if self.standalone_enabled => {
                refusals.push(refuse("Observers w/o quorum is an invalid configuration"));
            }
            (1, _) if self.standalone_enabled => {
                let text = "Invalid configuration, only one server specified (ignoring)";
                self.notice(NoticeLevel::Error, text.to_owned());
                self.take_client_address(membership, refusals);
            }
            _ => self.judge_member(membership, refusals),
        }
    }

    fn judge_member(&mut self, membership: &Membership, refusals: &mut Vec<KeyRefusal>) {
        let member = self.member.judge(membership, &self.config.storage.data_dir, refusals);
        let Some((me, member)) = member else { return };
        if member.ensemble.role != self.member.role && member.ensemble.membership.server(me).is_some() {
            let text = format!(
                "peerType says that this server is {}, its line in the list of servers that it is {}: the line counts",
                role_name(self.member.role),
                role_name(member.ensemble.role)
            );
            self.notice(NoticeLevel::Warn, text);
        }
        self.config.peer.server_id = me;
        self.config.member = Some(member);
        self.take_client_address(membership, refusals);
    }

    /// The part of the server line behind the semicolon says where clients connect. Which line is this server's own, `myid`
    /// says; without one it is the only line there is, unless the port is stated elsewhere.
    fn take_client_address(&mut self, membership: &Membership, refusals: &mut Vec<KeyRefusal>) {
        let myid = super::evaluation::myid(&self.config.storage.data_dir);
        let named = match myid {
            Some(id) => membership.client_address(id).map(|(host, port)| (id, host, port)),
            None if self.client_port.is_none() => membership.sole_client_address(),
            None => None,
        };
        let Some((id, host, port)) = named else { return };
        let address = match super::settings::resolve(host) {
            Ok(address) => Some(address).filter(|address| !address.is_unspecified()),
            Err(refusal) => return refusals.push(("server.*", refusal)),
        };
        let stated = self.client_port.map(|port| (self.config.listen.address, port));
        if let Some((stated_address, stated_port)) = stated
            && (stated_port != port
                || (stated_address.is_some() && address.is_some() && stated_address != address))
        {
            refusals.push((
                "clientPort",
                Refusal::new(format!(
                    "client address for this server (id = {id}) in static config file is {}:{stated_port} is different from client address found in dynamic file: {host}:{port}",
                    stated_address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
                )),
            ));
        }
        self.client_port = Some(port);
        self.config.listen.address = address.or(self.config.listen.address);
    }

    fn judge_listen(&mut self, refusals: &mut Vec<KeyRefusal>) {
        self.config.listen.port = self.client_port;
        if self.client_port.is_none() && self.config.listen.address.is_some() {
            let refusal = Refusal::new("clientPortAddress is set but clientPort is not set");
            refusals.push(("clientPortAddress", refusal.expected("clientPort=<port> too")));
        } else if self.client_port.is_none() && refusals.is_empty() {
            self.notice(
                NoticeLevel::Warn,
                "clientPort is not set: the server will run, but serve nobody".to_owned(),
            );
        }
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Participant => "a participant",
        Role::Observer => "an observer",
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
