//! Commands that write: `create`, `set`, `delete`, `deleteall`, `setAcl`; and `sync` and `addauth`.

use super::Shell;
use super::acl;
use super::failure::{Failure, Result, keeper_error};
use super::flags::{Flags, Parsed, flag, free, own, value};
use super::line::{Word, text};
use super::output::stat_as_text;
use super::paths;
use super::walk::breadth_first;
use crate::tools::stat_as_json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quorate_client::{Acl, Client, CreateOptions, ErrorCode, Millis, Version};
use serde_json::json;
use std::io::Read as _;
use std::time::Duration;

static CREATE: Flags = free(&[
    flag("e", "ephemeral"),
    flag("s", "sequential"),
    flag("c", "container"),
    value("t", "ttl"),
    own("-file", true),
]);
pub(super) static SET: Flags = free(&[
    flag("s", "Print znode stats additionally"),
    value("v", "Set with an expected version"),
    flag("b", "Supply data in base64 format"),
    own("-file", true),
]);
static DELETE: Flags = free(&[value("v", "version"), own("R", false)]);
static DELETE_ALL: Flags = free(&[value("b", "batch size")]);
static SET_ACL: Flags = free(&[flag("s", "stats"), value("v", "version"), flag("R", "recursive")]);
static NONE: Flags = free(&[]);

/// The longest TTL that a node can have: it shares a number with what marks it as one.
const LONGEST_TTL: i64 = (1 << 40) - 1;
/// So many deletions are one transaction, unless another number is named.
const BATCH: i64 = 1000;
/// How long a sync may take.
const SYNC: Duration = Duration::from_secs(30);

pub(super) async fn create(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = shell.parse("create", &CREATE, words, 2)?;
    let mut options = kind(&parsed)?;
    let at = match parsed.has("s") {
        true => paths::sequential(&parsed.words[1])?,
        false => paths::path(&parsed.words[1])?,
    };
    let mut rest = parsed.words[2..].iter();
    let data = match parsed.value("-file") {
        Some(file) => Some(read_file(file)?),
        None => rest.next().cloned(),
    };
    if data.is_none() {
        options = options.without_data();
    }
    if let Some(word) = rest.next() {
        options = options.acl(read_acl(shell, &text(word))?);
    }
    let client = shell.client(&at).await?;
    match client.create(&at, data.unwrap_or_default(), &options).await {
        Ok(created) => {
            shell.session.has_ephemerals |= parsed.has("e");
            shell.out.note(&format!("Created {}", created.path));
            let object =
                || json!({ "command": "create", "path": created.path, "stat": stat_as_json(&created.stat) });
            shell.out.show(String::new, object);
            Ok(())
        }
        Err(error) => {
            match error.code() {
                Some(ErrorCode::InvalidAcl) => shell.out.note(&keeper_error("InvalidACL", &at)),
                Some(ErrorCode::EphemeralOnLocalSession) => {
                    shell.out.note("Unable to create ephemeral node on a local session");
                }
                _ => {}
            }
            Err(error.into())
        }
    }
}

/// The kind of node that is asked for.
fn kind(parsed: &Parsed) -> Result<CreateOptions> {
    let [ephemeral, sequential, container, ttl] = ["e", "s", "c", "t"].map(|name| parsed.has(name));
    if container && (ephemeral || sequential) {
        let text = "-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.";
        return Err(Failure::usage(text));
    }
    let milliseconds = match parsed.value("t") {
        Some(word) => text(word).parse().map_err(|_| Failure::usage("-t argument must be a long value"))?,
        None => 0,
    };
    if ttl && ephemeral {
        return Err(Failure::usage("TTLs cannot be used with Ephemeral znodes"));
    }
    if ttl && container {
        return Err(Failure::usage("TTLs cannot be used with Container znodes"));
    }
    if ttl && !(1..=LONGEST_TTL).contains(&milliseconds) {
        let text = format!("ttl must be positive and cannot be larger than: {LONGEST_TTL}");
        return Err(Failure::usage(text));
    }
    let options = match (ephemeral, container, ttl) {
        (true, ..) => CreateOptions::ephemeral(),
        (_, true, _) => CreateOptions::container(),
        (.., true) => CreateOptions::ttl(Millis(milliseconds.unsigned_abs())),
        _ => CreateOptions::persistent(),
    };
    Ok(if sequential { options.sequential() } else { options })
}

/// An ACL; what is wrong with parts of it is told, and they are left out.
fn read_acl(shell: &mut Shell, written: &str) -> Result<Vec<Acl>> {
    let (entries, complaints) = acl::parse(written);
    complaints.iter().for_each(|complaint| shell.out.note(complaint));
    if entries.is_empty() {
        // Nothing is sent: no server takes an empty one.
        shell.out.note(&keeper_error("InvalidACL", ""));
        return Err(Failure::refused(ErrorCode::InvalidAcl, "null"));
    }
    Ok(entries)
}

/// A file's bytes; `-` is standard input.
fn read_file(name: &[u8]) -> Result<Vec<u8>> {
    let name = text(name);
    let failed = |error| Failure::new(format!("{name}: {error}"));
    if name != "-" {
        return std::fs::read(&name).map_err(failed);
    }
    let mut data = Vec::new();
    std::io::stdin().lock().read_to_end(&mut data).map_err(failed)?;
    Ok(data)
}

pub(super) async fn set(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = SET.parse(words)?;
    let from_file = parsed.value("-file");
    if parsed.words.len() < 3 - usize::from(from_file.is_some()) {
        return Err(shell.usage("set"));
    }
    let data = match from_file {
        Some(file) => read_file(file)?,
        None => parsed.words[2].clone(),
    };
    let data = match parsed.has("b") {
        true => STANDARD.decode(&data).map_err(|error| Failure::usage(format!("-b: no base64: {error}")))?,
        false => data,
    };
    let version = version(&parsed)?;
    let at = paths::path(&parsed.words[1])?;
    let stat = shell.client(&at).await?.set(&at, data, version).await?;
    shell.out.show(
        || if parsed.has("s") { stat_as_text(&stat) } else { String::new() },
        || json!({ "command": "set", "path": at, "stat": stat_as_json(&stat) }),
    );
    Ok(())
}

/// The version that the node has to have.
fn version(parsed: &Parsed) -> Result<Version> {
    Ok(parsed.number("v")?.map_or(Version::ANY, Version))
}

pub(super) async fn delete(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = shell.parse("delete", &DELETE, words, 2)?;
    if parsed.words.len() > 2 {
        let old =
            "'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.";
        shell.out.note(old);
    }
    let version = version(&parsed)?;
    let at = paths::path(&parsed.words[1])?;
    if parsed.has("R") {
        return delete_tree(shell, "delete", &at, BATCH).await;
    }
    shell.client(&at).await?.delete(&at, version).await?;
    shell.out.show(String::new, || json!({ "command": "delete", "path": at }));
    Ok(())
}

pub(super) async fn delete_all(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = shell.parse("deleteall", &DELETE_ALL, words, 2)?;
    let batch = match parsed.value("b") {
        Some(word) => text(word)
            .parse::<i32>()
            .map(i64::from)
            .map_err(|_| Failure::usage("-b argument must be an int value"))?,
        None => BATCH,
    };
    let at = paths::path(&parsed.words[1])?;
    delete_tree(shell, "deleteall", &at, batch).await
}

/// Deletes from the leaves, so many in a transaction; one at a time where that is not positive.
async fn delete_tree(shell: &mut Shell, command: &str, at: &str, batch: i64) -> Result<()> {
    let client = shell.client(at).await?;
    let mut tree = breadth_first(&client, at).await?;
    shell.confirm(&format!("Delete {}?", nodes(&tree, at))).await?;
    let count = tree.len();
    tree.reverse();
    let mut is_done = true;
    match usize::try_from(batch).unwrap_or_default() {
        0 => {
            for path in &tree {
                client.delete(path, Version::ANY).await?;
            }
        }
        batch => {
            for paths in tree.chunks(batch) {
                is_done = delete_together(&client, paths).await;
                if !is_done {
                    shell.out.note("Failed to delete some node(s) in the subtree!");
                    break;
                }
            }
        }
    }
    let object = || json!({ "command": command, "path": at, "nodes": count, "done": is_done });
    shell.out.show(String::new, object);
    Ok(())
}

async fn delete_together(client: &Client, paths: &[String]) -> bool {
    let start = client.transaction();
    let transaction = paths.iter().fold(start, |transaction, path| transaction.delete(path, Version::ANY));
    transaction.commit().await.is_ok()
}

fn nodes(tree: &[String], at: &str) -> String {
    match tree.len() {
        1 => at.to_owned(),
        count => format!("{count} nodes, {at} and all below it"),
    }
}

pub(super) async fn set_acl(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = shell.parse("setAcl", &SET_ACL, words, 3)?;
    let (entries, complaints) = acl::parse(&text(&parsed.words[2]));
    complaints.iter().for_each(|complaint| shell.out.note(complaint));
    let version = version(&parsed)?;
    let at = paths::path(&parsed.words[1])?;
    if parsed.has("R") {
        return set_acl_of_all(shell, &at, &entries, version).await;
    }
    if entries.is_empty() {
        return Err(Failure::refused(ErrorCode::InvalidAcl, "null"));
    }
    let stat = shell.client(&at).await?.set_acl(&at, entries, version).await?;
    shell.out.show(
        || if parsed.has("s") { stat_as_text(&stat) } else { String::new() },
        || json!({ "command": "setAcl", "path": at, "stat": stat_as_json(&stat) }),
    );
    Ok(())
}

/// One node that refuses does not keep the others from it, nor makes the command a failure.
async fn set_acl_of_all(shell: &mut Shell, at: &str, entries: &[Acl], version: Version) -> Result<()> {
    let client = shell.client(at).await?;
    client.get(at).await?;
    let tree = breadth_first(&client, at).await?;
    shell.confirm(&format!("Set the ACL of {}?", nodes(&tree, at))).await?;
    let mut refused = 0;
    for path in &tree {
        let done = match entries.is_empty() {
            true => Err(keeper_error("InvalidACL", "")),
            false => client.set_acl(path, entries.to_vec(), version).await.map_err(|error| {
                let words = error.code().map_or("ConnectionLoss", |code| super::failure::names(code).1);
                keeper_error(words, path)
            }),
        };
        if let Err(message) = done {
            refused += 1;
            shell.out.show(|| message, || json!({ "command": "setAcl", "path": path, "error": "Refused" }));
        }
    }
    let object = || json!({ "command": "setAcl", "path": at, "nodes": tree.len(), "refused": refused });
    shell.out.show(String::new, object);
    Ok(())
}

pub(super) async fn sync(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = shell.parse("sync", &NONE, words, 2)?;
    let at = paths::path(&parsed.words[1])?;
    let client = shell.client(&at).await?;
    let done = tokio::time::timeout(SYNC, client.sync(&at)).await;
    let answer =
        match done.map_err(|_| Failure::new(format!("sync of {at} took more than {} s", SYNC.as_secs())))? {
            Ok(()) => "Sync is OK".to_owned(),
            Err(error) => match error.code() {
                Some(code) => format!("Sync has failed. rc={}", code.code()),
                None => return Err(error.into()),
            },
        };
    shell.out.show(|| answer.clone() + "\n", || json!({ "command": "sync", "path": at, "answer": answer }));
    Ok(())
}

pub(super) async fn add_auth(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = shell.parse("addauth", &NONE, words, 2)?;
    let scheme = text(&parsed.words[1]);
    let credentials = parsed.words.get(2).cloned().unwrap_or_default();
    shell.client("").await?.add_auth(&scheme, credentials).await.map_err(|error| {
        let message = format!("addauth {scheme}: a server refused the credentials, and the session is over");
        Failure { message, ..Failure::from(error) }
    })?;
    shell.out.show(String::new, || json!({ "command": "addauth", "scheme": scheme }));
    Ok(())
}
