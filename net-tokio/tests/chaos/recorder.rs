//! A client that writes down all that it says and hears, and bears any end of its connection.

use bytes::{Buf as _, Bytes, BytesMut};
use quorate_core::jute::{
    ConnectRequest, ConnectResponse, Decode as _, Encode as _, Reader, ReplyHeader, Request, RequestHeader,
    write_frame,
};
use quorate_core::vocabulary::{SessionId, Xid, Zxid};
use quorate_sim::{RecordedConnection, RecordedReply, RecordedRequest};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_millis(1500);

/// What all clients have said and heard, since the beginning.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    pub(crate) begin: Instant,
    connections: Arc<Mutex<Vec<RecordedConnection>>>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Recorder { begin: Instant::now(), connections: Arc::default() }
    }

    pub(crate) fn now(&self) -> u64 {
        self.begin.elapsed().as_nanos() as u64
    }

    pub(crate) fn take(&self) -> Vec<RecordedConnection> {
        std::mem::take(&mut self.connections.lock().unwrap())
    }
}

/// A session, wherever it is.
#[derive(Clone, Debug)]
pub(crate) struct SessionState {
    id: SessionId,
    password: Bytes,
    timeout: i32,
    last_zxid: Zxid,
    xid: i32,
}

impl SessionState {
    /// None yet.
    pub(crate) fn new(timeout: i32) -> Self {
        SessionState {
            id: SessionId::NONE,
            password: Bytes::from_static(&[0; 16]),
            timeout,
            last_zxid: Zxid(0),
            xid: 0,
        }
    }
}

/// A connection of a session; what it has recorded is kept when it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
    recorder: Recorder,
    record: Option<RecordedConnection>,
}

/// What became of a handshake.
#[derive(Debug)]
pub(crate) enum Attached {
    Yes(Box<Connection>),
    /// The session is no more.
    Expired,
    /// No answer came.
    No,
}

impl Connection {
    /// Says the handshake, and does not wait for the answer; `None` when nobody listens.
    pub(crate) fn dial(
        recorder: &Recorder,
        (server, address): (usize, SocketAddr),
        session: &SessionState,
    ) -> Option<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        let handshake = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: session.last_zxid,
            timeout: session.timeout,
            session_id: session.id,
            password: Some(session.password.clone()),
            read_only: Some(false),
        };
        let mut frame = BytesMut::new();
        write_frame(&mut frame, |out| handshake.encode(out));
        let sent = recorder.now();
        let record = RecordedConnection { server, handshake, sent, answer: None, requests: Vec::new() };
        let mut connection =
            Connection { stream, buffer: BytesMut::new(), recorder: recorder.clone(), record: Some(record) };
        connection.stream.write_all(&frame).ok()?;
        Some(connection)
    }

    /// Says the handshake and hears the answer.
    pub(crate) fn attach(
        recorder: &Recorder,
        to: (usize, SocketAddr),
        session: &mut SessionState,
    ) -> Attached {
        let Some(mut connection) = Self::dial(recorder, to, session) else { return Attached::No };
        match connection.attached(session) {
            Some(true) => Attached::Yes(Box::new(connection)),
            Some(false) => Attached::Expired,
            None => Attached::No,
        }
    }

    /// Hears the answer to the handshake: whether the session lives; `None` when there is no answer.
    pub(crate) fn attached(&mut self, session: &mut SessionState) -> Option<bool> {
        let body = self.frame()?;
        let at = self.recorder.now();
        let response = ConnectResponse::decode(&mut Reader::new(body)).unwrap();
        let lives = response.timeout > 0;
        if lives {
            (session.id, session.password) = (response.session_id, response.password.clone());
        }
        self.record().answer = Some((at, response));
        Some(lives)
    }

    fn record(&mut self) -> &mut RecordedConnection {
        self.record.as_mut().expect("it is taken when the connection is dropped")
    }

    /// Says all of it at once; false when nobody hears any more.
    pub(crate) fn say(&mut self, session: &mut SessionState, requests: &[Request]) -> bool {
        let mut frames = BytesMut::new();
        let sent = self.recorder.now();
        for request in requests {
            session.xid += 1;
            let xid = Xid(session.xid);
            write_frame(&mut frames, |out| {
                RequestHeader { xid, opcode: request.opcode() }.encode(out);
                request.encode(out);
            });
            let recorded = RecordedRequest { xid, request: request.clone(), sent, reply: None };
            self.record().requests.push(recorded);
        }
        self.stream.write_all(&frames).is_ok()
    }

    /// The reply to the first request that has none yet; `None` at the end.
    pub(crate) fn hear(&mut self, session: &mut SessionState) -> Option<(ReplyHeader, Bytes)> {
        let body = self.frame()?;
        let at = self.recorder.now();
        let mut reader = Reader::new(body.clone());
        let header = ReplyHeader::decode(&mut reader).unwrap();
        let body = body.slice(body.len() - reader.remaining()..);
        let asked = self.record().requests.iter_mut().find(|asked| asked.reply.is_none());
        asked.expect("nobody is answered unasked").reply =
            Some(RecordedReply { at, header, body: body.clone() });
        session.last_zxid = session.last_zxid.max(header.zxid);
        Some((header, body))
    }

    fn frame(&mut self) -> Option<Bytes> {
        loop {
            if let Some(head) = self.buffer.first_chunk::<4>() {
                let length = u32::from_be_bytes(*head) as usize;
                if self.buffer.len() >= 4 + length {
                    self.buffer.advance(4);
                    return Some(self.buffer.split_to(length).freeze());
                }
            }
            let mut piece = [0; 16 << 10];
            match self.stream.read(&mut piece) {
                Ok(count) if count > 0 => self.buffer.extend_from_slice(&piece[..count]),
                _ => return None,
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let record = self.record.take().expect("it is dropped once");
        self.recorder.connections.lock().unwrap().push(record);
    }
}
