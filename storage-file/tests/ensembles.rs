//! What only members of an ensemble need: epoch files, and cutting the history back.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod support;

use quorate_core::contract::{EpochKind, Epochs};
use quorate_core::vocabulary::{Epoch, Zxid};
use quorate_storage_file::{
    Directory, EpochJob, JobStep, Recovery, RecoveryOptions, StdDisk, StdDiskOptions, TruncateJob,
};
use std::path::Path;
use support::history::recovery_options;
use support::power::PowerDisk;
use support::script::{World, run};
use support::{Dice, scratch};

fn open(directory: &Path) -> StdDisk {
    StdDisk::open(&StdDiskOptions::in_directory(directory)).unwrap()
}

fn epochs(disk: &mut StdDisk) -> Epochs {
    let options = RecoveryOptions { member: true, ..recovery_options() };
    Recovery::new(options).run(disk).unwrap().epochs
}

#[test]
fn an_epoch_is_the_old_one_or_the_new_one_whenever_the_power_goes() {
    let mut seen = [0; 2];
    for seed in 0..200 {
        let directory = scratch();
        let mut disk = open(directory.path());
        std::fs::write(disk.directory(Directory::Snap).join("currentEpoch"), b"4\n").unwrap();
        std::fs::write(disk.directory(Directory::Snap).join("acceptedEpoch"), b"7").unwrap();
        let before = Epochs { accepted: Epoch(7), current: Epoch(4) };
        assert_eq!(epochs(&mut disk), before, "a newline does no harm");
        drop(disk);
        let mut dice = Dice(seed);
        let mut disk = PowerDisk::new(open(directory.path()));
        let mut job = EpochJob::new(EpochKind::Current, Epoch(5));
        let mut done = false;
        for _ in 0..dice.below(6) {
            done = job.step(&mut disk) == JobStep::Done;
        }
        let left = scratch();
        let mut disk = support::power::lay_out(&disk.image(&mut dice), left.path());
        let after = epochs(&mut disk);
        assert!(
            after == Epochs { current: Epoch(5), ..before } || (after == before && !done),
            "{after:?} after {done}"
        );
        seen[usize::from(after != before)] += 1;
    }
    assert!(seen.iter().all(|count| *count > 20), "both outcomes are met: {seen:?}");
}

#[test]
fn epochs_that_are_missing_follow_from_the_history_and_stay() {
    insta::assert_snapshot!(run("snapshot
         epoch 3
         log log.300000001 2
         recover member
         ls
         recover member
         remove acceptedEpoch
         recover member"));
}

#[test]
fn a_history_in_a_later_epoch_than_the_current_one_is_no_reason_to_refuse() {
    insta::assert_snapshot!(run("snapshot
         epoch 3
         log log.300000001 2
         put currentEpoch 2
         put acceptedEpoch 3
         recover member
         # Java ended between history and epoch, or did not sync the name.
         put currentEpoch.tmp 3
         recover member
         ls
         # What is no number, or was never promised, was never to become the current one.
         put currentEpoch 2
         put currentEpoch.tmp 4
         recover member
         put currentEpoch.tmp ?
         recover member
         # A promise is never below what the history shows.
         put acceptedEpoch 2
         recover member"));
}

#[test]
fn a_promise_that_only_the_history_shows_is_written() {
    insta::assert_snapshot!(run("snapshot
         epoch 3
         log log.300000001 2
         put currentEpoch 2
         put acceptedEpoch 2
         recover member
         ls
         # The leader of epoch 3 still leads: nothing is promised anew, and its history is taken over.
         put currentEpoch 3
         recover member
         # Without the current epoch, too, the history tells.
         remove currentEpoch
         put acceptedEpoch 2
         recover member
         # Java syncs the name of neither file: the epoch was taken over, and may have been acknowledged.
         put acceptedEpoch 2
         put currentEpoch 2
         put currentEpoch.tmp 3
         recover member
         recover member"));
}

#[test]
fn epochs_that_contradict_each_other_are_refused() {
    insta::assert_snapshot!(run("snapshot
         put currentEpoch 5
         put acceptedEpoch 4
         recover member
         put acceptedEpoch none
         recover member
         # Who has no epochs does not look.
         recover"));
}

#[test]
fn an_epoch_that_nothing_can_follow_is_none() {
    insta::assert_snapshot!(run("snapshot
         # Every leader would refuse this server, and nobody would follow it.
         put currentEpoch 5
         put acceptedEpoch 4294967295
         recover member
         put acceptedEpoch 2147483647
         recover member
         put acceptedEpoch 2147483646
         recover member"));
}

#[test]
fn a_history_is_cut_behind_a_txn_it_has_and_nowhere_else() {
    insta::assert_snapshot!(run("snapshot
         log log.1 3
         skip 0
         log log.4 1
         snapshot
         log log.5 2
         truncate 8
         truncate 5
         ls
         recover
         # The snapshot of 4 would win over the cut, so it goes.
         truncate 2
         ls
         recover"));
    insta::assert_snapshot!(run("log log.1 3
         skip 1
         snapshot
         log log.5 2
         # The log has no 4, but a snapshot ends there.
         truncate 4
         ls
         # Nothing could be started from at 2.
         truncate 2
         ls"));
}

/// Whenever the power goes, what is left recovers, and reaches the txn at least.
#[test]
fn a_cut_that_is_interrupted_leaves_a_history() {
    let mut ends = std::collections::BTreeSet::new();
    for seed in 0..300 {
        let mut world = World::new();
        for line in ["snapshot", "log log.1 4", "log log.5 2", "snapshot", "log log.7 2", "log log.9 2"] {
            world.command(line);
        }
        let mut dice = Dice(seed);
        let mut disk = PowerDisk::new(world.disk.clone());
        let mut job = TruncateJob::new(Zxid(3), 64 << 10);
        let mut done = false;
        for _ in 0..dice.below(26) {
            match job.step(&mut disk) {
                JobStep::Progress => {}
                JobStep::Done => {
                    done = true;
                    break;
                }
                JobStep::Failed(reason) => panic!("{reason}"),
            }
        }
        let left = scratch();
        let mut disk = support::power::lay_out(&disk.image(&mut dice), left.path());
        let recovered = Recovery::new(recovery_options()).run(&mut disk).unwrap();
        let last = recovered.database.last_zxid();
        assert!(last >= Zxid(3) && (!done || last == Zxid(3)), "{last} after {done}: {}", recovered.report);
        assert_eq!(world.history.digests.get(&last), Some(&recovered.database.tree.digest()));
        ends.insert(last);
    }
    assert!(ends.len() >= 4, "the cut was met at several places: {ends:?}");
}
