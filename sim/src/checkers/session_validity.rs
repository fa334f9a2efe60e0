//! C12: a handshake is answered as `client-protocol.md` §3.3 says: a session that lives is accepted with its password, one that
//! does not is refused for ever, and who has seen more than this server is sent away.

use super::{Verdict, require};
use crate::model::password;
use quorate_core::jute::{ConnectRequest, ConnectResponse, TxnHeader};
use quorate_core::vocabulary::SessionId;

const NAME: &str = "session_validity";

/// What a handshake must bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A new session with this timeout, once its txn is committed.
    New { timeout: i32 },
    /// A new session of the server's own with this timeout, at once.
    NewLocal { timeout: i32 },
    /// The session it names.
    Attached { session: SessionId, timeout: i32 },
    /// One or the other: the leader's word decides. Whether the session had ended before it was asked for, in this leader's epoch or
    /// an earlier one.
    AskedOfLeader { session: SessionId, timeout: i32, has_ended: bool },
    /// A response that says the session is no more, then the end.
    Invalid,
    /// The end, without a word.
    Refused,
}

/// The clamp of §3.3, step 4.
pub(crate) fn negotiated(asked: i32, min: i32, max: i32) -> i32 {
    asked.max(min).min(max)
}

/// A session is said to be over that is alive, or is not, by what its server has applied and any leader has logged.
pub(crate) fn refusal(session: SessionId, response: &ConnectResponse, is_alive: bool) -> Verdict {
    require(NAME, response.timeout > 0 || !is_alive, || format!("{session} is alive and is said to be over"))
}

/// A leader logs what a session has asked for; it knew of that session and knows it no more.
pub(crate) fn executed(header: &TxnHeader, is_over: bool) -> Verdict {
    require(NAME, !is_over, || format!("{header:?} is executed, its session has ended"))
}

/// Whether the response fits, of a server that serves only reads or one that does not; `created` is the session of this handshake's createSession txn, if it is committed.
pub(crate) fn response(
    expected: &Expected,
    (request, is_read_only): (&ConnectRequest, bool),
    response: &ConnectResponse,
    created: Option<SessionId>,
) -> Verdict {
    let said =
        || format!("{request:?} is answered {response:?}, expected {expected:?}, committed {created:?}");
    require(NAME, response.read_only == request.read_only.map(|_| is_read_only), said)?;
    require(NAME, response.protocol_version == 0, said)?;
    let (session, timeout) = match expected {
        Expected::New { timeout } | Expected::NewLocal { timeout } => (created, *timeout),
        Expected::Attached { session, timeout } => (Some(*session), *timeout),
        Expected::AskedOfLeader { session, timeout, has_ended } if response.timeout > 0 => {
            require(NAME, !has_ended, said)?;
            (Some(*session), *timeout)
        }
        Expected::Invalid | Expected::AskedOfLeader { .. } => (Some(SessionId::NONE), 0),
        Expected::Refused => (None, 0),
    };
    require(NAME, Some(response.session_id) == session && response.timeout == timeout, said)?;
    let password = if timeout == 0 { vec![0; 16] } else { password(response.session_id) };
    require(NAME, response.password == password, said)
}
