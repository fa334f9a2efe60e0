//! From planned operations to requests on the wire.

use crate::plan::{AclChoice, Data, Operation, Version};
use bytes::{Bytes, BytesMut};
use quorate_core::jute::{
    Acl, AuthPacket, CreateKind, CreateRequest, Encode, Id, MultiOp, MultiReadOp, OpCode, Permissions,
    Request, RequestHeader, Response, WirePath, write_frame,
};
use quorate_core::vocabulary::Xid;
use std::collections::BTreeMap;

/// What of a client's memory decides about the words of a request.
#[derive(Debug)]
pub(super) struct Memory {
    last_created: String,
    versions: BTreeMap<String, i32>,
}

impl Default for Memory {
    fn default() -> Self {
        Memory { last_created: "/a".to_string(), versions: BTreeMap::new() }
    }
}

/// One frame: header and body.
pub(super) fn frame(xid: Xid, opcode: i32, body: &dyn Encode2) -> Bytes {
    let mut out = BytesMut::new();
    write_frame(&mut out, |writer| {
        RequestHeader { xid, opcode }.encode(writer);
        body.write(writer);
    });
    out.freeze()
}

/// What can stand behind a header: a record, or bytes that are none.
pub(super) trait Encode2 {
    fn write(&self, out: &mut quorate_core::jute::Writer<'_>);
}

impl Encode2 for Request {
    fn write(&self, out: &mut quorate_core::jute::Writer<'_>) {
        self.encode(out);
    }
}

impl Encode2 for Vec<u8> {
    fn write(&self, out: &mut quorate_core::jute::Writer<'_>) {
        out.raw(self);
    }
}

fn data(data: Data) -> Option<Bytes> {
    data.map(|(length, byte)| Bytes::from(vec![byte; length as usize]))
}

fn acl(choice: AclChoice) -> Option<Vec<Acl>> {
    const ANN: &str = "ann:pw";
    let entry =
        |perms: i32, scheme: &str, id: &str| Acl { perms: Permissions(perms), id: Id::new(scheme, id) };
    Some(match choice {
        AclChoice::Open => Acl::open(),
        AclChoice::ReadOnly => Acl::world_readable(),
        AclChoice::Creator => vec![entry(31, "auth", "")],
        AclChoice::CreatorAndRead => vec![entry(31, "auth", ""), entry(1, "world", "anyone")],
        AclChoice::User(user, perms) => {
            let id = crate::model::digest_id(if user == 0 { ANN } else { "bob:pw" });
            vec![entry(perms, "digest", &id), entry(1, "world", "anyone")]
        }
        AclChoice::World(perms) => vec![entry(perms, "world", "anyone")],
        AclChoice::Loopback => vec![entry(31, "ip", "127.0.0.0/29"), entry(1, "world", "anyone")],
        AclChoice::Empty => Vec::new(),
        AclChoice::Null => return None,
        AclChoice::BadScheme => vec![entry(31, "foo", "bar")],
        AclChoice::BadWorld => vec![entry(31, "world", "nobody")],
        AclChoice::NullId => {
            vec![Acl { perms: Permissions::ALL, id: Id { scheme: Some("digest".to_string()), id: None } }]
        }
        AclChoice::Doubled => [Acl::open(), Acl::open()].concat(),
    })
}

impl Memory {
    /// A request at `path` was answered with this.
    pub(super) fn learn(&mut self, path: &str, response: &Response) {
        match response {
            Response::Create { path } | Response::Create2 { path, .. } => self.last_created.clone_from(path),
            Response::Stat(stat) | Response::GetData { stat, .. } => {
                self.versions.insert(path.to_string(), stat.version);
            }
            _ => {}
        }
    }

    fn path(&self, path: &Option<String>) -> WirePath {
        match path.as_deref() {
            Some("@last") => Some(self.last_created.clone()),
            other => other.map(str::to_string),
        }
    }

    fn version(&self, path: &WirePath, version: Version) -> i32 {
        match version {
            Version::Any => -1,
            Version::Seen => self.versions.get(path.as_deref().unwrap_or_default()).copied().unwrap_or(0),
            Version::Exactly(version) => version,
        }
    }

    fn create(&self, operation: &Operation) -> Option<CreateRequest> {
        let Operation::Create { opcode, path, data: content, acl: choice, flags, ttl } = operation else {
            return None;
        };
        let kind = match opcode {
            15 => CreateKind::Create2,
            19 => CreateKind::CreateContainer,
            21 => CreateKind::CreateTtl,
            _ => CreateKind::Create,
        };
        let (data, acl) = (data(*content), acl(*choice));
        Some(CreateRequest { kind, path: self.path(path), data, acl, flags: *flags, ttl: *ttl })
    }

    fn multi_op(&self, operation: &Operation) -> Option<MultiOp> {
        Some(match operation {
            Operation::Create { .. } => MultiOp::Create(self.create(operation)?),
            Operation::Delete { path, version } => {
                let path = self.path(path);
                MultiOp::Delete { version: self.version(&path, *version), path }
            }
            Operation::SetData { path, data: content, version } => {
                let path = self.path(path);
                MultiOp::SetData { version: self.version(&path, *version), path, data: data(*content) }
            }
            Operation::Check { path, version } => {
                let path = self.path(path);
                MultiOp::Check { version: self.version(&path, *version), path }
            }
            _ => return None,
        })
    }

    /// A quota is set by creating its nodes in one multi, or changed by its limits' data.
    fn quota(path: &str, limits: &str, create: bool) -> Request {
        let top = format!("/zookeeper/quota{path}");
        let node = |path: String, data: &str| {
            let data = Some(Bytes::copy_from_slice(data.as_bytes()));
            let acl = Some(Acl::open());
            MultiOp::Create(CreateRequest {
                kind: CreateKind::Create,
                path: Some(path),
                data,
                acl,
                flags: 0,
                ttl: -1,
            })
        };
        let names = (format!("{top}/zookeeper_limits"), format!("{top}/zookeeper_stats"));
        if create {
            let ops = vec![node(top, ""), node(names.0, limits), node(names.1, "count=0,bytes=0")];
            return Request::Multi(ops);
        }
        Request::SetData {
            path: Some(names.0),
            data: Some(Bytes::copy_from_slice(limits.as_bytes())),
            version: -1,
        }
    }

    /// The request of an operation; `None` for raw bytes.
    pub(super) fn request(&self, operation: &Operation) -> Option<Request> {
        let path = |path: &Option<String>| self.path(path);
        Some(match operation {
            Operation::Create { .. } => Request::Create(self.create(operation)?),
            Operation::Delete { path: at, version } => {
                let path = path(at);
                Request::Delete { version: self.version(&path, *version), path }
            }
            Operation::SetData { path: at, data: content, version } => {
                let path = path(at);
                Request::SetData { version: self.version(&path, *version), path, data: data(*content) }
            }
            Operation::SetQuota { path, limits, create } => Self::quota(path, limits, *create),
            Operation::SetAcl { path: at, acl: choice, version } => {
                let path = path(at);
                let version = match version {
                    Version::Seen => 0,
                    other => self.version(&path, *other),
                };
                Request::SetAcl { version, path, acl: acl(*choice) }
            }
            Operation::Read { opcode, path: at, watch } => {
                let (path, watch) = (path(at), *watch);
                match OpCode::from_code(*opcode)? {
                    OpCode::Exists => Request::Exists { path, watch },
                    OpCode::GetData => Request::GetData { path, watch },
                    OpCode::GetChildren => Request::GetChildren { path, watch },
                    _ => Request::GetChildren2 { path, watch },
                }
            }
            Operation::GetAcl { path: at } => Request::GetAcl { path: path(at) },
            Operation::GetAllChildrenNumber { path: at } => Request::GetAllChildrenNumber { path: path(at) },
            Operation::GetEphemerals { prefix } => Request::GetEphemerals { prefix: path(prefix) },
            Operation::Sync { path: at } => Request::Sync { path: path(at) },
            Operation::WhoAmI => Request::WhoAmI,
            Operation::Multi(ops) => Request::Multi(ops.iter().filter_map(|op| self.multi_op(op)).collect()),
            Operation::MultiRead(ops) => Request::MultiRead(
                ops.iter()
                    .filter_map(|op| match op {
                        Operation::Read { opcode: 4, path: at, .. } => {
                            Some(MultiReadOp::GetData { path: path(at) })
                        }
                        Operation::Read { path: at, .. } => Some(MultiReadOp::GetChildren { path: path(at) }),
                        _ => None,
                    })
                    .collect(),
            ),
            Operation::AddWatch { path: at, mode } => Request::AddWatch { path: path(at), mode: *mode },
            Operation::Watches { remove: true, path: at, kind } => {
                Request::RemoveWatches { path: path(at), kind: *kind }
            }
            Operation::Watches { remove: false, path: at, kind } => {
                Request::CheckWatches { path: path(at), kind: *kind }
            }
            Operation::Auth { scheme, credentials } => Request::Auth(AuthPacket {
                kind: 0,
                scheme: Some(scheme.clone()),
                auth: Some(Bytes::copy_from_slice(credentials.as_bytes())),
            }),
            Operation::CloseSession => Request::CloseSession,
            Operation::Check { .. } | Operation::Raw { .. } => return None,
        })
    }
}

/// Where a request is, of those whose answer teaches something about a node or leaves a watch there.
pub(super) fn path_of(request: &Request) -> WirePath {
    match request {
        Request::Exists { path, .. }
        | Request::GetData { path, .. }
        | Request::GetChildren { path, .. }
        | Request::GetChildren2 { path, .. }
        | Request::AddWatch { path, .. }
        | Request::SetData { path, .. } => path.clone(),
        Request::Create(create) => create.path.clone(),
        _ => None,
    }
}

/// Whether a request has a place of its own in history.
pub(super) fn is_write(request: &Request) -> bool {
    matches!(
        request,
        Request::Create(_)
            | Request::Delete { .. }
            | Request::SetData { .. }
            | Request::SetAcl { .. }
            | Request::Multi(_)
            | Request::CloseSession
    )
}

/// The name under which an operation is counted.
pub(super) fn name(operation: &Operation) -> &'static str {
    match operation {
        Operation::Create { flags: 0, .. } => "create",
        Operation::Create { flags: 1, .. } => "create_ephemeral",
        Operation::Create { flags: 2 | 3 | 6, .. } => "create_sequential",
        Operation::Create { .. } => "create_other",
        Operation::Delete { .. } => "delete",
        Operation::SetData { .. } => "set_data",
        Operation::SetQuota { .. } => "set_quota",
        Operation::SetAcl { .. } => "set_acl",
        Operation::Check { .. } => "check",
        Operation::Read { watch: true, .. } => "read_and_watch",
        Operation::Read { .. } => "read",
        Operation::GetAcl { .. } => "get_acl",
        Operation::GetAllChildrenNumber { .. } => "get_all_children_number",
        Operation::GetEphemerals { .. } => "get_ephemerals",
        Operation::Sync { .. } => "sync",
        Operation::WhoAmI => "who_am_i",
        Operation::Multi(_) => "multi",
        Operation::MultiRead(_) => "multi_read",
        Operation::AddWatch { .. } => "add_watch",
        Operation::Watches { .. } => "check_or_remove_watches",
        Operation::Auth { .. } => "auth",
        Operation::CloseSession => "close_session",
        Operation::Raw { .. } => "raw",
    }
}
