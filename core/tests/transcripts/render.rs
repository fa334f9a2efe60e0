//! What a reply looks like in a transcript.

use quorate_core::jute::*;
use quorate_core::vocabulary::ErrorCode;

pub(crate) fn error(code: i32) -> String {
    match ErrorCode::from_code(code) {
        Some(error) => format!("{error:?}"),
        None => format!("error {code}"),
    }
}

pub(crate) fn stat(stat: &Stat) -> String {
    format!(
        "[c{} m{} p{} t{}/{} v{} cv{} av{} owner{:x} len{} kids{}]",
        stat.czxid.0,
        stat.mzxid.0,
        stat.pzxid.0,
        stat.ctime,
        stat.mtime,
        stat.version,
        stat.cversion,
        stat.aversion,
        stat.ephemeral_owner,
        stat.data_length,
        stat.num_children
    )
}

fn data(bytes: Option<&[u8]>) -> String {
    match bytes {
        None => "null".to_owned(),
        Some(bytes) if bytes.len() > 60 => format!("{} bytes", bytes.len()),
        Some(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
    }
}

pub(crate) fn acl(list: &[Acl]) -> String {
    let entry = |acl: &Acl| {
        let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "~".to_owned());
        format!("{}:{}:{}", part(&acl.id.scheme), part(&acl.id.id), acl.perms.0)
    };
    list.iter().map(entry).collect::<Vec<_>>().join(",")
}

fn result(result: &MultiResult) -> String {
    match result {
        MultiResult::Create { path } => format!("create {path}"),
        MultiResult::Create2 { path, stat: s } => format!("create2 {path} {}", stat(s)),
        MultiResult::Delete => "delete".to_owned(),
        MultiResult::SetData { stat: s } => format!("set {}", stat(s)),
        MultiResult::Check => "check".to_owned(),
        MultiResult::GetData { data: bytes, stat: s } => {
            format!("get {} {}", data(bytes.as_deref()), stat(s))
        }
        MultiResult::GetChildren { children } => format!("ls {children:?}"),
        MultiResult::Error { code: 0 } => "error 0".to_owned(),
        MultiResult::Error { code } => error(*code),
    }
}

pub(crate) fn response(response: &Response) -> String {
    match response {
        Response::Empty => "ok".to_owned(),
        Response::Create { path } => path.clone(),
        Response::Create2 { path, stat: s } => format!("{path} {}", stat(s)),
        Response::Stat(s) => stat(s),
        Response::GetData { data: bytes, stat: s } => format!("{} {}", data(bytes.as_deref()), stat(s)),
        Response::GetAcl { acl: list, stat: s } => format!("{} {}", acl(list), stat(s)),
        Response::Paths(paths) => format!("{paths:?}"),
        Response::GetChildren2 { children, stat: s } => format!("{children:?} {}", stat(s)),
        Response::Sync { path } => format!("{path:?}"),
        Response::Multi(results) => {
            format!("{{{}}}", results.iter().map(result).collect::<Vec<_>>().join("; "))
        }
        Response::Count(count) => count.to_string(),
        Response::WhoAmI(infos) => {
            infos.iter().map(|info| format!("{}:{}", info.scheme, info.user)).collect::<Vec<_>>().join(" ")
        }
        Response::AddWatch { err } => format!("ErrorResponse({err})"),
        Response::Sasl { token } => format!("token {token:?}"),
    }
}

pub(crate) fn record(opcode: OpCode, record: &TxnRecord) -> String {
    match record {
        TxnRecord::Create(create) => format!(
            "{opcode:?} {} {} {}{} parent_cversion={}{}",
            create.path,
            data(create.data.as_deref()),
            acl(&create.acl),
            if create.ephemeral { " ephemeral" } else { "" },
            create.parent_cversion,
            if opcode == OpCode::CreateTtl { format!(" ttl={}", create.ttl) } else { String::new() }
        ),
        TxnRecord::Delete { path } => format!("{opcode:?} {path}"),
        TxnRecord::SetData { path, data: bytes, version } => {
            format!("{opcode:?} {path} {} version={version}", data(bytes.as_deref()))
        }
        TxnRecord::SetAcl { path, acl: list, version } => {
            format!("{opcode:?} {path} {} version={version}", acl(list))
        }
        TxnRecord::Check { path, version } => format!("{opcode:?} {path} version={version}"),
        TxnRecord::CreateSession { timeout } => format!("{opcode:?} timeout={timeout}"),
        TxnRecord::CloseSession { paths } => format!("{opcode:?} {paths:?}"),
        TxnRecord::Error { err } => format!("{opcode:?} {err}"),
        TxnRecord::Multi(ops) => {
            let ops: Vec<String> = ops.iter().map(|(opcode, op)| self::record(*opcode, op)).collect();
            format!("{opcode:?} {{{}}}", ops.join("; "))
        }
    }
}
