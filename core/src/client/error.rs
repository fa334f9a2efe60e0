//! Errors of requests: what was asked, of which node, and what may have come of it.

use super::session::{ClientError, Reason};
use crate::vocabulary::ErrorCode;
use std::fmt;

/// What a request may have done although it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It never left this client: nothing happened.
    NotApplied,
    /// A server refused it: nothing happened.
    Refused,
    /// It was sent and not answered: it may have happened, or may yet happen.
    Unknown,
}

/// Why a request did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Failure>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    request: &'static str,
    path: String,
    cause: Cause,
}

/// The cause of an [`Error`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// From the session or the server.
    #[error(transparent)]
    Session(#[from] ClientError),
    /// It is no path: nothing was sent.
    #[error("not sent: it is no path of a znode")]
    Path,
    /// There is no node of that kind: nothing was sent.
    #[error("not sent: containers have no sequence")]
    Kind,
    /// So many requests wait for their answers that no other is taken: nothing was sent.
    #[error("not sent: {0} requests of this client are not answered yet")]
    TooManyRequests(usize),
    /// What a node holds, or would have to hold, is not what a recipe takes.
    #[error("{0}")]
    Data(&'static str),
    /// A server answered something else than what was asked.
    #[error("the server answered something else")]
    Reply,
    /// An operation of a transaction was refused, and so all of it was.
    #[error("operation {place} was refused: {code:?}")]
    Operation {
        /// Which, counted from 0.
        place: usize,
        /// Why.
        code: ErrorCode,
    },
}

/// What most calls answer.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(request: &'static str, path: impl Into<String>, cause: impl Into<Cause>) -> Self {
        Error(Box::new(Failure { request, path: path.into(), cause: cause.into() }))
    }

    /// Why.
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// The path that was asked about.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The server's error code, if a server refused the request.
    pub fn code(&self) -> Option<ErrorCode> {
        match self.0.cause {
            Cause::Session(ClientError::Refused(code)) | Cause::Operation { code, .. } => Some(code),
            _ => None,
        }
    }

    /// What the request may have done.
    pub fn outcome(&self) -> Outcome {
        match &self.0.cause {
            Cause::Session(ClientError::NotSent(_))
            | Cause::Path
            | Cause::Kind
            | Cause::TooManyRequests(_) => Outcome::NotApplied,
            Cause::Session(ClientError::Refused(_) | ClientError::RefusedStrangely(_))
            | Cause::Operation { .. }
            | Cause::Data(_) => Outcome::Refused,
            Cause::Session(ClientError::OutcomeUnknown(_)) | Cause::Reply => Outcome::Unknown,
        }
    }

    /// Whether the same request may succeed later in this session. After an unknown outcome it may then be done twice: that
    /// is for the caller to weigh.
    pub fn is_retryable(&self) -> bool {
        match &self.0.cause {
            Cause::Session(ClientError::NotSent(reason) | ClientError::OutcomeUnknown(reason)) => {
                *reason == Reason::ConnectionLoss
            }
            Cause::Session(ClientError::Refused(code)) => {
                matches!(code, ErrorCode::ThrottledOp | ErrorCode::NotReadOnly)
            }
            Cause::TooManyRequests(_) => true,
            _ => false,
        }
    }

    /// Whether the session is over, so that nothing will succeed in it.
    pub fn is_session_over(&self) -> bool {
        match &self.0.cause {
            Cause::Session(ClientError::NotSent(reason) | ClientError::OutcomeUnknown(reason)) => {
                matches!(reason, Reason::SessionExpired | Reason::Closed | Reason::AuthFailed)
            }
            Cause::Session(ClientError::Refused(code)) => {
                matches!(code, ErrorCode::SessionExpired | ErrorCode::AuthFailed)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.0.request, self.0.path, self.0.cause)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0.cause)
    }
}
