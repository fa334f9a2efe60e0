//! C19, Z75, Z80: a server that serves only reads (`client-protocol.md` §19) takes none but who accepts that, logs nothing, asks no leader
//! for anything, refuses every write and every sync with -119 where its history stands, and leaves nobody without an answer.
//!
//! Its sessions are its own; the rules of `local_sessions` hold for them.

use super::{Verdict, require};
use quorate_core::jute::{ReplyHeader, Request};
use quorate_core::vocabulary::{ConnId, Zxid};

const NAME: &str = "read_only";
const NOT_READ_ONLY: i32 = -119;

/// Whether a server that serves only reads refuses this, by its number: the creates, delete, setData, setACL, multi, reconfig, sync.
pub(crate) fn is_refused(opcode: i32) -> bool {
    matches!(opcode, 1 | 2 | 5 | 7 | 9 | 14 | 15 | 16 | 19 | 21)
}

/// What it refuses is answered.
pub(crate) fn refused(request: &Request, (header, rest): (&ReplyHeader, usize), stands_at: Zxid) -> Verdict {
    let is_so = header.err == NOT_READ_ONLY && header.zxid == stands_at && rest == 0;
    require(NAME, is_so, || {
        format!("{request:?} is answered {header:?} by a read-only server that stands at {stands_at}")
    })
}

/// A server logs a txn.
pub(crate) fn logs_nothing(server: usize, is_read_only: bool, zxid: Zxid) -> Verdict {
    require(NAME, !is_read_only, || format!("server {server} serves only reads and logs {zxid}"))
}

/// A server asks its leader for something.
pub(crate) fn asks_nobody(server: usize, is_read_only: bool) -> Verdict {
    require(NAME, !is_read_only, || format!("server {server} serves only reads and asks a leader"))
}

/// An input was handled, behind which this is what a connection waits for.
pub(crate) fn leaves_nobody(conn: ConnId, waits_for: Option<&Request>) -> Verdict {
    require(NAME, waits_for.is_none(), || {
        format!("{conn:?} waits at a read-only server, which nobody will answer: {waits_for:?}")
    })
}
