//! Starting, stopping, standing still; what keeps a server from starting.

use crate::client::{Client, create, create_with_flags, data_of, set};
use crate::process::{Server, command};
use bytes::BytesMut;
use quorate_core::jute::{Request, ServerMessage};
use quorate_core::vocabulary::SessionId;
use rustix::process::Signal;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};
use tempfile::tempdir;

#[test]
fn a_stop_answers_what_was_accepted_and_loses_no_session() {
    let dir = tempdir().unwrap();
    let mut server = Server::start(dir.path(), &[]);
    let (mut client, session) = Client::with_session(server.address);
    client.ask(create("/a", b"")).unwrap();
    client.ask(create_with_flags("/e", b"", 1)).unwrap();
    let mut batch = BytesMut::new();
    for value in 0..200 {
        client.add(&mut batch, &set("/a", value.to_string().as_bytes()));
    }
    client.say(&batch);
    // The first reply says that the batch was read.
    let mut acknowledged = u32::from(matches!(client.hear(), Some(ServerMessage::Reply { .. })));
    let took = server.stop();
    assert!(took < Duration::from_secs(5), "stopping took {took:?}");
    while let Some(message) = client.hear() {
        acknowledged += u32::from(matches!(message, ServerMessage::Reply { .. }));
    }
    server.logged("event=stopped code=0");

    // The port is free at once, though the old connections may linger in the system.
    let again = std::net::TcpListener::bind(server.address);
    drop(again.unwrap());
    let server = Server::start(dir.path(), &[]);
    let (mut client, answer) = Client::reattach(server.address, &session);
    let answer = answer.unwrap();
    assert_eq!((answer.session_id, &answer.password), (session.session_id, &session.password));
    assert_eq!(data_of(&mut client, "/e"), Ok(Vec::new()));
    let value: u32 = String::from_utf8(data_of(&mut client, "/a").unwrap()).unwrap().parse().unwrap();
    assert!(value + 1 >= acknowledged, "{acknowledged} were acknowledged, {} are there", value + 1);
}

#[test]
fn a_process_that_stood_still_ends_no_session_that_pinged() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &["tickTime=100"]);
    let mut client = Client::connect(server.address);
    let session = client.handshake(SessionId::NONE, &[0; 16], 400).unwrap();
    assert_eq!(session.timeout, 400);
    client.ask(create_with_flags("/e", b"", 1)).unwrap();
    server.signal(Signal::STOP);
    // Standing still for four time-outs is the fault that is tested; the client pings all the while.
    let end = Instant::now() + Duration::from_millis(1600);
    let mut pings = 0;
    while Instant::now() < end {
        client.send(&Request::Ping);
        pings += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    server.signal(Signal::CONT);
    for _ in 0..pings {
        assert!(client.hear_reply(11).is_some(), "the session ended");
    }
    assert_eq!(data_of(&mut client, "/e"), Ok(Vec::new()));
    assert_eq!(server.count_logged("event=session_expired"), 0);
}

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    let dir = tempdir().unwrap();
    let _server = Server::start(dir.path(), &[]);
    let output = command(dir.path(), &[]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("\nUnable to access datadir, exiting abnormally\n"), "{stderr}");
    assert!(stderr.contains("another server is running on this directory"), "{stderr}");
}

#[test]
fn a_port_in_use_is_said_clearly() {
    let dir = tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut command = command(dir.path(), &[]);
    command.args(["--set", &format!("clientPort={port}")]);
    // The flag of the harness asks for any port, which beats a setting.
    let arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
    let mut plain = std::process::Command::new(command.get_program());
    plain.args(arguments.into_iter().filter(|argument| argument != "--port" && argument != "0"));
    let output = plain.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains(&format!("cannot listen on 127.0.0.1:{port}: Address already in use"))
            && stderr.contains("clientPort asks for it"),
        "{stderr}"
    );
}

#[test]
fn damage_is_refused_and_named() {
    let dir = tempdir().unwrap();
    let mut server = Server::start(dir.path(), &[]);
    let (mut client, _) = Client::with_session(server.address);
    client.ask(create("/a", b"")).unwrap();
    server.stop();
    let snapshot = dir.path().join("version-2/snapshot.0");
    std::fs::write(&snapshot, b"no snapshot").unwrap();
    let output = command(dir.path(), &[]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("no snapshot found, but log.1 holds txn 0x1: restore"), "{stderr}");
}

#[test]
fn the_service_manager_is_told() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(crate::process::DEADLINE)).unwrap();
    let heard = || {
        let mut bytes = [0; 100];
        let count = manager.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    };
    let mut server = Server::spawn(command(dir.path(), &[]).env("NOTIFY_SOCKET", &path));
    assert_eq!(heard(), "READY=1");
    server.signal(Signal::INT);
    assert_eq!(heard(), "STOPPING=1");
    assert!(server.wait().0.success());
}

#[test]
fn a_disk_that_is_nearly_full_refuses_writes_that_grow_and_nothing_else() {
    let dir = tempdir().unwrap();
    let mut server = Server::start(dir.path(), &[]);
    let (mut client, session) = Client::with_session(server.address);
    client.ask(create("/a", b"1")).unwrap();
    server.stop();
    // No disk has this much, so the watermark stands above whatever this one has.
    let server = Server::start(dir.path(), &["freeSpace.lowMb=1000000000"]);
    server.logged("event=free_space_low");
    let (mut client, _) = Client::reattach(server.address, &session);
    assert_eq!(client.ask(create("/b", b"2")), Err(-125));
    assert_eq!(data_of(&mut client, "/a").unwrap(), b"1");
    client.ask(Request::Ping).unwrap();
    client.ask(Request::Delete { path: Some("/a".to_owned()), version: -1 }).unwrap();
    client.ask(Request::CloseSession).unwrap();
}

#[test]
fn the_log_is_json_when_asked() {
    let dir = tempdir().unwrap();
    let mut child = command(dir.path(), &["log.format=json"]);
    let mut child = child.spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    for line in lines {
        let line = line.unwrap();
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        if event["event"] == "listening" {
            assert_eq!(event["level"], "INFO");
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
