//! Whether another server answers the same, its own numbers for sessions and txns aside.
//!
//! Compared are each answer's code and body, the events before it as a set, and that whatever names a txn or a session names the same
//! one each time. Not compared: times of day, passwords, the order of names that servers give in any order, and what a
//! client's address is.

use super::script::{Exchange, HEADER, Heard, Said};
use bytes::{BufMut, Bytes, BytesMut};
use quorate_core::jute::{
    ConnectRequest, Encode, MultiResult, OpCode, Reader, ReplyHeader, Response, Stat, WatcherEvent,
    write_frame,
};
use quorate_core::vocabulary::{SessionId, Zxid};
use std::collections::BTreeMap;
use std::fmt::Display;

/// Further than any server here comes.
const FAR: i64 = 1 << 32;

/// An answer that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// Which exchange of the script.
    pub place: usize,
    /// What was said.
    pub said: String,
    /// What the simulated server answered, in the other's numbers.
    pub expected: String,
    /// What the other did.
    pub heard: String,
}

/// A session at the other server.
#[derive(Debug)]
struct Session {
    theirs: SessionId,
    /// The password here.
    ours: Bytes,
    /// The other's.
    password: Bytes,
}

/// Two servers' numbers, as far as they were told.
#[derive(Debug, Default)]
pub struct Comparison {
    zxids: BTreeMap<i64, i64>,
    sessions: BTreeMap<SessionId, Session>,
}

impl Comparison {
    /// The frame that says the same to the other server.
    pub fn frame(&self, said: &Said) -> Bytes {
        let mut out = BytesMut::new();
        match said {
            Said::Handshake(request) => {
                let request = self.handshake(request);
                write_frame(&mut out, |writer| request.encode(writer));
            }
            Said::Request(header, frame) => {
                out.put_i32(frame.len() as i32);
                let is_again =
                    [OpCode::SetWatches, OpCode::SetWatches2].map(OpCode::code).contains(&header.opcode);
                match frame.get(HEADER..).and_then(|rest| rest.split_first_chunk::<8>()) {
                    Some((zxid, rest)) if is_again => {
                        out.put_slice(&frame[..HEADER]);
                        out.put_i64(self.zxid(Zxid(i64::from_be_bytes(*zxid))).0);
                        out.put_slice(rest);
                    }
                    _ => out.put_slice(frame),
                }
            }
            Said::End => {}
        }
        out.freeze()
    }

    fn handshake(&self, request: &ConnectRequest) -> ConnectRequest {
        let mut request = request.clone();
        request.last_zxid_seen = self.zxid(request.last_zxid_seen);
        if let Some(Session { ours, theirs: session, password }) = self.sessions.get(&request.session_id) {
            request.session_id = *session;
            // A wrong one stays wrong.
            if request.password.as_ref() == Some(ours) {
                request.password = Some(password.clone());
            }
        }
        request
    }

    /// The other server's sessions, and their passwords: who was hung up on has left some.
    pub fn sessions(&self) -> impl Iterator<Item = (SessionId, &Bytes)> {
        self.sessions.values().map(|session| (session.theirs, &session.password))
    }

    /// The other's name for a txn: the one that it has told, or else as far behind the last before it as here. What is ahead of all that
    /// was told is far ahead: the other may have come a long way in other plans.
    fn zxid(&self, zxid: Zxid) -> Zxid {
        if zxid.0 <= 0 {
            return zxid;
        }
        let before = self.zxids.range(..=zxid.0).next_back();
        Zxid(before.map_or(zxid.0 + FAR, |(ours, theirs)| theirs + (zxid.0 - ours)))
    }

    fn session(&self, session: i64) -> i64 {
        self.sessions.get(&SessionId(session)).map_or(session, |other| other.theirs.0)
    }

    /// Compares what the other server has answered with what the script expects.
    pub fn hears(
        &mut self,
        (place, exchange): (usize, &Exchange),
        heard: &Heard,
        events: &[(Zxid, WatcherEvent)],
    ) -> Option<Difference> {
        let opcode = match &exchange.said {
            Said::Request(header, _) => header.opcode,
            Said::Handshake(_) | Said::End => 0,
        };
        let Some(expected) = &exchange.heard else { return None };
        self.learn(expected, heard);
        let (ours, theirs) = (self.ours(opcode, expected), theirs(opcode, heard));
        let (before, seen) = (shown(&exchange.events), shown(events));
        if ours == theirs && before == seen {
            return None;
        }
        let with =
            |events: &[String], answer: &dyn Display| format!("{answer}; events before it: {events:?}");
        Some(Difference {
            place,
            said: exchange.said.to_string(),
            expected: with(&before, &ours),
            heard: with(&seen, &theirs),
        })
    }

    /// Takes the other's numbers from two answers to the same.
    fn learn(&mut self, expected: &Heard, heard: &Heard) {
        match (expected, heard) {
            (Heard::Connected(ours), Heard::Connected(theirs)) => {
                let session = Session {
                    theirs: theirs.session_id,
                    ours: ours.password.clone(),
                    password: theirs.password.clone(),
                };
                if ours.timeout > 0 {
                    self.sessions.entry(ours.session_id).or_insert(session);
                }
            }
            (Heard::Reply(ours, _), Heard::Reply(theirs, _)) if ours.zxid.0 > 0 => {
                self.zxids.entry(ours.zxid.0).or_insert(theirs.zxid.0);
            }
            _ => {}
        }
    }

    /// The simulated server's answer in the other's numbers.
    fn ours(&self, opcode: i32, heard: &Heard) -> String {
        match heard {
            Heard::Connected(answer) => {
                let session = self.session(answer.session_id.0);
                connected(answer.timeout, session, answer.read_only)
            }
            Heard::Reply(header, body) => {
                let numbers = |stat: &mut Stat| {
                    stat.czxid = self.zxid(stat.czxid);
                    stat.mzxid = self.zxid(stat.mzxid);
                    stat.pzxid = self.zxid(stat.pzxid);
                    stat.ephemeral_owner = self.session(stat.ephemeral_owner);
                };
                reply(opcode, ReplyHeader { zxid: self.zxid(header.zxid), ..*header }, body, &numbers)
            }
            Heard::HungUp => "hangs up".to_owned(),
        }
    }
}

fn theirs(opcode: i32, heard: &Heard) -> String {
    match heard {
        Heard::Connected(answer) => connected(answer.timeout, answer.session_id.0, answer.read_only),
        Heard::Reply(header, body) => reply(opcode, *header, body, &|_| {}),
        Heard::HungUp => "hangs up".to_owned(),
    }
}

fn connected(timeout: i32, session: i64, read_only: Option<bool>) -> String {
    // Who is refused is told no session, or any.
    let session = if timeout > 0 { session } else { 0 };
    format!("connected: timeout {timeout}, session {session:#x}, read-only {read_only:?}")
}

/// A reply as text, without what is not compared.
fn reply(opcode: i32, header: ReplyHeader, body: &Bytes, numbers: &dyn Fn(&mut Stat)) -> String {
    let ReplyHeader { xid, zxid, err } = header;
    let answer = match err {
        0 => Response::decode(opcode, &mut Reader::new(body.clone())),
        // Which of its operations have failed is in the body.
        _ if opcode == OpCode::Multi.code() && !body.is_empty() => {
            Response::decode(opcode, &mut Reader::new(body.clone()))
        }
        _ => Ok(Response::Empty),
    };
    let answer = answer.map(|mut answer| {
        plain(&mut answer, numbers);
        answer
    });
    match answer {
        Ok(answer) => format!("reply {} at {zxid}: {err} {answer:?}", xid.0),
        Err(error) => format!("reply {} at {zxid}: {err}, {error}: {body:?}", xid.0),
    }
}

fn plain(answer: &mut Response, numbers: &dyn Fn(&mut Stat)) {
    let plain = |stat: &mut Stat| {
        (stat.ctime, stat.mtime) = (0, 0);
        numbers(stat);
    };
    match answer {
        Response::Create2 { stat, .. } | Response::Stat(stat) | Response::GetData { stat, .. } => plain(stat),
        Response::GetAcl { acl, stat } => {
            acl.sort_by_key(|entry| (entry.id.scheme.clone(), entry.id.id.clone()));
            plain(stat);
        }
        Response::GetChildren2 { children, stat } => {
            children.sort();
            plain(stat);
        }
        Response::Paths(paths) => paths.sort(),
        Response::WhoAmI(infos) => {
            infos.retain(|info| info.scheme != "ip");
            infos.sort_by(|one, other| (&one.scheme, &one.user).cmp(&(&other.scheme, &other.user)));
        }
        Response::Multi(results) => results.iter_mut().for_each(|result| match result {
            MultiResult::Create2 { stat, .. }
            | MultiResult::SetData { stat }
            | MultiResult::GetData { stat, .. } => plain(stat),
            MultiResult::GetChildren { children } => children.sort(),
            _ => {}
        }),
        _ => {}
    }
}

/// Events as a set. Before 3.9 nobody says which txn it was.
fn shown(events: &[(Zxid, WatcherEvent)]) -> Vec<String> {
    let mut shown: Vec<_> =
        events.iter().map(|(_, event)| format!("{:?} {}", event.kind, event.path)).collect();
    shown.sort();
    shown
}
