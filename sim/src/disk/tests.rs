//! The simulated disk is a disk, and loses what it may lose.

use super::*;
use crate::chooser::Seeded;

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
