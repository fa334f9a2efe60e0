//! Power losses on real files: under a load of appends, snapshots, rolls and purges, what may be left of the files is taken at
//! random moments, and each of 1,000 such images must recover with every acknowledged txn, and nothing but logged ones
//! (`zab-invariants.md` D1–D4, D6).
//!
//! That the test can see anything is shown by two planted faults: a disk that swallows syncs, and one that swallows those of
//! directories. Absent: real power losses, which need a machine to cut; this shows what the calls promise, not what a device does.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod support;

use quorate_core::contract::{Lane, StoreOp, StoreSeq};
use quorate_core::vocabulary::Zxid;
use quorate_storage_file::log_format::Damage;
use quorate_storage_file::{
    Disk, FileName, OpenMode, Recovered, Recovery, RecoveryStep, Repair, StdDisk, StdDiskOptions, Step,
    Storage, TailProblem,
};
use std::collections::BTreeMap;
use std::path::Path;
use support::history::{History, recovery_options};
use support::power::{Image, PowerDisk, Swallow, lay_out};
use support::script::World;
use support::{Dice, scratch};

/// An image, what had been acknowledged when it was taken, and what had been logged.
struct Moment {
    image: Image,
    acknowledged: Zxid,
    logged: Zxid,
}

/// Runs a server's life under load, one disk call after the other; takes an image once in `every` calls.
struct Load {
    history: History,
    dice: Dice,
    disk: PowerDisk<StdDisk>,
    storage: Storage<<PowerDisk<StdDisk> as Disk>::File>,
    log_seq: u64,
    snapshot_seq: u64,
    logged: BTreeMap<StoreSeq, Zxid>,
    acknowledged: Zxid,
    moments: Vec<Moment>,
}

impl Load {
    fn new(directory: &Path, swallow: Option<Swallow>, preallocate: u64) -> Self {
        let disk = StdDisk::open(&StdDiskOptions::in_directory(directory)).unwrap();
        let mut disk = PowerDisk::new(disk);
        disk.swallow = swallow;
        let recovered = Recovery::new(recovery_options()).run(&mut disk).unwrap();
        assert!(recovered.report.created);
        let mut options = recovery_options();
        options.storage.preallocate = preallocate;
        Load {
            history: History::new(42),
            dice: Dice(42),
            storage: Storage::new(options, recovered.database.last_zxid()),
            disk,
            log_seq: 0,
            snapshot_seq: 0,
            logged: BTreeMap::new(),
            acknowledged: Zxid::ZERO,
            moments: Vec::new(),
        }
    }

    fn queue_something(&mut self) {
        let (lane, op) = match self.dice.below(30) {
            0 => (Lane::Log, StoreOp::Roll),
            1 => (Lane::Snapshot, StoreOp::Snapshot(self.history.database.image())),
            2 => {
                let max_bytes = if self.snapshot_seq.is_multiple_of(2) { 0 } else { 8192 };
                (Lane::Snapshot, StoreOp::Purge { retain: 2, max_bytes })
            }
            _ => {
                let (zxid, txn) = self.history.next_txn();
                self.logged.insert(StoreSeq(self.log_seq + 1), zxid);
                (Lane::Log, StoreOp::Append { zxid, txn })
            }
        };
        let seq = if lane == Lane::Log { &mut self.log_seq } else { &mut self.snapshot_seq };
        *seq += 1;
        self.storage.queue(lane, StoreSeq(*seq), op);
    }

    fn run(&mut self, images: usize, every: u64) {
        while self.moments.len() < images {
            if self.dice.once_in(2) {
                for _ in 0..=self.dice.below(6) {
                    self.queue_something();
                }
            }
            let changes = self.disk.changes;
            match self.storage.step(&mut self.disk) {
                Step::Done(Lane::Log, seq) => {
                    let acknowledged =
                        self.logged.range(..=seq).next_back().map_or(Zxid::ZERO, |(_, zxid)| *zxid);
                    self.acknowledged = self.acknowledged.max(acknowledged);
                }
                Step::Failed(lane, seq, reason) => panic!("{lane:?} {seq:?} failed: {reason}"),
                _ => {}
            }
            if self.disk.changes != changes && self.dice.once_in(every) {
                self.moments.push(Moment {
                    image: self.disk.image(&mut self.dice),
                    acknowledged: self.acknowledged,
                    logged: self.history.database.last_zxid(),
                });
            }
        }
    }
}

/// What is wrong with a recovered database, if anything.
fn fault(recovered: &Recovered, moment: &Moment, history: &History) -> Option<String> {
    let last = recovered.database.last_zxid();
    if last < moment.acknowledged {
        return Some(format!("{last} recovered, {} acknowledged", moment.acknowledged));
    }
    if last > moment.logged {
        return Some(format!("{last} recovered, {} logged", moment.logged));
    }
    if history.digests.get(&last) != Some(&recovered.database.tree.digest()) {
        return Some(format!("the tree at {last} is not what it was"));
    }
    if recovered.report.digest_mismatches > 0 {
        return Some(format!("{} digests did not match", recovered.report.digest_mismatches));
    }
    None
}

/// The image that is left when recovery itself loses power.
fn interrupted(image: &Image, dice: &mut Dice) -> Result<Image, String> {
    let directory = scratch();
    let mut disk = PowerDisk::new(lay_out(image, directory.path()));
    let mut recovery = Recovery::new(recovery_options());
    for _ in 0..dice.below(60) {
        if let RecoveryStep::Done(_) = recovery.step(&mut disk).map_err(|error| error.to_string())? {
            break;
        }
    }
    Ok(disk.image(dice))
}

/// Recovers the image, one in four after an interrupted attempt, and once more. Returns what the first had to mend.
fn judge(moment: &Moment, history: &History, dice: &mut Dice) -> Result<Vec<Repair>, String> {
    let again = if dice.once_in(4) { Some(interrupted(&moment.image, dice)?) } else { None };
    let directory = scratch();
    let mut disk = lay_out(again.as_ref().unwrap_or(&moment.image), directory.path());
    let first = Recovery::new(recovery_options()).run(&mut disk).map_err(|error| error.to_string())?;
    if let Some(fault) = fault(&first, moment, history) {
        return Err(fault);
    }
    let second = Recovery::new(recovery_options()).run(&mut disk).map_err(|error| error.to_string())?;
    if second.database.last_zxid() != first.database.last_zxid() || !second.report.repairs.is_empty() {
        return Err(format!("the second recovery differs:\n{}\n--\n{}", first.report, second.report));
    }
    Ok(first.report.repairs)
}

/// Runs a load and judges its images; returns what was wrong, and counts what was mended, by kind.
fn faults(
    images: usize,
    swallow: Option<Swallow>,
    preallocate: u64,
) -> (Vec<String>, BTreeMap<&'static str, usize>) {
    let directory = scratch();
    let mut load = Load::new(directory.path(), swallow, preallocate);
    load.run(images, 3);
    let mut dice = Dice(43);
    let mut faults = Vec::new();
    let mut mended = BTreeMap::new();
    for moment in &load.moments {
        match judge(moment, &load.history, &mut dice) {
            Ok(repairs) => repairs.iter().for_each(|repair| *mended.entry(kind(repair)).or_default() += 1),
            Err(fault) => faults.push(fault),
        }
    }
    (faults, mended)
}

fn kind(repair: &Repair) -> &'static str {
    match repair {
        Repair::RemovedTemporary(_) => "temporary",
        Repair::RemovedEmptyLog(..) => "empty log",
        Repair::CutLog { problem: TailProblem::BytesBehindZeros, .. } => "bytes behind zeros",
        Repair::CutLog { problem: TailProblem::Entry(damage), .. } => match damage {
            Damage::CutShort => "cut short",
            Damage::NoEndMark { .. } => "no end mark",
            Damage::Checksum { .. } => "checksum",
            _ => "other damage",
        },
        _ => "other",
    }
}

/// Five hundred images, all of which recover; each of these kinds of damage was met, or the load would prove nothing.
fn five_hundred_recover(preallocate: u64, kinds: &[&str]) {
    let (faults, mended) = faults(500, None, preallocate);
    assert!(faults.is_empty(), "{} of 500 images are wrong, the first: {}", faults.len(), faults[0]);
    for kind in kinds {
        let count = mended.get(kind).copied().unwrap_or_default();
        assert!(count >= 3, "too few images had to mend {kind}: {mended:?}");
    }
}

#[test]
fn five_hundred_images_with_preallocated_logs_recover_every_acknowledged_txn() {
    let kinds = ["temporary", "empty log", "bytes behind zeros", "no end mark", "checksum"];
    five_hundred_recover(16 << 10, &kinds);
}

#[test]
fn five_hundred_images_with_growing_logs_recover_every_acknowledged_txn() {
    five_hundred_recover(0, &["temporary", "empty log", "bytes behind zeros", "no end mark", "cut short"]);
}

/// A kill leaves txns that were written and not synced. Recovery shows them to clients, so it must sync them first.
#[test]
fn what_recovery_shows_after_a_kill_survives_a_power_loss() {
    let mut unacknowledged = 0;
    for length in 1..=40 {
        let directory = scratch();
        let mut load = Load::new(directory.path(), None, 0);
        load.run(length, 3);
        let first = Recovery::new(recovery_options()).run(&mut load.disk).unwrap();
        unacknowledged += usize::from(first.database.last_zxid() > load.acknowledged);
        let image = load.disk.image(&mut load.dice);
        let directory = scratch();
        let second = Recovery::new(recovery_options()).run(&mut lay_out(&image, directory.path())).unwrap();
        assert_eq!(
            second.database.last_zxid(),
            first.database.last_zxid(),
            "{}\n--\n{}",
            first.report,
            second.report
        );
    }
    assert!(unacknowledged >= 5, "only {unacknowledged} of 40 kills left txns that were not acknowledged");
}

#[test]
fn a_disk_that_skips_file_syncs_is_caught() {
    let (faults, _) = faults(40, Some(Swallow::FileSyncs), 0);
    assert!(faults.len() >= 10, "only {} of 40 images show it: {faults:?}", faults.len());
}

#[test]
fn a_disk_that_skips_directory_syncs_is_caught() {
    let (faults, _) = faults(40, Some(Swallow::DirectorySyncs), 0);
    assert!(faults.len() >= 10, "only {} of 40 images show it: {faults:?}", faults.len());
}

/// A snapshot that nobody has synced, as Java leaves it, reaches beyond the log: what is served on its strength is durable.
#[test]
fn a_snapshot_that_was_recovered_from_is_durable() {
    let mut world = World::new();
    for line in ["snapshot", "log log.1 3", "skip 2", "snapshot"] {
        world.command(line);
    }
    let name = FileName::snap("snapshot.5".to_owned());
    let mut content = vec![0; 4096];
    let file = world.disk.open(&name, OpenMode::Read).unwrap();
    let length = world.disk.read(&file, 0, &mut content).unwrap();
    world.disk.remove(&name).unwrap();
    let mut disk = PowerDisk::new(world.disk.clone());
    let file = disk.open(&name, OpenMode::CreateNew).unwrap();
    disk.write(&file, 0, &content[..length]).unwrap();
    let ends_at = |disk: &mut StdDisk| Recovery::new(recovery_options()).run(disk).unwrap().report.last_zxid;
    let recovered = Recovery::new(recovery_options()).run(&mut disk).unwrap();
    assert_eq!(recovered.report.last_zxid, Zxid(5));
    let left = scratch();
    assert_eq!(ends_at(&mut lay_out(&disk.synced(), left.path())), Zxid(5), "behind a power loss");
}
