//! Scripts in which the test plays driver and server; each snapshot echoes an input above what the session wants done. What
//! it sends is read by the server's own decoder.
//!
//! A line is a time in ms and an input. `reply XID ZXID ERR BODY` and `event KIND PATH ZXID` are what the server says;
//! `when` asks for the next timeout.

use super::{Attempt, ClientInput, ClientOptions, ClientOutbox, ClientOutput, ClientSession, RequestId};
use crate::jute::{
    Acl, AuthPacket, ClientDecoder, ClientMessage, ConnectResponse, CreateKind, CreateRequest, Encode,
    EventType, FieldLimit, MultiOp, MultiResult, ReplyHeader, Request, Response, Stat, write_frame,
};
use crate::vocabulary::{Entropy, Millis, Mono, ServerId, SessionId, Xid, Zxid};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

mod machine;
mod parts;

struct Script {
    session: ClientSession,
    outbox: ClientOutbox,
    decoders: BTreeMap<Attempt, ClientDecoder>,
    current: Attempt,
    submitted: BTreeSet<RequestId>,
    completed: BTreeSet<RequestId>,
    out: String,
}

fn number<T: std::str::FromStr>(word: &str) -> T {
    word.parse().ok().unwrap_or_else(|| panic!("{word} is no number"))
}

fn request(words: &[&str]) -> Request {
    let path = words.get(1).map(|path| (*path).to_owned());
    let watch = words.get(2) == Some(&"watch");
    let create = |path| CreateRequest {
        kind: CreateKind::Create,
        path,
        data: None,
        acl: Some(Acl::open()),
        flags: 0,
        ttl: -1,
    };
    match words[0] {
        "exists" => Request::Exists { path, watch },
        "getData" => Request::GetData { path, watch },
        "getChildren" => Request::GetChildren { path, watch },
        "addWatch" => Request::AddWatch { path, mode: number(words[2]) },
        "removeWatches" => Request::RemoveWatches { path, kind: number(words[2]) },
        "setData" => Request::SetData { path, data: Some(Bytes::from_static(b"x")), version: -1 },
        "create" => Request::Create(create(path)),
        "sync" => Request::Sync { path },
        "getEphemerals" => Request::GetEphemerals { prefix: path },
        "multi" => {
            Request::Multi(vec![MultiOp::Create(create(path.clone())), MultiOp::Check { path, version: 0 }])
        }
        "ping" => Request::Ping,
        "close" => Request::CloseSession,
        other => panic!("no request {other}"),
    }
}

fn body(word: &str) -> Response {
    match word.split_once('=').unwrap_or((word, "")) {
        ("stat", _) => Response::Stat(Stat::default()),
        ("data", text) => {
            let data = Some(Bytes::copy_from_slice(text.as_bytes()));
            Response::GetData { data, stat: Stat::default() }
        }
        ("paths", paths) => Response::Paths(paths.split(',').map(str::to_owned).collect()),
        ("path", path) => Response::Create { path: path.to_owned() },
        ("created", path) => {
            Response::Multi(vec![MultiResult::Create { path: path.to_owned() }, MultiResult::Check])
        }
        ("added", _) => Response::AddWatch { err: 0 },
        ("empty", _) => Response::Empty,
        other => panic!("no body {other:?}"),
    }
}

/// Replies have long Stats; what matters is which reply it is.
fn brief(response: &Response) -> String {
    match response {
        Response::Stat(_) => "Stat".to_owned(),
        Response::GetData { data, .. } => format!("GetData {data:?}"),
        other => format!("{other:?}"),
    }
}

impl Script {
    fn new(connect: &str) -> Self {
        let connect = connect.parse().expect("a connect string");
        let options = ClientOptions::new(connect, Millis(6000));
        Script {
            session: ClientSession::new(options, Entropy::new(5, ServerId(0), 1), Mono(0)),
            outbox: ClientOutbox::new(),
            decoders: BTreeMap::new(),
            current: Attempt(0),
            submitted: BTreeSet::new(),
            completed: BTreeSet::new(),
            out: String::new(),
        }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.out, "  {line}").expect("a string takes all");
    }

    /// What the server says, as an input.
    fn server_says(&self, words: &[&str]) -> ClientInput {
        let mut bytes = BytesMut::new();
        match words[0] {
            "session" => {
                let response = ConnectResponse {
                    protocol_version: 0,
                    timeout: number(words[2]),
                    session_id: SessionId(number(words[1])),
                    password: Bytes::from_static(b"sixteen bytes ok"),
                    read_only: Some(words.get(3) == Some(&"read-only")),
                };
                write_frame(&mut bytes, |out| response.encode(out));
            }
            "reply" => {
                let header = ReplyHeader {
                    xid: Xid(number(words[1])),
                    zxid: Zxid(number(words[2])),
                    err: number(words[3]),
                };
                write_frame(&mut bytes, |out| {
                    header.encode(out);
                    match words.get(4) {
                        Some(&"garbage") => out.byte(1),
                        Some(word) => body(word).encode(out),
                        None => {}
                    }
                });
            }
            "event" => {
                let kinds = ["", "created", "deleted", "changed", "children"];
                let kind = kinds.iter().position(|kind| *kind == words[1]).expect("an event's kind");
                let kind = EventType::from_code(kind as i32).expect("an event's kind");
                crate::watch::write_notification(&mut bytes, Zxid(number(words[3])), kind, words[2]);
            }
            other => panic!("the server does not say {other}"),
        }
        ClientInput::Bytes(self.current, bytes.freeze())
    }

    fn input(&mut self, words: &[&str]) -> ClientInput {
        match words[0] {
            "timeout" => ClientInput::Timeout,
            "connected" => ClientInput::Connected(self.current),
            "lost" => ClientInput::ConnectionLost(self.current),
            "stale" => ClientInput::ConnectionLost(Attempt(self.current.0 - 1)),
            "close" => ClientInput::Close,
            "auth" => {
                let id = RequestId(number(words[1]));
                self.submitted.insert(id);
                let auth = Some(Bytes::copy_from_slice(words[2].as_bytes()));
                ClientInput::AddAuth(id, AuthPacket { kind: 0, scheme: Some("digest".to_owned()), auth })
            }
            "submit" => {
                let id = RequestId(number(words[1]));
                self.submitted.insert(id);
                ClientInput::Submit(id, request(&words[2..]))
            }
            _ => self.server_says(words),
        }
    }

    fn show(&mut self, output: ClientOutput) {
        match output {
            ClientOutput::Connect(attempt, host) => {
                self.current = attempt;
                self.decoders.insert(attempt, ClientDecoder::new(1 << 20, FieldLimit::default()));
                self.say(&format!("-> connect {} to {host}", attempt.0));
            }
            ClientOutput::Send(attempt, bytes) => {
                let mut decoder = self.decoders.remove(&attempt).expect("sends follow their connect");
                decoder.push(&bytes);
                while let Some(message) = decoder.poll().expect("clients speak the protocol") {
                    let line = match message {
                        ClientMessage::Connect(c) => format!(
                            "handshake: last zxid {}, timeout {}, session {}, password {:?}, read only {:?}",
                            c.last_zxid_seen,
                            c.timeout,
                            c.session_id,
                            c.password.unwrap_or_default(),
                            c.read_only
                        ),
                        // Credentials do not show themselves.
                        ClientMessage::Request { xid, request: Request::Auth(packet), .. } => format!(
                            "xid {}: Auth(AuthPacket{{ kind: {}, scheme: {:?}, auth: {:?} }})",
                            xid.0, packet.kind, packet.scheme, packet.auth
                        ),
                        ClientMessage::Request { xid, request, .. } => format!("xid {}: {request:?}", xid.0),
                        ClientMessage::FourLetter { .. } => panic!("a client sends no four-letter words"),
                    };
                    self.say(&format!("-> {}", line.replace(" {", "{")));
                }
                assert_eq!(decoder.buffered(), 0, "whole frames are sent");
                self.decoders.insert(attempt, decoder);
            }
            ClientOutput::Disconnect(attempt) => self.say(&format!("-> disconnect {}", attempt.0)),
            ClientOutput::Completed { id, zxid, result } => {
                assert!(self.submitted.contains(&id), "{id:?} was never submitted");
                assert!(self.completed.insert(id), "{id:?} was completed before");
                let at = zxid.map_or(String::new(), |zxid| format!(" at {zxid}"));
                let result = result.map_or_else(|error| error.to_string(), |response| brief(&response));
                self.say(&format!("-> {} completed{at}: {result}", id.0));
            }
            ClientOutput::Event(event, zxid) => {
                self.say(&format!("-> event {:?} {} zxid {}", event.kind, event.path, zxid.0));
            }
            ClientOutput::StateChanged(state) => self.say(&format!("-> state {state:?}")),
        }
    }

    fn line(&mut self, line: &str) {
        writeln!(self.out, "{line}").expect("a string takes all");
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[0] == "#" {
            return;
        }
        let now = Mono::from_millis(number(words[0]));
        if words[1] == "when" {
            let next = self.session.next_timeout().map(Mono::as_millis);
            return self.say(&format!("{next:?}"));
        }
        let input = self.input(&words[1..]);
        self.session.handle(now, input, &mut self.outbox);
        let outputs: Vec<_> = self.outbox.drain().collect();
        if outputs.is_empty() {
            self.say("nothing");
        }
        outputs.into_iter().for_each(|output| self.show(output));
    }

    /// Plays a script to its end.
    fn play(mut self, script: &str) -> String {
        script.lines().map(str::trim).filter(|line| !line.is_empty()).for_each(|line| self.line(line));
        self.out
    }
}
