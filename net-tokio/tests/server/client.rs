//! A client without any comfort: it says what it is told, byte for byte.

use crate::process::DEADLINE;
use bytes::{Bytes, BytesMut};
use quorate_core::jute::{
    Acl, ConnectRequest, ConnectResponse, CreateKind, CreateRequest, Encode as _, OpCode, ReplyDecoder,
    ReplyHeader, Request, RequestHeader, Response, ServerMessage, write_frame,
};
use quorate_core::vocabulary::{SessionId, Xid, Zxid};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    decoder: ReplyDecoder,
    xid: i32,
}

impl Client {
    /// A connection, without a handshake.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Client { stream, decoder: ReplyDecoder::new(64 << 20), xid: 0 }
    }

    /// The same connection, for another thread to send on.
    pub(crate) fn second_half(&self) -> Self {
        let stream = self.stream.try_clone().unwrap();
        Client { stream, decoder: ReplyDecoder::new(64 << 20), xid: self.xid }
    }

    /// A connection with a new session.
    pub(crate) fn with_session(address: SocketAddr) -> (Self, ConnectResponse) {
        let mut client = Self::connect(address);
        let response = client.handshake(SessionId::NONE, &[0; 16], 30_000).unwrap();
        assert!(response.timeout > 0, "{response:?}");
        (client, response)
    }

    /// A connection with that session; `None` when the server closes without an answer.
    pub(crate) fn reattach(address: SocketAddr, to: &ConnectResponse) -> (Self, Option<ConnectResponse>) {
        let mut client = Self::connect(address);
        let response = client.handshake(to.session_id, &to.password, 30_000);
        (client, response)
    }

    pub(crate) fn handshake(
        &mut self,
        session: SessionId,
        password: &[u8],
        timeout: i32,
    ) -> Option<ConnectResponse> {
        self.say_handshake(session, password, timeout);
        match self.hear()? {
            ServerMessage::Connected(response) => Some(response),
            other => panic!("{other:?} instead of an answer to the handshake"),
        }
    }

    pub(crate) fn say_handshake(&mut self, session: SessionId, password: &[u8], timeout: i32) {
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid(0),
            timeout,
            session_id: session,
            password: Some(Bytes::copy_from_slice(password)),
            read_only: Some(false),
        };
        self.say_frame(|out| request.encode(out));
    }

    /// Sends bytes as they are.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    fn say_frame(&mut self, write: impl FnOnce(&mut quorate_core::jute::Writer<'_>)) {
        let mut frame = BytesMut::new();
        write_frame(&mut frame, write);
        self.say(&frame);
    }

    /// Appends a request's frame; returns its xid.
    pub(crate) fn add(&mut self, to: &mut BytesMut, request: &Request) -> Xid {
        self.xid += 1;
        let xid = if *request == Request::Ping { Xid::PING } else { Xid(self.xid) };
        write_frame(to, |out| {
            RequestHeader { xid, opcode: request.opcode() }.encode(out);
            request.encode(out);
        });
        xid
    }

    pub(crate) fn send(&mut self, request: &Request) -> Xid {
        let mut frame = BytesMut::new();
        let xid = self.add(&mut frame, request);
        self.say(&frame);
        xid
    }

    /// The next thing the server says; `None` at the end of the stream.
    pub(crate) fn hear(&mut self) -> Option<ServerMessage> {
        loop {
            if let Some(message) = self.decoder.poll().unwrap() {
                return Some(message);
            }
            let mut piece = [0; 64 << 10];
            match self.stream.read(&mut piece) {
                Ok(0) => return None,
                Ok(count) => self.decoder.push(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The next reply; events are passed over.
    pub(crate) fn hear_reply(&mut self, opcode: i32) -> Option<(ReplyHeader, Option<Response>)> {
        loop {
            if let ServerMessage::Reply { header, mut body } = self.hear()? {
                let response = (header.err == 0).then(|| Response::decode(opcode, &mut body).unwrap());
                return Some((header, response));
            }
        }
    }

    /// Asks, and takes the reply.
    pub(crate) fn ask(&mut self, request: Request) -> Result<Response, i32> {
        let xid = self.send(&request);
        let (header, response) = self.hear_reply(request.opcode()).expect("a reply");
        assert_eq!(header.xid, xid);
        response.ok_or(header.err)
    }

    /// Whether the server ends the stream, with nothing more said.
    pub(crate) fn is_hung_up_on(&mut self) -> bool {
        self.hear().is_none()
    }
}

pub(crate) fn create(path: &str, data: &[u8]) -> Request {
    create_with_flags(path, data, 0)
}

/// Ephemeral: 1.
pub(crate) fn create_with_flags(path: &str, data: &[u8], flags: i32) -> Request {
    Request::Create(CreateRequest { flags, ..create_request(path, data) })
}

pub(crate) fn create_request(path: &str, data: &[u8]) -> CreateRequest {
    CreateRequest {
        kind: CreateKind::Create,
        path: Some(path.to_owned()),
        data: Some(Bytes::copy_from_slice(data)),
        acl: Some(Acl::open()),
        flags: 0,
        ttl: -1,
    }
}

pub(crate) fn get(path: &str) -> Request {
    Request::GetData { path: Some(path.to_owned()), watch: false }
}

pub(crate) fn set(path: &str, data: &[u8]) -> Request {
    Request::SetData { path: Some(path.to_owned()), data: Some(Bytes::copy_from_slice(data)), version: -1 }
}

/// The data of a node, or the error.
pub(crate) fn data_of(client: &mut Client, path: &str) -> Result<Vec<u8>, i32> {
    match client.ask(get(path))? {
        Response::GetData { data, .. } => Ok(data.unwrap_or_default().to_vec()),
        other => panic!("{other:?}"),
    }
}

pub(crate) const GET_DATA: i32 = OpCode::GetData as i32;

/// Asks a four-letter word.
pub(crate) fn word(address: SocketAddr, word: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(word).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}
