//! Transactions: writes that are applied together or not at all.

use super::create::{CreateOptions, Created};
use super::error::Cause;
use super::handle::Client;
use super::reply::Reply;
use super::runtime::Runtime;
use super::session::ClientError;
use crate::jute::{MultiOp, MultiResult, Request, Response, Stat};
use crate::tree::path;
use crate::vocabulary::{ErrorCode, Version, Zxid};
use bytes::Bytes;

/// What an operation of a transaction brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpResult {
    /// A node was created. Servers before 3.8.2 tell nothing of it but its path.
    Created(Created),
    /// A node's data was set.
    Set(Stat),
    /// A node was deleted.
    Deleted,
    /// A node had the version.
    Checked,
}

/// Writes to be applied together; see [`Client::transaction`].
#[derive(Debug)]
#[must_use = "nothing happens before commit"]
pub struct Transaction<R: Runtime> {
    client: Client<R>,
    ops: Vec<MultiOp>,
    /// The first path that can't be sent, and why.
    bad: Option<(String, Cause)>,
}

impl<R: Runtime> Transaction<R> {
    pub(super) fn new(client: Client<R>) -> Self {
        Transaction { client, ops: Vec::new(), bad: None }
    }

    /// Creates a node. Of the options, parents are not made here.
    pub fn create(mut self, path: &str, data: impl Into<Bytes>, options: &CreateOptions) -> Self {
        if options.is_impossible() {
            self.refuse(path, Cause::Kind);
        }
        let path = self.path(path, options.is_sequential());
        self.ops.push(MultiOp::Create(options.request(path, data.into())));
        self
    }

    /// Sets a node's data, if it has this version.
    pub fn set(mut self, path: &str, data: impl Into<Bytes>, version: Version) -> Self {
        let path = Some(self.path(path, false));
        self.ops.push(MultiOp::SetData { path, data: Some(data.into()), version: version.0 });
        self
    }

    /// Deletes a node, if it has this version.
    pub fn delete(mut self, path: &str, version: Version) -> Self {
        let path = Some(self.path(path, false));
        self.ops.push(MultiOp::Delete { path, version: version.0 });
        self
    }

    /// Applies the others only if this node exists and has this version.
    pub fn check(mut self, path: &str, version: Version) -> Self {
        let path = Some(self.path(path, false));
        self.ops.push(MultiOp::Check { path, version: version.0 });
        self
    }

    fn path(&mut self, path: &str, is_prefix: bool) -> String {
        if !is_path(path, is_prefix) {
            self.refuse(path, Cause::Path);
        }
        path.to_owned()
    }

    fn refuse(&mut self, path: &str, cause: Cause) {
        self.bad.get_or_insert_with(|| (path.to_owned(), cause));
    }

    /// Applies them. The results stand in the order of the operations.
    ///
    /// # Errors
    /// [`Cause::Operation`] names the first that was refused; then none was applied.
    pub fn commit(self) -> Reply<Vec<OpResult>> {
        const NAME: &str = "transaction";
        if let Some((path, cause)) = self.bad {
            return Reply::refused((NAME, &path), cause);
        }
        let first = self.ops.first().map(path_of).unwrap_or_default();
        self.client.ask((NAME, &first), Request::Multi(self.ops), |answer| match answer? {
            (Response::Multi(results), zxid) => read_results(results, zxid),
            _ => Err(Cause::Reply),
        })
    }
}

fn read_results(results: Vec<MultiResult>, zxid: Zxid) -> std::result::Result<Vec<OpResult>, Cause> {
    match refused(&results) {
        Some((place, code)) => Err(match ErrorCode::from_code(code) {
            Some(code) => Cause::Operation { place, code },
            None => ClientError::RefusedStrangely(code).into(),
        }),
        None => results.into_iter().map(|result| op_result(result, zxid).ok_or(Cause::Reply)).collect(),
    }
}

/// The operation because of which all were refused: the first with a code of its own.
fn refused(results: &[MultiResult]) -> Option<(usize, i32)> {
    let codes = results.iter().enumerate().filter_map(|(place, result)| match result {
        MultiResult::Error { code } => Some((place, *code)),
        _ => None,
    });
    codes
        .clone()
        .find(|(_, code)| *code != 0 && *code != ErrorCode::RuntimeInconsistency.code())
        .or_else(|| codes.last())
}

fn op_result(result: MultiResult, zxid: Zxid) -> Option<OpResult> {
    Some(match result {
        MultiResult::Create { path } => OpResult::Created(Created { path, stat: Stat::default(), zxid }),
        MultiResult::Create2 { path, stat } => OpResult::Created(Created { path, stat, zxid }),
        MultiResult::SetData { stat } => OpResult::Set(stat),
        MultiResult::Delete => OpResult::Deleted,
        MultiResult::Check => OpResult::Checked,
        MultiResult::GetData { .. } | MultiResult::GetChildren { .. } | MultiResult::Error { .. } => {
            return None;
        }
    })
}

fn path_of(op: &MultiOp) -> String {
    let path = match op {
        MultiOp::Create(create) => &create.path,
        MultiOp::Delete { path, .. } | MultiOp::SetData { path, .. } | MultiOp::Check { path, .. } => path,
    };
    path.clone().unwrap_or_default()
}

/// Whether servers take this path; of a sequential node, whatever digits come behind it.
pub(super) fn is_path(path: &str, is_prefix: bool) -> bool {
    match is_prefix {
        true => path::validate(&format!("{path}0")).is_ok(),
        false => path::validate(path).is_ok(),
    }
}
