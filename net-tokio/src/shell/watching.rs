//! Watches: `addWatch` and `removewatches` as in zkCli, and `watch`, which follows a subtree and prints each change.

use super::Shell;
use super::failure::{Failure, Result, keeper_error};
use super::flags::{Flags, flag, free, own, value};
use super::line::{Word, text};
use super::output::put_data;
use super::paths;
use super::session::Awaits;
use crate::civil::Civil;
use quorate_client::{Client, EventType, Resync, WatchEvent, WatchMode, Zxid};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

static ADD: Flags = free(&[value("m", "")]);
static REMOVE: Flags = free(&[
    flag("c", "child watcher type"),
    flag("d", "data watcher type"),
    flag("p", "persistent watcher type"),
    flag("r", "persistent recursive watcher type"),
    flag("a", "any watcher type"),
    flag("l", "remove locally when there is no server connection"),
]);
static FOLLOW: Flags = free(&[own("d", false), own("n", true)]);

pub(super) async fn add(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = shell.parse("addWatch", &ADD, words, 2)?;
    let mode = parsed.value("m").map(|mode| text(mode).to_uppercase());
    let (mode, awaits) = match mode.as_deref() {
        None | Some("PERSISTENT_RECURSIVE") => (WatchMode::Recursive, Awaits::Recursive),
        Some("PERSISTENT") => (WatchMode::Persistent, Awaits::Persistent),
        Some(_) => return Err(shell.usage("addWatch")),
    };
    if parsed.words.len() != 2 {
        return Err(shell.usage("addWatch"));
    }
    let at = paths::path(&parsed.words[1])?;
    let watch = shell.client(&at).await?.watch(&at, mode).await?;
    shell.session.watch(awaits, &at, watch);
    shell.out.show(String::new, || json!({ "command": "addWatch", "path": at }));
    Ok(())
}

pub(super) async fn remove(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = shell.parse("removewatches", &REMOVE, words, 2)?;
    let at = paths::path(&parsed.words[1])?;
    shell.client(&at).await?;
    let kinds =
        [("c", Awaits::Children), ("d", Awaits::Data), ("p", Awaits::Persistent), ("r", Awaits::Recursive)];
    let wanted = kinds.iter().find(|(option, _)| parsed.has(option)).map(|(_, awaits)| *awaits);
    let gone = shell.session.unwatch(&at, |awaits| wanted.is_none_or(|wanted| wanted == awaits));
    if gone.is_empty() {
        let message = keeper_error("No such watcher", &at);
        return Err(Failure { code: "NoWatcher", ..Failure::new(message) });
    }
    let has = |kinds: &[Awaits]| gone.iter().any(|awaits| kinds.contains(awaits));
    let told = [
        (has(&[Awaits::Children]), "ChildWatchRemoved"),
        (has(&[Awaits::Data]), "DataWatchRemoved"),
        (has(&[Awaits::Persistent, Awaits::Recursive]), "PersistentWatchRemoved"),
    ];
    for (_, kind) in told.iter().filter(|(was_there, _)| *was_there) {
        shell.tell_event("SyncConnected", kind, Some(&at), None);
    }
    shell.out.show(String::new, || json!({ "command": "removewatches", "path": at }));
    Ok(())
}

/// Prints changes until it is interrupted, has printed as many as were asked for, or nobody reads them.
pub(super) async fn follow(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = shell.parse("watch", &FOLLOW, words, 2)?;
    let at = paths::path(&parsed.words[1])?;
    let most: u64 = parsed.number("n")?.unwrap_or(u64::MAX);
    let client = shell.client(&at).await?;
    let mut watch = client.watch(&at, WatchMode::Recursive).await?;
    if shell.is_interactive() {
        shell.out.remark(&format!("following {at} and all below it; ctrl-C ends it"));
    }
    let mut printed = 0;
    while printed < most && !shell.out.is_closed() {
        match watch.next().await {
            Some(WatchEvent::Node { kind, path, zxid }) => {
                let data = if parsed.has("d") { data_of(&client, kind, &path).await } else { None };
                show(shell, kind, &path, zxid, data);
                printed += 1;
            }
            Some(WatchEvent::Resync(Resync::Over)) | None => {
                let message = "the session is over: nothing more will be seen";
                return Err(Failure { code: "SessionExpired", ..Failure::new(message) });
            }
            Some(WatchEvent::Resync(why)) => show_gap(shell, why),
        }
    }
    Ok(())
}

/// What a node that was created or changed holds by now.
async fn data_of(client: &Client, kind: EventType, path: &str) -> Option<Vec<u8>> {
    match kind {
        EventType::NodeCreated | EventType::NodeDataChanged => {
            // It may be gone again, which is told next.
            client.get(path).await.ok().map(|value| value.bytes().to_vec())
        }
        EventType::NodeDeleted | EventType::NodeChildrenChanged => None,
    }
}

fn show(shell: &mut Shell, kind: EventType, path: &str, zxid: Option<Zxid>, data: Option<Vec<u8>>) {
    let now = now_ms();
    if shell.out.is_json() {
        let mut object = event_as_json(now, &format!("{kind:?}"), path, zxid);
        if data.is_some() {
            put_data(&mut object, data.as_deref());
        }
        return shell.out.object(&object);
    }
    let zxid = zxid.map_or("-".to_owned(), |zxid| zxid.to_string());
    let mut line = format!("{} {zxid} {kind:?} {path}", Civil::from_unix_millis(now)).into_bytes();
    if let Some(data) = data {
        line.push(b'\t');
        line.extend(data);
    }
    line.push(b'\n');
    shell.out.bytes(&line);
}

fn show_gap(shell: &mut Shell, why: Resync) {
    let now = now_ms();
    shell.out.show(
        || format!("{} - {why:?}: changes may have gone by unseen\n", Civil::from_unix_millis(now)),
        || json!({ "time": now, "event": format!("{why:?}") }),
    );
}

fn event_as_json(time: i64, event: &str, path: &str, zxid: Option<Zxid>) -> Value {
    json!({ "time": time, "event": event, "path": path, "zxid": zxid.map(|zxid| zxid.to_string()) })
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
