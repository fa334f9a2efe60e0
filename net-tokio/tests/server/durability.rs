//! SIGKILL under load: what was acknowledged is there again. Three rounds, or two hundred when `QUORATE_FULL` is set.

use crate::bystander::is_full;
use crate::client::{Client, create, create_with_flags, data_of, set};
use crate::process::Server;
use bytes::BytesMut;
use quorate_core::jute::{OpCode, ServerMessage};
use tempfile::tempdir;

/// Requests on their way at a time.
const DEPTH: u32 = 32;
const NODES: u32 = 50;

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let rounds: u32 = if is_full() { 200 } else { 3 };
    let dir = tempdir().unwrap();
    // The last value of each node that was acknowledged, and the last that was sent.
    let mut acknowledged = vec![0u32; NODES as usize];
    let mut sent = acknowledged.clone();
    let mut server = Server::start(dir.path(), &["snapCount=200"]);
    let (mut client, mut session) = Client::with_session(server.address);
    for node in 0..NODES {
        client.ask(create(&format!("/n{node}"), b"0")).unwrap();
    }
    client.ask(create_with_flags("/mine", b"", 1)).unwrap();
    let mut value = 0;
    for round in 0..rounds {
        write_until(&mut client, 300 + round * 37, &mut value, &mut sent, &mut acknowledged);
        server.kill();
        drop(client);
        server = Server::start(dir.path(), &["snapCount=200"]);
        let (back, answer) = Client::reattach(server.address, &session);
        (client, session) = (back, answer.unwrap());
        assert!(session.timeout > 0, "the session is lost");
        assert!(data_of(&mut client, "/mine").is_ok(), "the session's ephemeral is lost");
        for node in 0..NODES {
            let found = data_of(&mut client, &format!("/n{node}")).unwrap();
            let found: u32 = String::from_utf8(found).unwrap().parse().unwrap();
            let (at_least, at_most) = (acknowledged[node as usize], sent[node as usize]);
            assert!(
                (at_least..=at_most).contains(&found),
                "/n{node} is {found}: {at_least} was acknowledged"
            );
            acknowledged[node as usize] = found;
        }
    }
}

/// Keeps requests on their way until `acks` were acknowledged, and leaves the rest unanswered.
fn write_until(client: &mut Client, acks: u32, value: &mut u32, sent: &mut [u32], acknowledged: &mut [u32]) {
    let mut under_way = std::collections::VecDeque::new();
    let mut answered = 0;
    while answered < acks {
        let mut batch = BytesMut::new();
        while under_way.len() < DEPTH as usize {
            *value += 1;
            let node = *value % NODES;
            let xid = client.add(&mut batch, &set(&format!("/n{node}"), value.to_string().as_bytes()));
            sent[node as usize] = *value;
            under_way.push_back((xid, node, *value));
        }
        client.say(&batch);
        let Some(ServerMessage::Reply { header, .. }) = client.hear() else { panic!("no reply") };
        let (xid, node, value) = under_way.pop_front().unwrap();
        assert_eq!((header.xid, header.err), (xid, 0), "a reply to {:?}", OpCode::SetData);
        acknowledged[node as usize] = value;
        answered += 1;
    }
}
