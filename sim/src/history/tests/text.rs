//! A history's text: what is written is read back as it was; and what is no history says why.

use super::{
    Story, connection, create, created, encoded, exists, get, reply, set, shows, sync, synced, version,
};
use crate::history::tests::generator::generate;
use crate::history::{Operations, Options, read, search, witness, write};
use crate::recorded::{RecordedHistory, RecordedRequest, RecordedSettings};
use bytes::Bytes;
use quorate_core::jute::{MultiOp, MultiResult, Request, Response};
use quorate_core::vocabulary::Xid;

/// All but the databases, which have no text.
fn same(one: &RecordedHistory, other: &RecordedHistory) {
    assert_eq!(format!("{:?}", one.connections), format!("{:?}", other.connections));
    assert_eq!(format!("{:?}", one.settings), format!("{:?}", other.settings));
    assert_eq!(one.txns, other.txns);
}

#[test]
fn what_is_written_is_read_back() {
    let mut story = Story::with_a()
        .op(1, (3, 4), 2, set("/a", "base64:", 0), version(1))
        .op(1, (5, 6), 2, exists("/b"), Err(-101))
        .op(1, (7, 8), 2, sync(), synced())
        .lost(1, 9, Request::GetAcl { path: Some("/a".to_owned()) })
        .lost(1, 10, Request::GetData { path: Some("/a".to_owned()), watch: true })
        .lost(1, 11, Request::CloseSession);
    let ops = vec![
        MultiOp::Check { path: Some("/a".to_owned()), version: 7 },
        MultiOp::Delete { path: None, version: -1 },
    ];
    let results = vec![MultiResult::Error { code: -103 }, MultiResult::Error { code: -2 }];
    story = story.op(2, (12, 13), 3, Request::Multi(ops), Ok(Response::Multi(results)));
    story.history.connections[0].answer = None;
    story.history.txns = vec![Bytes::from_static(&[0, 255, 3])];
    story.history.settings =
        RecordedSettings { unheard_ms: 7, wall_at_zero_ms: -1, ..RecordedSettings::default() };
    let data = Some(Bytes::from_static(&[0xff, 0]));
    let request = Request::SetData { path: Some("/a".to_owned()), data, version: -1 };
    story.history.connections[1].requests.push(RecordedRequest {
        xid: Xid(9),
        request,
        sent: 20,
        reply: None,
    });
    same(&read(&write(&story.history)).unwrap(), &story.history);
    for seed in 0..100 {
        let history = generate(seed).history;
        same(&read(&write(&history)).unwrap(), &history);
    }
}

/// The page's example is what the page says of it.
#[test]
fn the_example_of_the_documentation_is_a_history() {
    let page = include_str!("../../../HISTORY.md");
    let blocks: Vec<&str> =
        page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let history = read(blocks[0]).unwrap();
    let operations = Operations::of(&history).unwrap();
    assert_eq!(operations.len(), 9);
    let counts = witness(&operations, &Options::default()).unwrap();
    assert_eq!((counts.unknown, counts.without_zxid), (1, 0));
    let found = search(&operations, &Options::default());
    assert_eq!(found.found, crate::history::Found::Linearizable);
    // And the second breaks what the page says that it breaks.
    let broken = Operations::of(&read(blocks[1]).unwrap()).unwrap();
    assert_eq!(witness(&broken, &Options::default()).unwrap_err().checker, "sync");
    assert!(matches!(search(&broken, &Options::default()).found, crate::history::Found::NotLinearizable(_)));
}

#[test]
fn what_is_no_history_says_why() {
    let says = |text: &str| read(text).unwrap_err().to_string();
    let head = "{\"history\":{\"version\":1}}\n";
    assert!(says("").contains("a history begins with"));
    assert!(says("{\"txn\":\"\"}").contains("a history begins with"));
    assert!(says("{\"history\":{\"version\":2}}").contains("has version 2, this program reads 1"));
    assert!(says(&format!("{head}{head}")).contains("line 2: a second history"));
    let ask = |ask: &str| {
        format!(
            "{head}{{\"connection\":{{\"id\":1,\"server\":1,\"sent\":0}}}}\n{{\"request\":{{\"connection\":1,\"sent\":5,\"ask\":{ask}}}}}"
        )
    };
    assert!(
        says(&ask("{\"sync\":{\"path\":\"/\"}}").replace("connection\":1,", "connection\":2,"))
            .contains("connection 2 is not known")
    );
    assert!(says(&ask("{\"check\":{\"path\":\"/\"}}")).contains("in a multi only"));
    let replied = |reply: &str| ask(&format!("{{\"getData\":{{\"path\":\"/\"}}}},\"reply\":{reply}"));
    assert!(says(&replied("{\"at\":4}")).contains("it is answered at 4, sent at 5"));
    assert!(says(&replied("{\"at\":6}")).contains("needs a \"result\""));
    assert!(says(&replied("{\"at\":6,\"result\":{\"data\":\"x\"}}")).contains("needs a \"stat\""));
    assert!(says(&replied("{\"at\":6,\"zxid\":\"17\",\"err\":-101}")).contains("0x1f"));
    assert!(read(&replied("{\"at\":6,\"zxid\":\"0x17\",\"err\":-101}")).is_ok());
}

#[test]
fn words_and_bytes_of_a_reply_are_the_same() {
    let mut connection = connection(0, 0);
    let answers =
        [(create("/a", "x", 0), created("/a")), (get("/a"), shows("x", 0)), (exists("/b"), Err(-101))];
    for (place, (request, answer)) in answers.into_iter().enumerate() {
        let xid = Xid(place as i32 + 1);
        let reply = Some(reply(xid, 2 * place as u64 + 2, 1, &answer));
        connection.requests.push(RecordedRequest { xid, request, sent: 2 * place as u64 + 1, reply });
    }
    let history = RecordedHistory { connections: vec![connection], ..RecordedHistory::default() };
    let text = write(&history);
    assert!(text.contains("\"create\":{\"path\":\"/a\",\"data\":\"x\""), "{text}");
    assert!(!text.contains("wire"), "{text}");
    let body = read(&text).unwrap().connections[0].requests[1].reply.clone().unwrap().body;
    assert_eq!(body, encoded(&shows("x", 0).unwrap()));
}
