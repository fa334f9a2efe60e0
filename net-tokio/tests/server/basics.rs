//! What every client does.

use crate::client::{Client, create, create_with_flags, data_of, get, set};
use crate::process::{Server, poll_until};
use quorate_core::jute::{Request, Response, ServerMessage};
use quorate_core::vocabulary::{ErrorCode, SessionId};
use tempfile::tempdir;

#[test]
fn a_client_shakes_hands_pings_writes_reads_and_says_goodbye() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let (mut client, session) = Client::with_session(server.address);
    assert_eq!((session.timeout, session.password.len(), session.read_only), (30_000, 16, Some(false)));

    assert_eq!(client.ask(Request::Ping), Ok(Response::Empty));
    assert_eq!(client.ask(create("/a", b"one")), Ok(Response::Create { path: "/a".to_owned() }));
    assert_eq!(client.ask(create("/a", b"two")), Err(ErrorCode::NodeExists.code()));
    assert_eq!(data_of(&mut client, "/a").unwrap(), b"one");
    assert!(matches!(client.ask(set("/a", b"three")), Ok(Response::Stat(stat)) if stat.version == 1));
    assert_eq!(data_of(&mut client, "/a").unwrap(), b"three");
    assert_eq!(data_of(&mut client, "/b"), Err(ErrorCode::NoNode.code()));

    assert_eq!(client.ask(Request::CloseSession), Ok(Response::Empty));
    assert!(client.is_hung_up_on());
    // The session is gone, and that is answered by a timeout of 0.
    let (mut again, answer) = Client::reattach(server.address, &session);
    assert_eq!(answer.map(|answer| (answer.timeout, answer.session_id)), Some((0, SessionId::NONE)));
    assert!(again.is_hung_up_on());
}

#[test]
fn a_thousand_requests_at_once_are_answered_in_their_order() {
    ask_a_thousand_at_once(&[]);
}

#[test]
fn a_client_that_is_paused_again_and_again_loses_no_place() {
    ask_a_thousand_at_once(&["globalOutstandingLimit=7"]);
}

fn ask_a_thousand_at_once(settings: &[&str]) {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), settings);
    let (mut client, _) = Client::with_session(server.address);
    let mut batch = bytes::BytesMut::new();
    let mut expected = Vec::new();
    for number in 0..500 {
        let path = format!("/n{number}");
        expected.push((client.add(&mut batch, &create(&path, path.as_bytes())), create(&path, b"").opcode()));
        expected.push((client.add(&mut batch, &get(&path)), get(&path).opcode()));
    }
    client.say(&batch);
    for (xid, opcode) in expected {
        let (header, response) = client.hear_reply(opcode).unwrap();
        assert_eq!((header.xid, header.err), (xid, 0));
        // A read sees the write in front of it, though that was not durable when the read came.
        if let Some(Response::GetData { data, .. }) = response {
            assert_eq!(data.unwrap(), format!("/n{}", (xid.0 - 2) / 2).as_bytes());
        }
    }
}

#[test]
fn a_frame_may_come_byte_by_byte() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let (mut client, _) = Client::with_session(server.address);
    let mut frame = bytes::BytesMut::new();
    client.add(&mut frame, &create("/slow", b"typist"));
    for byte in frame {
        client.say(&[byte]);
    }
    assert!(client.hear_reply(1).is_some());
    // A megabyte, which is far more than one read brings.
    let large = vec![7; 1_000_000];
    assert_eq!(client.ask(create("/large", &large)), Ok(Response::Create { path: "/large".to_owned() }));
    assert_eq!(data_of(&mut client, "/large").unwrap(), large);
}

#[test]
fn a_watcher_hears_of_the_change_and_of_the_end_of_another_session() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let (mut watcher, _) = Client::with_session(server.address);
    let (mut owner, _) = Client::with_session(server.address);
    owner.ask(create_with_flags("/alive", b"", 1)).unwrap();
    watcher.ask(Request::Exists { path: Some("/alive".to_owned()), watch: true }).unwrap();
    owner.ask(Request::CloseSession).unwrap();
    let Some(ServerMessage::Event { event, .. }) = watcher.hear() else { panic!("no event") };
    assert_eq!(event.path, "/alive");
    assert_eq!(data_of(&mut watcher, "/alive"), Err(ErrorCode::NoNode.code()));
}

#[test]
fn a_session_that_says_nothing_expires_and_its_ephemerals_with_it() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &["tickTime=100"]);
    let mut silent = Client::connect(server.address);
    let session = silent.handshake(SessionId::NONE, &[0; 16], 1).unwrap();
    assert_eq!(session.timeout, 200);
    silent.ask(create_with_flags("/e", b"", 1)).unwrap();
    assert!(silent.is_hung_up_on());
    server.logged(&format!("event=session_expired session={}", session.session_id));
    let (mut other, _) = Client::with_session(server.address);
    poll_until("the ephemeral is gone", || data_of(&mut other, "/e").is_err());
}
