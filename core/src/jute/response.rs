//! Every body a server can answer with, owned; what clients decode. Servers write bodies straight from the tree instead.

use super::codec::{Decode, DecodeError, Encode, Reader, Writer};
use super::multi::MultiResult;
use super::opcode::OpCode;
use super::records::{Acl, ClientInfo, Stat};
use bytes::Bytes;

/// The body of a successful reply.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are those of ZooKeeper's records, client-protocol.md §7")]
pub enum Response {
    /// Header only: delete, ping, setWatches, checkWatches, removeWatches, auth, closeSession.
    Empty,
    Create {
        path: String,
    },
    Create2 {
        path: String,
        stat: Stat,
    },
    /// exists, setData, setACL.
    Stat(Stat),
    GetData {
        data: Option<Bytes>,
        stat: Stat,
    },
    GetAcl {
        acl: Vec<Acl>,
        stat: Stat,
    },
    /// getChildren, getEphemerals.
    Paths(Vec<String>),
    GetChildren2 {
        children: Vec<String>,
        stat: Stat,
    },
    Sync {
        path: Option<String>,
    },
    Multi(Vec<MultiResult>),
    Count(i32),
    WhoAmI(Vec<ClientInfo>),
    /// addWatch answers an error record with 0 in it.
    AddWatch {
        err: i32,
    },
    Sasl {
        token: Option<Bytes>,
    },
}

impl Response {
    /// Reads the body of a reply to a request with opcode `opcode` whose header says success.
    ///
    /// # Errors
    /// When the bytes are no such body.
    pub fn decode(opcode: i32, input: &mut Reader) -> Result<Self, DecodeError> {
        let opcode = OpCode::from_code(opcode).ok_or(DecodeError::Invalid("a reply to an unknown opcode"))?;
        Ok(match opcode {
            OpCode::Create => Response::Create { path: String::decode(input)? },
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                Response::Create2 { path: String::decode(input)?, stat: Stat::decode(input)? }
            }
            OpCode::Exists | OpCode::SetData | OpCode::SetAcl => Response::Stat(Stat::decode(input)?),
            OpCode::GetData | OpCode::Reconfig => {
                Response::GetData { data: input.buffer()?, stat: Stat::decode(input)? }
            }
            OpCode::GetAcl => Response::GetAcl { acl: input.list()?, stat: Stat::decode(input)? },
            OpCode::GetChildren | OpCode::GetEphemerals => Response::Paths(input.list()?),
            OpCode::GetChildren2 => {
                Response::GetChildren2 { children: input.list()?, stat: Stat::decode(input)? }
            }
            OpCode::Sync => Response::Sync { path: input.string()? },
            OpCode::Multi | OpCode::MultiRead => Response::Multi(MultiResult::decode_list(input)?),
            OpCode::GetAllChildrenNumber => Response::Count(input.int()?),
            OpCode::WhoAmI => Response::WhoAmI(input.list()?),
            OpCode::AddWatch => Response::AddWatch { err: input.int()? },
            OpCode::Sasl => Response::Sasl { token: input.buffer()? },
            _ => Response::Empty,
        })
    }
}

impl Encode for Response {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Response::Empty => {}
            Response::Create { path } => out.string(path),
            Response::Create2 { path, stat } => {
                out.string(path);
                stat.encode(out);
            }
            Response::Stat(stat) => stat.encode(out),
            Response::GetData { data, stat } => {
                out.buffer(data.as_deref());
                stat.encode(out);
            }
            Response::GetAcl { acl, stat } => {
                out.vector(acl);
                stat.encode(out);
            }
            Response::Paths(paths) => out.vector(paths),
            Response::GetChildren2 { children, stat } => {
                out.vector(children);
                stat.encode(out);
            }
            Response::Sync { path } => out.nullable(path.as_deref()),
            Response::Multi(results) => MultiResult::encode_list(results, out),
            Response::Count(count) | Response::AddWatch { err: count } => out.int(*count),
            Response::WhoAmI(infos) => out.vector(infos),
            Response::Sasl { token } => out.buffer(token.as_deref()),
        }
    }
}
