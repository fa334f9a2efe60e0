//! The lines of a history file, field by field, and what they are on the wire.

use super::results::ResultLine;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use quorate_core::jute::{
    Acl, CreateKind, CreateRequest, Encode, Id, MultiOp, Permissions, Reader, Request, Writer,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    History(HistoryLine),
    Connection(ConnectionLine),
    Request(Box<RequestLine>),
    Txn(String),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryLine {
    pub(super) version: u32,
    #[serde(default)]
    pub(super) min_session_timeout: i32,
    #[serde(default)]
    pub(super) max_session_timeout: i32,
    #[serde(default)]
    pub(super) unheard_ms: i64,
    #[serde(default)]
    pub(super) wall_at_zero_ms: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectionLine {
    pub(super) id: u64,
    pub(super) server: usize,
    pub(super) sent: u64,
    #[serde(default, with = "hexadecimal")]
    pub(super) session: i64,
    #[serde(default)]
    pub(super) password: String,
    #[serde(default)]
    pub(super) timeout: i32,
    #[serde(default, with = "hexadecimal")]
    pub(super) last_zxid_seen: i64,
    #[serde(default)]
    pub(super) answer: Option<AnswerLine>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerLine {
    pub(super) at: u64,
    #[serde(with = "hexadecimal")]
    pub(super) session: i64,
    #[serde(default)]
    pub(super) password: String,
    #[serde(default)]
    pub(super) timeout: i32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestLine {
    pub(super) connection: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) xid: Option<i32>,
    pub(super) sent: u64,
    pub(super) ask: Ask,
    /// None when nobody knows what became of it.
    #[serde(default)]
    pub(super) reply: Option<ReplyLine>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplyLine {
    pub(super) at: u64,
    #[serde(default, with = "hexadecimal")]
    pub(super) zxid: i64,
    #[serde(default)]
    pub(super) err: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<ResultLine>,
}

/// What is asked for, under ZooKeeper's names.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Ask {
    Create(CreateLine),
    Create2(CreateLine),
    Delete(PathLine),
    SetData(PathLine),
    Check(PathLine),
    Exists(PathLine),
    GetData(PathLine),
    GetChildren(PathLine),
    GetChildren2(PathLine),
    Sync(PathLine),
    Multi(Vec<Ask>),
    CloseSession {},
    /// Anything else, as it went over the wire.
    Wire {
        opcode: i32,
        body: String,
    },
}

/// Permissions, scheme, id.
type AclEntry = (i32, Option<String>, Option<String>);

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateLine {
    path: String,
    #[serde(default)]
    data: Option<String>,
    #[serde(default)]
    flags: i32,
    /// Open to all when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acl: Option<Vec<AclEntry>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PathLine {
    path: String,
    /// Of setData.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    /// The version that the node must have; -1 for any.
    #[serde(default = "any", skip_serializing_if = "is_any")]
    version: i32,
}

fn any() -> i32 {
    -1
}

fn is_any(version: &i32) -> bool {
    *version == -1
}

/// Numbers of 64 bits, as text that every reader keeps whole.
pub(super) mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in super::super) fn serialize<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{number:#x}"))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits =
            text.strip_prefix("0x").ok_or_else(|| D::Error::custom("a number like \"0x1f\" is expected"))?;
        let number = u64::from_str_radix(digits, 16).map_err(D::Error::custom)?;
        Ok(number as i64)
    }
}

pub(super) fn base64_of(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn bytes_of_base64(text: &str) -> Result<Bytes, String> {
    STANDARD.decode(text).map(Bytes::from).map_err(|error| format!("{text:?} is no base64: {error}"))
}

const BASE64: &str = "base64:";

/// Data as text; what is none, or would be taken for this, as `base64:` and the bytes.
pub(super) fn text_of(data: Option<&Bytes>) -> Option<String> {
    data.map(|bytes| match std::str::from_utf8(bytes) {
        Ok(text) if !text.starts_with(BASE64) => text.to_owned(),
        _ => format!("{BASE64}{}", base64_of(bytes)),
    })
}

pub(super) fn data_of(text: Option<&String>) -> Result<Option<Bytes>, String> {
    text.map(|text| match text.strip_prefix(BASE64) {
        Some(encoded) => bytes_of_base64(encoded),
        None => Ok(Bytes::copy_from_slice(text.as_bytes())),
    })
    .transpose()
}

pub(super) fn encoded(value: &impl Encode) -> Bytes {
    let mut bytes = BytesMut::new();
    value.encode(&mut Writer::new(&mut bytes));
    bytes.freeze()
}

impl Ask {
    pub(super) fn of(request: &Request) -> Self {
        let known = match request {
            Request::Create(create) => CreateLine::of(create).map(|(kind, line)| match kind {
                CreateKind::Create => Ask::Create(line),
                _ => Ask::Create2(line),
            }),
            Request::Delete { path: Some(path), version } => Some(Ask::Delete(PathLine::of(path, *version))),
            Request::SetData { path: Some(path), data, version } => {
                Some(Ask::SetData(PathLine { data: text_of(data.as_ref()), ..PathLine::of(path, *version) }))
            }
            Request::Exists { path: Some(path), watch: false } => Some(Ask::Exists(PathLine::of(path, -1))),
            Request::GetData { path: Some(path), watch: false } => Some(Ask::GetData(PathLine::of(path, -1))),
            Request::GetChildren { path: Some(path), watch: false } => {
                Some(Ask::GetChildren(PathLine::of(path, -1)))
            }
            Request::GetChildren2 { path: Some(path), watch: false } => {
                Some(Ask::GetChildren2(PathLine::of(path, -1)))
            }
            Request::Sync { path: Some(path) } => Some(Ask::Sync(PathLine::of(path, -1))),
            Request::Multi(ops) => ops.iter().map(Ask::of_step).collect::<Option<_>>().map(Ask::Multi),
            Request::CloseSession => Some(Ask::CloseSession {}),
            _ => None,
        };
        known.unwrap_or_else(|| Ask::Wire { opcode: request.opcode(), body: base64_of(&encoded(request)) })
    }

    fn of_step(op: &MultiOp) -> Option<Self> {
        Some(match op {
            MultiOp::Create(create) => match CreateLine::of(create)? {
                (CreateKind::Create, line) => Ask::Create(line),
                (_, line) => Ask::Create2(line),
            },
            MultiOp::Delete { path, version } => Ask::Delete(PathLine::of(path.as_ref()?, *version)),
            MultiOp::SetData { path, data, version } => Ask::SetData(PathLine {
                data: text_of(data.as_ref()),
                ..PathLine::of(path.as_ref()?, *version)
            }),
            MultiOp::Check { path, version } => Ask::Check(PathLine::of(path.as_ref()?, *version)),
        })
    }

    pub(super) fn request(self) -> Result<Request, String> {
        let path = |line: PathLine| Some(line.path);
        Ok(match self {
            Ask::Create(line) => Request::Create(line.request(CreateKind::Create)?),
            Ask::Create2(line) => Request::Create(line.request(CreateKind::Create2)?),
            Ask::Delete(line) => Request::Delete { version: line.version, path: path(line) },
            Ask::SetData(line) => {
                let data = data_of(line.data.as_ref())?;
                Request::SetData { data, version: line.version, path: path(line) }
            }
            Ask::Exists(line) => Request::Exists { path: path(line), watch: false },
            Ask::GetData(line) => Request::GetData { path: path(line), watch: false },
            Ask::GetChildren(line) => Request::GetChildren { path: path(line), watch: false },
            Ask::GetChildren2(line) => Request::GetChildren2 { path: path(line), watch: false },
            Ask::Sync(line) => Request::Sync { path: path(line) },
            Ask::Multi(steps) => Request::Multi(steps.into_iter().map(Ask::step).collect::<Result<_, _>>()?),
            Ask::CloseSession {} => Request::CloseSession,
            Ask::Wire { opcode, body } => Request::decode(opcode, &mut Reader::new(bytes_of_base64(&body)?))
                .map_err(|error| format!("the body is no request {opcode}: {error}"))?,
            Ask::Check(_) => return Err("a check stands in a multi only".to_owned()),
        })
    }

    fn step(self) -> Result<MultiOp, String> {
        Ok(match self {
            Ask::Create(line) => MultiOp::Create(line.request(CreateKind::Create)?),
            Ask::Create2(line) => MultiOp::Create(line.request(CreateKind::Create2)?),
            Ask::Delete(line) => MultiOp::Delete { path: Some(line.path), version: line.version },
            Ask::SetData(line) => {
                let data = data_of(line.data.as_ref())?;
                MultiOp::SetData { path: Some(line.path), data, version: line.version }
            }
            Ask::Check(line) => MultiOp::Check { path: Some(line.path), version: line.version },
            other => return Err(format!("{other:?} is no step of a multi")),
        })
    }
}

impl CreateLine {
    /// None for containers and nodes with a time to live.
    fn of(create: &CreateRequest) -> Option<(CreateKind, Self)> {
        let is_plain = matches!(create.kind, CreateKind::Create | CreateKind::Create2);
        let acl = create.acl.as_ref()?;
        let entry = |acl: &Acl| (acl.perms.0, acl.id.scheme.clone(), acl.id.id.clone());
        let line = CreateLine {
            path: create.path.clone().filter(|_| is_plain)?,
            data: text_of(create.data.as_ref()),
            flags: create.flags,
            acl: (*acl != Acl::open()).then(|| acl.iter().map(entry).collect()),
        };
        Some((create.kind, line))
    }

    fn request(self, kind: CreateKind) -> Result<CreateRequest, String> {
        let entry = |(perms, scheme, id): AclEntry| Acl { perms: Permissions(perms), id: Id { scheme, id } };
        let data = data_of(self.data.as_ref())?;
        let acl = Some(self.acl.map_or_else(Acl::open, |acl| acl.into_iter().map(entry).collect()));
        Ok(CreateRequest { kind, path: Some(self.path), data, acl, flags: self.flags, ttl: -1 })
    }
}

impl PathLine {
    fn of(path: &str, version: i32) -> Self {
        PathLine { path: path.to_owned(), data: None, version }
    }
}
