//! What a history file says of replies, and what that is on the wire.

use super::lines::{base64_of, bytes_of_base64, data_of, encoded, hexadecimal, text_of};
use crate::recorded::RecordedReply;
use bytes::Bytes;
use quorate_core::jute::{CreateKind, MultiOp, MultiResult, Reader, Request, Response, Stat};
use quorate_core::vocabulary::Zxid;
use serde::{Deserialize, Serialize};

/// What was answered behind the header.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResultLine {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stat: Option<StatLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    children: Option<Vec<String>>,
    /// Of a multi, one for each operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    results: Option<Vec<ResultLine>>,
    /// Of an operation in a multi that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    err: Option<i32>,
    /// The bytes, of whatever else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wire: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct StatLine {
    version: i32,
    #[serde(default, with = "hexadecimal")]
    czxid: i64,
    #[serde(default, with = "hexadecimal")]
    mzxid: i64,
    #[serde(default, with = "hexadecimal")]
    pzxid: i64,
    #[serde(default)]
    ctime: i64,
    #[serde(default)]
    mtime: i64,
    #[serde(default)]
    cversion: i32,
    #[serde(default)]
    aversion: i32,
    #[serde(default, with = "hexadecimal")]
    ephemeral_owner: i64,
    #[serde(default)]
    data_length: i32,
    #[serde(default)]
    num_children: i32,
}

impl StatLine {
    fn of(stat: &Stat) -> Self {
        StatLine {
            version: stat.version,
            czxid: stat.czxid.0,
            mzxid: stat.mzxid.0,
            pzxid: stat.pzxid.0,
            ctime: stat.ctime,
            mtime: stat.mtime,
            cversion: stat.cversion,
            aversion: stat.aversion,
            ephemeral_owner: stat.ephemeral_owner,
            data_length: stat.data_length,
            num_children: stat.num_children,
        }
    }

    fn stat(&self) -> Stat {
        Stat {
            czxid: Zxid(self.czxid),
            mzxid: Zxid(self.mzxid),
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: self.cversion,
            aversion: self.aversion,
            ephemeral_owner: self.ephemeral_owner,
            data_length: self.data_length,
            num_children: self.num_children,
            pzxid: Zxid(self.pzxid),
        }
    }
}

/// What a reply says behind its header; none when that is nothing.
pub(super) fn result_of(request: &Request, reply: &RecordedReply) -> Option<ResultLine> {
    if reply.body.is_empty() {
        return None;
    }
    let wire = || ResultLine { wire: Some(base64_of(&reply.body)), ..ResultLine::default() };
    if reply.header.err != 0 {
        return Some(wire());
    }
    let response = Response::decode(request.opcode(), &mut Reader::new(reply.body.clone()));
    let result = response.ok().and_then(|response| ResultLine::of(&response));
    Some(result.unwrap_or_else(wire))
}

/// What stands behind the header where the line says nothing.
pub(super) fn empty_body(request: &Request) -> Result<Bytes, String> {
    match request {
        Request::Sync { path } => Ok(encoded(&Response::Sync { path: path.clone() })),
        Request::Create(create) if create.kind == CreateKind::Create && !matches!(create.flags, 2 | 3) => {
            Ok(encoded(&Response::Create { path: create.path.clone().unwrap_or_default() }))
        }
        Request::Delete { .. } | Request::CloseSession => Ok(Bytes::new()),
        Request::Multi(ops) if ops.is_empty() => Ok(encoded(&Response::Multi(Vec::new()))),
        _ => Err("a reply without an error needs a \"result\"".to_owned()),
    }
}

impl ResultLine {
    fn of(response: &Response) -> Option<Self> {
        let stat = |stat: &Stat| Some(StatLine::of(stat));
        let empty = ResultLine::default;
        Some(match response {
            Response::Create { path } => ResultLine { path: Some(path.clone()), ..empty() },
            Response::Create2 { path, stat: of } => {
                ResultLine { path: Some(path.clone()), stat: stat(of), ..empty() }
            }
            Response::Stat(of) => ResultLine { stat: stat(of), ..empty() },
            Response::GetData { data, stat: of } => {
                ResultLine { data: text_of(data.as_ref()), stat: stat(of), ..empty() }
            }
            Response::Paths(children) => ResultLine { children: Some(children.clone()), ..empty() },
            Response::GetChildren2 { children, stat: of } => {
                ResultLine { children: Some(children.clone()), stat: stat(of), ..empty() }
            }
            Response::Sync { path } => ResultLine { path: path.clone(), ..empty() },
            Response::Multi(results) => {
                let results = results.iter().map(Self::of_step).collect::<Option<_>>()?;
                ResultLine { results: Some(results), ..empty() }
            }
            _ => return None,
        })
    }

    fn of_step(result: &MultiResult) -> Option<Self> {
        let empty = ResultLine::default;
        Some(match result {
            MultiResult::Create { path } => ResultLine { path: Some(path.clone()), ..empty() },
            MultiResult::Create2 { path, stat } => {
                ResultLine { path: Some(path.clone()), stat: Some(StatLine::of(stat)), ..empty() }
            }
            MultiResult::SetData { stat } => ResultLine { stat: Some(StatLine::of(stat)), ..empty() },
            MultiResult::Delete | MultiResult::Check => empty(),
            MultiResult::Error { code } => ResultLine { err: Some(*code), ..empty() },
            _ => return None,
        })
    }

    pub(super) fn body(&self, request: &Request) -> Result<Bytes, String> {
        if let Some(wire) = &self.wire {
            return bytes_of_base64(wire);
        }
        let path = || self.path.clone().ok_or("the result needs a \"path\"");
        let stat = || self.stat.as_ref().map(StatLine::stat).ok_or("the result needs a \"stat\"");
        let children = || self.children.clone().ok_or("the result needs \"children\"");
        Ok(encoded(&match request {
            Request::Create(create) if create.kind == CreateKind::Create => {
                Response::Create { path: path()? }
            }
            Request::Create(_) => Response::Create2 { path: path()?, stat: stat()? },
            Request::Delete { .. } | Request::CloseSession => Response::Empty,
            Request::SetData { .. } | Request::Exists { .. } => Response::Stat(stat()?),
            Request::GetData { .. } => {
                Response::GetData { data: data_of(self.data.as_ref())?, stat: stat()? }
            }
            Request::GetChildren { .. } => Response::Paths(children()?),
            Request::GetChildren2 { .. } => Response::GetChildren2 { children: children()?, stat: stat()? },
            Request::Sync { path } => Response::Sync { path: path.clone() },
            Request::Multi(ops) => {
                let results = self.results.as_ref().ok_or("the result of a multi needs \"results\"")?;
                if results.len() != ops.len() {
                    return Err(format!("{} operations have {} results", ops.len(), results.len()));
                }
                let steps = ops.iter().zip(results).map(|(op, result)| result.step(op));
                Response::Multi(steps.collect::<Result<_, _>>()?)
            }
            other => return Err(format!("the result of {other:?} is told by \"wire\"")),
        }))
    }

    fn step(&self, op: &MultiOp) -> Result<MultiResult, String> {
        if let Some(code) = self.err {
            return Ok(MultiResult::Error { code });
        }
        let path = || self.path.clone().ok_or("the result of a create needs a \"path\"");
        let stat = || self.stat.as_ref().map(StatLine::stat).ok_or("the result needs a \"stat\"");
        Ok(match op {
            MultiOp::Create(create) if create.kind == CreateKind::Create => {
                MultiResult::Create { path: path()? }
            }
            MultiOp::Create(_) => MultiResult::Create2 { path: path()?, stat: stat()? },
            MultiOp::Delete { .. } => MultiResult::Delete,
            MultiOp::SetData { .. } => MultiResult::SetData { stat: stat()? },
            MultiOp::Check { .. } => MultiResult::Check,
        })
    }
}
