//! `quorate bench` against a server that answers rightly, and against ones that don't: a benchmark that believes anything
//! measures nothing.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use bytes::BytesMut;
use quorate_core::jute::{
    ClientDecoder, ClientMessage, ConnectResponse, Encode, EventType, FieldLimit, OpCode, ReplyHeader,
    Request, Response, Stat, WatcherEvent, write_frame,
};
use quorate_core::vocabulary::{ErrorCode, SessionId, Xid, Zxid};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

/// What the server does wrong, once the workload runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    None,
    /// One byte of data is missing.
    ShortData,
    /// The stat tells another length.
    WrongStat,
    /// A reply carries the xid of the request behind it.
    WrongXid,
    /// Every write is refused.
    Refuse,
    /// One name is missing from a listing.
    ShortList,
    /// The connection is closed.
    HangUp,
    /// A watch fires before the write.
    EarlyEvent,
    /// Bytes behind the record.
    Trailing,
}

type Tree = Arc<Mutex<BTreeMap<String, (Vec<u8>, i32)>>>;

/// As much of a server as the bench needs: one session a connection, no ephemerals, watches on one znode.
#[derive(Clone)]
struct Fake {
    tree: Tree,
    watchers: Arc<Mutex<Vec<TcpStream>>>,
    lie: Lie,
}

impl Fake {
    fn start(lie: Lie) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let fake = Fake { tree: Tree::default(), watchers: Arc::default(), lie };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let fake = fake.clone();
                std::thread::spawn(move || fake.serve(stream.unwrap()));
            }
        });
        address
    }

    fn serve(&self, mut stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let mut decoder = ClientDecoder::new(1 << 20, FieldLimit::default());
        let mut piece = [0; 8192];
        loop {
            // The bench may leave whenever it likes; the test looks at what it says.
            let Ok(count) = stream.read(&mut piece) else { return };
            if count == 0 {
                return;
            }
            decoder.push(&piece[..count]);
            let mut out = BytesMut::new();
            while let Some(message) = decoder.poll().unwrap() {
                match message {
                    ClientMessage::Connect(request) => self.greet(&mut out, request.timeout),
                    ClientMessage::Request { xid, request, .. } => {
                        if !self.answer(&mut out, &stream, xid, request) {
                            return;
                        }
                    }
                    ClientMessage::FourLetter { .. } => return,
                }
            }
            if stream.write_all(&out).is_err() {
                return;
            }
        }
    }

    fn greet(&self, out: &mut BytesMut, timeout: i32) {
        let response = ConnectResponse {
            protocol_version: 0,
            timeout,
            session_id: SessionId(1),
            password: bytes::Bytes::from_static(&[0; 16]),
            read_only: Some(false),
        };
        write_frame(out, |writer| response.encode(writer));
    }

    fn answer(&self, out: &mut BytesMut, stream: &TcpStream, xid: Xid, request: Request) -> bool {
        let opcode = request.opcode();
        if self.lie == Lie::HangUp && opcode == OpCode::GetData.code() {
            return false;
        }
        let result = self.perform(stream, request);
        let lies = self.lie == Lie::WrongXid && opcode == OpCode::GetData.code();
        let xid = if lies { Xid(xid.0 + 1) } else { xid };
        let err = result.as_ref().err().map_or(0, |error| error.code());
        write_frame(out, |writer| {
            ReplyHeader { xid, zxid: Zxid(1), err }.encode(writer);
            if let Ok(response) = &result {
                response.encode(writer);
            }
            if self.lie == Lie::Trailing && opcode == OpCode::GetData.code() {
                writer.int(0);
            }
        });
        true
    }

    fn perform(&self, stream: &TcpStream, request: Request) -> Result<Response, ErrorCode> {
        let mut tree = self.tree.lock().unwrap();
        let stat = |data: &[u8], version| {
            let more = i32::from(self.lie == Lie::WrongStat);
            Stat { data_length: data.len() as i32 + more, version, ..Stat::default() }
        };
        match request {
            Request::Create(create) => {
                let path = create.path.unwrap();
                match tree.insert(path.clone(), (create.data.unwrap().to_vec(), 0)) {
                    None => Ok(Response::Create { path }),
                    Some(_) => Err(ErrorCode::NodeExists),
                }
            }
            Request::Delete { path, .. } => {
                tree.remove(&path.unwrap()).map(|_| Response::Empty).ok_or(ErrorCode::NoNode)
            }
            Request::GetData { path, watch } => {
                let path = path.unwrap();
                let (data, version) = tree.get(&path).ok_or(ErrorCode::NoNode)?;
                if watch {
                    self.watchers.lock().unwrap().push(stream.try_clone().unwrap());
                    if self.lie == Lie::EarlyEvent {
                        self.fire(&path);
                    }
                }
                let mut sent = data.clone();
                sent.truncate(data.len() - usize::from(self.lie == Lie::ShortData));
                Ok(Response::GetData { data: Some(sent.into()), stat: stat(data, *version) })
            }
            Request::SetData { path, data, .. } => {
                if self.lie == Lie::Refuse {
                    return Err(ErrorCode::NoAuth);
                }
                let path = path.unwrap();
                let node = tree.get_mut(&path).ok_or(ErrorCode::NoNode)?;
                *node = (data.unwrap().to_vec(), node.1 + 1);
                self.fire(&path);
                Ok(Response::Stat(stat(&node.0, node.1)))
            }
            Request::GetChildren { path, .. } => {
                let path = path.unwrap();
                tree.get(&path).ok_or(ErrorCode::NoNode)?;
                let prefix = format!("{path}/");
                let names = tree
                    .keys()
                    .filter_map(|key| key.strip_prefix(&prefix))
                    .filter(|name| !name.contains('/'));
                let skip = usize::from(self.lie == Lie::ShortList && path.ends_with("children"));
                Ok(Response::Paths(names.skip(skip).map(str::to_owned).collect()))
            }
            Request::Ping | Request::CloseSession => Ok(Response::Empty),
            other => panic!("the bench asks {other:?}"),
        }
    }

    fn fire(&self, path: &str) {
        let event = WatcherEvent { kind: EventType::NodeDataChanged, path: path.to_owned() };
        let mut out = BytesMut::new();
        write_frame(&mut out, |writer| {
            ReplyHeader { xid: Xid::NOTIFICATION, zxid: Zxid(-1), err: 0 }.encode(writer);
            event.encode(writer);
        });
        for mut watcher in self.watchers.lock().unwrap().drain(..) {
            let _ = watcher.write_all(&out);
        }
    }
}

fn bench(server: &str, workload: &str, more: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_quorate"))
        .args(["bench", "--server", server, "--workload", workload, "--connections", "3", "--znodes", "20"])
        .args(["--duration", "0.2", "--warmup", "0.05", "--json"])
        .args(more)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn every_workload_runs_clean_against_a_right_server() {
    for workload in ["read", "write", "mixed", "create", "children", "watch-fanout"] {
        let server = Fake::start(Lie::None);
        let (code, out, err) = bench(&server, workload, &["--depth", "4"]);
        assert_eq!((code, err.as_str()), (0, ""), "{workload}: {out}");
        let report: serde_json::Value = serde_json::from_str(&out).unwrap();
        let number = |name: &str| report[name].as_f64().unwrap();
        assert!(number("operations") > 10.0, "{workload}: {out}");
        assert_eq!((number("wrong"), number("unanswered")), (0.0, 0.0), "{workload}");
        let latency = |name: &str| report["latency_us"][name].as_f64().unwrap();
        assert!(
            0.0 < latency("p50") && latency("p50") <= latency("p99") && latency("p99") <= latency("max"),
            "{out}"
        );
    }
}

#[test]
fn an_open_loop_sends_as_many_as_it_was_told() {
    let server = Fake::start(Lie::None);
    let (code, out, _) = bench(
        &server,
        "read",
        &["--rate", "500", "--duration", "1", "--server-pid", &std::process::id().to_string()],
    );
    assert_eq!(code, 0);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let operations = report["operations"].as_u64().unwrap();
    assert!((250..=600).contains(&operations), "{operations} at 500 a second: {out}");
    assert!(report["server_rss_kib"].as_u64().unwrap() > 0);
}

#[test]
fn idle_sessions_ping() {
    let server = Fake::start(Lie::None);
    let (code, out, _) = bench(&server, "idle-sessions", &["--session-timeout-ms", "150"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(code == 0 && report["operations"].as_u64().unwrap() >= 6, "{out}");
}

#[test]
fn what_it_made_it_removes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let fake = Fake { tree: Tree::default(), watchers: Arc::default(), lie: Lie::None };
    let tree = fake.tree.clone();
    tree.lock().unwrap().insert("/other".to_owned(), (Vec::new(), 0));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let fake = fake.clone();
            std::thread::spawn(move || fake.serve(stream.unwrap()));
        }
    });
    for workload in ["read", "create", "children", "watch-fanout"] {
        assert_eq!(bench(&address, workload, &[]).0, 0);
        assert_eq!(tree.lock().unwrap().keys().collect::<Vec<_>>(), ["/other"], "{workload} left something");
    }
    assert_eq!(bench(&address, "read", &["--keep"]).0, 0);
    let kept = tree.lock().unwrap().len();
    assert!(kept > 20);
    assert_eq!(bench(&address, "write", &[]).0, 0, "what an earlier run left is in the way");
    assert_eq!(tree.lock().unwrap().len(), kept, "what was to be kept is gone, or something else is left");
}

#[test]
fn two_runs_at_once_do_not_meet() {
    let server = Fake::start(Lie::None);
    let runs = ["write", "read", "children"].map(|workload| {
        let server = server.clone();
        std::thread::spawn(move || bench(&server, workload, &[]))
    });
    for run in runs {
        let (code, out, err) = run.join().unwrap();
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
    }
}

#[test]
fn figures_that_say_less_than_they_seem_to_come_with_a_warning() {
    let text = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_quorate"))
            .args(["bench", "--server", &Fake::start(Lie::None), "--znodes", "20", "--warmup", "0"])
            .args(more)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let missed = text(&["--rate", "2000000", "--duration", "0.05"]);
    assert!(missed.contains("\nbeware       the rate was missed: "), "{missed}");
    // Its own figure must be read in time, however busy it is.
    let (_, out, _) = bench(&Fake::start(Lie::None), "read", &["--rate", "1000000"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(report["bench_busy"].as_f64().unwrap() > 0.0, "{out}");
    let reached = text(&["--rate", "20", "--duration", "0.5", "--connections", "1"]);
    assert!(!reached.contains("the bench itself"), "{reached}");
}

#[test]
fn what_can_not_be_is_told_with_its_name() {
    for wrong in
        [["--connections", "0"], ["--rate", "0"], ["--depth", "0"], ["--znodes", "0"], ["--duration", "0"]]
    {
        let (code, _, err) = bench("127.0.0.1:1", "read", &wrong);
        assert!(code == 2 && err.contains(wrong[0]), "{wrong:?}: {err}");
    }
    let (code, _, err) = bench("127.0.0.1:1", "read", &[]);
    assert!(code == 1 && err.contains("cannot connect to 127.0.0.1:1: Connection refused"), "{err}");
    let server = Fake::start(Lie::None);
    let (code, _, err) = bench(&server, "read", &["--server-pid", "999999999"]);
    assert!(code == 1 && err.contains("--server-pid 999999999: No such file"), "{err}");
}

#[test]
fn every_lie_is_told() {
    let cases = [
        (Lie::ShortData, "read", "99 bytes (dataLength 100) where 100 were written"),
        (Lie::WrongStat, "read", "100 bytes (dataLength 101) where 100 were written"),
        (Lie::WrongStat, "write", "after a write: dataLength 101"),
        (Lie::WrongXid, "read", "a reply to xid 2, where Some(Xid(1)) is next"),
        (Lie::Refuse, "write", "\"NoAuth\": "),
        (Lie::ShortList, "children", "19 children of 20"),
        (Lie::HangUp, "read", "the server closed the connection"),
        (Lie::EarlyEvent, "watch-fanout", "an event nobody waits for"),
        (Lie::Trailing, "read", "4 bytes behind a reply"),
    ];
    for (lie, workload, expected) in cases {
        let (code, out, err) = bench(&Fake::start(lie), workload, &[]);
        assert_eq!(code, 1, "{lie:?} is believed");
        assert!(out.contains(expected) || err.contains(expected), "{lie:?}: {out}{err}");
    }
}
