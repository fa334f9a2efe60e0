//! The simulated disk is a disk, and loses what it may lose.

use super::*;
use crate::chooser::Seeded;
use crate::plan::RotPlace;
use quorate_core::vocabulary::{Epoch, Zxid};
use quorate_storage_file::log_format::{write_log_entry, write_log_header};

#[test]
fn it_is_a_disk() {
    quorate_storage_file::conformance::run(SimDisk::new);
}

fn open(disk: &mut SimDisk, name: &str) -> SimFile {
    disk.open(&FileName::log(name), OpenMode::CreateOrEmpty).unwrap()
}

#[test]
fn what_was_synced_with_its_name_survives_every_power_loss() {
    for seed in 0..200 {
        let mut disk = SimDisk::new();
        let file = open(&mut disk, "log.1");
        disk.write(&file, 0, &[7; 2000]).unwrap();
        disk.sync(&file).unwrap();
        disk.sync_directory(Directory::Log).unwrap();
        disk.write(&file, 2000, &[8; 2000]).unwrap();
        disk.lose_power(&mut Seeded { seed }, 1);
        let content = disk.content(&FileName::log("log.1")).expect("the name was synced");
        assert_eq!(content[..2000], [7; 2000]);
        assert!(content[2000..].iter().all(|byte| *byte == 8 || *byte == 0));
    }
}

#[test]
fn what_a_lie_covers_is_not_synced_until_an_honest_sync_comes() {
    let file_after = |honest: bool, seed: u64| {
        let mut disk = SimDisk::new();
        let file = open(&mut disk, "log.1");
        disk.write(&file, 0, &[7; 100]).unwrap();
        disk.set_lying(true);
        disk.sync(&file).unwrap();
        disk.sync_directory(Directory::Log).unwrap();
        assert!(disk.lies().of_logs && !disk.lies().of_snapshots);
        disk.set_lying(false);
        if honest {
            disk.sync(&file).unwrap();
            disk.sync_directory(Directory::Log).unwrap();
            assert!(!disk.lies().any());
        }
        disk.lose_power(&mut Seeded { seed }, 1);
        disk.content(&FileName::log("log.1"))
    };
    assert!((0..50).all(|seed| file_after(true, seed) == Some(vec![7; 100])));
    assert!((0..50).any(|seed| file_after(false, seed) != Some(vec![7; 100])));
}

#[test]
fn a_lie_about_a_file_whose_name_another_one_takes_stands_until_that_is_synced() {
    let content_after = |is_synced: bool, seed: u64| {
        let mut disk = SimDisk::new();
        for (is_lying, epoch) in [(true, b"12"), (false, b"13")] {
            let file = disk.open(&FileName::snap("new"), OpenMode::CreateNew).unwrap();
            disk.write(&file, 0, epoch).unwrap();
            disk.set_lying(is_lying);
            disk.sync(&file).unwrap();
            disk.set_lying(false);
            disk.rename(Directory::Snap, "new", "currentEpoch").unwrap();
            if is_lying || is_synced {
                disk.sync_directory(Directory::Snap).unwrap();
            }
        }
        assert_eq!(disk.lies().of_snapshots, !is_synced);
        disk.lose_power(&mut Seeded { seed }, 1);
        disk.content(&FileName::snap("currentEpoch"))
    };
    assert!((0..50).all(|seed| content_after(true, seed) == Some(b"13".to_vec())));
    let is_torn = |content: Option<Vec<u8>>| content.is_some_and(|content| !content.starts_with(b"1"));
    assert!((0..50).any(|seed| is_torn(content_after(false, seed))));
}

#[test]
fn what_was_not_synced_is_kept_lost_and_torn_over_many_seeds() {
    let (mut whole, mut lost, mut torn, mut unnamed) = (0, 0, 0, 0);
    for seed in 0..200 {
        let mut disk = SimDisk::new();
        let file = open(&mut disk, "log.1");
        disk.write(&file, 0, &[7; 4096]).unwrap();
        disk.lose_power(&mut Seeded { seed }, 1);
        match disk.content(&FileName::log("log.1")) {
            None => unnamed += 1,
            Some(content) if content == [7; 4096] => whole += 1,
            Some(content) if content.is_empty() => lost += 1,
            Some(_) => torn += 1,
        }
    }
    assert!(whole > 10 && lost > 10 && torn > 10 && unnamed > 10, "{whole} {lost} {torn} {unnamed}");
}

#[test]
fn what_a_disk_makes_good_is_synced() {
    for seed in 0..50 {
        let mut disk = SimDisk::new();
        disk.set_lying(true);
        let file = open(&mut disk, "log.1");
        disk.write(&file, 0, &[7; 100]).unwrap();
        disk.sync(&file).unwrap();
        disk.sync_directory(Directory::Log).unwrap();
        assert!(disk.was_lied_about());
        disk.make_good();
        assert!(!disk.lies().any());
        disk.lose_power(&mut Seeded { seed }, 1);
        assert!(!disk.was_lied_about(), "it has lost nothing");
        assert_eq!(disk.content(&FileName::log("log.1")), Some(vec![7; 100]));
    }
}

#[test]
fn rot_changes_what_was_synced_and_ends_with_the_process_unless_it_was_missed() {
    let name = FileName::snap("snapshot.5");
    for seed in 0..50 {
        let mut disk = SimDisk::new();
        disk.install(&name, &[7; 1000]);
        let mut chooser = Seeded { seed };
        let mut draws = Draws::new(&mut chooser, Choice::Rot, (0, 0));
        let spared = disk.rot(RotPlace::SnapshotMiddle, Zxid::ZERO, &mut draws).expect("there is a snapshot");
        assert!(spared.history == Zxid::ZERO && !spared.must_start, "there is nothing else");
        let rotten = disk.content(&name).unwrap();
        assert!(rotten != [7; 1000] && !rotten.contains(&0) && disk.is_rotten(&name));
        disk.lose_power(&mut chooser, 1);
        assert_eq!(disk.content(&name).unwrap(), rotten, "power has nothing to do with it");
        if seed % 2 == 0 {
            disk.rot_missed(std::iter::once("snapshot.5"));
        }
        disk.heal();
        let expected = if seed % 2 == 0 { rotten } else { vec![7; 1000] };
        assert_eq!(disk.content(&name).unwrap(), expected);
    }
}

#[test]
fn an_epoch_rots_to_what_nobody_takes_for_a_newer_one() {
    let name = FileName::snap("acceptedEpoch");
    let read = |disk: &SimDisk| String::from_utf8_lossy(&disk.content(&name).unwrap()).into_owned();
    let mut numbers = 0;
    for seed in 0..200 {
        let mut disk = SimDisk::new();
        disk.install(&name, b"27");
        let mut chooser = Seeded { seed };
        let mut draws = Draws::new(&mut chooser, Choice::Rot, (0, 0));
        let spared = disk.rot(RotPlace::AcceptedEpoch, Zxid::ZERO, &mut draws).expect("there is an epoch");
        let epoch: Option<u32> = read(&disk).trim_end().parse().ok();
        assert!(epoch.is_none_or(|epoch| epoch < 27), "{:?}", read(&disk));
        assert_eq!(spared.epoch, Some((EpochKind::Accepted, epoch.map(Epoch))));
        numbers += usize::from(epoch.is_some());
    }
    assert!((20..180).contains(&numbers), "{numbers}");
}

/// A log with these txns, of which nothing but the zxid means anything.
fn log_of(zxids: std::ops::RangeInclusive<i64>) -> Vec<u8> {
    let mut bytes = bytes::BytesMut::new();
    write_log_header(&mut bytes);
    zxids.for_each(|zxid| {
        write_log_entry(&mut bytes, &[&[1; 12][..], &zxid.to_be_bytes(), &[1; 30]].concat())
    });
    bytes.to_vec()
}

/// A disk with all files of a member, whose process was killed while it appended.
fn disk_of_a_killed_process() -> SimDisk {
    let mut disk = SimDisk::new();
    disk.install(&FileName::snap("snapshot.0"), &[7; 100]);
    disk.install(&FileName::snap("acceptedEpoch"), b"2");
    disk.install(&FileName::snap("currentEpoch"), b"2");
    disk.install(&FileName::log("log.1"), &log_of(1..=3));
    disk.install(&FileName::log("log.4"), &log_of(4..=6));
    let (synced, all) = (log_of(4..=6).len(), log_of(4..=8));
    let file = disk.open(&FileName::log("log.4"), OpenMode::Write).unwrap();
    disk.write(&file, synced as u64, &all[synced..]).unwrap();
    disk
}

#[test]
fn what_rots_of_one_file_takes_nothing_that_is_synced_of_the_others() {
    for seed in 0..50 {
        let rot = |place| {
            let mut chooser = Seeded { seed };
            let mut draws = Draws::new(&mut chooser, Choice::Rot, (0, 0));
            disk_of_a_killed_process().rot(place, Zxid::ZERO, &mut draws).expect("there is such a place")
        };
        assert!(rot(RotPlace::AcceptedEpoch).history >= Zxid(6), "an epoch has no part in history");
        let (current, snapshot) = (rot(RotPlace::CurrentEpoch), rot(RotPlace::SnapshotMiddle));
        assert_eq!(
            current.must_start,
            current.epoch.is_some_and(|(_, epoch)| epoch.is_some()),
            "it has fallen"
        );
        assert!(snapshot.history >= Zxid(6) && !snapshot.must_start, "nothing leads on where the logs begin");
        assert!(rot(RotPlace::LogTail).history >= Zxid(6), "the last log is not synced, so another one rots");
    }
}

#[test]
fn a_server_may_refuse_an_epoch_that_rots_under_a_name_it_was_just_given() {
    let mut refusals = 0;
    for seed in 0..50 {
        let mut disk = SimDisk::new();
        disk.install(&FileName::snap("currentEpoch"), b"0");
        disk.install(&FileName::snap("acceptedEpoch"), b"0");
        let file = disk.open(&FileName::snap("new"), OpenMode::CreateNew).unwrap();
        disk.write(&file, 0, b"4").unwrap();
        disk.sync(&file).unwrap();
        disk.rename(Directory::Snap, "new", "acceptedEpoch").unwrap();
        let mut chooser = Seeded { seed };
        let mut draws = Draws::new(&mut chooser, Choice::Rot, (0, 0));
        let spared = disk.rot(RotPlace::AcceptedEpoch, Zxid::ZERO, &mut draws).expect("it is there");
        assert_eq!(spared.must_start, spared.epoch.is_some_and(|(_, epoch)| epoch.is_some()));
        refusals += usize::from(!spared.must_start);
    }
    assert!((10..50).contains(&refusals), "{refusals}");
}

#[test]
fn a_server_has_to_start_without_what_it_does_not_read() {
    let mut newest = 0;
    for seed in 0..100 {
        let rot = |place| {
            let mut disk = disk_of_a_killed_process();
            disk.install(&FileName::snap("snapshot.5"), &[7; 100]);
            let mut chooser = Seeded { seed };
            let mut draws = Draws::new(&mut chooser, Choice::Rot, (0, 0));
            let spared = disk.rot(place, Zxid::ZERO, &mut draws).expect("there is such a place");
            (spared.must_start, disk.is_rotten(&FileName::snap("snapshot.5")))
        };
        assert!(rot(RotPlace::LogHeader).0, "that log lies below the snapshot");
        let (must_start, is_newest) = rot(RotPlace::SnapshotMiddle);
        assert!(must_start, "the logs lead on from the older one, or it is not read");
        newest += usize::from(is_newest);
    }
    assert!((20..90).contains(&newest), "both rot: {newest}");
}
