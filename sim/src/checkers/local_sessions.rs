//! Local sessions (`client-protocol.md` §20): one server alone knows of each, nobody else is told of it or takes it, and it becomes the
//! ensemble's only by an upgrade, before the first ephemeral that it wants.

use super::{Verdict, require};
use quorate_core::jute::{CreateKind, CreateRequest, MultiOp, Request};
use quorate_core::vocabulary::SessionId;

const NAME: &str = "local_sessions";

/// Whether a request is one that upgrades a session: of the four kinds of creation, two, alone or in a multi.
pub(crate) fn wants_ephemeral(request: &Request) -> bool {
    let wants = |create: &CreateRequest| {
        matches!(create.kind, CreateKind::Create | CreateKind::Create2) && matches!(create.flags, 1 | 3)
    };
    match request {
        Request::Create(create) => wants(create),
        Request::Multi(ops) => ops.iter().any(|op| matches!(op, MultiOp::Create(create) if wants(create))),
        _ => false,
    }
}

/// `server` greets a client with a new session of its own.
pub(crate) fn made(session: SessionId, (server, by_its_id): (usize, usize), is_used: bool) -> Verdict {
    require(NAME, by_its_id == server && !is_used, || {
        format!("server {server} makes {session}, by its id of {by_its_id}, used before: {is_used}")
    })
}

/// A learner tells its leader that it has heard of `session`.
pub(crate) fn told(session: SessionId, is_local: bool) -> Verdict {
    require(NAME, !is_local, || format!("a leader is told of {session}, which is its learner's own"))
}

/// A session is accepted because the leader says that it lives.
pub(crate) fn accepted(session: SessionId, is_ensembles: bool) -> Verdict {
    require(NAME, is_ensembles, || {
        format!("{session} is accepted, and no leader has ever logged that it began")
    })
}

/// A server says that it upgrades `session`.
pub(crate) fn upgraded(session: SessionId, (is_local, is_wanted): (bool, bool)) -> Verdict {
    require(NAME, is_local && is_wanted, || {
        format!("{session} is upgraded: it was local: {is_local}, it wanted an ephemeral: {is_wanted}")
    })
}

/// A leader logs what comes of `request`, whose session it does not know.
pub(crate) fn left_local(session: SessionId, request: &Request, must_be_upgraded: bool) -> Verdict {
    require(NAME, !must_be_upgraded, || {
        format!("{session} asks for {request:?} and is not upgraded before that")
    })
}
