//! The client's end of a connection: bytes in arbitrary pieces become the handshake's answer, then replies and events.
//!
//! Which body a reply has depends on the request, so bodies stay bytes here; the caller, who knows the request, decodes
//! them with [`super::Response::decode`].

use super::codec::{Decode, DecodeError, Reader};
use super::records::{ConnectResponse, ReplyHeader, WatcherEvent};
use crate::vocabulary::{Xid, Zxid};
use bytes::{Buf, Bytes, BytesMut};

/// One thing that a server said.
#[derive(Clone, Debug)]
pub enum ServerMessage {
    /// The handshake's answer; always first.
    Connected(ConnectResponse),
    /// A watch fired.
    Event {
        /// The txn that caused it; -1 for replayed ones and from servers before 3.9.
        zxid: Zxid,
        /// What it saw.
        event: WatcherEvent,
    },
    /// A reply.
    Reply {
        /// Its header.
        header: ReplyHeader,
        /// Its body, still encoded.
        body: Reader,
    },
}

/// See the module's words.
#[derive(Clone, Debug)]
pub struct ReplyDecoder {
    buffer: BytesMut,
    connected: bool,
    max_frame: u32,
}

impl ReplyDecoder {
    /// A decoder for a fresh connection that accepts frames of up to `max_frame` bytes.
    pub fn new(max_frame: u32) -> Self {
        ReplyDecoder { buffer: BytesMut::new(), connected: false, max_frame }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The buffer that the next bytes of the stream may be read into, at its end.
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether a part of a message waits for the rest.
    pub fn is_within_frame(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next message, if it is complete.
    ///
    /// # Errors
    /// When the server speaks no ZooKeeper; the connection is of no more use.
    pub fn poll(&mut self) -> Result<Option<ServerMessage>, DecodeError> {
        let Some(frame) = self.poll_frame()? else { return Ok(None) };
        let mut body = Reader::new(frame);
        if !self.connected {
            self.connected = true;
            return Ok(Some(ServerMessage::Connected(ConnectResponse::decode(&mut body)?)));
        }
        let header = ReplyHeader::decode(&mut body)?;
        if header.xid == Xid::NOTIFICATION {
            let event = WatcherEvent::decode(&mut body)?;
            return Ok(Some(ServerMessage::Event { zxid: header.zxid, event }));
        }
        Ok(Some(ServerMessage::Reply { header, body }))
    }

    fn poll_frame(&mut self) -> Result<Option<Bytes>, DecodeError> {
        let Some(first) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let length = i32::from_be_bytes(*first);
        let allowed = u32::try_from(length).ok().filter(|length| *length <= self.max_frame);
        let allowed = allowed.ok_or(DecodeError::UnreasonableLength(length))? as usize;
        if self.buffer.len() < 4 + allowed {
            return Ok(None);
        }
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(allowed).freeze()))
    }
}
