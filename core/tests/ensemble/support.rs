//! Requests, briefly.

use bytes::Bytes;
use quorate_core::jute::{Acl, CreateFlag, CreateKind, CreateRequest, Request};

pub(crate) fn create(path: &str) -> Request {
    create_as(path, CreateFlag::Persistent)
}

pub(crate) fn create_as(path: &str, flag: CreateFlag) -> Request {
    Request::Create(CreateRequest {
        kind: CreateKind::Create,
        path: Some(path.to_owned()),
        data: Some(Bytes::from_static(b"new")),
        acl: Some(Acl::open()),
        flags: flag as i32,
        ttl: -1,
    })
}

pub(crate) fn set(path: &str, data: &str) -> Request {
    Request::SetData {
        path: Some(path.to_owned()),
        data: Some(Bytes::copy_from_slice(data.as_bytes())),
        version: -1,
    }
}

pub(crate) fn get(path: &str) -> Request {
    Request::GetData { path: Some(path.to_owned()), watch: false }
}

pub(crate) fn watch(path: &str) -> Request {
    Request::GetData { path: Some(path.to_owned()), watch: true }
}

pub(crate) fn children(path: &str) -> Request {
    Request::GetChildren { path: Some(path.to_owned()), watch: false }
}

pub(crate) fn sync() -> Request {
    Request::Sync { path: Some("/".to_owned()) }
}
