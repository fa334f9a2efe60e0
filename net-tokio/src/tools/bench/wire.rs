//! One connection: the handshake, requests out, replies in.
//!
//! Requests are written into a buffer in place and leave with the next flush, as many as there are; replies are decoded as
//! they come. Whether they are right is for the caller to say, but for their order, which is checked here.

use bytes::BytesMut;
use quorate_core::jute::{
    ConnectRequest, DecodeError, Encode, OpCode, Reader, ReplyDecoder, ReplyHeader, ServerMessage,
    WatcherEvent, Writer, write_frame,
};
use quorate_core::vocabulary::{SessionId, Xid, Zxid};
use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Why a run ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum BenchError {
    /// A part of this program ended before its time.
    #[error("{0}")]
    Ended(&'static str),
    /// The connection.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Bytes that are no reply.
    #[error("the server's bytes can't be decoded: {0}")]
    Decode(#[from] DecodeError),
    /// Replies that are not what was asked for.
    #[error("{0}")]
    Protocol(String),
}

/// A reply whose place in the order is right.
pub(super) struct Reply {
    pub(super) header: ReplyHeader,
    pub(super) body: Reader,
}

/// One thing the server said.
pub(super) enum Incoming {
    /// The answer to the oldest request that waits.
    Reply(Reply),
    /// A watch fired.
    Event(WatcherEvent),
    /// The answer to a ping.
    Pong,
}

/// See the module's words.
pub(super) struct Wire {
    stream: TcpStream,
    decoder: ReplyDecoder,
    out: BytesMut,
    next_xid: i32,
    expected: VecDeque<Xid>,
    pings: usize,
    last_sent: Instant,
    ping_interval: Duration,
}

/// Longer than any reply a default server can send.
const MAX_FRAME: u32 = 64 << 20;

impl Wire {
    /// Connects and opens a session.
    pub(super) async fn connect(server: &str, timeout_ms: u32) -> Result<Self, BenchError> {
        let connecting = tokio::time::timeout(Duration::from_secs(30), TcpStream::connect(server)).await;
        let connected = connecting.unwrap_or_else(|late| Err(late.into()));
        let stream = connected
            .map_err(|error| BenchError::Protocol(format!("cannot connect to {server}: {error}")))?;
        stream.set_nodelay(true)?;
        let mut wire = Wire {
            stream,
            decoder: ReplyDecoder::new(MAX_FRAME),
            out: BytesMut::new(),
            next_xid: 1,
            expected: VecDeque::new(),
            pings: 0,
            last_sent: Instant::now(),
            ping_interval: Duration::from_secs(1),
        };
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout: i32::try_from(timeout_ms).unwrap_or(i32::MAX),
            session_id: SessionId::NONE,
            password: Some(bytes::Bytes::from_static(&[0; 16])),
            read_only: Some(false),
        };
        write_frame(&mut wire.out, |out| request.encode(out));
        wire.flush().await?;
        match wire.message().await? {
            ServerMessage::Connected(response) if response.timeout > 0 => {
                wire.ping_interval = Duration::from_millis(response.timeout as u64 / 3);
                Ok(wire)
            }
            ServerMessage::Connected(_) => {
                Err(BenchError::Protocol("the server refused a new session".to_owned()))
            }
            _ => Err(BenchError::Protocol("the server answered before the handshake".to_owned())),
        }
    }

    /// Writes a request into the buffer; its reply must come in turn.
    pub(super) fn push(&mut self, opcode: OpCode, body: impl FnOnce(&mut Writer<'_>)) {
        let xid = self.next_xid;
        self.next_xid = if xid == i32::MAX { 1 } else { xid + 1 };
        self.expected.push_back(Xid(xid));
        write_frame(&mut self.out, |out| {
            out.int(xid);
            out.int(opcode.code());
            body(out);
        });
    }

    /// Requests that wait for their reply.
    pub(super) fn in_flight(&self) -> usize {
        self.expected.len()
    }

    /// Pings that wait for their answer.
    pub(super) fn pings_in_flight(&self) -> usize {
        self.pings
    }

    /// Writes a ping into the buffer when nothing was sent for a third of the session timeout, and sends what it can.
    pub(super) fn ping_if_quiet(&mut self) -> Result<(), BenchError> {
        if self.last_sent.elapsed() >= self.ping_interval {
            self.push_ping();
        }
        self.try_flush()
    }

    /// Writes a ping into the buffer.
    pub(super) fn push_ping(&mut self) {
        self.pings += 1;
        write_frame(&mut self.out, |out| {
            out.int(Xid::PING.0);
            out.int(OpCode::Ping.code());
        });
    }

    /// When the next ping is due if nothing is sent until then.
    pub(super) fn ping_due(&self) -> Instant {
        self.last_sent + self.ping_interval
    }

    /// How often a quiet session pings.
    pub(super) fn ping_interval(&self) -> Duration {
        self.ping_interval
    }

    /// Sends as much of the buffer as the socket takes.
    pub(super) fn try_flush(&mut self) -> Result<(), BenchError> {
        while !self.out.is_empty() {
            match self.stream.try_write(&self.out) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(written) => {
                    bytes::Buf::advance(&mut self.out, written);
                    self.last_sent = Instant::now();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), BenchError> {
        loop {
            self.try_flush()?;
            if self.out.is_empty() {
                return Ok(());
            }
            self.stream.writable().await?;
        }
    }

    /// Waits until there is something to read, or room to write when something waits to be written.
    pub(super) async fn ready(&self) -> Result<(), BenchError> {
        let interest =
            if self.out.is_empty() { Interest::READABLE } else { Interest::READABLE | Interest::WRITABLE };
        self.stream.ready(interest).await?;
        Ok(())
    }

    /// Takes in what the socket has; `false` when there was nothing.
    pub(super) fn try_fill(&mut self) -> Result<bool, BenchError> {
        match self.stream.try_read_buf(self.decoder.buffer_mut()) {
            Ok(0) => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection").into())
            }
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The next thing the server said among the bytes taken in.
    pub(super) fn next(&mut self) -> Result<Option<Incoming>, BenchError> {
        Ok(match self.decoder.poll()? {
            None => None,
            Some(ServerMessage::Connected(_)) => {
                return Err(BenchError::Protocol("a second handshake".to_owned()));
            }
            Some(ServerMessage::Event { event, .. }) => Some(Incoming::Event(event)),
            Some(ServerMessage::Reply { header, .. }) if header.xid == Xid::PING => {
                self.pings = self
                    .pings
                    .checked_sub(1)
                    .ok_or_else(|| BenchError::Protocol("a pong without a ping".to_owned()))?;
                Some(Incoming::Pong)
            }
            Some(ServerMessage::Reply { header, body }) => match self.expected.pop_front() {
                Some(xid) if xid == header.xid => Some(Incoming::Reply(Reply { header, body })),
                expected => {
                    let text = format!("a reply to xid {}, where {expected:?} is next", header.xid.0);
                    return Err(BenchError::Protocol(text));
                }
            },
        })
    }

    async fn message(&mut self) -> Result<ServerMessage, BenchError> {
        loop {
            if let Some(message) = self.decoder.poll()? {
                return Ok(message);
            }
            self.stream.readable().await?;
            self.try_fill()?;
        }
    }

    /// Sends what is in the buffer and waits for the next reply. An event before it is an error, a pong is not.
    pub(super) async fn reply(&mut self) -> Result<Reply, BenchError> {
        loop {
            self.try_flush()?;
            while let Some(incoming) = self.next()? {
                match incoming {
                    Incoming::Reply(reply) => return Ok(reply),
                    Incoming::Event(event) => {
                        return Err(BenchError::Protocol(format!("an event nobody waits for: {event:?}")));
                    }
                    Incoming::Pong => {}
                }
            }
            self.ready().await?;
            self.try_fill()?;
        }
    }

    /// One request, and its reply.
    pub(super) async fn call(
        &mut self,
        opcode: OpCode,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> Result<Reply, BenchError> {
        assert!(self.expected.is_empty(), "a call among pipelined requests");
        self.push(opcode, body);
        self.reply().await
    }

    /// Ends the session.
    pub(super) async fn close(mut self) -> Result<(), BenchError> {
        self.call(OpCode::CloseSession, |_| {}).await.map(drop)
    }
}
