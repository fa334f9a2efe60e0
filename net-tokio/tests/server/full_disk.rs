//! A disk that fills up and is freed: a tmpfs of 64 MiB when `QUORATE_FULL` is set, which needs root for the mount; a disk
//! that is taken for nearly full otherwise.

use crate::bystander::is_full;
use crate::client::{Client, create, create_with_flags, data_of, set, word};
use crate::process::{Server, poll_until};
use quorate_core::jute::{Request, Response};
use quorate_core::vocabulary::ErrorCode;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::tempdir;

const PIECE: usize = 400_000;

#[test]
fn a_nearly_full_disk_takes_what_does_not_grow_and_everything_once_there_is_room() {
    let dir = tempdir().unwrap();
    let mut server = Server::start(dir.path(), &[]);
    let (mut client, session) = Client::with_session(server.address);
    client.ask(create("/a", b"kept")).unwrap();
    client.ask(create("/b", b"")).unwrap();
    server.stop();

    let mut server = Server::start(dir.path(), &["freeSpace.lowMb=1000000000"]);
    server.logged("event=free_space_low");
    let (mut client, answer) = Client::reattach(server.address, &session);
    assert!(answer.unwrap().timeout > 0);
    assert_only_what_grows_is_refused(&mut client, "/b");
    server.kill();

    let server = Server::start(dir.path(), &[]);
    let (mut client, _) = Client::with_session(server.address);
    assert_eq!(data_of(&mut client, "/a").unwrap(), b"kept");
    client.ask(create("/c", b"")).unwrap();
}

/// `spare` is deleted.
fn assert_only_what_grows_is_refused(client: &mut Client, spare: &str) {
    let refused = Err(ErrorCode::QuotaExceeded.code());
    assert_eq!(client.ask(create("/more", b"")), refused);
    assert_eq!(client.ask(set("/a", b"more")), refused);
    assert_eq!(data_of(client, "/a").unwrap(), b"kept");
    assert_eq!(client.ask(Request::Ping), Ok(Response::Empty));
    client.ask(Request::Delete { path: Some(spare.to_owned()), version: -1 }).unwrap();
}

/// A mounted tmpfs, unmounted when dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: &Path) -> Self {
        std::fs::create_dir(at).unwrap();
        let mut mount = Command::new("mount");
        let status = mount.args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(at).status().unwrap();
        assert!(status.success(), "the long form mounts a tmpfs: {status}");
        Tmpfs(at.to_owned())
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_tmpfs_fills_up_and_is_freed_and_nothing_acknowledged_is_lost() {
    if !is_full() {
        return;
    }
    let dir = tempdir().unwrap();
    let disk = Tmpfs::mount(&dir.path().join("disk"));
    let data = disk.0.join("data");
    // What an operator frees: something that is not the server's.
    std::fs::write(disk.0.join("ballast"), vec![1; 24 << 20]).unwrap();
    let mut server = Server::start(&data, &[]);
    let (mut client, session) = Client::with_session(server.address);
    client.ask(create("/a", b"kept")).unwrap();
    client.ask(create_with_flags("/mine", b"", 1)).unwrap();
    let first = fill(&mut client, 0);
    assert!(first > 20, "only {first} pieces until the watermark");
    server.logged("event=free_space_low");
    assert_only_what_grows_is_refused(&mut client, "/n0");
    // Whoever comes is served, and may go.
    let (mut guest, _) = Client::with_session(server.address);
    assert_eq!(data_of(&mut guest, "/a").unwrap(), b"kept");
    guest.ask(Request::CloseSession).unwrap();
    assert!(word(server.address, b"ruok").starts_with("imok"));

    std::fs::remove_file(disk.0.join("ballast")).unwrap();
    server.logged("event=free_space_recovered");
    let last = fill(&mut client, first);
    assert!(last > first + 20, "{} more pieces in 24 MiB", last - first);
    println!(
        "{first} pieces of {PIECE} bytes until the watermark, {} more once there was room",
        last - first
    );

    server.kill();
    server = Server::start(&data, &[]);
    let (mut client, answer) = Client::reattach(server.address, &session);
    assert!(answer.unwrap().timeout > 0, "the session is lost");
    assert!(data_of(&mut client, "/mine").is_ok());
    assert_eq!(data_of(&mut client, "/n0"), Err(ErrorCode::NoNode.code()));
    for number in 1..last {
        assert_eq!(data_of(&mut client, &format!("/n{number}")).unwrap(), piece(number), "/n{number}");
    }
    assert_eq!(data_of(&mut client, &format!("/n{last}")), Err(ErrorCode::NoNode.code()));
    client.ask(Request::CloseSession).unwrap();
    server.stop();
}

fn piece(number: usize) -> Vec<u8> {
    vec![number as u8; PIECE]
}

/// Creates nodes from number `from` on until one is refused; the number of that one.
fn fill(client: &mut Client, from: usize) -> usize {
    let mut number = from;
    poll_until("the disk is nearly full", || {
        match client.ask(create(&format!("/n{number}"), &piece(number))) {
            Ok(_) => {
                number += 1;
                false
            }
            Err(code) => {
                assert_eq!(code, ErrorCode::QuotaExceeded.code());
                true
            }
        }
    });
    number
}
