//! Transactions as the log and PROPOSALs carry them (`disk-format.md` §2.2, §3): header, record, optional digest.
//!
//! Traps met here: within a multi a create2 is written as a create, which differs only in the reply; a create without parentCVersion is the format before 3.3; a closeSession may have no list of paths, and
//! then its digest looks like one.

use super::codec::{Decode, DecodeError, Encode, Reader, Writer};
use super::opcode::OpCode;
use super::records::Acl;
use crate::vocabulary::{Cxid, SessionId, Wall, Xid, Zxid};
use bytes::Bytes;

/// What every txn has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxnHeader {
    /// Whose request it was; 0 for the server's own.
    pub session: SessionId,
    /// That request's xid.
    pub cxid: Cxid,
    /// Its place in history.
    pub zxid: Zxid,
    /// The leader's wall clock when it was prepared.
    pub time: Wall,
    /// What the record is.
    pub opcode: OpCode,
}

/// The tree's digest after a txn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxnDigest {
    /// 2; others are ignored by readers.
    pub version: i32,
    /// The digest.
    pub tree_digest: u64,
}

/// The record of a create, of any of the four kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTxn {
    /// The node, suffix included.
    pub path: String,
    /// Its data.
    pub data: Option<Bytes>,
    /// Its ACL.
    pub acl: Vec<Acl>,
    /// Whether it lives by its session (create and create2).
    pub ephemeral: bool,
    /// The parent's stored cversion after it; -1 says one more than stored.
    pub parent_cversion: i32,
    /// Milliseconds to live (createTTL), else 0.
    pub ttl: i64,
}

/// What a txn does. Which create it is, the opcode says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are those of ZooKeeper's records, disk-format.md §3")]
pub enum TxnRecord {
    Create(CreateTxn),
    /// delete and deleteContainer.
    Delete {
        path: String,
    },
    /// setData and reconfig; `version` is the new one.
    SetData {
        path: String,
        data: Option<Bytes>,
        version: i32,
    },
    SetAcl {
        path: String,
        acl: Vec<Acl>,
        version: i32,
    },
    Check {
        path: String,
        version: i32,
    },
    CreateSession {
        timeout: i32,
    },
    /// The ephemerals to delete, unless the writer did not list them.
    CloseSession {
        paths: Option<Vec<String>>,
    },
    Error {
        err: i32,
    },
    /// Each with its own opcode.
    Multi(Vec<(OpCode, TxnRecord)>),
}

/// A whole txn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Txn {
    /// Who, when, what.
    pub header: TxnHeader,
    /// The record.
    pub record: TxnRecord,
    /// The tree's digest after it, if the writer kept one.
    pub digest: Option<TxnDigest>,
}

impl Txn {
    /// Reads a txn that fills all of `input`.
    ///
    /// # Errors
    /// When it is none, or of a type that can't stand alone.
    pub fn decode_all(input: &mut Reader) -> Result<Self, DecodeError> {
        let header = TxnHeader::decode(input)?;
        if header.opcode == OpCode::Check {
            return Err(DecodeError::Invalid("a check txn outside of a multi"));
        }
        let record = TxnRecord::decode(header.opcode, input)?;
        let digest = if input.remaining() >= 12 { Some(TxnDigest::decode(input)?) } else { None };
        Ok(Txn { header, record, digest })
    }
}

impl Encode for Txn {
    fn encode(&self, out: &mut Writer<'_>) {
        self.header.encode(out);
        self.record.encode(self.header.opcode, out);
        if let Some(digest) = &self.digest {
            digest.encode(out);
        }
    }
}

impl Encode for TxnHeader {
    fn encode(&self, out: &mut Writer<'_>) {
        out.long(self.session.0);
        out.int(self.cxid.0);
        out.long(self.zxid.0);
        out.long(self.time.0);
        out.int(self.opcode.code());
    }
}

impl Decode for TxnHeader {
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(TxnHeader {
            session: SessionId(input.long()?),
            cxid: Xid(input.int()?),
            zxid: Zxid(input.long()?),
            time: Wall(input.long()?),
            opcode: OpCode::from_code(input.int()?).ok_or(DecodeError::Invalid("an unknown txn type"))?,
        })
    }
}

impl Encode for TxnDigest {
    fn encode(&self, out: &mut Writer<'_>) {
        out.int(self.version);
        out.long(self.tree_digest as i64);
    }
}

impl Decode for TxnDigest {
    fn decode(input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(TxnDigest { version: input.int()?, tree_digest: input.long()? as u64 })
    }
}

impl CreateTxn {
    fn decode(opcode: OpCode, input: &mut Reader) -> Result<Self, DecodeError> {
        let mut create = CreateTxn {
            path: String::decode(input)?,
            data: input.buffer()?,
            acl: input.list()?,
            ephemeral: false,
            parent_cversion: -1,
            ttl: 0,
        };
        match opcode {
            OpCode::CreateContainer => create.parent_cversion = input.int()?,
            OpCode::CreateTtl => {
                create.parent_cversion = input.int()?;
                create.ttl = input.long()?;
            }
            OpCode::Create if input.remaining() < 5 => create.ephemeral = input.boolean()?,
            _ => {
                create.ephemeral = input.boolean()?;
                create.parent_cversion = input.int()?;
            }
        }
        Ok(create)
    }

    fn encode(&self, opcode: OpCode, out: &mut Writer<'_>) {
        out.string(&self.path);
        out.buffer(self.data.as_deref());
        out.vector(&self.acl);
        if matches!(opcode, OpCode::Create | OpCode::Create2) {
            out.boolean(self.ephemeral);
        }
        out.int(self.parent_cversion);
        if opcode == OpCode::CreateTtl {
            out.long(self.ttl);
        }
    }
}

impl TxnRecord {
    /// Reads the record of a txn of type `opcode`.
    ///
    /// # Errors
    /// When the bytes are no such record, or no txn has this type.
    pub fn decode(opcode: OpCode, input: &mut Reader) -> Result<Self, DecodeError> {
        Ok(match opcode {
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                TxnRecord::Create(CreateTxn::decode(opcode, input)?)
            }
            OpCode::Delete | OpCode::DeleteContainer => TxnRecord::Delete { path: String::decode(input)? },
            OpCode::SetData | OpCode::Reconfig => TxnRecord::SetData {
                path: String::decode(input)?,
                data: input.buffer()?,
                version: input.int()?,
            },
            OpCode::SetAcl => {
                TxnRecord::SetAcl { path: String::decode(input)?, acl: input.list()?, version: input.int()? }
            }
            OpCode::Check => TxnRecord::Check { path: String::decode(input)?, version: input.int()? },
            OpCode::CreateSession => TxnRecord::CreateSession { timeout: input.int()? },
            OpCode::CloseSession => TxnRecord::CloseSession { paths: decode_close_session(input) },
            OpCode::Error => TxnRecord::Error { err: input.int()? },
            OpCode::Multi => TxnRecord::Multi(decode_multi(input)?),
            _ => return Err(DecodeError::Invalid("an opcode that makes no txn")),
        })
    }

    /// Appends the record of a txn of type `opcode`.
    pub fn encode(&self, opcode: OpCode, out: &mut Writer<'_>) {
        match self {
            TxnRecord::Create(create) => create.encode(opcode, out),
            TxnRecord::Delete { path } => out.string(path),
            TxnRecord::SetData { path, data, version } => {
                out.string(path);
                out.buffer(data.as_deref());
                out.int(*version);
            }
            TxnRecord::SetAcl { path, acl, version } => {
                out.string(path);
                out.vector(acl);
                out.int(*version);
            }
            TxnRecord::Check { path, version } => {
                out.string(path);
                out.int(*version);
            }
            TxnRecord::CreateSession { timeout: number } | TxnRecord::Error { err: number } => {
                out.int(*number)
            }
            TxnRecord::CloseSession { paths: Some(paths) } => out.vector(paths),
            TxnRecord::CloseSession { paths: None } => {}
            TxnRecord::Multi(txns) => {
                out.count(txns.len());
                for (opcode, record) in txns {
                    // ZooKeeper 3.8 stops in the middle of a multi with create2 in it, and goes on with another tree than the others'.
                    let written = if *opcode == OpCode::Create2 { OpCode::Create } else { *opcode };
                    out.int(written.code());
                    let mut bytes = bytes::BytesMut::new();
                    record.encode(*opcode, &mut Writer::new(&mut bytes));
                    out.buffer(Some(&bytes));
                }
            }
        }
    }
}

/// The list, or none: then nothing but a digest can follow, and a digest read as a list ends early.
fn decode_close_session(input: &mut Reader) -> Option<Vec<String>> {
    let mut attempt = input.clone();
    let paths = attempt.list().ok()?;
    *input = attempt;
    Some(paths)
}

fn decode_multi(input: &mut Reader) -> Result<Vec<(OpCode, TxnRecord)>, DecodeError> {
    let count = usize::try_from(input.int()?).unwrap_or(0);
    let mut txns = Vec::with_capacity(count.min(input.remaining() / 8));
    for _ in 0..count {
        let opcode = OpCode::from_code(input.int()?).ok_or(DecodeError::Invalid("an unknown txn type"))?;
        if matches!(opcode, OpCode::Multi | OpCode::CreateSession | OpCode::CloseSession) {
            return Err(DecodeError::Invalid("a txn that can't stand inside a multi"));
        }
        let bytes = input.buffer()?.unwrap_or_default();
        txns.push((opcode, TxnRecord::decode(opcode, &mut Reader::new(bytes))?));
    }
    Ok(txns)
}
