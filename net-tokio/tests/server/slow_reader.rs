//! A client that asks and does not take the answers, or asks for more than anybody gets at once.

use crate::client::{Client, GET_DATA, create, data_of, get, set};
use crate::process::{Server, poll_until};
use bytes::BytesMut;
use quorate_core::jute::{MultiReadOp, MultiResult, OpCode, Request, Response};
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

fn peak_mb(server: &Server) -> u64 {
    let path = format!("/proc/{}/status", server.pid().as_raw_nonzero());
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
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
        Server::start(dir.path(), &["client.backlogPauseBytes=1000", "client.backlogCloseBytes=300000"]);
    let (mut client, _) = Client::with_session(server.address);
    client.ask(create("/large", &[1; SIZE])).unwrap();
    let (mut slow, _) = Client::with_session(server.address);
    // Who takes no replies is not heard any more, but still hears of what it watches.
    let path = format!("/{}", "e".repeat(900));
    client.ask(create(&path, b"")).unwrap();
    slow.ask(Request::AddWatch { path: Some(path.clone()), mode: 0 }).unwrap();
    ask_for_much(&mut slow);
    poll_until("the slow one is closed", || {
        let mut batch = BytesMut::new();
        for _ in 0..100 {
            client.add(&mut batch, &set(&path, b""));
        }
        client.say(&batch);
        (0..100).for_each(|_| assert_eq!(client.hear_reply(OpCode::SetData.code()).unwrap().0.err, 0));
        server.count_logged("its client does not take its replies") > 0
    });
    poll_until("others are alone again", || {
        crate::client::word(server.address, b"mntr").contains("\nzk_num_alive_connections\t2\n")
    });
    // What the sockets had taken is all that comes.
    let mut replies = 0;
    while slow.hear_reply(GET_DATA).is_some() {
        replies += 1;
    }
    assert!(replies < REQUESTS, "{replies} replies");
    assert_eq!(data_of(&mut client, "/large").unwrap().len(), SIZE);
}

#[test]
fn gets_a_long_reply_and_loses_its_connection_for_a_longer_one() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let (mut client, _) = Client::with_session(server.address);
    client.ask(create("/large", &[1; SIZE])).unwrap();
    let much =
        |count| Request::MultiRead(vec![MultiReadOp::GetData { path: Some("/large".to_owned()) }; count]);
    // 60 MB, then 460, from less than 30 KB.
    let Ok(Response::Multi(results)) = client.ask(much(300)) else { panic!("no results") };
    let is_whole = |result: &MultiResult| matches!(result, MultiResult::GetData { data: Some(data), .. } if data.len() == SIZE);
    assert!(results.len() == 300 && results.iter().all(is_whole));
    let (mut greedy, _) = Client::with_session(server.address);
    greedy.send(&much(2300));
    server.logged("a reply is too long (client.backlogCloseBytes)");
    assert!(greedy.is_hung_up_on());
    let peak = peak_mb(&server);
    assert!(peak < 300, "{peak} MB for one reply");
    assert_eq!(data_of(&mut client, "/large").unwrap().len(), SIZE);
}

#[test]
fn hears_what_it_pipelined_behind_a_write_in_order() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let (mut client, _) = Client::with_session(server.address);
    client.ask(create("/large", &[1; SIZE])).unwrap();
    let mut batch = BytesMut::new();
    let mut asked = Vec::new();
    for data in [2, 3] {
        asked.push((client.add(&mut batch, &set("/large", &[data; SIZE])), None));
        for _ in 0..100 {
            asked.push((client.add(&mut batch, &get("/large")), Some(data)));
        }
    }
    client.say(&batch);
    for (xid, data) in asked {
        let opcode = if data.is_some() { GET_DATA } else { OpCode::SetData.code() };
        let (header, response) = client.hear_reply(opcode).unwrap();
        assert_eq!((header.xid, header.err), (xid, 0));
        if let Some(data) = data {
            let Some(Response::GetData { data: Some(found), .. }) = response else { panic!("no data") };
            assert!(found.iter().all(|byte| *byte == data), "what was not written then");
        }
    }
}
