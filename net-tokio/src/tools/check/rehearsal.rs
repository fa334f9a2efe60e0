//! A start, rehearsed: the ports are tried, and recovery runs over the data as a start would run it, with nothing changed.

use super::pretended_disk::PretendedDisk;
use crate::config::{MemberConfig, ServerConfig};
use crate::metrics;
use crate::server::{BoundPort, BoundPorts, about_port, about_recovery, lost_ttl_nodes, recovery_options};
use quorate_core::vocabulary::{Entropy, ServerId};
use quorate_storage_file::Recovery;
use std::io;
use std::net::SocketAddr;

/// What a start would come to.
#[derive(Debug, Default)]
pub(super) struct Rehearsal {
    /// What recovery would find and do, one thing a line.
    pub(super) findings: Vec<String>,
    /// Why the server would not start.
    pub(super) problems: Vec<String>,
    /// What would go otherwise than expected, or stands in the way for now.
    pub(super) warnings: Vec<String>,
}

/// Rehearses a start as configured; without the data when a server that runs is changing it.
pub(super) fn rehearse(config: &ServerConfig, with_data: bool) -> Rehearsal {
    let mut rehearsal = Rehearsal::default();
    rehearsal.try_port("clientPort", BoundPort::bind(&config.listen).map(drop));
    rehearsal.try_port("metricsProvider.httpPort", metrics::bind(&config.metrics).map(drop));
    if let Some(member) = &config.member {
        rehearsal.try_member(member, config.peer.server_id);
    }
    if with_data {
        rehearsal.recover(config);
    }
    rehearsal
}

impl Rehearsal {
    fn try_port(&mut self, key: &'static str, taken: Result<(), (SocketAddr, io::Error)>) {
        match taken {
            Ok(()) => {}
            Err((address, error)) if error.kind() == io::ErrorKind::AddrInUse => self.warnings.push(format!(
                "{key}: {address} is in use; if that is the server whose data this is, what was read of it may be changing: stop it \
                 before this one is started"
            )),
            Err((address, error)) => self.problems.push(about_port(key, address, &error)),
        }
    }

    fn try_member(&mut self, member: &MemberConfig, me: ServerId) {
        if member.ensemble.membership.server(me).is_none() {
            self.problems.push(format!("My id {} not in the peer list", me.0));
        }
        match BoundPorts::bind(member, me) {
            Ok(_) => {}
            Err(problem) if problem.is_in_use() => self.warnings.push(problem.to_string()),
            Err(problem) => self.problems.push(problem.to_string()),
        }
    }

    fn recover(&mut self, config: &ServerConfig) {
        // Which order hash tables have is of no interest here.
        let entropy = Entropy::new(0, config.peer.server_id, 0);
        let recovery = Recovery::new(recovery_options(config, entropy));
        let mut disk = PretendedDisk::new(&config.storage.data_dir, &config.storage.data_log_dir);
        match recovery.run(&mut disk) {
            Ok(recovered) => {
                self.findings = recovered.report.to_string().lines().map(str::to_owned).collect();
                self.warnings.extend(lost_ttl_nodes(&recovered.database));
            }
            Err(error) => self.problems.push(about_recovery(&error, &config.storage)),
        }
    }
}
