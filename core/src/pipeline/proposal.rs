//! A txn on its way from prep to apply, and who waits for it.

use crate::contract::StoreSeq;
use crate::jute::{Txn, TxnRecord};
use crate::vocabulary::{ConnId, Mono, Zxid};
use bytes::Bytes;

/// Who gets an answer when the txn is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client's request: the head of that connection's queue is this write by then.
    Request {
        conn: ConnId,
        /// The opcode on the wire.
        opcode: i32,
        arrived: Mono,
    },
    /// A client that waits for its new session.
    Handshake {
        conn: ConnId,
        /// Whether its request had the byte, and so the answer has.
        read_only: Option<bool>,
        arrived: Mono,
    },
    /// The server itself: a session's expiry, a container's end.
    Server,
    /// Another server.
    Elsewhere,
    /// The leader, which has prepared it: who waits for it here, if anybody, is found when it is applied.
    Leader,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    /// Its place in the log's lane.
    pub(crate) seq: StoreSeq,
    pub(crate) txn: Txn,
    /// The same, serialised.
    pub(crate) bytes: Bytes,
    pub(crate) origin: Origin,
    /// Connections that re-attached to a session while this was the last txn under way: their reads wait for it.
    pub(crate) wakes: Vec<ConnId>,
}

impl Proposal {
    pub(crate) fn zxid(&self) -> Zxid {
        self.txn.header.zxid
    }

    /// How much there is to apply: one for the txn, and one for each op of a multi and each ephemeral of a session that ends.
    pub(crate) fn work(&self) -> usize {
        match &self.txn.record {
            TxnRecord::CloseSession { paths: Some(paths) } => 1 + paths.len(),
            TxnRecord::Multi(ops) => 1 + ops.len(),
            _ => 1,
        }
    }
}
