//! multi and multiRead: lists of operations without a count, and their results (`client-protocol.md` §13).
//!
//! Retyping happens here, where Java does it: a create with the container flag becomes createContainer, and so on.

use super::codec::{Decode, DecodeError, Encode, Reader, Writer};
use super::opcode::OpCode;
use super::records::Stat;
use super::request::{CreateFlag, CreateKind, CreateRequest, WirePath};
use bytes::Bytes;

/// One write of a multi.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are those of ZooKeeper's records, client-protocol.md §7")]
pub enum MultiOp {
    Create(CreateRequest),
    Delete { path: WirePath, version: i32 },
    SetData { path: WirePath, data: Option<Bytes>, version: i32 },
    Check { path: WirePath, version: i32 },
}

/// One read of a multiRead. Watch flags are not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are those of ZooKeeper's records, client-protocol.md §7")]
pub enum MultiReadOp {
    GetData { path: WirePath },
    GetChildren { path: WirePath },
}

/// What one operation of a multi or multiRead brought.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are those of ZooKeeper's records, client-protocol.md §7")]
pub enum MultiResult {
    Create {
        path: String,
    },
    Create2 {
        path: String,
        stat: Stat,
    },
    Delete,
    SetData {
        stat: Stat,
    },
    Check,
    GetData {
        data: Option<Bytes>,
        stat: Stat,
    },
    GetChildren {
        children: Vec<String>,
    },
    /// 0 for an op before the one that failed, -2 behind it, its own code for that one.
    Error {
        code: i32,
    },
}

/// What precedes every operation and every result (9 bytes), and ends the list.
struct MultiHeader {
    kind: i32,
    done: bool,
}

impl MultiHeader {
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        let header = MultiHeader { kind: input.int()?, done: input.boolean()? };
        input.int()?;
        Ok(header)
    }

    fn encode(kind: i32, done: bool, err: i32, out: &mut Writer<'_>) {
        out.int(kind);
        out.boolean(done);
        out.int(err);
    }
}

fn encode_end(out: &mut Writer<'_>) {
    MultiHeader::encode(-1, true, -1, out);
}

enum AnyOp {
    Write(MultiOp),
    Read(MultiReadOp),
}

/// Reads the list up to its end. The kinds may not be mixed.
fn decode_list(input: &mut Reader) -> Result<Vec<AnyOp>, DecodeError> {
    let mut ops: Vec<AnyOp> = Vec::new();
    loop {
        let header = MultiHeader::decode(input)?;
        if header.done {
            return Ok(ops);
        }
        let op = decode_op(header.kind, input)?;
        if let Some(first) = ops.first()
            && matches!(first, AnyOp::Read(_)) != matches!(op, AnyOp::Read(_))
        {
            return Err(DecodeError::Truncated);
        }
        ops.push(op);
    }
}

fn decode_op(kind: i32, input: &mut Reader) -> Result<AnyOp, DecodeError> {
    let create = |kind, input: &mut Reader| -> Result<AnyOp, DecodeError> {
        Ok(AnyOp::Write(MultiOp::Create(retype(CreateRequest::decode(kind, input)?)?)))
    };
    match OpCode::from_code(kind) {
        Some(OpCode::Create) => create(CreateKind::Create, input),
        Some(OpCode::Create2) => create(CreateKind::Create2, input),
        Some(OpCode::CreateContainer) => create(CreateKind::CreateContainer, input),
        Some(OpCode::CreateTtl) => create(CreateKind::CreateTtl, input),
        Some(OpCode::Delete) => {
            Ok(AnyOp::Write(MultiOp::Delete { path: input.string()?, version: input.int()? }))
        }
        Some(OpCode::SetData) => Ok(AnyOp::Write(MultiOp::SetData {
            path: input.string()?,
            data: input.buffer()?,
            version: input.int()?,
        })),
        Some(OpCode::Check) => {
            Ok(AnyOp::Write(MultiOp::Check { path: input.string()?, version: input.int()? }))
        }
        Some(OpCode::GetData) => {
            let op = MultiReadOp::GetData { path: input.string()? };
            input.boolean()?;
            Ok(AnyOp::Read(op))
        }
        Some(OpCode::GetChildren) => {
            let op = MultiReadOp::GetChildren { path: input.string()? };
            input.boolean()?;
            Ok(AnyOp::Read(op))
        }
        // Java throws an IOException here, so it counts as undecodable.
        _ => Err(DecodeError::Truncated),
    }
}

/// Java rebuilds each op from its flag while it decodes; what it can't rebuild makes the whole request malformed. A flag it
/// refuses counts as undecodable and costs a zxid, a null ACL does not (seen on 3.9.5).
fn retype(mut create: CreateRequest) -> Result<CreateRequest, DecodeError> {
    let flag = CreateFlag::from_code(create.flags);
    if create.kind == CreateKind::CreateTtl {
        let kind = match flag {
            Some(CreateFlag::Container) => CreateKind::CreateContainer,
            Some(flag) if !flag.is_ttl() => CreateKind::Create,
            _ => return Ok(create),
        };
        // Null and empty are refused alike, but only a createTTL may come with null.
        let acl = Some(create.acl.unwrap_or_default());
        return Ok(CreateRequest { kind, ttl: -1, acl, ..create });
    }
    let flag = flag.filter(|flag| !flag.is_ttl()).ok_or(DecodeError::Truncated)?;
    if create.acl.is_none() {
        return Err(DecodeError::Invalid("a null ACL inside a multi"));
    }
    if flag == CreateFlag::Container {
        create.kind = CreateKind::CreateContainer;
    }
    Ok(create)
}

/// Reads the operations of a multi; a read among them makes it undecodable, at the cost of a zxid as in Java.
pub(super) fn decode_ops(input: &mut Reader) -> Result<Vec<MultiOp>, DecodeError> {
    decode_list(input)?
        .into_iter()
        .map(|op| match op {
            AnyOp::Write(op) => Ok(op),
            AnyOp::Read(_) => Err(DecodeError::Truncated),
        })
        .collect()
}

/// Reads the operations of a multiRead; `None` when they are writes.
pub(super) fn decode_read_ops(input: &mut Reader) -> Result<Option<Vec<MultiReadOp>>, DecodeError> {
    Ok(decode_list(input)?
        .into_iter()
        .map(|op| match op {
            AnyOp::Read(op) => Some(op),
            AnyOp::Write(_) => None,
        })
        .collect())
}

/// Appends the operations of a multi.
pub(super) fn encode_ops(ops: &[MultiOp], out: &mut Writer<'_>) {
    for op in ops {
        let opcode = match op {
            MultiOp::Create(create) => create.kind.opcode(),
            MultiOp::Delete { .. } => OpCode::Delete,
            MultiOp::SetData { .. } => OpCode::SetData,
            MultiOp::Check { .. } => OpCode::Check,
        };
        MultiHeader::encode(opcode.code(), false, -1, out);
        match op {
            MultiOp::Create(create) => create.encode(out),
            MultiOp::Delete { path, version } | MultiOp::Check { path, version } => {
                out.nullable(path.as_deref());
                out.int(*version);
            }
            MultiOp::SetData { path, data, version } => {
                out.nullable(path.as_deref());
                out.buffer(data.as_deref());
                out.int(*version);
            }
        }
    }
    encode_end(out);
}

/// Appends the operations of a multiRead.
pub(super) fn encode_read_ops(ops: &[MultiReadOp], out: &mut Writer<'_>) {
    for op in ops {
        let (opcode, path) = match op {
            MultiReadOp::GetData { path } => (OpCode::GetData, path),
            MultiReadOp::GetChildren { path } => (OpCode::GetChildren, path),
        };
        MultiHeader::encode(opcode.code(), false, -1, out);
        out.nullable(path.as_deref());
        out.boolean(false);
    }
    encode_end(out);
}

impl MultiResult {
    /// Appends a list of results with its end.
    pub fn encode_list(results: &[MultiResult], out: &mut Writer<'_>) {
        for result in results {
            result.encode(out);
        }
        encode_end(out);
    }

    /// Reads a list of results up to its end.
    ///
    /// # Errors
    /// When the bytes are no such list.
    pub fn decode_list(input: &mut Reader) -> Result<Vec<MultiResult>, DecodeError> {
        let mut results = Vec::new();
        loop {
            let header = MultiHeader::decode(input)?;
            if header.done {
                return Ok(results);
            }
            results.push(Self::decode_one(header.kind, input)?);
        }
    }

    fn decode_one(kind: i32, input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match OpCode::from_code(kind) {
            Some(OpCode::Error) => MultiResult::Error { code: input.int()? },
            Some(OpCode::Create) => MultiResult::Create { path: String::decode(input)? },
            Some(OpCode::Create2) => {
                MultiResult::Create2 { path: String::decode(input)?, stat: Stat::decode(input)? }
            }
            Some(OpCode::Delete) => MultiResult::Delete,
            Some(OpCode::SetData) => MultiResult::SetData { stat: Stat::decode(input)? },
            Some(OpCode::Check) => MultiResult::Check,
            Some(OpCode::GetData) => {
                MultiResult::GetData { data: input.buffer()?, stat: Stat::decode(input)? }
            }
            Some(OpCode::GetChildren) => MultiResult::GetChildren { children: input.list()? },
            _ => return Err(DecodeError::Invalid("an unknown result in a multi")),
        })
    }
}

impl Encode for MultiResult {
    fn encode(&self, out: &mut Writer<'_>) {
        let (opcode, err) = match self {
            MultiResult::Create { .. } => (OpCode::Create, 0),
            MultiResult::Create2 { .. } => (OpCode::Create2, 0),
            MultiResult::Delete => (OpCode::Delete, 0),
            MultiResult::SetData { .. } => (OpCode::SetData, 0),
            MultiResult::Check => (OpCode::Check, 0),
            MultiResult::GetData { .. } => (OpCode::GetData, 0),
            MultiResult::GetChildren { .. } => (OpCode::GetChildren, 0),
            MultiResult::Error { code } => (OpCode::Error, *code),
        };
        MultiHeader::encode(opcode.code(), false, err, out);
        match self {
            MultiResult::Create { path } => out.string(path),
            MultiResult::Create2 { path, stat } => {
                out.string(path);
                stat.encode(out);
            }
            MultiResult::SetData { stat } => stat.encode(out),
            MultiResult::GetData { data, stat } => {
                out.buffer(data.as_deref());
                stat.encode(out);
            }
            MultiResult::GetChildren { children } => out.vector(children),
            MultiResult::Error { code } => out.int(*code),
            MultiResult::Delete | MultiResult::Check => {}
        }
    }
}
