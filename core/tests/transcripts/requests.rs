//! What a client's command asks for.

use crate::arguments::{Arguments, text};
use bytes::Bytes;
use quorate_core::jute::*;
use quorate_core::vocabulary::Zxid;

/// The request of a command whose first word is `verb`.
pub(crate) fn request(verb: &str, arguments: &Arguments<'_>, line: &str) -> Request {
    let path = || arguments.path(0);
    let watch = arguments.has("w");
    match verb {
        "create" | "create2" | "container" | "ttl" => Request::Create(create(verb, arguments)),
        "delete" => Request::Delete { path: path(), version: arguments.version() },
        "set" => Request::SetData { path: path(), data: arguments.data(), version: arguments.version() },
        "setacl" => Request::SetAcl { path: path(), acl: arguments.acl(), version: arguments.version() },
        "exists" => Request::Exists { path: path(), watch },
        "get" => Request::GetData { path: path(), watch },
        "ls" => Request::GetChildren { path: path(), watch },
        "ls2" => Request::GetChildren2 { path: path(), watch },
        "getacl" => Request::GetAcl { path: path() },
        "count" => Request::GetAllChildrenNumber { path: path() },
        "ephemerals" => Request::GetEphemerals { prefix: path() },
        "sync" => Request::Sync { path: path() },
        "ping" => Request::Ping,
        "whoami" => Request::WhoAmI,
        "close" => Request::CloseSession,
        "multi" => Request::Multi(ops(line).map(|(verb, arguments)| multi_op(verb, &arguments)).collect()),
        "multiread" => {
            let ops = ops(line).map(|(verb, arguments)| match verb {
                "get" => MultiReadOp::GetData { path: arguments.path(0) },
                _ => MultiReadOp::GetChildren { path: arguments.path(0) },
            });
            Request::MultiRead(ops.collect())
        }
        "reconfig" => Request::Reconfig { joining: None, leaving: None, members: text("x"), config_id: -1 },
        "auth" => Request::Auth(AuthPacket {
            kind: 0,
            scheme: arguments.value("scheme").and_then(text),
            auth: arguments.value("auth").and_then(text).map(Bytes::from),
        }),
        "sasl" => Request::Sasl { token: Bytes::new() },
        "setwatches" => Request::SetWatches(Box::new(set_watches(arguments))),
        "setwatches2" => Request::SetWatches2(Box::new(set_watches(arguments))),
        "addwatch" => Request::AddWatch { path: path(), mode: kind(arguments) },
        "checkwatches" => Request::CheckWatches { path: path(), kind: kind(arguments) },
        "rmwatches" => Request::RemoveWatches { path: path(), kind: kind(arguments) },
        _ => panic!("no such command: {verb}"),
    }
}

fn kind(arguments: &Arguments<'_>) -> i32 {
    arguments.bare(1).parse().expect("a number")
}

/// The operations behind the first word of a line, separated by semicolons.
fn ops(line: &str) -> impl Iterator<Item = (&str, Arguments<'_>)> {
    line.split(';').map(str::trim).filter(|op| !op.is_empty()).map(|op| {
        let (verb, rest) = op.split_once(' ').unwrap_or((op, ""));
        (verb, Arguments::new(rest))
    })
}

fn multi_op(verb: &str, arguments: &Arguments<'_>) -> MultiOp {
    let (path, version) = (arguments.path(0), arguments.version());
    match verb {
        "delete" => MultiOp::Delete { path, version },
        "set" => MultiOp::SetData { path, data: arguments.data(), version },
        "check" => MultiOp::Check { path, version },
        _ => MultiOp::Create(create(verb, arguments)),
    }
}

fn create(verb: &str, arguments: &Arguments<'_>) -> CreateRequest {
    let kind = match verb {
        "create" => CreateKind::Create,
        "create2" => CreateKind::Create2,
        "container" => CreateKind::CreateContainer,
        "ttl" => CreateKind::CreateTtl,
        _ => panic!("no such operation: {verb}"),
    };
    let default_flags = match kind {
        CreateKind::CreateContainer => 4,
        CreateKind::CreateTtl => 5,
        _ => 0,
    };
    CreateRequest {
        kind,
        path: arguments.path(0),
        data: arguments.data(),
        acl: arguments.acl(),
        flags: arguments.number("flags").unwrap_or(default_flags) as i32,
        ttl: if kind == CreateKind::CreateTtl { arguments.number("ttl").unwrap_or(1000) } else { -1 },
    }
}

fn set_watches(arguments: &Arguments<'_>) -> SetWatches {
    let list = |key| -> Vec<WirePath> {
        arguments.value(key).into_iter().flat_map(|list| list.split(',')).map(text).collect()
    };
    SetWatches {
        relative_zxid: Zxid(arguments.number("zxid").unwrap_or(0)),
        data: list("data"),
        exist: list("exist"),
        child: list("child"),
        persistent: list("persistent"),
        persistent_recursive: list("recursive"),
    }
}
