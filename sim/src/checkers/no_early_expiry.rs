//! C13 and L6, by the monotonic clock: a session that was heard of within its timeout is not expired; one that was not is, at the end
//! of its bucket.

use super::{Verdict, require};
use quorate_core::vocabulary::{Mono, SessionId};

const NAME: &str = "no_early_expiry";

/// A session as expiry sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Touched {
    pub(crate) timeout_ms: u64,
    pub(crate) last: Mono,
}

/// The server expires a session.
pub(crate) fn expired(session: SessionId, touched: Touched, now: Mono) -> Verdict {
    let silent = now.millis_since(touched.last).0;
    require(NAME, silent >= touched.timeout_ms, || {
        format!("{session} is expired after {silent} ms of silence, its timeout is {} ms", touched.timeout_ms)
    })
}

/// By the wall clock of a recording a session was expired `silent_ms` after its client was heard of last, of which its leader may not
/// have known for `unheard_ms`.
pub(crate) fn recorded(session: SessionId, silent_ms: i64, timeout_ms: i64, unheard_ms: i64) -> Verdict {
    require(NAME, silent_ms + unheard_ms >= timeout_ms, || {
        format!("{session} is expired after {silent_ms} ms of silence, its timeout is {timeout_ms} ms")
    })
}

/// The server has looked for sessions to expire and left this one alive.
pub(crate) fn spared(session: SessionId, touched: Touched, (now, tick_ms): (Mono, u64)) -> Verdict {
    let due = (touched.last.as_millis() + touched.timeout_ms) / tick_ms * tick_ms + tick_ms;
    require("late_expiry", now.as_millis() <= due + tick_ms, || {
        format!("{session} was due at {due} ms and lives at {} ms", now.as_millis())
    })
}
