//! What no client should send, and what becomes of it: the connection ends without a word, and nobody else notices.

use crate::client::{Client, create, data_of};
use crate::process::{Server, poll_until};
use quorate_core::vocabulary::SessionId;
use tempfile::tempdir;

const LIMIT: i32 = 0xf_ffff;

#[test]
fn frames_that_are_none_end_their_connection_and_no_other() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let (mut bystander, _) = Client::with_session(server.address);
    let too_long = (LIMIT + 1).to_be_bytes();
    let cases: [(&str, &[u8]); 6] = [
        ("a negative length", &[0xff; 4]),
        ("a length over the limit", &too_long),
        ("TLS", &[0x16, 3, 1, 2, 0, 1]),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n"),
        ("an empty handshake", &[0; 4]),
        ("a handshake that is cut short", &[0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ];
    for (what, bytes) in cases {
        let mut client = Client::connect(server.address);
        client.say(bytes);
        assert!(client.is_hung_up_on(), "{what}");
    }
    let cases: [(&str, &[u8]); 4] = [
        ("a negative length", &[0x80, 0, 0, 0]),
        ("a length over the limit", &too_long),
        ("an empty frame", &[0; 4]),
        ("half a header", &[0, 0, 0, 4, 0, 0, 0, 1]),
    ];
    for (what, bytes) in cases {
        let (mut client, _) = Client::with_session(server.address);
        client.say(bytes);
        assert!(client.is_hung_up_on(), "{what} behind a handshake");
    }
    bystander.ask(create("/still", b"here")).unwrap();
    server.logged("event=connection_dropped");
}

#[test]
fn a_frame_of_exactly_the_limit_is_taken() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let (mut client, _) = Client::with_session(server.address);
    let mut frame = bytes::BytesMut::new();
    client.add(&mut frame, &create("/max", b""));
    let data = vec![1; LIMIT as usize - (frame.len() - 4)];
    client.ask(create("/max", &data)).unwrap();
    assert_eq!(data_of(&mut client, "/max").unwrap().len(), data.len());
}

#[test]
fn replies_to_what_came_before_the_nonsense_still_arrive() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let (mut client, _) = Client::with_session(server.address);
    client.ask(create("/a", b"1")).unwrap();
    let mut bytes = bytes::BytesMut::new();
    client.add(&mut bytes, &crate::client::get("/a"));
    bytes.extend_from_slice(&[0xff; 4]);
    client.say(&bytes);
    assert!(client.hear_reply(crate::client::GET_DATA).is_some());
    assert!(client.is_hung_up_on());
}

#[test]
fn half_open_connections_end_after_their_patience_and_hold_nothing_up() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &["nio.sessionlessCnxnTimeout=300"]);
    let mut silent = Client::connect(server.address);
    let mut begun = Client::connect(server.address);
    begun.say(&[0, 0, 0, 45, 0, 0]);
    let (mut client, _) = Client::with_session(server.address);
    client.ask(create("/a", b"")).unwrap();
    assert!(silent.is_hung_up_on());
    assert!(begun.is_hung_up_on());
    // Who has a session may be silent for as long as that allows.
    client.ask(create("/b", b"")).unwrap();
}

#[test]
fn descriptors_that_run_out_only_delay_who_comes_then() {
    let dir = tempdir().unwrap();
    let mut command = crate::process::command_after("ulimit -n 48", dir.path(), &["maxClientCnxns=0"]);
    let server = Server::spawn(&mut command);
    let (mut first, _) = Client::with_session(server.address);
    let crowd: Vec<_> = (0..60).map(|_| Client::connect(server.address)).collect();
    server.logged("event=accept_failed");
    // Who is in is served.
    first.ask(create("/a", b"")).unwrap();
    drop(crowd);
    let mut late = Client::connect(server.address);
    assert!(late.handshake(SessionId::NONE, &[0; 16], 30_000).is_some());
}

#[test]
fn one_address_has_as_many_connections_as_it_may() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &["maxClientCnxns=3"]);
    let mut clients: Vec<_> = (0..3).map(|_| Client::with_session(server.address).0).collect();
    let mut fourth = Client::connect(server.address);
    assert!(fourth.is_hung_up_on());
    drop(clients.pop());
    poll_until("there is room again", || {
        let mut client = Client::connect(server.address);
        client.stream.set_read_timeout(Some(crate::process::DEADLINE)).unwrap();
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            client.handshake(SessionId::NONE, &[0; 16], 30_000).is_some()
        }))
        .unwrap_or(false)
    });
    clients[0].ask(create("/a", b"")).unwrap();
}
