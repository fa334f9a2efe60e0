//! What disks take away that was synced: when the power goes, what they have lied about; while a server is down, what rots. What a quorum
//! can't bear does not happen.

use super::server::Server;
use super::{Event, World};
use crate::chooser::{Choice, Draws};
use crate::oracle::Cause;
use quorate_storage_file::RecoveryError;

const MS: u64 = 1_000_000;
/// How long it takes until somebody looks after a server that refuses its disk.
const REPLACE_NS: u64 = 1500 * MS;

impl World<'_> {
    /// The power is about to go: what the disk has lied about may go with it, or it had come to the disk after all.
    pub(super) fn judge_lies(&mut self, server: usize) {
        let Server { disk, ensemble, .. } = &mut self.servers[server];
        let lies = disk.lies();
        if ensemble.is_none() {
            // A server alone has nobody to get it from: what comes back is all there is.
            return self.oracle.views[server].loses_power(lies);
        }
        if !lies.any() {
            return;
        }
        if self.oracle.may_lose_lies(server, disk) {
            self.oracle.loses_lies(server, lies);
        } else {
            disk.make_good();
            self.counters.probe("lie_kept_for_the_quorum");
        }
    }

    /// Before a restart: something rots that was synced.
    pub(super) fn maybe_rot(&mut self, server: usize) {
        let key = self.life(server).key();
        for (number, place) in std::mem::take(&mut self.servers[server].troubles.rots).into_iter().enumerate()
        {
            let Server { disk, missing_disk, .. } = &mut self.servers[server];
            if missing_disk.is_some() || !self.oracle.may_rot(server, disk) {
                self.counters.probe("rot_kept_for_the_quorum");
                continue;
            }
            let mut draws = Draws::new(&mut *self.chooser, Choice::Rot, (key, number as u64));
            let floor = self.oracle.views[server].ledger.floor;
            let Some(spared) = disk.rot(place, floor, &mut draws) else { continue };
            self.counters.fault("bit_rot");
            self.note_at(server, "rot", [place as u64, 0, 0]);
            self.oracle.rots(server, spared);
        }
    }

    /// A server refuses to start over what is left of its disk: somebody puts an empty one in its place.
    pub(super) fn refuses_its_disk(&mut self, server: usize, cause: Cause, refusal: &RecoveryError) {
        self.note_at(server, "refuses its disk", [0; 3]);
        self.trace.words(|| refusal.to_string());
        self.counters.probe(match cause {
            Cause::Lie => "lie_refused_in_ensemble",
            Cause::Rot => "rot_refused",
        });
        self.servers[server].foreign_disk = Some(Box::default());
        self.process_gone(server, true);
        self.schedule(self.now + REPLACE_NS, Event::Restart { life: self.life(server) });
    }
}
