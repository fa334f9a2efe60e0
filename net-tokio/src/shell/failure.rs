//! Why a command did not succeed: zkCli's words on standard error, its exit codes, and a name for JSON.

use quorate_client::{Cause, ClientError, Error, ErrorCode, Reason};

/// A command that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// What is printed.
    pub(super) message: String,
    /// What the process ends with if nothing follows.
    pub(super) exit: u8,
    /// ZooKeeper's name for it, or one of `Usage`, `Path` and `Failed`.
    pub(super) code: &'static str,
}

/// What most of a command's steps answer.
pub(super) type Result<T> = std::result::Result<T, Failure>;

/// The exit code of a command that there is not, as in shells.
pub(super) const NOT_FOUND: u8 = 127;
/// The exit code after an interrupt, as in shells.
pub(super) const INTERRUPTED: u8 = 130;

impl Failure {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Failure { message: message.into(), exit: 1, code: "Failed" }
    }

    /// The words of a command are not what it takes.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Failure { code: "Usage", ..Failure::new(message) }
    }

    /// It is no path of a znode.
    pub(super) fn path(message: impl Into<String>) -> Self {
        Failure { code: "Path", ..Failure::new(message) }
    }

    /// There is no such command.
    pub(super) fn not_found(name: &str) -> Self {
        // Said twice, as scripts that look for it know it.
        let message = format!("Command not found: Command not found {name}");
        Failure { message, exit: NOT_FOUND, code: "CommandNotFound" }
    }

    pub(super) fn interrupted() -> Self {
        Failure { exit: INTERRUPTED, code: "Interrupted", ..Failure::new("Interrupted") }
    }

    /// No server answers.
    pub(super) fn connection_loss(path: Option<&str>, trouble: Option<&str>) -> Self {
        let about = path.map(|path| format!(" for {path}")).unwrap_or_default();
        let trouble = trouble.map(|trouble| format!(" ({trouble})")).unwrap_or_default();
        let message = format!("KeeperErrorCode = ConnectionLoss{about}{trouble}");
        Failure { code: "ConnectionLoss", ..Failure::new(message) }
    }

    /// A server has refused this for `path`.
    pub(super) fn refused(code: ErrorCode, path: &str) -> Self {
        let (name, words) = names(code);
        let message = match code {
            ErrorCode::NoNode => format!("Node does not exist: {path}"),
            ErrorCode::NoChildrenForEphemerals => format!("Ephemerals cannot have children: {path}"),
            ErrorCode::NodeExists => format!("Node already exists: {path}"),
            ErrorCode::NotEmpty => format!("Node not empty: {path}"),
            ErrorCode::NotReadOnly => format!("Not a read-only call: {path}"),
            ErrorCode::InvalidAcl => format!("Acl is not valid : {path}"),
            ErrorCode::NoAuth => format!("Insufficient permission : {path}"),
            ErrorCode::BadArguments => format!("Arguments are not valid : {path}"),
            ErrorCode::BadVersion => format!("version No is not valid : {path}"),
            ErrorCode::QuotaExceeded => format!("Quota has exceeded : {path}"),
            _ => keeper_error(words, path),
        };
        Failure { code: name, ..Failure::new(message) }
    }
}

/// ZooKeeper's name for an error, and how its client's messages put it.
pub(super) fn names(code: ErrorCode) -> (&'static str, &'static str) {
    let same = |name: &'static str| (name, name);
    match code {
        ErrorCode::RuntimeInconsistency => same("RuntimeInconsistency"),
        ErrorCode::MarshallingError => same("MarshallingError"),
        ErrorCode::Unimplemented => same("Unimplemented"),
        ErrorCode::BadArguments => same("BadArguments"),
        ErrorCode::UnknownSession => same("UnknownSession"),
        ErrorCode::NoNode => same("NoNode"),
        ErrorCode::NoAuth => same("NoAuth"),
        ErrorCode::BadVersion => same("BadVersion"),
        ErrorCode::NoChildrenForEphemerals => same("NoChildrenForEphemerals"),
        ErrorCode::NodeExists => same("NodeExists"),
        ErrorCode::NotEmpty => ("NotEmpty", "Directory not empty"),
        ErrorCode::SessionExpired => ("SessionExpired", "Session expired"),
        ErrorCode::InvalidAcl => same("InvalidACL"),
        ErrorCode::AuthFailed => same("AuthFailed"),
        ErrorCode::SessionMoved => ("SessionMoved", "Session moved"),
        ErrorCode::NotReadOnly => ("NotReadOnly", "Not a read-only call"),
        ErrorCode::EphemeralOnLocalSession => ("EphemeralOnLocalSession", "Ephemeral node on local session"),
        ErrorCode::NoWatcher => ("NoWatcher", "No such watcher"),
        ErrorCode::ReconfigDisabled => ("ReconfigDisabled", "Reconfig is disabled"),
        ErrorCode::SessionClosedRequireSaslAuth => {
            ("SessionClosedRequireSaslAuth", "Session closed because client failed to authenticate")
        }
        ErrorCode::QuotaExceeded => ("QuotaExceeded", "Quota has exceeded"),
        ErrorCode::ThrottledOp => ("ThrottledOp", "Op throttled due to high load"),
        _ => same("Unknown error"),
    }
}

/// An error that zkCli has no words of its own for.
pub(super) fn keeper_error(words: &str, path: &str) -> String {
    match path {
        "" => format!("KeeperErrorCode = {words}"),
        path => format!("KeeperErrorCode = {words} for {path}"),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if let Some(code) = error.code() {
            return Failure::refused(code, error.path());
        }
        match error.cause() {
            Cause::Session(ClientError::NotSent(reason) | ClientError::OutcomeUnknown(reason)) => {
                let (code, words) = match reason {
                    Reason::ConnectionLoss => ("ConnectionLoss", "ConnectionLoss"),
                    Reason::AuthFailed => ("AuthFailed", "AuthFailed"),
                    _ => ("SessionExpired", "Session expired"),
                };
                Failure { code, ..Failure::new(keeper_error(words, error.path())) }
            }
            _ => Failure::new(error.to_string()),
        }
    }
}
