//! Servers as members of an ensemble: how each is configured, how it starts, and disks that are not its own.

use super::World;
use super::server::{Process, Server};
use super::wires::id;
use crate::disk::SimDisk;
use crate::oracle::Ledger;
use crate::plan::EnsemblePlan;
use quorate_core::peer::Mode;
use quorate_core::quorum::{
    ConfigVersion, ElectionTimes, EnsembleConfig, Membership, Role, Server as Line, ServerAddresses,
    ServerSet,
};
use quorate_core::vocabulary::Millis;
use quorate_storage_file::{Directory, Disk as _, FileName};
use std::collections::BTreeMap;

/// A disk as it was, or as it comes from the shop, and what was known of it then.
#[derive(Debug, Default)]
pub(super) struct ForeignDisk {
    pub(super) disk: SimDisk,
    pub(super) ledger: Ledger,
}

/// What says that an empty disk is a new database.
pub(super) fn initialize() -> FileName {
    FileName { directory: Directory::LogRoot, name: "initialize".to_string() }
}

fn is_blank(disk: &mut SimDisk) -> bool {
    [Directory::LogRoot, Directory::Snap, Directory::Log]
        .into_iter()
        .all(|directory| disk.list(directory).is_ok_and(|entries| entries.is_empty()))
}

/// The configuration of one of the servers.
pub(super) fn ensemble_config(plan: &EnsemblePlan, index: usize) -> EnsembleConfig {
    let role = |index: usize| if index < plan.voters as usize { Role::Participant } else { Role::Observer };
    let line = |index: usize| Line {
        addresses: vec![ServerAddresses {
            host: format!("10.0.0.{}", index + 1),
            quorum_port: 2888,
            election_port: 3888,
        }],
        role: role(index),
        client: None,
    };
    let lines: BTreeMap<_, _> = (0..plan.servers()).map(|index| (id(index), line(index))).collect();
    let groups = plan.groups.iter().enumerate().map(|(number, group)| {
        (number as i64 + 1, group.iter().map(|server| id(*server as usize)).collect::<ServerSet>())
    });
    let weights = plan.weights.iter().enumerate().map(|(index, weight)| (id(index), *weight));
    let membership = Membership::new(ConfigVersion::default(), lines, groups.collect(), weights.collect())
        .expect("a plan has a server that votes, and every such server in one group");
    let mut config = EnsembleConfig::new(membership, role(index));
    (config.init_limit, config.sync_limit) = (plan.init_limit, plan.sync_limit);
    config.commit_log_count = plan.commit_log_count as usize;
    (config.observer_masters, config.last_counter) = (plan.observer_masters, plan.last_counter);
    config.election = ElectionTimes {
        min_interval: Millis(plan.min_notification_ms),
        max_interval: Millis(plan.max_notification_ms),
        finalize_wait: Millis(plan.finalize_wait_ms),
        avoid: Millis(plan.avoid_ms),
    };
    config
}

impl Process {
    pub(super) fn is_leading(&self) -> bool {
        let status = self.peer.status();
        status.is_serving() && status.mode() == Mode::Leader
    }
}

impl Server {
    pub(super) fn take_backup(&mut self, fault: usize) -> Option<ForeignDisk> {
        let place = self.backups.iter().position(|(index, _)| *index == fault)?;
        Some(self.backups.remove(place).1)
    }
}

impl World<'_> {
    /// Whoever leads, as far as it knows, of several the one of the newest epoch.
    pub(super) fn leader(&self) -> Option<usize> {
        let process = |server: &'_ Server| {
            let process = server.running().filter(|process| process.is_leading())?;
            process.peer.status().epochs().map(|epochs| epochs.current)
        };
        let leaders = self.servers.iter().enumerate();
        let leaders = leaders.filter_map(|(index, server)| Some((process(server)?, index)));
        leaders.max().map(|(_, index)| index)
    }

    /// A disk as it would be found behind a power loss now.
    pub(super) fn back_up(&mut self, server: usize) -> ForeignDisk {
        let mut disk = self.servers[server].disk.clone();
        let life = self.life(server).key();
        // What is known of it is what it has said.
        disk.make_good();
        disk.lose_power(&mut *self.chooser, life | 1 << 60);
        let mut ledger = self.oracle.views[server].ledger.clone();
        ledger.disk_says(false);
        ForeignDisk { disk, ledger }
    }

    /// It did not start on an empty disk, of which nobody has said that it is new: now somebody says so, if a quorum may lose what was on
    /// its own; else that is found again.
    pub(super) fn bring_a_disk(&mut self, server: usize) {
        self.counters.probe("empty_disk_refused");
        let Some(mut own) = self.servers[server].missing_disk.take() else { return };
        if self.oracle.may_forget(server) {
            self.counters.fault("empty_disk");
            self.servers[server].disk.install(&initialize(), &[]);
            self.oracle.forgets(server, Ledger::default());
        } else {
            self.counters.probe("disk_kept_for_the_quorum");
            own.set_capacity(u64::MAX);
            self.servers[server].disk = *own;
        }
    }

    /// Before a restart: another disk is in the machine, if a quorum may lose what was on this one.
    pub(super) fn maybe_change_disk(&mut self, server: usize) {
        let Some(mut foreign) = self.servers[server].foreign_disk.take() else { return };
        let machine = &mut self.servers[server];
        if let Some(own) = machine.missing_disk.take() {
            machine.disk = *own;
        }
        if !machine.autocreates() && is_blank(&mut foreign.disk) {
            // It has to refuse to start on it, whatever it had promised on its own.
            machine.missing_disk = Some(Box::new(std::mem::replace(&mut machine.disk, foreign.disk)));
            return self.note_at(server, "its disk is missing", [0; 3]);
        }
        if !self.oracle.may_forget(server) {
            self.counters.probe("disk_kept_for_the_quorum");
            return;
        }
        let is_empty = foreign.ledger.is_new();
        self.counters.fault(if is_empty { "empty_disk" } else { "old_disk" });
        self.note_at(server, "another disk", [0; 3]);
        self.servers[server].disk = foreign.disk;
        self.oracle.forgets(server, foreign.ledger);
    }
}
