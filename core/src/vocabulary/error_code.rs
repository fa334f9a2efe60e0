//! The error codes a reply header can carry (`client-protocol.md` §8). Codes that only client libraries produce are absent.

/// What went wrong with a request, by ZooKeeper's names. Success is the absence of one; its wire value is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum ErrorCode {
    /// An op of a multi behind the one that failed (-2).
    RuntimeInconsistency = -2,
    /// The body can't be decoded, or a value in it is out of its enum (-5).
    MarshallingError = -5,
    /// An opcode this server has not (-6); the connection is closed behind it.
    Unimplemented = -6,
    /// Path, flag, TTL or reconfig arguments (-8).
    BadArguments = -8,
    /// The session is not known (standalone, -12).
    UnknownSession = -12,
    /// The node, or its parent, does not exist (-101).
    NoNode = -101,
    /// No permission (-102).
    NoAuth = -102,
    /// The expected version is not the node's (-103).
    BadVersion = -103,
    /// An ephemeral node can't have children (-108).
    NoChildrenForEphemerals = -108,
    /// The node exists already (-110).
    NodeExists = -110,
    /// The node has children (-111).
    NotEmpty = -111,
    /// The session has expired or is closing (-112).
    SessionExpired = -112,
    /// The ACL can't be used (-114).
    InvalidAcl = -114,
    /// Authentication failed (-115); the connection is closed behind it.
    AuthFailed = -115,
    /// The session has moved to another server (-118); never on the wire, the connection is closed instead.
    SessionMoved = -118,
    /// A write on a read-only server (-119).
    NotReadOnly = -119,
    /// An ephemeral create on a local session (-120).
    EphemeralOnLocalSession = -120,
    /// No such watch (-121).
    NoWatcher = -121,
    /// reconfig is switched off (-123).
    ReconfigDisabled = -123,
    /// This server wants authentication first (-124); the connection is closed behind it.
    SessionClosedRequireSaslAuth = -124,
    /// A hard quota is exceeded, or the disk is nearly full (-125).
    QuotaExceeded = -125,
    /// The request waited too long (-127).
    ThrottledOp = -127,
}

impl ErrorCode {
    /// The value on the wire.
    pub fn code(self) -> i32 {
        self as i32
    }

    /// The error with this wire value, if a server produces it.
    pub fn from_code(code: i32) -> Option<Self> {
        use ErrorCode::*;
        const ALL: [ErrorCode; 22] = [
            RuntimeInconsistency,
            MarshallingError,
            Unimplemented,
            BadArguments,
            UnknownSession,
            NoNode,
            NoAuth,
            BadVersion,
            NoChildrenForEphemerals,
            NodeExists,
            NotEmpty,
            SessionExpired,
            InvalidAcl,
            AuthFailed,
            SessionMoved,
            NotReadOnly,
            EphemeralOnLocalSession,
            NoWatcher,
            ReconfigDisabled,
            SessionClosedRequireSaslAuth,
            QuotaExceeded,
            ThrottledOp,
        ];
        ALL.into_iter().find(|error| error.code() == code)
    }
}
