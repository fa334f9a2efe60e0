//! Bytes: the jute encoding, every record that clients and logs use, and the decoders that turn streams into typed messages.
//!
//! One file per kind of record, all of the same shape: a struct or enum, [`Encode`], [`Decode`] (`client-protocol.md` §2, §7;
//! `disk-format.md` §3). Decoding never panics and never allocates more than the input is long.

mod client_decoder;
mod codec;
mod election;
mod multi;
mod opcode;
mod quorum;
mod records;
mod reply_decoder;
mod request;
mod response;
mod txn;

pub use client_decoder::{ClientDecoder, ClientMessage, FourLetterCommand, ProtocolViolation};
pub use codec::{
    Decode, DecodeError, Encode, FieldLimit, FrameTooLong, Inset, Insets, Reader, Writer, java_string,
    write_frame, write_frame_around, write_frame_within,
};
pub use election::{
    ElectionDecoder, ElectionMessage, ElectionViolation, InitialMessage, Notification, PeerState,
};
pub use multi::{MultiOp, MultiReadOp, MultiResult};
pub use opcode::OpCode;
pub use quorum::{ForwardedRequest, LearnerInfo, QuorumPacket};
pub use records::{
    Acl, AuthPacket, ClientInfo, ConnectRequest, ConnectResponse, EventType, Id, Permissions, ReplyHeader,
    RequestHeader, Stat, WatcherEvent,
};
pub use reply_decoder::{ReplyDecoder, ServerMessage};
pub use request::{
    AddWatchMode, CreateFlag, CreateKind, CreateRequest, Malformed, MalformedReason, Request, SetWatches,
    WatcherType, WirePath,
};
pub use response::Response;
pub use txn::{CreateTxn, Txn, TxnDigest, TxnHeader, TxnRecord};
