//! Small recordings by hand, each wrong in one way.

use crate::recorded::{
    RecordedConnection, RecordedCounts, RecordedHistory, RecordedReply, RecordedRequest, RecordedSettings,
    judge,
};
use bytes::{Bytes, BytesMut};
use quorate_core::jute::{
    Acl, ConnectRequest, ConnectResponse, CreateKind, CreateRequest, CreateTxn, Encode, OpCode, ReplyHeader,
    Request, Response, Txn, TxnHeader, TxnRecord, Writer,
};
use quorate_core::vocabulary::{Epoch, SessionId, Wall, Xid, Zxid};

const SESSION: SessionId = SessionId(1 << 56);

fn zxid(counter: u32) -> Zxid {
    Zxid::new(Epoch(1), counter)
}

fn encoded(value: &impl Encode) -> Bytes {
    let mut bytes = BytesMut::new();
    value.encode(&mut Writer::new(&mut bytes));
    bytes.freeze()
}

fn txn(counter: u32, cxid: i32, opcode: OpCode, record: TxnRecord) -> Bytes {
    let header = TxnHeader { session: SESSION, cxid: Xid(cxid), zxid: zxid(counter), time: Wall(0), opcode };
    encoded(&Txn { header, record, digest: None })
}

fn created(counter: u32, cxid: i32, path: &str) -> Bytes {
    let record = CreateTxn {
        path: path.to_owned(),
        data: Some(Bytes::new()),
        acl: Acl::open(),
        ephemeral: false,
        ttl: 0,
        parent_cversion: cxid,
    };
    txn(counter, cxid, OpCode::Create, TxnRecord::Create(record))
}

fn creation(path: &str) -> Request {
    Request::Create(CreateRequest {
        kind: CreateKind::Create,
        path: Some(path.to_owned()),
        data: Some(Bytes::new()),
        acl: Some(Acl::open()),
        flags: 0,
        ttl: -1,
    })
}

/// Asked at one time and answered at the next.
fn asked(xid: i32, sent: u64, request: Request, (counter, response): (u32, &Response)) -> RecordedRequest {
    let header = ReplyHeader { xid: Xid(xid), zxid: zxid(counter), err: 0 };
    let reply = Some(RecordedReply { at: sent + 1, header, body: encoded(response) });
    RecordedRequest { xid: Xid(xid), request, sent, reply }
}

fn path(path: &str) -> Response {
    Response::Create { path: path.to_owned() }
}

/// A session that creates two nodes, one after the other, and syncs.
fn recording() -> RecordedHistory {
    let password = Bytes::from(crate::model::password(SESSION));
    let handshake = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(0),
        timeout: 5_000,
        session_id: SessionId::NONE,
        password: Some(Bytes::from_static(&[0; 16])),
        read_only: Some(false),
    };
    let response = ConnectResponse {
        protocol_version: 0,
        timeout: 5_000,
        session_id: SESSION,
        password,
        read_only: Some(false),
    };
    let sync = Request::Sync { path: Some("/".to_owned()) };
    let requests = vec![
        asked(1, 10, creation("/a"), (2, &path("/a"))),
        asked(2, 20, creation("/b"), (3, &path("/b"))),
        asked(3, 30, sync, (3, &Response::Sync { path: Some("/".to_owned()) })),
    ];
    let connection =
        RecordedConnection { server: 0, handshake, sent: 1, answer: Some((2, response)), requests };
    let session = txn(1, 0, OpCode::CreateSession, TxnRecord::CreateSession { timeout: 5_000 });
    RecordedHistory {
        txns: vec![session, created(2, 1, "/a"), created(3, 2, "/b")],
        connections: vec![connection],
        databases: Vec::new(),
        settings: RecordedSettings { max_session_timeout: 40_000, ..RecordedSettings::default() },
    }
}

fn verdict(change: impl FnOnce(&mut RecordedHistory)) -> Result<RecordedCounts, &'static str> {
    let mut recording = recording();
    change(&mut recording);
    judge(&recording).map_err(|violation| violation.checker)
}

#[test]
fn a_recording_in_which_all_is_well_is_counted() {
    let counts = verdict(|_| {}).unwrap();
    let expected = RecordedCounts {
        txns: 3,
        requests: 3,
        writes: 2,
        syncs: 1,
        sessions: 1,
        epochs: 1,
        ..RecordedCounts::default()
    };
    assert_eq!(counts, expected);
}

#[test]
fn what_was_acknowledged_and_is_not_there_in_the_end_is_missed() {
    let lost = verdict(|recording| {
        recording.txns.pop();
        recording.connections[0].requests.pop();
    });
    assert_eq!(lost, Err("commit_before_visible"));
}

#[test]
fn a_request_is_not_executed_twice_nor_unasked() {
    let twice = verdict(|recording| recording.txns.push(created(4, 2, "/c")));
    assert_eq!(twice, Err("executed_at_most_once"));
    let another = verdict(|recording| recording.txns[2] = created(3, 2, "/c"));
    assert_eq!(another, Err("txns_match_model"));
}

#[test]
fn a_session_that_is_acknowledged_is_one() {
    let unknown = verdict(|recording| {
        let (_, response) = recording.connections[0].answer.as_mut().unwrap();
        response.session_id = SessionId(2);
        recording.connections[0].requests.clear();
        recording.txns.truncate(1);
    });
    assert_eq!(unknown, Err("session_validity"));
}

#[test]
fn a_write_is_behind_what_was_acknowledged_before_it_was_asked_for() {
    let early = verdict(|recording| {
        let mut other = recording.connections[0].clone();
        other.handshake.session_id = SESSION;
        other.requests = vec![asked(4, 5, creation("/c"), (4, &path("/c")))];
        recording.txns.push(created(4, 4, "/c"));
        recording.connections.push(other);
    });
    assert_eq!(early, Err("session_view"), "and a session's view does not go back");
    let other_session = verdict(|recording| {
        let requests = &mut recording.connections[0].requests;
        let swapped = requests.remove(0);
        requests[0].sent = 12;
        requests.insert(1, RecordedRequest { sent: 40, ..swapped });
    });
    assert_eq!(other_session, Err("session_order"));
}

#[test]
fn a_sync_shows_what_was_acknowledged_before_it_was_asked_for() {
    let stale = verdict(|recording| {
        let mut other = recording.connections[0].clone();
        let session = SessionId(SESSION.0 + 1);
        let (_, response) = other.answer.as_mut().unwrap();
        (response.session_id, response.password) = (session, crate::model::password(session).into());
        other.requests = vec![recording.connections[0].requests.pop().unwrap()];
        other.requests[0].reply.as_mut().unwrap().header.zxid = zxid(1);
        let header =
            TxnHeader { session, cxid: Xid(0), zxid: zxid(4), time: Wall(0), opcode: OpCode::CreateSession };
        let record = TxnRecord::CreateSession { timeout: 5_000 };
        recording.txns.push(encoded(&Txn { header, record, digest: None }));
        recording.connections.push(other);
    });
    assert_eq!(stale, Err("sync"));
}
