//! The real disk: the conformance suite, the lock, the directories.

use quorate_storage_file::{
    Directory, Disk, DiskErrorKind, DiskOperation, StdDisk, StdDiskOptions, conformance,
};
use tempfile::TempDir;

#[test]
fn the_real_disk_conforms() {
    let mut directories = Vec::new();
    conformance::run(|| {
        let directory = TempDir::new().unwrap();
        let options = StdDiskOptions {
            data_dir: directory.path().join("deep/data"),
            data_log_dir: directory.path().join("log"),
            autocreate: true,
            lock: true,
        };
        directories.push(directory);
        StdDisk::open(&options).unwrap()
    });
}

#[test]
fn a_second_server_is_refused_until_the_first_is_gone() {
    let directory = TempDir::new().unwrap();
    let options = StdDiskOptions::in_directory(directory.path());
    let first = StdDisk::open(&options).unwrap();
    let clone = first.clone();
    let error = StdDisk::open(&options).unwrap_err();
    assert_eq!((error.operation, error.kind), (DiskOperation::Lock, DiskErrorKind::AlreadyExists));
    assert!(error.to_string().contains("another server is running"), "{error}");
    StdDisk::open(&StdDiskOptions { lock: false, ..options.clone() })
        .expect("tools that only read need no lock");
    drop(first);
    StdDisk::open(&options).expect_err("a clone still holds the lock");
    drop(clone);
    StdDisk::open(&options).expect("the lock is free");
}

#[test]
fn a_missing_directory_is_an_error_unless_it_may_be_made() {
    let directory = TempDir::new().unwrap();
    let mut options = StdDiskOptions::in_directory(directory.path().join("absent"));
    options.autocreate = false;
    let error = StdDisk::open(&options).unwrap_err();
    assert_eq!(error.kind, DiskErrorKind::NotFound);
    assert!(error.path.ends_with("absent/version-2"), "{error}");
    options.autocreate = true;
    let disk = StdDisk::open(&options).unwrap();
    assert!(disk.one_directory() && disk.directory(Directory::Snap).is_dir());
}
