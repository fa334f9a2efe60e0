//! What any [`Disk`] must do when nothing fails: one suite for the real one and the simulated one.
//!
//! It can't show what survives a power loss; `tests/power_loss.rs` does that for the real disk, and the simulator for its own.

use crate::disk::{Directory, Disk, DiskErrorKind, DiskOperation, FileName, OpenMode};

/// Runs the suite; `make` gives an empty disk with two directories each time it is called.
///
/// # Panics
/// Where the disk does something else.
pub fn run<D: Disk>(mut make: impl FnMut() -> D) {
    for check in [writes_are_read_back, files_grow_by_zeros_and_are_cut, open_modes_keep_their_word] {
        check(&mut make());
    }
    for check in
        [names_move_and_vanish, listings_are_sorted, handles_outlive_their_names, directories_are_apart]
    {
        check(&mut make());
    }
    everything_can_be_synced(&mut make());
}

fn create<D: Disk>(disk: &mut D, name: &FileName, content: &[u8]) -> D::File {
    let file = disk.open(name, OpenMode::CreateNew).expect("a new file opens");
    disk.write(&file, 0, content).expect("it is written");
    file
}

/// The content of `file`.
fn content<D: Disk>(disk: &mut D, file: &D::File) -> Vec<u8> {
    let mut content = vec![0xee; 4096];
    let count = disk.read(file, 0, &mut content).expect("an open file is read");
    content.truncate(count);
    content
}

fn names<D: Disk>(disk: &mut D, directory: Directory) -> Vec<String> {
    disk.list(directory).expect("a directory is listed").into_iter().map(|entry| entry.name).collect()
}

fn writes_are_read_back<D: Disk>(disk: &mut D) {
    let file = create(disk, &FileName::log("log.1"), b"hello world");
    disk.write(&file, 6, b"there").expect("a file is written in its middle");
    disk.write(&file, 11, b"!").expect("and at its end");
    assert_eq!(content(disk, &file), b"hello there!");
    let mut part = [0; 5];
    assert_eq!(disk.read(&file, 6, &mut part).expect("read"), 5, "a read inside the file is full");
    assert_eq!(&part, b"there");
    assert_eq!(disk.read(&file, 10, &mut part).expect("read"), 2, "a read over the end is short");
    assert_eq!(disk.read(&file, 12, &mut part).expect("read"), 0, "nothing is at the end");
    assert_eq!(disk.read(&file, 1000, &mut part).expect("read"), 0, "nor behind it");
}

fn files_grow_by_zeros_and_are_cut<D: Disk>(disk: &mut D) {
    let file = create(disk, &FileName::log("log.1"), b"abc");
    disk.write(&file, 5, b"x").expect("a write behind the end");
    assert_eq!(content(disk, &file), b"abc\0\0x");
    disk.set_length(&file, 8).expect("grow");
    assert_eq!(content(disk, &file), b"abc\0\0x\0\0");
    disk.set_length(&file, 2).expect("cut");
    assert_eq!(content(disk, &file), b"ab");
    disk.set_length(&file, 4).expect("grow again");
    assert_eq!(content(disk, &file), b"ab\0\0", "what was cut off does not come back");
    let listed = disk.list(Directory::Log).expect("list");
    assert_eq!(listed.iter().map(|entry| entry.length).collect::<Vec<_>>(), [4], "a listing tells lengths");
}

fn open_modes_keep_their_word<D: Disk>(disk: &mut D) {
    let name = FileName::snap("snapshot.1");
    for mode in [OpenMode::Read, OpenMode::Write] {
        let error = disk.open(&name, mode).expect_err("there is no such file");
        assert_eq!((error.kind, error.operation), (DiskErrorKind::NotFound, DiskOperation::Open));
        assert!(error.path.contains("snapshot.1"), "an error names the file: {error}");
    }
    create(disk, &name, b"one");
    let error = disk.open(&name, OpenMode::CreateNew).expect_err("the name exists");
    assert_eq!(error.kind, DiskErrorKind::AlreadyExists);
    let file = disk.open(&name, OpenMode::Write).expect("it opens");
    assert_eq!(content(disk, &file), b"one", "opening for writing keeps the content");
    let file = disk.open(&name, OpenMode::CreateOrEmpty).expect("it opens");
    assert_eq!(content(disk, &file), b"", "this mode empties");
}

fn names_move_and_vanish<D: Disk>(disk: &mut D) {
    create(disk, &FileName::snap("a.tmp"), b"new");
    create(disk, &FileName::snap("a"), b"old");
    disk.rename(Directory::Snap, "a.tmp", "a").expect("a rename replaces");
    assert_eq!(names(disk, Directory::Snap), ["a"]);
    let file = disk.open(&FileName::snap("a"), OpenMode::Read).expect("it opens");
    assert_eq!(content(disk, &file), b"new");
    let error = disk.rename(Directory::Snap, "b", "c").expect_err("there is no b");
    assert_eq!((error.kind, error.operation), (DiskErrorKind::NotFound, DiskOperation::Rename));
    disk.remove(&FileName::snap("a")).expect("it is removed");
    let error = disk.remove(&FileName::snap("a")).expect_err("it is gone");
    assert_eq!((error.kind, error.operation), (DiskErrorKind::NotFound, DiskOperation::Remove));
    assert!(names(disk, Directory::Snap).is_empty());
}

fn listings_are_sorted<D: Disk>(disk: &mut D) {
    for name in ["log.b", "log.1", "log.a", "log.10"] {
        create(disk, &FileName::log(name), b"");
    }
    assert_eq!(names(disk, Directory::Log), ["log.1", "log.10", "log.a", "log.b"]);
}

fn handles_outlive_their_names<D: Disk>(disk: &mut D) {
    let file = create(disk, &FileName::log("log.1"), b"abc");
    let clone = file.clone();
    disk.remove(&FileName::log("log.1")).expect("it is removed");
    disk.write(&clone, 3, b"d").expect("an open file without a name is written");
    assert_eq!(content(disk, &file), b"abcd", "clones are one file");
    create(disk, &FileName::log("log.1"), b"other");
    assert_eq!(content(disk, &file), b"abcd", "a new file of that name is another");
}

fn directories_are_apart<D: Disk>(disk: &mut D) {
    assert!(!disk.one_directory(), "the suite wants two directories");
    create(disk, &FileName::snap("x"), b"snap");
    create(disk, &FileName::log("x"), b"log");
    create(disk, &FileName { directory: Directory::LogRoot, name: "initialize".to_owned() }, b"");
    for (name, expected) in [(FileName::snap("x"), &b"snap"[..]), (FileName::log("x"), b"log")] {
        let file = disk.open(&name, OpenMode::Read).expect("it opens");
        assert_eq!(content(disk, &file), expected);
    }
    assert!(names(disk, Directory::LogRoot).contains(&"initialize".to_owned()));
    disk.remove(&FileName::snap("x")).expect("it is removed");
    assert_eq!(names(disk, Directory::Log), ["x"]);
}

fn everything_can_be_synced<D: Disk>(disk: &mut D) {
    let file = create(disk, &FileName::log("log.1"), b"abc");
    disk.sync(&file).expect("a file is synced");
    disk.sync(&file).expect("and again");
    for directory in [Directory::Snap, Directory::Log, Directory::LogRoot] {
        disk.sync_directory(directory).expect("a directory is synced");
    }
    assert!(disk.free_space(Directory::Log).expect("the free space is known") > 0);
}
