//! What a peer wants done, in order; filled by one `handle`, drained by the adapter.
//!
//! Replies to one connection that follow each other become one [`Output::Send`]; all of a batch share one allocation.

use super::store::{Lane, StoreOp, StoreSeq};
use crate::vocabulary::{ConnId, Millis, SessionId, Zxid};
use bytes::{Bytes, BytesMut};
use std::ops::Range;

/// How the process ends (`operations.md` §13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// As asked.
    Finished = 0,
    /// Something that should not happen.
    UnexpectedError = 1,
    /// The log could not be written: nothing may be served from memory that is not on disk.
    StorageFailed = 10,
}

/// Something an operator wants to read in the log. The adapter renders it; nothing here is per request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each field is named by its type")]
pub enum PeerEvent {
    SessionCreated {
        session: SessionId,
        conn: ConnId,
        timeout: Millis,
    },
    /// The session came back on another connection.
    SessionReattached {
        session: SessionId,
        conn: ConnId,
        timeout: Millis,
    },
    /// The client asked for its end.
    SessionClosed {
        session: SessionId,
    },
    /// Nobody was heard of it for its timeout.
    SessionExpired {
        session: SessionId,
        timeout: Millis,
    },
    /// A handshake was refused: with the reason.
    HandshakeRefused {
        conn: ConnId,
        session: SessionId,
        reason: &'static str,
    },
    /// Credentials were refused.
    AuthFailed {
        conn: ConnId,
        scheme: String,
    },
    /// The connection was closed by the server for this reason.
    ConnectionDropped {
        conn: ConnId,
        reason: &'static str,
    },
    /// A request took this long from arrival to reply.
    SlowRequest {
        session: SessionId,
        opcode: i32,
        took: Millis,
    },
    /// A soft quota was passed.
    QuotaExceeded {
        path: String,
        hard: bool,
    },
    SnapshotStarted {
        zxid: Zxid,
    },
    SnapshotDurable {
        zxid: Zxid,
    },
    SnapshotFailed {
        zxid: Zxid,
        reason: String,
    },
    /// Writes are refused until space is freed.
    FreeSpaceLow {
        bytes: u64,
    },
    FreeSpaceRecovered {
        bytes: u64,
    },
}

/// One thing to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    /// Write these bytes to a client.
    Send {
        /// On which connection.
        conn: ConnId,
        /// Whole frames.
        bytes: Bytes,
    },
    /// Close a connection once everything sent to it before is written.
    Close {
        /// Which.
        conn: ConnId,
    },
    /// Read no more from a connection for now.
    PauseRead {
        /// Which.
        conn: ConnId,
    },
    /// Read from it again.
    ResumeRead {
        /// Which.
        conn: ConnId,
    },
    /// Make something durable, then confirm it.
    Store {
        /// The queue it stands in; ops of one lane are done in order.
        lane: Lane,
        /// Its number there, rising by one.
        seq: StoreSeq,
        /// What to do.
        op: StoreOp,
    },
    /// Tell the operator.
    Event(PeerEvent),
    /// End the process; what was sent before is still written.
    Exit {
        /// With this code.
        code: ExitCode,
        /// For this reason.
        reason: String,
    },
}

/// An arena that has grown beyond this is not kept for the next batch: one long reply must not hold its memory for ever.
const ARENA_KEPT: usize = 4 << 20;

#[derive(Debug)]
enum Entry {
    Send { conn: ConnId, range: Range<usize> },
    Other(Output),
}

/// See the module's words.
#[derive(Debug, Default)]
pub struct Outbox {
    entries: Vec<Entry>,
    arena: BytesMut,
}

impl Outbox {
    /// An empty one; keep it and use it again.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends what `write` appends (whole frames, or nothing) to `conn`.
    pub fn send(&mut self, conn: ConnId, write: impl FnOnce(&mut BytesMut)) {
        let start = self.arena.len();
        write(&mut self.arena);
        let end = self.arena.len();
        if end == start {
            return;
        }
        if let Some(Entry::Send { conn: last, range }) = self.entries.last_mut()
            && *last == conn
        {
            range.end = end;
            return;
        }
        self.entries.push(Entry::Send { conn, range: start..end });
    }

    /// Adds anything but a send.
    pub fn push(&mut self, output: Output) {
        self.entries.push(Entry::Other(output));
    }

    /// Tells the operator.
    pub fn event(&mut self, event: PeerEvent) {
        self.push(Output::Event(event));
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes to be sent that wait to be taken out.
    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    /// Takes everything out, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Output> + '_ {
        let bytes = self.arena.split().freeze();
        if bytes.len() + self.arena.capacity() > ARENA_KEPT {
            self.arena = BytesMut::new();
        }
        self.entries.drain(..).map(move |entry| match entry {
            Entry::Send { conn, range } => Output::Send { conn, bytes: bytes.slice(range) },
            Entry::Other(output) => output,
        })
    }
}
