//! The server's end of a client connection: bytes in arbitrary pieces become a four-letter word, a handshake, requests.
//!
//! Invariant: at most one frame and the bytes behind it are held; a length over the limit is refused before anything is
//! kept for it (`client-protocol.md` §1, `operations.md` §4.1).

use super::codec::{Decode, FieldLimit, Reader};
use super::records::{ConnectRequest, RequestHeader};
use super::request::Request;
use crate::vocabulary::Xid;
use bytes::{Buf, Bytes, BytesMut};

/// A four-letter word by its bytes: which ones exist is the renderer's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FourLetterCommand(pub [u8; 4]);

impl FourLetterCommand {
    /// Every word ZooKeeper knows (`operations.md` §4).
    pub const ALL: [&'static str; 18] = [
        "conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr", "ruok", "srst",
        "srvr", "stat", "stmk", "wchc", "wchp", "wchs",
    ];

    /// The word, if `bytes` is one.
    pub fn from_bytes(bytes: [u8; 4]) -> Option<Self> {
        Self::ALL.iter().any(|word| word.as_bytes() == bytes).then_some(FourLetterCommand(bytes))
    }

    /// The word as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("every word is ASCII")
    }
}

/// One thing that a client said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage {
    /// A four-letter word with the argument of `stmk`; nothing follows it.
    FourLetter {
        /// The word.
        command: FourLetterCommand,
        /// `stmk`'s mask.
        argument: Option<i64>,
    },
    /// The handshake; always first.
    Connect(ConnectRequest),
    /// A request; everything behind the handshake.
    Request {
        /// The client's number for it.
        xid: Xid,
        /// What it asks.
        request: Request,
        /// Bytes of its frame, the length not counted.
        frame_length: u32,
    },
}

/// Why a connection has to be closed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolViolation {
    /// The frame's length is negative or over `jute.maxbuffer`.
    #[error("a frame of {length} bytes, the limit is {limit} (jute.maxbuffer)")]
    FrameLength {
        /// What it said.
        length: i32,
        /// What is allowed.
        limit: u32,
    },
    /// The handshake, a request header, an auth or a SASL packet can't be decoded.
    #[error("an undecodable {0}")]
    Undecodable(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expecting {
    WordOrHandshake,
    MaskOfStmk,
    Requests,
    Nothing,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub struct ClientDecoder {
    buffer: BytesMut,
    max_frame: u32,
    field_limit: FieldLimit,
    takes_mask: bool,
    expecting: Expecting,
}

impl ClientDecoder {
    /// A decoder for a fresh connection. `max_frame` is `jute.maxbuffer`, bytes.
    pub fn new(max_frame: u32, field_limit: FieldLimit) -> Self {
        ClientDecoder {
            buffer: BytesMut::new(),
            max_frame,
            field_limit,
            takes_mask: true,
            expecting: Expecting::WordOrHandshake,
        }
    }

    /// The same where `stmk` is not executed: the mask behind it is not waited for.
    #[must_use]
    pub fn without_mask(self) -> Self {
        ClientDecoder { takes_mask: false, ..self }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The buffer that the next bytes of the stream may be read into, at its end.
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Bytes held, of the frame under way and behind it.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The next message, if it is complete.
    ///
    /// # Errors
    /// When the connection has to be closed; nothing more will come out of this decoder.
    pub fn poll(&mut self) -> Result<Option<ClientMessage>, ProtocolViolation> {
        let result = match self.expecting {
            Expecting::WordOrHandshake => self.poll_first(),
            Expecting::MaskOfStmk => Ok(self.poll_mask()),
            Expecting::Requests => self.poll_request(),
            Expecting::Nothing => {
                self.buffer.clear();
                Ok(None)
            }
        };
        if result.is_err() {
            self.expecting = Expecting::Nothing;
        }
        result
    }

    fn poll_first(&mut self) -> Result<Option<ClientMessage>, ProtocolViolation> {
        let Some(first) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        if let Some(command) = FourLetterCommand::from_bytes(*first) {
            self.buffer.advance(4);
            if command.as_str() == "stmk" && self.takes_mask {
                self.expecting = Expecting::MaskOfStmk;
                return Ok(self.poll_mask());
            }
            self.expecting = Expecting::Nothing;
            return Ok(Some(ClientMessage::FourLetter { command, argument: None }));
        }
        let Some(frame) = self.poll_frame()? else { return Ok(None) };
        let mut input = Reader::with_limit(frame, self.field_limit);
        let request =
            ConnectRequest::decode(&mut input).map_err(|_| ProtocolViolation::Undecodable("handshake"))?;
        self.expecting = Expecting::Requests;
        Ok(Some(ClientMessage::Connect(request)))
    }

    fn poll_mask(&mut self) -> Option<ClientMessage> {
        let mask = *self.buffer.first_chunk::<8>()?;
        self.expecting = Expecting::Nothing;
        let command = FourLetterCommand(*b"stmk");
        Some(ClientMessage::FourLetter { command, argument: Some(i64::from_be_bytes(mask)) })
    }

    fn poll_request(&mut self) -> Result<Option<ClientMessage>, ProtocolViolation> {
        let Some(frame) = self.poll_frame()? else { return Ok(None) };
        let frame_length = frame.len() as u32;
        let mut input = Reader::with_limit(frame, self.field_limit);
        let header = RequestHeader::decode(&mut input)
            .map_err(|_| ProtocolViolation::Undecodable("request header"))?;
        let request = Request::decode(header.opcode, &mut input)
            .map_err(|_| ProtocolViolation::Undecodable("auth or SASL packet"))?;
        Ok(Some(ClientMessage::Request { xid: header.xid, request, frame_length }))
    }

    fn poll_frame(&mut self) -> Result<Option<Bytes>, ProtocolViolation> {
        let Some(first) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let length = i32::from_be_bytes(*first);
        let allowed = u32::try_from(length).ok().filter(|length| *length <= self.max_frame);
        let Some(allowed) = allowed else {
            return Err(ProtocolViolation::FrameLength { length, limit: self.max_frame });
        };
        let allowed = allowed as usize;
        if self.buffer.len() < 4 + allowed {
            return Ok(None);
        }
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(allowed).freeze()))
    }
}
