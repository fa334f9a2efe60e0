//! Small histories by hand, each wrong in one way; ten thousand by dice; and how fast both checks are.

mod cross;
mod generator;
mod planted_search;
mod planted_witness;
mod speed;
mod text;

use super::{Found, Operations, Options, search, witness};
use crate::recorded::{RecordedConnection, RecordedHistory, RecordedReply, RecordedRequest};
use bytes::{Bytes, BytesMut};
use quorate_core::jute::{
    Acl, ConnectRequest, ConnectResponse, CreateKind, CreateRequest, Encode, ReplyHeader, Request, Response,
    Stat, Writer,
};
use quorate_core::vocabulary::{SessionId, Xid, Zxid};

pub(super) fn encoded(value: &impl Encode) -> Bytes {
    let mut bytes = BytesMut::new();
    value.encode(&mut Writer::new(&mut bytes));
    bytes.freeze()
}

/// A connection of the session with this number, which begins at `sent`.
pub(super) fn connection(session: usize, sent: u64) -> RecordedConnection {
    let session_id = SessionId(1 << 56 | (session as i64 + 1));
    let handshake = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(0),
        timeout: 5_000,
        session_id,
        password: Some(Bytes::from_static(&[0; 16])),
        read_only: Some(false),
    };
    let response = ConnectResponse {
        protocol_version: 0,
        timeout: 5_000,
        session_id,
        password: Bytes::from_static(&[0; 16]),
        read_only: Some(false),
    };
    RecordedConnection { server: 0, handshake, sent, answer: Some((sent, response)), requests: Vec::new() }
}

pub(super) fn create(path: &str, data: &str, flags: i32) -> Request {
    Request::Create(CreateRequest {
        kind: CreateKind::Create,
        path: Some(path.to_owned()),
        data: Some(Bytes::copy_from_slice(data.as_bytes())),
        acl: Some(Acl::open()),
        flags,
        ttl: -1,
    })
}

pub(super) fn set(path: &str, data: &str, version: i32) -> Request {
    let data = Some(Bytes::copy_from_slice(data.as_bytes()));
    Request::SetData { path: Some(path.to_owned()), data, version }
}

pub(super) fn get(path: &str) -> Request {
    Request::GetData { path: Some(path.to_owned()), watch: false }
}

pub(super) fn exists(path: &str) -> Request {
    Request::Exists { path: Some(path.to_owned()), watch: false }
}

pub(super) fn delete(path: &str) -> Request {
    Request::Delete { path: Some(path.to_owned()), version: -1 }
}

pub(super) fn sync() -> Request {
    Request::Sync { path: Some("/".to_owned()) }
}

pub(super) fn synced() -> Result<Response, i32> {
    Ok(Response::Sync { path: Some("/".to_owned()) })
}

pub(super) fn created(path: &str) -> Result<Response, i32> {
    Ok(Response::Create { path: path.to_owned() })
}

pub(super) fn version(version: i32) -> Result<Response, i32> {
    Ok(Response::Stat(Stat { version, ..Stat::default() }))
}

pub(super) fn shows(data: &str, version: i32) -> Result<Response, i32> {
    let data = Some(Bytes::copy_from_slice(data.as_bytes()));
    Ok(Response::GetData { data, stat: Stat { version, ..Stat::default() } })
}

pub(super) fn reply(xid: Xid, at: u64, zxid: i64, answer: &Result<Response, i32>) -> RecordedReply {
    let header = ReplyHeader { xid, zxid: Zxid(zxid), err: answer.as_ref().err().copied().unwrap_or(0) };
    RecordedReply { at, header, body: answer.as_ref().map_or(Bytes::new(), encoded) }
}

/// A history by hand: sessions are numbered, each has one connection until it is given another.
#[derive(Clone, Default)]
pub(super) struct Story {
    pub(super) history: RecordedHistory,
    current: Vec<usize>,
}

impl Story {
    /// Begins with "/a", which holds "0" at version 0, by the last session of all at the beginning of all times.
    pub(super) fn with_a() -> Self {
        Story::default().op(0, (1, 2), 1, create("/a", "0", 0), created("/a"))
    }

    fn connection(&mut self, session: usize) -> &mut RecordedConnection {
        while self.current.len() <= session {
            self.current.push(self.history.connections.len());
            let next = self.current.len() - 1;
            self.history.connections.push(connection(next, 0));
        }
        &mut self.history.connections[self.current[session]]
    }

    /// Asked and answered.
    pub(super) fn op(
        mut self,
        session: usize,
        (sent, at): (u64, u64),
        zxid: i64,
        request: Request,
        answer: Result<Response, i32>,
    ) -> Self {
        let requests = &mut self.connection(session).requests;
        let xid = Xid(requests.len() as i32 + 1);
        let reply = Some(reply(xid, at, zxid, &answer));
        requests.push(RecordedRequest { xid, request, sent, reply });
        self
    }

    /// Asked, and never answered.
    pub(super) fn lost(mut self, session: usize, sent: u64, request: Request) -> Self {
        let requests = &mut self.connection(session).requests;
        let xid = Xid(requests.len() as i32 + 1);
        requests.push(RecordedRequest { xid, request, sent, reply: None });
        self
    }

    /// The session goes on over another connection.
    pub(super) fn reconnects(mut self, session: usize, sent: u64) -> Self {
        self.connection(session);
        self.current[session] = self.history.connections.len();
        self.history.connections.push(connection(session, sent));
        self
    }

    /// The rule that the witness breaks, if any.
    pub(super) fn witness(&self) -> Result<(), &'static str> {
        let operations = Operations::of(&self.history).map_err(|violation| violation.checker)?;
        witness(&operations, &Options::default()).map(|_| ()).map_err(|violation| violation.checker)
    }

    pub(super) fn search(&self, options: &Options) -> Found {
        search(&Operations::of(&self.history).unwrap(), options).found
    }

    /// Whether any order explains it, by the search.
    pub(super) fn is_explained(&self) -> bool {
        match self.search(&Options::default()) {
            Found::Linearizable => true,
            Found::NotLinearizable(_) => false,
            Found::GaveUp(paths) => panic!("it gave up over {paths:?}"),
        }
    }
}
