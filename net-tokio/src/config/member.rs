//! What is set of a member of an ensemble, and the member that it makes together with the lines of the membership and `myid`.

use super::draft::KeyRefusal;
use super::membership::Membership;
use super::settings::Refusal;
use super::{MemberConfig, evaluation};
use quorate_core::quorum::{ElectionTimes, EnsembleConfig, Role};
use quorate_core::vocabulary::{Millis, ServerId};
use std::path::Path;

/// ZooKeeper's default of `electionPortBindRetry`, which a negative number stands for too.
const BIND_ATTEMPTS: u32 = 3;
/// A dial that nobody limits is given up all the same.
const LONGEST_DIAL: Millis = Millis(3_600_000);

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) struct MemberDraft {
    /// `initLimit`.
    pub(super) init_limit: Option<u32>,
    /// `syncLimit`.
    pub(super) sync_limit: Option<u32>,
    /// `peerType`.
    pub(super) role: Role,
    /// `leaderServes`.
    pub(super) leader_serves: bool,
    /// `syncEnabled`.
    pub(super) observer_logs: bool,
    /// `commitLogCount`.
    pub(super) commit_log_count: usize,
    /// `observerMasterPort`, unless 0.
    pub(super) observer_master_port: Option<u16>,
    /// `observerMaster.sizeLimit`.
    pub(super) observer_backlog_close: usize,
    /// `fastleader.*`.
    pub(super) election: ElectionTimes,
    /// `quorumListenOnAllIPs`.
    pub(super) listen_on_all_ips: bool,
    /// `electionPortBindRetry`.
    pub(super) bind_attempts: u32,
    /// `cnxTimeout`.
    pub(super) dial_timeout: Millis,
    /// `tcpKeepAlive`.
    pub(super) tcp_keep_alive: bool,
}

impl MemberDraft {
    /// Nothing set yet; the table's defaults come first.
    pub(super) fn new() -> Self {
        MemberDraft {
            init_limit: None,
            sync_limit: None,
            role: Role::Participant,
            leader_serves: true,
            observer_logs: true,
            commit_log_count: 0,
            observer_master_port: None,
            observer_backlog_close: 0,
            election: ElectionTimes::default(),
            listen_on_all_ips: false,
            bind_attempts: BIND_ATTEMPTS,
            dial_timeout: LONGEST_DIAL,
            tcp_keep_alive: false,
        }
    }

    /// `electionPortBindRetry`.
    pub(super) fn set_bind_attempts(&mut self, attempts: i64) {
        self.bind_attempts = u32::try_from(attempts).unwrap_or(BIND_ATTEMPTS);
    }

    /// `cnxTimeout`; 0 is none.
    pub(super) fn set_dial_timeout(&mut self, ms: i64) {
        self.dial_timeout = u64::try_from(ms).ok().filter(|ms| *ms > 0).map_or(LONGEST_DIAL, Millis);
    }

    /// The member with this `myid`, or what is missing for it. Its line of the membership says what it is, whatever `peerType` says.
    pub(super) fn judge(
        &self,
        membership: &Membership,
        data_dir: &Path,
        refusals: &mut Vec<KeyRefusal>,
    ) -> Option<(ServerId, MemberConfig)> {
        let before = refusals.len();
        let mut limit = |key, limit: Option<u32>| match limit.filter(|ticks| *ticks > 0) {
            Some(ticks) => ticks,
            None => {
                refusals.push((key, Refusal::new(format!("{key} is not set")).expected("a number of ticks")));
                0
            }
        };
        let (init_limit, sync_limit) =
            (limit("initLimit", self.init_limit), limit("syncLimit", self.sync_limit));
        let me = evaluation::myid(data_dir);
        if me.is_none() && !data_dir.join("myid").is_file() {
            let expected = format!("this server's number in {}", data_dir.join("myid").display());
            refusals.push(("dataDir", Refusal::new("myid file is missing").expected(expected)));
        }
        let me = me.and_then(|id| match u8::try_from(id) {
            Ok(id @ 0..=254) => Some(ServerId(id)),
            _ => {
                refusals.push(("dataDir", Refusal::new(format!("myid is {id}")).expected("0 to 254")));
                None
            }
        });
        let ensemble = membership.ensemble().map_err(|refusal| refusals.push(("server.*", refusal))).ok();
        let (me, ensemble) = me.zip(ensemble).filter(|_| refusals.len() == before)?;
        let role = ensemble.server(me).map_or(self.role, |server| server.role);
        let ensemble = EnsembleConfig {
            init_limit,
            sync_limit,
            leader_serves: self.leader_serves,
            observer_logs: self.observer_logs,
            commit_log_count: self.commit_log_count,
            observer_masters: self.observer_master_port.is_some(),
            observer_backlog_close: self.observer_backlog_close,
            election: self.election,
            ..EnsembleConfig::new(ensemble, role)
        };
        let config = MemberConfig {
            ensemble,
            observer_master_port: self.observer_master_port,
            listen_on_all_ips: self.listen_on_all_ips,
            bind_attempts: self.bind_attempts,
            dial_timeout: self.dial_timeout,
            tcp_keep_alive: self.tcp_keep_alive,
        };
        Some((me, config))
    }
}
