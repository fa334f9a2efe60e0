//! Recorded histories as text: one JSON object a line (`sim/HISTORY.md` explains each field).
//!
//! It says what [`RecordedHistory`] says, but for the servers' databases. What the common operations ask and answer stands in
//! words; all other requests, and bodies that are none, as the bytes that went over the wire.

use super::lines::{
    AnswerLine, Ask, ConnectionLine, HistoryLine, Line, ReplyLine, RequestLine, base64_of, bytes_of_base64,
};
use super::results;
use crate::recorded::{
    RecordedConnection, RecordedHistory, RecordedReply, RecordedRequest, RecordedSettings,
};
use bytes::Bytes;
use quorate_core::jute::{ConnectRequest, ConnectResponse, ReplyHeader};
use quorate_core::vocabulary::{SessionId, Xid, Zxid};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The version of the format that this program reads and writes.
pub const VERSION: u32 = 1;

/// A file that is no history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct Unreadable {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

/// Writes a history down; its databases are left out.
pub fn write(history: &RecordedHistory) -> String {
    let settings = &history.settings;
    let mut lines = vec![Line::History(HistoryLine {
        version: VERSION,
        min_session_timeout: settings.min_session_timeout,
        max_session_timeout: settings.max_session_timeout,
        unheard_ms: settings.unheard_ms,
        wall_at_zero_ms: settings.wall_at_zero_ms,
    })];
    for (index, connection) in history.connections.iter().enumerate() {
        let asked = &connection.handshake;
        lines.push(Line::Connection(ConnectionLine {
            id: index as u64 + 1,
            server: connection.server + 1,
            sent: connection.sent,
            session: asked.session_id.0,
            password: base64_of(asked.password.as_deref().unwrap_or_default()),
            timeout: asked.timeout,
            last_zxid_seen: asked.last_zxid_seen.0,
            answer: connection.answer.as_ref().map(|(at, response)| AnswerLine {
                at: *at,
                session: response.session_id.0,
                password: base64_of(&response.password),
                timeout: response.timeout,
            }),
        }));
        for asked in &connection.requests {
            lines.push(Line::Request(Box::new(RequestLine {
                connection: index as u64 + 1,
                xid: Some(asked.xid.0),
                sent: asked.sent,
                ask: Ask::of(&asked.request),
                reply: asked.reply.as_ref().map(|reply| ReplyLine {
                    at: reply.at,
                    zxid: reply.header.zxid.0,
                    err: reply.header.err,
                    result: results::result_of(&asked.request, reply),
                }),
            })));
        }
    }
    lines.extend(history.txns.iter().map(|txn| Line::Txn(base64_of(txn))));
    let mut text = String::new();
    for line in &lines {
        let json = serde_json::to_string(line).expect("it has nothing that JSON can't say");
        let _ = writeln!(text, "{json}");
    }
    text
}

/// Reads a history.
///
/// # Errors
/// The first line that can't be read, and why.
pub fn read(text: &str) -> Result<RecordedHistory, Unreadable> {
    let mut reading = Reading::default();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        reading.line(line).map_err(|problem| Unreadable { line: index + 1, problem })?;
    }
    if !reading.has_begun {
        return Err(Unreadable { line: 1, problem: NO_HEADER.to_owned() });
    }
    Ok(reading.history)
}

const NO_HEADER: &str = "a history begins with {\"history\": {\"version\": 1}}";

#[derive(Default)]
struct Reading {
    history: RecordedHistory,
    has_begun: bool,
    /// Where each connection stands, by its id.
    connections: BTreeMap<u64, usize>,
}

impl Reading {
    fn line(&mut self, text: &str) -> Result<(), String> {
        let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if !self.has_begun && !matches!(line, Line::History(_)) {
            return Err(NO_HEADER.to_owned());
        }
        match line {
            Line::History(line) => self.begin(&line),
            Line::Connection(line) => self.connection(line),
            Line::Request(line) => self.request(*line),
            Line::Txn(bytes) => {
                self.history.txns.push(bytes_of_base64(&bytes)?);
                Ok(())
            }
        }
    }

    fn begin(&mut self, line: &HistoryLine) -> Result<(), String> {
        if line.version != VERSION {
            return Err(format!("the history has version {}, this program reads {VERSION}", line.version));
        }
        if std::mem::replace(&mut self.has_begun, true) {
            return Err("a second history begins: a file has one".to_owned());
        }
        self.history.settings = RecordedSettings {
            min_session_timeout: line.min_session_timeout,
            max_session_timeout: line.max_session_timeout,
            unheard_ms: line.unheard_ms,
            wall_at_zero_ms: line.wall_at_zero_ms,
        };
        Ok(())
    }

    fn connection(&mut self, line: ConnectionLine) -> Result<(), String> {
        let server = line.server.checked_sub(1).ok_or("servers are counted from 1")?;
        if self.connections.insert(line.id, self.history.connections.len()).is_some() {
            return Err(format!("there is a connection {} already", line.id));
        }
        let answer = line.answer.map(|answer| {
            let response = ConnectResponse {
                protocol_version: 0,
                timeout: answer.timeout,
                session_id: SessionId(answer.session),
                password: bytes_of_base64(&answer.password)?,
                read_only: Some(false),
            };
            Ok::<_, String>((answer.at, response))
        });
        self.history.connections.push(RecordedConnection {
            server,
            handshake: ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: Zxid(line.last_zxid_seen),
                timeout: line.timeout,
                session_id: SessionId(line.session),
                password: Some(bytes_of_base64(&line.password)?),
                read_only: Some(false),
            },
            sent: line.sent,
            answer: answer.transpose()?,
            requests: Vec::new(),
        });
        Ok(())
    }

    fn request(&mut self, line: RequestLine) -> Result<(), String> {
        let place = self.connections.get(&line.connection);
        let place = *place
            .ok_or_else(|| format!("connection {} is not known: its line comes first", line.connection))?;
        let requests = &mut self.history.connections[place].requests;
        let xid = Xid(line.xid.unwrap_or(requests.len() as i32 + 1));
        let request = line.ask.request()?;
        let reply = line.reply.map(|reply| {
            if reply.at < line.sent {
                return Err(format!("it is answered at {}, sent at {}", reply.at, line.sent));
            }
            let body = match (&reply.result, reply.err) {
                (None, 0) => results::empty_body(&request)?,
                (None, _) => Bytes::new(),
                (Some(result), _) => result.body(&request)?,
            };
            let header = ReplyHeader { xid, zxid: Zxid(reply.zxid), err: reply.err };
            Ok(RecordedReply { at: reply.at, header, body })
        });
        let reply = reply.transpose()?;
        requests.push(RecordedRequest { xid, request, sent: line.sent, reply });
        Ok(())
    }
}
