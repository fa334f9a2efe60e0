//! One scripted client: its decoders, and the requests that wait for an answer.

use bytes::BytesMut;
use quorate_core::jute::*;
use quorate_core::vocabulary::{ConnId, SessionId, Xid};
use std::collections::VecDeque;

pub(crate) struct Client {
    pub(crate) conn: ConnId,
    pub(crate) session: SessionId,
    pub(crate) password: Vec<u8>,
    pub(crate) to_server: ClientDecoder,
    pub(crate) from_server: ReplyDecoder,
    pub(crate) next_xid: i32,
    /// Requests without an answer: xid and opcode.
    pub(crate) waiting: VecDeque<(Xid, i32)>,
}

impl Client {
    pub(crate) fn new(conn: ConnId) -> Self {
        Client {
            conn,
            session: SessionId::NONE,
            password: vec![0; 16],
            to_server: ClientDecoder::new(0xf_ffff, FieldLimit::default()),
            from_server: ReplyDecoder::new(i32::MAX as u32),
            next_xid: 1,
            waiting: VecDeque::new(),
        }
    }

    /// The message a frame becomes on its way through the server's decoder.
    pub(crate) fn speak(
        &mut self,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> Result<Option<ClientMessage>, ProtocolViolation> {
        let mut frame = BytesMut::new();
        write_frame(&mut frame, body);
        self.to_server.push(&frame);
        self.to_server.poll()
    }

    /// The opcode of the request that this reply answers: the oldest with its xid.
    pub(crate) fn answered(&mut self, xid: Xid) -> i32 {
        let matches =
            |(own, opcode): &(Xid, i32)| *own == xid || (xid == Xid::PING && *opcode == OpCode::Ping.code());
        let place = self.waiting.iter().position(matches);
        let place = place.unwrap_or_else(|| panic!("a reply to {xid:?}, which nobody asked"));
        let (_, opcode) = self.waiting.remove(place).expect("it has just been found");
        let is_special = opcode == OpCode::Auth.code() || opcode == OpCode::Sasl.code();
        assert!(is_special || place == 0, "a reply out of order: {xid:?}");
        opcode
    }
}
