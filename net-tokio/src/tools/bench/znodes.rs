//! The znodes below the root of a run: made before it, removed behind it. Each run has a root of its own, named after its
//! process, so that several may load one server.
//!
//! At most a thousand children a parent, so that any server can list what it has, and this can remove it. `children` is the
//! exception: there the long list is what is asked for.

use super::wire::{BenchError, Reply, Wire};
use super::{BenchArgs, WorkloadKind, progress};
use quorate_core::jute::{Acl, OpCode, Response, Writer};
use quorate_core::vocabulary::ErrorCode;
use std::sync::LazyLock;

/// Everything is below this.
pub(super) static ROOT: LazyLock<String> = LazyLock::new(|| format!("/quorate-bench-{}", std::process::id()));
/// What watch-fanout watches.
pub(super) static WATCHED: LazyLock<String> = LazyLock::new(|| format!("{}/watched", *ROOT));
/// What children lists.
pub(super) static PARENT: LazyLock<String> = LazyLock::new(|| format!("{}/children", *ROOT));

/// Data with which a request comes near to the longest that a default server takes.
const LONG: usize = 1_000_000;
/// Children of one parent.
const SHARD: usize = 1000;
/// Requests on their way while znodes are made and removed.
const PIPELINED: usize = 256;

/// Writes the path of the `index`-th znode.
pub(super) fn write_path(path: &mut String, index: usize) {
    use std::fmt::Write;
    path.clear();
    // Writing to a string can't fail.
    let _ = write!(path, "{}/d{}/n{}", *ROOT, index / SHARD, index % SHARD);
}

/// Writes the path of what connection `connection` creates as its `index`-th: every thousand and first is a parent.
pub(super) fn write_created_path(path: &mut String, connection: usize, index: u64) {
    use std::fmt::Write;
    let (parent, child) = (index / (SHARD as u64 + 1), index % (SHARD as u64 + 1));
    path.clear();
    let _ = write!(path, "{}/c{connection}/d{parent}", *ROOT);
    if child > 0 {
        let _ = write!(path, "/n{child}");
    }
}

/// Writes a create of a persistent znode that everybody may use.
pub(super) fn write_create(out: &mut Writer<'_>, path: &str, data: &[u8]) {
    out.string(path);
    out.buffer(Some(data));
    out.vector(&Acl::open());
    out.int(0);
}

/// Makes what the workload needs, after removing what an earlier run of a process with this number left.
pub(super) async fn set_up(wire: &mut Wire, arguments: &BenchArgs) -> Result<(), BenchError> {
    let made = make(wire, arguments).await;
    made.map_err(|error| match arguments.size {
        size if size > LONG => BenchError::Protocol(format!(
            "--size {size}: {error}; a request with that much data may be longer than the server's jute.maxbuffer, by default \
             1048575 bytes"
        )),
        _ => error,
    })
}

async fn make(wire: &mut Wire, arguments: &BenchArgs) -> Result<(), BenchError> {
    remove_below(wire, &ROOT).await?;
    let data = vec![b'x'; arguments.size];
    create(wire, &ROOT, &data).await?;
    match arguments.workload {
        WorkloadKind::Read | WorkloadKind::Write | WorkloadKind::Mixed => {
            let mut path = String::new();
            let shards = arguments.znodes.div_ceil(SHARD);
            let paths = (0..shards).map(|shard| format!("{}/d{shard}", *ROOT));
            create_many(wire, paths, &data, shards).await?;
            let paths = (0..arguments.znodes).map(|index| {
                write_path(&mut path, index);
                path.clone()
            });
            create_many(wire, paths, &data, arguments.znodes).await
        }
        WorkloadKind::Children => {
            create(wire, &PARENT, &data).await?;
            let paths = (0..arguments.znodes).map(|index| format!("{}/n{index}", *PARENT));
            create_many(wire, paths, &data, arguments.znodes).await
        }
        WorkloadKind::Create => {
            let paths = (0..arguments.connections).map(|connection| format!("{}/c{connection}", *ROOT));
            create_many(wire, paths, &data, arguments.connections).await
        }
        WorkloadKind::WatchFanout => create(wire, &WATCHED, &data).await,
        WorkloadKind::IdleSessions => Ok(()),
    }
}

/// Removes everything.
pub(super) async fn remove_all(wire: &mut Wire, arguments: &BenchArgs) -> Result<(), BenchError> {
    if arguments.workload == WorkloadKind::Children {
        // The list may be too long for anyone to read, but the names are known.
        let paths = (0..arguments.znodes).map(|index| format!("{}/n{index}", *PARENT));
        delete_many(wire, paths).await?;
    }
    remove_below(wire, &ROOT).await
}

async fn create(wire: &mut Wire, path: &str, data: &[u8]) -> Result<(), BenchError> {
    let reply = wire.call(OpCode::Create, |out| write_create(out, path, data)).await?;
    succeeded("create", path, &reply)
}

fn succeeded(what: &str, path: &str, reply: &Reply) -> Result<(), BenchError> {
    match reply.header.err {
        0 => Ok(()),
        code => Err(BenchError::Protocol(format!("{what} of {path} answers {}", error_name(code)))),
    }
}

/// An error by name, for people.
pub(super) fn error_name(code: i32) -> String {
    ErrorCode::from_code(code).map_or_else(|| code.to_string(), |error| format!("{error:?}"))
}

async fn create_many(
    wire: &mut Wire,
    paths: impl Iterator<Item = String>,
    data: &[u8],
    count: usize,
) -> Result<(), BenchError> {
    let bar = progress(count as u64, "making znodes");
    for path in paths {
        if wire.in_flight() == PIPELINED {
            succeeded("create", &path, &wire.reply().await?)?;
        }
        wire.push(OpCode::Create, |out| write_create(out, &path, data));
        bar.inc(1);
    }
    while wire.in_flight() > 0 {
        succeeded("create", &ROOT, &wire.reply().await?)?;
    }
    bar.finish_and_clear();
    Ok(())
}

async fn delete_many(wire: &mut Wire, paths: impl Iterator<Item = String>) -> Result<(), BenchError> {
    for path in paths {
        if wire.in_flight() == PIPELINED {
            wire.reply().await?;
        }
        wire.push(OpCode::Delete, |out| {
            out.string(&path);
            out.int(-1);
        });
    }
    while wire.in_flight() > 0 {
        wire.reply().await?;
    }
    Ok(())
}

/// Removes a subtree, if it is there. What can't be deleted is told by the next create.
async fn remove_below(wire: &mut Wire, root: &str) -> Result<(), BenchError> {
    let mut parents = vec![root.to_owned()];
    let mut next = 0;
    // Parents before their children; a leaf is deleted with its siblings, and only parents are listed.
    while next < parents.len() {
        let parent = parents[next].clone();
        next += 1;
        let mut reply = wire
            .call(OpCode::GetChildren, |out| {
                out.string(&parent);
                out.boolean(false);
            })
            .await?;
        match reply.header.err {
            0 => {}
            code if code == ErrorCode::NoNode.code() => continue,
            code => {
                return Err(BenchError::Protocol(format!("{parent} can't be listed: {}", error_name(code))));
            }
        }
        let Response::Paths(children) = Response::decode(OpCode::GetChildren.code(), &mut reply.body)? else {
            return Err(BenchError::Protocol("a list of children is something else".to_owned()));
        };
        let path = |name: &String| format!("{parent}/{name}");
        delete_many(wire, children.iter().filter(|name| name.starts_with('n')).map(path)).await?;
        parents.extend(children.iter().filter(|name| !name.starts_with('n')).map(path));
    }
    delete_many(wire, parents.into_iter().rev()).await
}
