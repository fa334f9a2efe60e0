//! Thousands of sessions end at once: 1,000 with ten ephemerals each, or three times 10,000 when `QUORATE_FULL` is set.
//! Who is not among them does not notice.

use crate::bystander::{Bystander, Control, Memory, Span, is_full};
use crate::client::{Client, create, create_with_flags, word};
use crate::process::{Server, poll_until, stand_back};
use bytes::BytesMut;
use quorate_core::jute::{Request, Response, ServerMessage};
use quorate_core::vocabulary::SessionId;
use std::time::{Duration, Instant};
use tempfile::tempdir;

const PARENT: &str = "/crowd";
const EPHEMERALS: usize = 10;
const PATIENCE_MS: i32 = 300_000;
/// Sessions of which one has a node that is watched.
const WATCHED: usize = 50;

#[test]
fn thousands_of_sessions_expire_at_once_and_nobody_else_notices() {
    let (rounds, count, timeout) = if is_full() { (3, 10_000, 20_000) } else { (1, 1_000, 6_000) };
    crate::process::raise_descriptor_limit(count + 200);
    let dir = tempdir().unwrap();
    let settings = ["maxClientCnxns=0", "maxSessionTimeout=300000"];
    let server = Server::start_with_large_log(dir.path(), &settings);
    let mut keeper = patient(&server);
    keeper.ask(create(PARENT, b"")).unwrap();
    let (bystander, control) = (Bystander::start(&server), Control::start());
    stand_back();
    let (mut calm, mut storms) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut crowd = gather(&server, count, timeout);
        let mut watcher = watch_some(&server, &keeper_children(&mut keeper), count);
        let memory = Memory::watch(&server);
        // The last that is heard of them, within one tick.
        for client in &mut crowd {
            client.send(&Request::Ping);
        }
        let begin = Instant::now();
        let storm = wait_for_the_end(&mut keeper, count * EPHEMERALS);
        calm.extend(cut(Span { from: begin, to: storm.from }));
        storms.extend(cut(storm));
        println!("{count} sessions expired in {:?}", storm.to - storm.from);

        let grown = memory.grown();
        println!("{} KiB more memory", grown >> 10);
        assert!(grown < 48 << 20, "{grown} bytes for the end of {count} sessions");
        for _ in 0..count / WATCHED {
            assert!(matches!(watcher.hear(), Some(ServerMessage::Event { .. })));
        }
        watcher.ask(Request::CloseSession).unwrap();
        assert_nothing_is_left(&server);
        crowd.iter_mut().for_each(assert_end_of_stream);
    }
    bystander.judge("mass expiry", &calm, &storms, control);
    keeper.ask(create_with_flags("/new", b"", 1)).unwrap();
    server.logged("event=suppressed kind=session_expired");
    assert!(server.count_logged("event=session_expired") < count / 2, "a line for each would be a flood");
}

/// A session that outlives the others, however long their end takes.
fn patient(server: &Server) -> Client {
    let mut client = Client::connect(server.address);
    client.handshake(SessionId::NONE, &[0; 16], PATIENCE_MS).expect("a session");
    client
}

/// As many sessions as that, each with its ephemerals.
fn gather(server: &Server, count: usize, timeout: i32) -> Vec<Client> {
    let mut crowd: Vec<_> = (0..count).map(|_| Client::connect(server.address)).collect();
    for (number, client) in crowd.iter_mut().enumerate() {
        client.say_handshake(SessionId::NONE, &[0; 16], timeout);
        let mut batch = BytesMut::new();
        for ephemeral in 0..EPHEMERALS {
            let path = format!("{PARENT}/{number}-{ephemeral}");
            client.add(&mut batch, &create_with_flags(&path, b"", 1));
        }
        client.say(&batch);
    }
    for client in &mut crowd {
        let Some(ServerMessage::Connected(response)) = client.hear() else { panic!("no handshake") };
        assert_eq!(response.timeout, timeout);
        for _ in 0..EPHEMERALS {
            assert_eq!(client.hear_reply(1).unwrap().0.err, 0);
        }
    }
    crowd
}

fn watch_some(server: &Server, children: &i32, count: usize) -> Client {
    assert_eq!(*children as usize, count * EPHEMERALS);
    let mut watcher = patient(server);
    for number in (0..count).step_by(WATCHED) {
        let path = Some(format!("{PARENT}/{number}-0"));
        watcher.ask(Request::Exists { path, watch: true }).unwrap();
    }
    watcher
}

fn keeper_children(keeper: &mut Client) -> i32 {
    match keeper.ask(Request::Exists { path: Some(PARENT.to_owned()), watch: false }) {
        Ok(Response::Stat(stat)) => stat.num_children,
        other => panic!("{other:?}"),
    }
}

/// From when the first of so many ephemerals vanishes until the last does.
fn wait_for_the_end(keeper: &mut Client, ephemerals: usize) -> Span {
    let mut from = Instant::now();
    poll_until("the first ephemeral is gone", || {
        let now = Instant::now();
        let is_whole = keeper_children(keeper) as usize == ephemerals;
        if is_whole {
            from = now;
        }
        !is_whole
    });
    poll_until("every ephemeral is gone", || keeper_children(keeper) == 0);
    Span { from, to: Instant::now() }
}

/// Windows that are long enough for a percentile to mean something.
fn cut(span: Span) -> Vec<Span> {
    let pieces = ((span.to - span.from).as_millis() / 500).max(1) as u32;
    let length: Duration = (span.to - span.from) / pieces;
    (0..pieces)
        .map(|piece| Span { from: span.from + length * piece, to: span.from + length * (piece + 1) })
        .collect()
}

fn assert_nothing_is_left(server: &Server) {
    let mntr = word(server.address, b"mntr");
    let sessions = format!("\nzk_global_sessions\t{}\n", Bystander::SESSIONS + 1);
    assert!(mntr.contains(&sessions), "{mntr}");
    assert!(mntr.contains("\nzk_ephemerals_count\t0\n"), "{mntr}");
}

fn assert_end_of_stream(client: &mut Client) {
    while let Some(message) = client.hear() {
        assert!(
            matches!(message, ServerMessage::Reply { header, .. } if header.err == 0),
            "an answered ping"
        );
    }
}
