//! The chroot: a client's own root, which the server knows nothing of (`client-protocol.md` §23).
//!
//! It is put before the paths of requests and taken off the paths of replies and events. getEphemerals' results and
//! `/zookeeper/config` are as the server has them.

use crate::jute::{MultiOp, MultiReadOp, MultiResult, Request, Response, WirePath};
use crate::tree::path;
use std::borrow::Cow;

/// The node that no chroot moves.
const CONFIG_NODE: &str = "/zookeeper/config";

/// A path to put before others; empty for none.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Chroot(String);

impl Chroot {
    /// The chroot written as `path`: "" and "/" are none. None if it is no valid path.
    pub fn new(path: &str) -> Option<Self> {
        match path {
            "" | "/" => Some(Chroot(String::new())),
            _ => path::validate(path).is_ok().then(|| Chroot(path.to_owned())),
        }
    }

    /// The chroot that lies at `path` below this one. None if that is no valid path.
    pub fn below(&self, path: &str) -> Option<Self> {
        let inner = Chroot::new(path)?;
        Some(Chroot(format!("{}{}", self.0, inner.0)))
    }

    /// The path as the server knows it.
    pub fn to_server(&self, path: &str) -> String {
        match path {
            _ if self.0.is_empty() || path == CONFIG_NODE => path.to_owned(),
            "/" => self.0.clone(),
            _ => format!("{}{path}", self.0),
        }
    }

    /// The path as the client knows it; one that lies elsewhere is left as it is.
    pub fn to_client(&self, path: String) -> String {
        match path.strip_prefix(&self.0) {
            _ if self.0.is_empty() => path,
            Some("") => "/".to_owned(),
            Some(rest) if rest.starts_with('/') => rest.to_owned(),
            _ => path,
        }
    }

    fn enter(&self, path: &mut WirePath) {
        if let Some(path) = path {
            *path = self.to_server(path);
        }
    }

    /// The request as the server is to see it, made anew only if that is another.
    pub(super) fn of_request<'a>(&self, request: &'a Request) -> Cow<'a, Request> {
        let mut request = Cow::Borrowed(request);
        if !self.0.is_empty() {
            self.enter_request(request.to_mut());
        }
        request
    }

    /// Makes of the request what the server is to see.
    pub(in crate::client) fn enter_request(&self, request: &mut Request) {
        if self.0.is_empty() {
            return;
        }
        match request {
            Request::Create(create) => self.enter(&mut create.path),
            Request::Delete { path, .. }
            | Request::Exists { path, .. }
            | Request::GetData { path, .. }
            | Request::SetData { path, .. }
            | Request::GetAcl { path }
            | Request::SetAcl { path, .. }
            | Request::GetChildren { path, .. }
            | Request::GetChildren2 { path, .. }
            | Request::Sync { path }
            | Request::CheckWatches { path, .. }
            | Request::RemoveWatches { path, .. }
            | Request::AddWatch { path, .. }
            | Request::GetAllChildrenNumber { path }
            | Request::GetEphemerals { prefix: path } => self.enter(path),
            Request::Multi(ops) => ops.iter_mut().for_each(|op| match op {
                MultiOp::Create(create) => self.enter(&mut create.path),
                MultiOp::Delete { path, .. }
                | MultiOp::SetData { path, .. }
                | MultiOp::Check { path, .. } => self.enter(path),
            }),
            Request::MultiRead(ops) => ops.iter_mut().for_each(|op| match op {
                MultiReadOp::GetData { path } | MultiReadOp::GetChildren { path } => self.enter(path),
            }),
            Request::Ping
            | Request::Reconfig { .. }
            | Request::Auth(_)
            | Request::SetWatches(_)
            | Request::SetWatches2(_)
            | Request::Sasl { .. }
            | Request::WhoAmI
            | Request::CloseSession
            | Request::Malformed(_)
            | Request::Unknown { .. } => {}
        }
    }

    /// Makes of the reply what the client is to see.
    pub(in crate::client) fn leave_response(&self, response: &mut Response) {
        if self.0.is_empty() {
            return;
        }
        match response {
            Response::Create { path }
            | Response::Create2 { path, .. }
            | Response::Sync { path: Some(path) } => self.leave(path),
            Response::Multi(results) => results.iter_mut().for_each(|result| match result {
                MultiResult::Create { path } | MultiResult::Create2 { path, .. } => self.leave(path),
                _ => {}
            }),
            _ => {}
        }
    }

    fn leave(&self, path: &mut String) {
        *path = self.to_client(std::mem::take(path));
    }
}
