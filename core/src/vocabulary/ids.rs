//! Identities: servers, sessions, connections and the request numbers clients choose.

use std::fmt;

/// A server of the ensemble (`myid`). A standalone server is 1 where session ids are made and 0 where `conf` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub u8);

/// A session, as ZooKeeper numbers it: the server that created it in the top byte. Never 0 for a real session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SessionId(pub i64);

impl SessionId {
    /// No session: persistent nodes' owner, and what a client sends to ask for a new session.
    pub const NONE: SessionId = SessionId(0);

    /// The server that has made it.
    pub fn server(self) -> ServerId {
        ServerId((self.0 as u64 >> 56) as u8)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A connection, numbered by the adapter. Never reused within one incarnation of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// A connection between two servers, of either port, numbered by the adapter. Never reused within one incarnation of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// The number a client gives a request on the wire. Echoed, never interpreted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xid(pub i32);

impl Xid {
    /// Watch notifications, server to client.
    pub const NOTIFICATION: Xid = Xid(-1);
    /// Pings, both ways.
    pub const PING: Xid = Xid(-2);
    /// Auth packets as clients send them.
    pub const AUTH: Xid = Xid(-4);
    /// setWatches as the C client sends it.
    pub const SET_WATCHES: Xid = Xid(-8);
}

/// The xid of the request that made a txn, as the log records it; 0 for the server's own.
pub type Cxid = Xid;

/// How often something has changed: a node's data, its ACL, its list of children. Signed, and it wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub i32);

impl Version {
    /// In a condition: whatever it is.
    pub const ANY: Version = Version(-1);
}
