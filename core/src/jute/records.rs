//! The records that several messages share (`client-protocol.md` §3, §5, §7).

use super::codec::{Decode, DecodeError, Encode, Reader, Writer};
use crate::vocabulary::{SessionId, Xid, Zxid};
use bytes::Bytes;
use std::fmt;

/// A scheme and what identifies somebody in it. Both can be null on the wire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// `world`, `digest`, `ip`, `auth`, …
    pub scheme: Option<String>,
    /// `anyone`, `user:hash`, `10.0.0.0/8`, …
    pub id: Option<String>,
}

impl Id {
    /// An identity with both parts present.
    pub fn new(scheme: impl Into<String>, id: impl Into<String>) -> Self {
        Id { scheme: Some(scheme.into()), id: Some(id.into()) }
    }
}

/// A set of permission bits, stored as given: bits beyond the five known ones are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permissions(pub i32);

impl Permissions {
    /// getData, getChildren, exists, check, watch events.
    pub const READ: Permissions = Permissions(1);
    /// setData.
    pub const WRITE: Permissions = Permissions(2);
    /// Creating children.
    pub const CREATE: Permissions = Permissions(4);
    /// Deleting children.
    pub const DELETE: Permissions = Permissions(8);
    /// setACL.
    pub const ADMIN: Permissions = Permissions(16);
    /// All five.
    pub const ALL: Permissions = Permissions(31);

    /// Whether any bit of `wanted` is set: ZooKeeper's rule.
    pub fn overlaps(self, wanted: Permissions) -> bool {
        self.0 & wanted.0 != 0
    }
}

/// One entry of an access control list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Acl {
    /// What is allowed.
    pub perms: Permissions,
    /// To whom.
    pub id: Id,
}

impl Acl {
    /// Everything for everybody: ZooKeeper's "open unsafe".
    pub fn open() -> Vec<Acl> {
        vec![Acl { perms: Permissions::ALL, id: Id::new("world", "anyone") }]
    }

    /// Reading for everybody.
    pub fn world_readable() -> Vec<Acl> {
        vec![Acl { perms: Permissions::READ, id: Id::new("world", "anyone") }]
    }
}

/// A node's numbers, as clients see them (68 bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stat {
    /// The txn that created the node.
    pub czxid: Zxid,
    /// The txn that last set its data.
    pub mzxid: Zxid,
    /// When it was created, wall ms.
    pub ctime: i64,
    /// When its data was last set, wall ms.
    pub mtime: i64,
    /// Changes of its data.
    pub version: i32,
    /// Creations and deletions of its children.
    pub cversion: i32,
    /// Changes of its ACL.
    pub aversion: i32,
    /// The session it lives by, 0 for nodes that are not ephemeral.
    pub ephemeral_owner: i64,
    /// Bytes of data.
    pub data_length: i32,
    /// Direct children.
    pub num_children: i32,
    /// The txn that last created or deleted a child.
    pub pzxid: Zxid,
}

/// The first frame of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest {
    /// 0; ignored.
    pub protocol_version: i32,
    /// The highest zxid the client has seen.
    pub last_zxid_seen: Zxid,
    /// The session timeout it asks for, ms.
    pub timeout: i32,
    /// The session to re-attach to, or none.
    pub session_id: SessionId,
    /// That session's password.
    pub password: Option<Bytes>,
    /// Whether a read-only server will do; absent in the oldest clients' requests.
    pub read_only: Option<bool>,
}

/// The first frame of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectResponse {
    /// 0.
    pub protocol_version: i32,
    /// The negotiated timeout, ms; 0 says that the session is no more.
    pub timeout: i32,
    /// The session.
    pub session_id: SessionId,
    /// Its password, 16 bytes.
    pub password: Bytes,
    /// Written only when the request had the byte.
    pub read_only: Option<bool>,
}

/// What precedes every later frame of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The client's number for the request.
    pub xid: Xid,
    /// The opcode as it came.
    pub opcode: i32,
}

/// What precedes every later frame of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyHeader {
    /// The request's xid, or -1 and -2 (`client-protocol.md` §5).
    pub xid: Xid,
    /// The write's zxid, or the last one processed.
    pub zxid: Zxid,
    /// 0, or an error code.
    pub err: i32,
}

/// What a watch saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i32)]
#[expect(missing_docs, reason = "the names are ZooKeeper's own")]
pub enum EventType {
    NodeCreated = 1,
    NodeDeleted = 2,
    NodeDataChanged = 3,
    NodeChildrenChanged = 4,
}

/// The body of a notification. The state is always SyncConnected (3): servers send no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatcherEvent {
    /// What happened.
    pub kind: EventType,
    /// To which node.
    pub path: String,
}

/// Credentials offered on a connection. They are not shown where this is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthPacket {
    /// 0; ignored.
    pub kind: i32,
    /// Whose credentials.
    pub scheme: Option<String>,
    /// The credentials.
    pub auth: Option<Bytes>,
}

impl fmt::Debug for AuthPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthPacket")
            .field("kind", &self.kind)
            .field("scheme", &self.scheme)
            .field("auth_bytes", &self.auth.as_ref().map(Bytes::len))
            .finish()
    }
}

/// One identity of the asking session, for whoAmI.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientInfo {
    /// The scheme.
    pub scheme: String,
    /// The user's name in it.
    pub user: String,
}

impl Encode for Id {
    fn encode(&self, out: &mut Writer<'_>) {
        out.nullable(self.scheme.as_deref());
        out.nullable(self.id.as_deref());
    }
}

impl Decode for Id {
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Id { scheme: input.string()?, id: input.string()? })
    }
}

impl Encode for Acl {
    fn encode(&self, out: &mut Writer<'_>) {
        out.int(self.perms.0);
        self.id.encode(out);
    }
}

impl Decode for Acl {
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Acl { perms: Permissions(input.int()?), id: Id::decode(input)? })
    }
}

impl Encode for Stat {
    fn encode(&self, out: &mut Writer<'_>) {
        out.long(self.czxid.0);
        out.long(self.mzxid.0);
        out.long(self.ctime);
        out.long(self.mtime);
        out.int(self.version);
        out.int(self.cversion);
        out.int(self.aversion);
        out.long(self.ephemeral_owner);
        out.int(self.data_length);
        out.int(self.num_children);
        out.long(self.pzxid.0);
    }
}

impl Decode for Stat {
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Stat {
            czxid: Zxid(input.long()?),
            mzxid: Zxid(input.long()?),
            ctime: input.long()?,
            mtime: input.long()?,
            version: input.int()?,
            cversion: input.int()?,
            aversion: input.int()?,
            ephemeral_owner: input.long()?,
            data_length: input.int()?,
            num_children: input.int()?,
            pzxid: Zxid(input.long()?),
        })
    }
}

impl Encode for ConnectRequest {
    fn encode(&self, out: &mut Writer<'_>) {
        out.int(self.protocol_version);
        out.long(self.last_zxid_seen.0);
        out.int(self.timeout);
        out.long(self.session_id.0);
        out.buffer(self.password.as_deref());
        if let Some(read_only) = self.read_only {
            out.boolean(read_only);
        }
    }
}

impl Decode for ConnectRequest {
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(ConnectRequest {
            protocol_version: input.int()?,
            last_zxid_seen: Zxid(input.long()?),
            timeout: input.int()?,
            session_id: SessionId(input.long()?),
            password: input.buffer()?,
            read_only: if input.remaining() > 0 { Some(input.boolean()?) } else { None },
        })
    }
}

impl Encode for ConnectResponse {
    fn encode(&self, out: &mut Writer<'_>) {
        out.int(self.protocol_version);
        out.int(self.timeout);
        out.long(self.session_id.0);
        out.buffer(Some(&self.password));
        if let Some(read_only) = self.read_only {
            out.boolean(read_only);
        }
    }
}

impl Decode for ConnectResponse {
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(ConnectResponse {
            protocol_version: input.int()?,
            timeout: input.int()?,
            session_id: SessionId(input.long()?),
            password: input.buffer()?.unwrap_or_default(),
            read_only: if input.remaining() > 0 { Some(input.boolean()?) } else { None },
        })
    }
}

impl Encode for RequestHeader {
    fn encode(&self, out: &mut Writer<'_>) {
        out.int(self.xid.0);
        out.int(self.opcode);
    }
}

impl Decode for RequestHeader {
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(RequestHeader { xid: Xid(input.int()?), opcode: input.int()? })
    }
}

impl Encode for ReplyHeader {
    fn encode(&self, out: &mut Writer<'_>) {
        out.int(self.xid.0);
        out.long(self.zxid.0);
        out.int(self.err);
    }
}

impl Decode for ReplyHeader {
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(ReplyHeader { xid: Xid(input.int()?), zxid: Zxid(input.long()?), err: input.int()? })
    }
}

impl EventType {
    /// The event with this wire value.
    pub fn from_code(code: i32) -> Option<Self> {
        match code {
            1 => Some(EventType::NodeCreated),
            2 => Some(EventType::NodeDeleted),
            3 => Some(EventType::NodeDataChanged),
            4 => Some(EventType::NodeChildrenChanged),
            _ => None,
        }
    }
}

impl Encode for WatcherEvent {
    fn encode(&self, out: &mut Writer<'_>) {
        out.int(self.kind as i32);
        out.int(3);
        out.string(&self.path);
    }
}

impl Decode for WatcherEvent {
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        let kind = EventType::from_code(input.int()?).ok_or(DecodeError::Invalid("an unknown event type"))?;
        input.int()?;
        Ok(WatcherEvent { kind, path: String::decode(input)? })
    }
}

impl Encode for AuthPacket {
    fn encode(&self, out: &mut Writer<'_>) {
        out.int(self.kind);
        out.nullable(self.scheme.as_deref());
        out.buffer(self.auth.as_deref());
    }
}

impl Decode for AuthPacket {
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(AuthPacket { kind: input.int()?, scheme: input.string()?, auth: input.buffer()? })
    }
}

impl Encode for ClientInfo {
    fn encode(&self, out: &mut Writer<'_>) {
        out.string(&self.scheme);
        out.string(&self.user);
    }
}

impl Decode for ClientInfo {
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(ClientInfo { scheme: String::decode(input)?, user: String::decode(input)? })
    }
}
