//! Every request a client can send, typed (`client-protocol.md` §6, §7, §12.0).
//!
//! Null strings survive decoding, because each operation answers them its own way. A body that can't be decoded becomes
//! [`Request::Malformed`], which says what the answer depends on.

use super::codec::{Decode, DecodeError, Encode, Reader, Writer};
use super::multi::{self, MultiOp, MultiReadOp};
use super::opcode::OpCode;
use super::records::{Acl, AuthPacket};
use crate::vocabulary::Zxid;
use bytes::Bytes;

/// A path as it came: null, empty or anything else.
pub type WirePath = Option<String>;

/// Which of the four create operations a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are ZooKeeper's own")]
pub enum CreateKind {
    Create,
    Create2,
    CreateContainer,
    CreateTtl,
}

impl CreateKind {
    /// Its opcode.
    pub fn opcode(self) -> OpCode {
        match self {
            CreateKind::Create => OpCode::Create,
            CreateKind::Create2 => OpCode::Create2,
            CreateKind::CreateContainer => OpCode::CreateContainer,
            CreateKind::CreateTtl => OpCode::CreateTtl,
        }
    }
}

/// What kind of node a create asks for (`client-protocol.md` §11.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
#[expect(missing_docs, reason = "the names are ZooKeeper's own")]
pub enum CreateFlag {
    Persistent = 0,
    Ephemeral = 1,
    PersistentSequential = 2,
    EphemeralSequential = 3,
    Container = 4,
    PersistentWithTtl = 5,
    PersistentSequentialWithTtl = 6,
}

impl CreateFlag {
    /// The flag with this wire value.
    pub fn from_code(code: i32) -> Option<Self> {
        use CreateFlag::*;
        [
            Persistent,
            Ephemeral,
            PersistentSequential,
            EphemeralSequential,
            Container,
            PersistentWithTtl,
            PersistentSequentialWithTtl,
        ]
        .into_iter()
        .find(|flag| *flag as i32 == code)
    }

    /// Whether the node lives by its session.
    pub fn is_ephemeral(self) -> bool {
        matches!(self, CreateFlag::Ephemeral | CreateFlag::EphemeralSequential)
    }

    /// Whether the parent's counter is appended to the name.
    pub fn is_sequential(self) -> bool {
        use CreateFlag::*;
        matches!(self, PersistentSequential | EphemeralSequential | PersistentSequentialWithTtl)
    }

    /// Whether the node has a time to live.
    pub fn is_ttl(self) -> bool {
        matches!(self, CreateFlag::PersistentWithTtl | CreateFlag::PersistentSequentialWithTtl)
    }
}

/// create, create2, createContainer, createTTL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateRequest {
    /// Which of them.
    pub kind: CreateKind,
    /// Where; the prefix of the name when sequential.
    pub path: WirePath,
    /// The node's data.
    pub data: Option<Bytes>,
    /// Its ACL; null and empty are both refused.
    pub acl: Option<Vec<Acl>>,
    /// A [`CreateFlag`], as it came.
    pub flags: i32,
    /// Milliseconds to live; -1 but for createTTL.
    pub ttl: i64,
}

/// How an added watch behaves. Any other mode is answered -5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
#[expect(missing_docs, reason = "the names are ZooKeeper's own")]
pub enum AddWatchMode {
    Persistent = 0,
    PersistentRecursive = 1,
}

/// Which watches a checkWatches or removeWatches means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
#[expect(missing_docs, reason = "the names are ZooKeeper's own")]
pub enum WatcherType {
    Children = 1,
    Data = 2,
    Any = 3,
    Persistent = 4,
    PersistentRecursive = 5,
}

impl WatcherType {
    /// The type with this wire value.
    pub fn from_code(code: i32) -> Option<Self> {
        use WatcherType::*;
        [Children, Data, Any, Persistent, PersistentRecursive].into_iter().find(|kind| *kind as i32 == code)
    }
}

/// setWatches and setWatches2: the watches a client re-registers after a reconnect. A null among the paths ends the request
/// where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SetWatches {
    /// What the client had seen when it lost the connection.
    pub relative_zxid: Zxid,
    /// Data watches.
    pub data: Vec<WirePath>,
    /// Watches left by exists on missing nodes.
    pub exist: Vec<WirePath>,
    /// Child watches.
    pub child: Vec<WirePath>,
    /// Persistent watches (setWatches2 only).
    pub persistent: Vec<WirePath>,
    /// Persistent recursive watches (setWatches2 only).
    pub persistent_recursive: Vec<WirePath>,
}

/// Why a body is not what its opcode promises. The answer is -5; what it costs differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MalformedReason {
    /// The bytes end early, or a length is unreasonable: where Java throws an IOException.
    Undecodable,
    /// Decodable, but a value in it makes Java throw something unchecked.
    Unusable,
    /// As `Unusable`, but answered with an empty result list behind the header (multiRead).
    UnusableWithEmptyResult,
}

/// A body that could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What it claimed to be.
    pub opcode: OpCode,
    /// In which way it is not.
    pub reason: MalformedReason,
}

/// One request of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are those of ZooKeeper's records, client-protocol.md §7")]
pub enum Request {
    Create(CreateRequest),
    Delete {
        path: WirePath,
        version: i32,
    },
    Exists {
        path: WirePath,
        watch: bool,
    },
    GetData {
        path: WirePath,
        watch: bool,
    },
    SetData {
        path: WirePath,
        data: Option<Bytes>,
        version: i32,
    },
    GetAcl {
        path: WirePath,
    },
    SetAcl {
        path: WirePath,
        acl: Option<Vec<Acl>>,
        version: i32,
    },
    GetChildren {
        path: WirePath,
        watch: bool,
    },
    GetChildren2 {
        path: WirePath,
        watch: bool,
    },
    Sync {
        path: WirePath,
    },
    Ping,
    Multi(Vec<MultiOp>),
    MultiRead(Vec<MultiReadOp>),
    Reconfig {
        joining: Option<String>,
        leaving: Option<String>,
        members: Option<String>,
        config_id: i64,
    },
    CheckWatches {
        path: WirePath,
        kind: i32,
    },
    RemoveWatches {
        path: WirePath,
        kind: i32,
    },
    Auth(AuthPacket),
    SetWatches(Box<SetWatches>),
    SetWatches2(Box<SetWatches>),
    Sasl {
        token: Bytes,
    },
    GetEphemerals {
        prefix: WirePath,
    },
    GetAllChildrenNumber {
        path: WirePath,
    },
    AddWatch {
        path: WirePath,
        mode: i32,
    },
    WhoAmI,
    CloseSession,
    /// The body is not what the opcode promises.
    Malformed(Malformed),
    /// No opcode a client may send, this one included: -6 and close.
    Unknown {
        opcode: i32,
    },
}

impl Request {
    /// Reads the body of a request with opcode `opcode`.
    ///
    /// # Errors
    /// Only for auth and sasl packets, whose undecodable bodies close the connection; any other body that can't be decoded
    /// is a [`Request::Malformed`].
    pub fn decode(opcode: i32, input: &mut Reader) -> Result<Self, DecodeError> {
        let Some(known) = OpCode::from_code(opcode) else { return Ok(Request::Unknown { opcode }) };
        match Self::decode_body(known, input) {
            Ok(request) => Ok(request),
            Err(error) if matches!(known, OpCode::Auth | OpCode::Sasl) => Err(error),
            Err(error) => {
                let reason = match error {
                    DecodeError::Invalid(_) => MalformedReason::Unusable,
                    _ => MalformedReason::Undecodable,
                };
                Ok(Request::Malformed(Malformed { opcode: known, reason }))
            }
        }
    }

    fn decode_body(opcode: OpCode, input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match opcode {
            OpCode::Create => Request::Create(CreateRequest::decode(CreateKind::Create, input)?),
            OpCode::Create2 => Request::Create(CreateRequest::decode(CreateKind::Create2, input)?),
            OpCode::CreateContainer => {
                Request::Create(CreateRequest::decode(CreateKind::CreateContainer, input)?)
            }
            OpCode::CreateTtl => Request::Create(CreateRequest::decode(CreateKind::CreateTtl, input)?),
            OpCode::Delete => Request::Delete { path: input.string()?, version: input.int()? },
            OpCode::Exists => Request::Exists { path: input.string()?, watch: input.boolean()? },
            OpCode::GetData => Request::GetData { path: input.string()?, watch: input.boolean()? },
            OpCode::SetData => {
                Request::SetData { path: input.string()?, data: input.buffer()?, version: input.int()? }
            }
            OpCode::GetAcl => Request::GetAcl { path: input.string()? },
            OpCode::SetAcl => {
                Request::SetAcl { path: input.string()?, acl: input.vector()?, version: input.int()? }
            }
            OpCode::GetChildren => Request::GetChildren { path: input.string()?, watch: input.boolean()? },
            OpCode::GetChildren2 => Request::GetChildren2 { path: input.string()?, watch: input.boolean()? },
            OpCode::Sync => Request::Sync { path: input.string()? },
            OpCode::Ping => Request::Ping,
            OpCode::Multi => Request::Multi(multi::decode_ops(input)?),
            OpCode::MultiRead => match multi::decode_read_ops(input)? {
                Some(ops) => Request::MultiRead(ops),
                None => {
                    Request::Malformed(Malformed { opcode, reason: MalformedReason::UnusableWithEmptyResult })
                }
            },
            OpCode::Reconfig => Request::Reconfig {
                joining: input.string()?,
                leaving: input.string()?,
                members: input.string()?,
                config_id: input.long()?,
            },
            OpCode::CheckWatches => Request::CheckWatches { path: input.string()?, kind: input.int()? },
            OpCode::RemoveWatches => Request::RemoveWatches { path: input.string()?, kind: input.int()? },
            OpCode::Auth => Request::Auth(AuthPacket::decode(input)?),
            OpCode::SetWatches => Request::SetWatches(Box::new(SetWatches::decode(input, false)?)),
            OpCode::SetWatches2 => Request::SetWatches2(Box::new(SetWatches::decode(input, true)?)),
            OpCode::Sasl => {
                Request::Sasl { token: input.buffer()?.ok_or(DecodeError::Invalid("a null SASL token"))? }
            }
            OpCode::GetEphemerals => Request::GetEphemerals { prefix: input.string()? },
            OpCode::GetAllChildrenNumber => Request::GetAllChildrenNumber { path: input.string()? },
            OpCode::AddWatch => Request::AddWatch { path: input.string()?, mode: input.int()? },
            OpCode::WhoAmI => Request::WhoAmI,
            OpCode::CloseSession => Request::CloseSession,
            // createSession and deleteContainer are the server's own; check lives only inside multi.
            OpCode::Error
            | OpCode::Notification
            | OpCode::Check
            | OpCode::CreateSession
            | OpCode::DeleteContainer => Request::Unknown { opcode: opcode.code() },
        })
    }

    /// The opcode on the wire.
    pub fn opcode(&self) -> i32 {
        match self {
            Request::Create(create) => create.kind.opcode(),
            Request::Delete { .. } => OpCode::Delete,
            Request::Exists { .. } => OpCode::Exists,
            Request::GetData { .. } => OpCode::GetData,
            Request::SetData { .. } => OpCode::SetData,
            Request::GetAcl { .. } => OpCode::GetAcl,
            Request::SetAcl { .. } => OpCode::SetAcl,
            Request::GetChildren { .. } => OpCode::GetChildren,
            Request::GetChildren2 { .. } => OpCode::GetChildren2,
            Request::Sync { .. } => OpCode::Sync,
            Request::Ping => OpCode::Ping,
            Request::Multi(_) => OpCode::Multi,
            Request::MultiRead(_) => OpCode::MultiRead,
            Request::Reconfig { .. } => OpCode::Reconfig,
            Request::CheckWatches { .. } => OpCode::CheckWatches,
            Request::RemoveWatches { .. } => OpCode::RemoveWatches,
            Request::Auth(_) => OpCode::Auth,
            Request::SetWatches(_) => OpCode::SetWatches,
            Request::SetWatches2(_) => OpCode::SetWatches2,
            Request::Sasl { .. } => OpCode::Sasl,
            Request::GetEphemerals { .. } => OpCode::GetEphemerals,
            Request::GetAllChildrenNumber { .. } => OpCode::GetAllChildrenNumber,
            Request::AddWatch { .. } => OpCode::AddWatch,
            Request::WhoAmI => OpCode::WhoAmI,
            Request::CloseSession => OpCode::CloseSession,
            Request::Malformed(malformed) => malformed.opcode,
            Request::Unknown { opcode } => return *opcode,
        }
        .code()
    }
}

impl Encode for Request {
    /// The body. A malformed or unknown request has none.
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Request::Create(create) => create.encode(out),
            Request::Delete { path, version: number }
            | Request::CheckWatches { path, kind: number }
            | Request::RemoveWatches { path, kind: number }
            | Request::AddWatch { path, mode: number } => {
                out.nullable(path.as_deref());
                out.int(*number);
            }
            Request::Exists { path, watch }
            | Request::GetData { path, watch }
            | Request::GetChildren { path, watch }
            | Request::GetChildren2 { path, watch } => {
                out.nullable(path.as_deref());
                out.boolean(*watch);
            }
            Request::SetData { path, data, version } => {
                out.nullable(path.as_deref());
                out.buffer(data.as_deref());
                out.int(*version);
            }
            Request::SetAcl { path, acl, version } => {
                out.nullable(path.as_deref());
                out.nullable_vector(acl.as_deref());
                out.int(*version);
            }
            Request::GetAcl { path }
            | Request::Sync { path }
            | Request::GetEphemerals { prefix: path }
            | Request::GetAllChildrenNumber { path } => out.nullable(path.as_deref()),
            Request::Multi(ops) => multi::encode_ops(ops, out),
            Request::MultiRead(ops) => multi::encode_read_ops(ops, out),
            Request::Reconfig { joining, leaving, members, config_id } => {
                out.nullable(joining.as_deref());
                out.nullable(leaving.as_deref());
                out.nullable(members.as_deref());
                out.long(*config_id);
            }
            Request::Auth(packet) => packet.encode(out),
            Request::SetWatches(watches) => watches.encode(out, false),
            Request::SetWatches2(watches) => watches.encode(out, true),
            Request::Sasl { token } => out.buffer(Some(token)),
            Request::Ping
            | Request::WhoAmI
            | Request::CloseSession
            | Request::Malformed(_)
            | Request::Unknown { .. } => {}
        }
    }
}

impl CreateRequest {
    /// Reads the body of a create of this kind.
    pub(super) fn decode(kind: CreateKind, input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(CreateRequest {
            kind,
            path: input.string()?,
            data: input.buffer()?,
            acl: input.vector()?,
            flags: input.int()?,
            ttl: if kind == CreateKind::CreateTtl { input.long()? } else { -1 },
        })
    }
}

impl Encode for CreateRequest {
    fn encode(&self, out: &mut Writer<'_>) {
        out.nullable(self.path.as_deref());
        out.buffer(self.data.as_deref());
        out.nullable_vector(self.acl.as_deref());
        out.int(self.flags);
        if self.kind == CreateKind::CreateTtl {
            out.long(self.ttl);
        }
    }
}

impl SetWatches {
    fn decode(input: &mut Reader, all_lists: bool) -> Result<Self, DecodeError> {
        let null = DecodeError::Invalid("a null list of watches");
        let mut watches = SetWatches { relative_zxid: Zxid(input.long()?), ..SetWatches::default() };
        watches.data = input.vector()?.ok_or(null)?;
        watches.exist = input.vector()?.ok_or(null)?;
        watches.child = input.vector()?.ok_or(null)?;
        if all_lists {
            watches.persistent = input.vector()?.ok_or(null)?;
            watches.persistent_recursive = input.vector()?.ok_or(null)?;
        }
        Ok(watches)
    }

    fn encode(&self, out: &mut Writer<'_>, all_lists: bool) {
        out.long(self.relative_zxid.0);
        out.vector(&self.data);
        out.vector(&self.exist);
        out.vector(&self.child);
        if all_lists {
            out.vector(&self.persistent);
            out.vector(&self.persistent_recursive);
        }
    }
}
