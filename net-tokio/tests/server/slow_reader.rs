//! A client that asks and does not take the answers.

use crate::client::{Client, GET_DATA, create, data_of, get};
use crate::process::{Server, poll_until};
use bytes::BytesMut;
use quorate_core::jute::Response;
use tempfile::tempdir;

const SIZE: usize = 200_000;
/// Replies of 600 MB, far more than any socket takes.
const REQUESTS: usize = 3_000;

fn resident_mb(server: &Server) -> u64 {
    let path = format!("/proc/{}/statm", server.pid().as_raw_nonzero());
    let text = std::fs::read_to_string(path).unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size() as u64 / (1 << 20)
}

fn ask_for_much(client: &mut Client) -> Vec<quorate_core::vocabulary::Xid> {
    let mut batch = BytesMut::new();
    let xids = (0..REQUESTS).map(|_| client.add(&mut batch, &get("/large"))).collect();
    client.say(&batch);
    xids
}

#[test]
fn is_held_back_while_others_go_on_and_misses_nothing() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let (mut client, _) = Client::with_session(server.address);
    let data: Vec<u8> = (0..SIZE).map(|place| place as u8).collect();
    client.ask(create("/large", &data)).unwrap();
    let before = resident_mb(&server);

    let (mut slow, _) = Client::with_session(server.address);
    let xids = ask_for_much(&mut slow);
    for _ in 0..50 {
        assert_eq!(data_of(&mut client, "/large").unwrap().len(), SIZE);
    }
    let grown = resident_mb(&server).saturating_sub(before);
    assert!(grown < 48, "{grown} MB for one client that does not read");
    for xid in xids {
        let (header, response) = slow.hear_reply(GET_DATA).unwrap();
        assert_eq!((header.xid, header.err), (xid, 0));
        let Some(Response::GetData { data: found, .. }) = response else { panic!("no data") };
        assert!(found.unwrap() == data, "other data");
    }
}

#[test]
fn is_closed_when_it_leaves_too_much() {
    let dir = tempdir().unwrap();
    let server =
        Server::start(dir.path(), &["client.backlogPauseBytes=1000", "client.backlogCloseBytes=100000"]);
    let (mut client, _) = Client::with_session(server.address);
    client.ask(create("/large", &[1; SIZE])).unwrap();
    let (mut slow, _) = Client::with_session(server.address);
    ask_for_much(&mut slow);
    server.logged("event=connection_dropped");
    poll_until("others are alone again", || {
        crate::client::word(server.address, b"mntr").contains("\nzk_num_alive_connections\t2\n")
    });
    // What the sockets had taken is all that comes.
    let mut replies = 0;
    while slow.hear().is_some() {
        replies += 1;
    }
    assert!(replies < REQUESTS, "{replies} replies");
    assert_eq!(data_of(&mut client, "/large").unwrap().len(), SIZE);
}
