//! The election port: the message a connection begins with, and notifications (`quorum-protocol.md` §1.1, §1.3, §2.1).
//!
//! Frames of 1 to 524,288 bytes follow the initial message in both directions. Invariant: nothing is kept for a length that is
//! refused, and what can't be read is told apart from what is merely of an older version.

use super::codec::{Decode, DecodeError, Encode, Reader, Writer};
use crate::vocabulary::Zxid;
use bytes::{Buf, Bytes, BytesMut};

/// An initial message with one address, since 3.5.0; what Quorate sends unless several addresses are configured.
const ONE_ADDRESS: i64 = -65536;
/// An initial message with several addresses, since 3.6.0.
const SEVERAL_ADDRESSES: i64 = -65535;
const MAX_ADDRESSES_LENGTH: i32 = 2048;
const MAX_FRAME: i32 = 524_288;
/// The version of notifications that carry the sender's configuration.
const WITH_CONFIG: i32 = 2;

/// A server's state as it stands in notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum PeerState {
    /// It looks for a leader.
    Looking = 0,
    /// It follows one.
    Following = 1,
    /// It leads.
    Leading = 2,
    /// It observes.
    Observing = 3,
}

impl PeerState {
    fn from_wire(state: i32) -> Option<Self> {
        [Self::Looking, Self::Following, Self::Leading, Self::Observing]
            .into_iter()
            .find(|known| *known as i32 == state)
    }
}

/// What a connection to an election port begins with; nothing answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialMessage {
    /// Who connects, unchecked: any long.
    pub sid: i64,
    /// Its election addresses, `host:port` each; none from a server before 3.5.
    pub addresses: Vec<String>,
}

impl Encode for InitialMessage {
    fn encode(&self, out: &mut Writer<'_>) {
        out.long(if self.addresses.len() > 1 { SEVERAL_ADDRESSES } else { ONE_ADDRESS });
        out.long(self.sid);
        out.string(&self.addresses.join("|"));
    }
}

/// One server's vote, told to another.
///
/// All numbers are as the sender wrote them: ids and epochs of voters are `Long.MIN_VALUE` where it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The sender's state.
    pub state: PeerState,
    /// The server it proposes.
    pub leader: i64,
    /// That server's last zxid.
    pub zxid: Zxid,
    /// The round of the election.
    pub election_epoch: i64,
    /// The proposed server's current epoch.
    pub peer_epoch: i64,
    /// Version of the format: 0 before 3.4.6, 1 before 3.5, 2 since.
    pub version: i32,
    /// The sender's committed configuration, as text; empty before version 2.
    pub config: Bytes,
}

impl Encode for Notification {
    fn encode(&self, out: &mut Writer<'_>) {
        out.int(self.state as i32);
        out.long(self.leader);
        out.long(self.zxid.0);
        out.long(self.election_epoch);
        out.long(self.peer_epoch);
        out.int(WITH_CONFIG);
        out.buffer(Some(&self.config));
    }
}

impl Decode for Notification {
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        let length = input.remaining();
        let state = PeerState::from_wire(input.int()?).ok_or(DecodeError::Invalid("no state of a server"))?;
        let (leader, zxid, election_epoch) = (input.long()?, Zxid(input.long()?), input.long()?);
        let peer_epoch = if length > 28 { input.long()? } else { i64::from(zxid.epoch().0) };
        // Exactly 40 bytes end in a number that Java does not read.
        let version = if length > 40 { input.int()? } else { 0 };
        let config = if version >= WITH_CONFIG { input.buffer()?.unwrap_or_default() } else { Bytes::new() };
        Ok(Notification { state, leader, zxid, election_epoch, peer_epoch, version, config })
    }
}

/// One thing that came over an election connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElectionMessage {
    /// Who the other end is; first, and only from who dialled.
    Initial(InitialMessage),
    /// A vote.
    Notification(Notification),
    /// A notification that can't be read: dropped, as by Java; the connection goes on.
    Malformed,
}

/// Why an election connection has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ElectionViolation {
    /// It begins with a version of the initial message that nobody knows.
    #[error("an initial message of version {0}")]
    Version(i64),
    /// The addresses are longer than any.
    #[error("addresses of {0} bytes, 1 to 2048 are allowed")]
    AddressesLength(i32),
    /// A frame is longer than any notification.
    #[error("a notification of {0} bytes, 1 to 524288 are allowed")]
    FrameLength(i32),
}

/// One end of an election connection: bytes in arbitrary pieces become messages.
#[derive(Clone, Debug)]
pub struct ElectionDecoder {
    buffer: BytesMut,
    expects_initial: bool,
}

impl ElectionDecoder {
    /// A decoder for a fresh connection; `accepted` when the other end dialled, and so introduces itself first.
    pub fn new(accepted: bool) -> Self {
        ElectionDecoder { buffer: BytesMut::new(), expects_initial: accepted }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message, if it is complete.
    ///
    /// # Errors
    /// When the connection has to be closed.
    pub fn poll(&mut self) -> Result<Option<ElectionMessage>, ElectionViolation> {
        if self.expects_initial {
            let initial = self.poll_initial()?;
            self.expects_initial = initial.is_none();
            return Ok(initial.map(ElectionMessage::Initial));
        }
        let Some(length) = self.int_at(0) else { return Ok(None) };
        if !(1..=MAX_FRAME).contains(&length) {
            return Err(ElectionViolation::FrameLength(length));
        }
        let Some(frame) = self.split(4, length as usize) else { return Ok(None) };
        let notification = Notification::decode(&mut Reader::new(frame));
        Ok(Some(notification.map_or(ElectionMessage::Malformed, ElectionMessage::Notification)))
    }

    fn poll_initial(&mut self) -> Result<Option<InitialMessage>, ElectionViolation> {
        let Some(version) = self.long_at(0) else { return Ok(None) };
        if version >= 0 {
            // A server before 3.5 says its id and nothing else.
            self.buffer.advance(8);
            return Ok(Some(InitialMessage { sid: version, addresses: Vec::new() }));
        }
        if version != ONE_ADDRESS && version != SEVERAL_ADDRESSES {
            return Err(ElectionViolation::Version(version));
        }
        let Some((sid, length)) = self.long_at(8).zip(self.int_at(16)) else { return Ok(None) };
        if !(1..=MAX_ADDRESSES_LENGTH).contains(&length) {
            return Err(ElectionViolation::AddressesLength(length));
        }
        let Some(text) = self.split(20, length as usize) else { return Ok(None) };
        let text = String::from_utf8_lossy(&text);
        Ok(Some(InitialMessage { sid, addresses: text.split('|').map(str::to_owned).collect() }))
    }

    fn int_at(&self, at: usize) -> Option<i32> {
        Some(i32::from_be_bytes(*self.buffer.get(at..)?.first_chunk()?))
    }

    fn long_at(&self, at: usize) -> Option<i64> {
        Some(i64::from_be_bytes(*self.buffer.get(at..)?.first_chunk()?))
    }

    /// The `length` bytes behind a header of `header` bytes, once all of them are there.
    fn split(&mut self, header: usize, length: usize) -> Option<Bytes> {
        if self.buffer.len() < header + length {
            return None;
        }
        self.buffer.advance(header);
        Some(self.buffer.split_to(length).freeze())
    }
}
