//! Commands that read: `ls`, `get`, `stat`, `getAcl`, `getAllChildrenNumber`, `getEphemerals`, `config`, `whoami`.

use super::Shell;
use super::acl;
use super::failure::{Failure, Result};
use super::flags::{Flags, Parsed, flag, free, own};
use super::line::{Word, text};
use super::output::{hex_dump, put_data, stat_as_text};
use super::paths;
use super::session::Awaits;
use super::walk::Walk;
use crate::tools::stat_as_json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quorate_client::{Client, ErrorCode, Value as NodeValue};
use quorate_core::tree::path::CONFIG;
use serde_json::{Value, json};

static LS: Flags = free(&[flag("?", "help"), flag("s", "stat"), flag("w", "watch"), flag("R", "recurse")]);
pub(super) static GET: Flags = free(&[
    flag("s", "Print znode stats additionally"),
    flag("w", "Watch for changes on the znode"),
    flag("b", "Output data in base64 format"),
    flag("x", "Output data in hexdump format"),
    own("R", false),
    own("-out", true),
]);
static STAT: Flags = free(&[flag("w", "watch")]);
static GET_ACL: Flags = free(&[flag("s", "stats")]);
static CONFIG_FLAGS: Flags =
    free(&[flag("s", "stats"), flag("w", "watch"), flag("c", "client connection string")]);
static NONE: Flags = free(&[]);

/// Takes `command path watch`, an old way of saying `-w`, as zkCli does: the third word becomes the option, whatever it is.
fn parse_with_watch(
    shell: &mut Shell,
    command: &'static str,
    flags: &'static Flags,
    words: &[Word],
    old: &str,
    least: usize,
) -> Result<Parsed> {
    let parsed = shell.parse(command, flags, words, least)?;
    if parsed.words.len() <= 2 {
        return Ok(parsed);
    }
    shell.out.note(old);
    let mut words = words.to_vec();
    words[2] = b"-w".to_vec();
    shell.parse(command, flags, &words, least)
}

pub(super) async fn ls(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let old = "'ls path [watch]' has been deprecated. Please use 'ls [-w] path' instead.";
    let parsed = parse_with_watch(shell, "ls", &LS, words, old, 1)?;
    if parsed.has("?") {
        shell.out.remark(format!("usage: ls [options] path\n{}", LS.help()).trim_end());
    }
    let at = paths::path(parsed.words.get(1).ok_or_else(|| shell.usage("ls"))?)?;
    let client = shell.client(&at).await?;
    if parsed.has("R") {
        return ls_all(shell, &client, &at, parsed.has("w")).await;
    }
    let (mut names, stat) = match parsed.has("w") {
        true => {
            let (listed, watch) = client.children_watched(&at).await?;
            shell.session.watch(Awaits::Children, &at, watch);
            listed
        }
        false => client.children(&at).await?,
    };
    names.sort();
    shell.out.show(
        || {
            let numbers = if parsed.has("s") { stat_as_text(&stat) } else { String::new() };
            format!("[{}]\n{numbers}", names.join(", "))
        },
        || json!({ "command": "ls", "path": at, "children": names, "stat": stat_as_json(&stat) }),
    );
    Ok(())
}

async fn ls_all(shell: &mut Shell, client: &Client, at: &str, watches: bool) -> Result<()> {
    match watches {
        true => {
            let (_, watch) = client.get_watched(at).await?;
            shell.session.watch(Awaits::Data, at, watch);
        }
        false => drop(client.get(at).await?),
    }
    let show = |shell: &mut Shell, path: &str| {
        shell.out.show(|| format!("{path}\n"), || json!({ "command": "ls", "path": path }));
    };
    show(shell, at);
    let mut walk = Walk::below(at);
    while let Some(parent) = walk.next() {
        if shell.out.is_closed() {
            break;
        }
        let listed = match watches {
            true => client.children_watched(&parent).await.map(|((names, _), watch)| {
                shell.session.watch(Awaits::Children, &parent, watch);
                names
            }),
            false => client.children(&parent).await.map(|(names, _)| names),
        };
        match listed {
            Ok(names) => walk.children(&parent, names).iter().for_each(|path| show(shell, path)),
            Err(error) if error.code() == Some(ErrorCode::NoNode) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

pub(super) async fn get(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let old = "'get path [watch]' has been deprecated. Please use 'get [-s] [-w] path' instead.";
    let parsed = parse_with_watch(shell, "get", &GET, words, old, 2)?;
    let at = paths::path(&parsed.words[1])?;
    let client = shell.client(&at).await?;
    if parsed.has("R") {
        return get_all(shell, &client, &at, &parsed).await;
    }
    let value = match parsed.has("w") {
        true => {
            let (value, watch) = client.get_watched(&at).await?;
            shell.session.watch(Awaits::Data, &at, watch);
            value
        }
        false => client.get(&at).await?,
    };
    if let Some(file) = parsed.value("-out") {
        let file = text(file);
        std::fs::write(&file, value.bytes()).map_err(|error| Failure::new(format!("{file}: {error}")))?;
    } else if shell.out.is_json() {
        shell.out.object(&value_as_json("get", &at, &value));
    } else {
        let mut shown = data_as_text(&value, &parsed);
        shown.push(b'\n');
        shell.out.bytes(&shown);
    }
    if parsed.has("s") {
        shell.out.remark(stat_as_text(&value.stat).trim_end());
    }
    Ok(())
}

/// Every node's path and, behind a tab, its data.
async fn get_all(shell: &mut Shell, client: &Client, at: &str, parsed: &Parsed) -> Result<()> {
    let first = client.get(at).await?;
    show_one_of_many(shell, at, &first, parsed);
    let mut walk = Walk::below(at);
    while let Some(paths) = walk.advance(client).await? {
        for path in paths {
            if shell.out.is_closed() {
                return Ok(());
            }
            match client.get(&path).await {
                Ok(value) => show_one_of_many(shell, &path, &value, parsed),
                Err(error) if error.code() == Some(ErrorCode::NoNode) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

fn show_one_of_many(shell: &mut Shell, path: &str, value: &NodeValue, parsed: &Parsed) {
    if shell.out.is_json() {
        return shell.out.object(&value_as_json("get", path, value));
    }
    let mut line = format!("{path}\t").into_bytes();
    line.extend(data_as_text(value, parsed));
    line.push(b'\n');
    shell.out.bytes(&line);
}

/// The data as it is, or as it was asked for; "null" where a node has none at all.
fn data_as_text(value: &NodeValue, parsed: &Parsed) -> Vec<u8> {
    let data = value.data.as_deref().unwrap_or(b"null");
    if parsed.has("x") {
        hex_dump(data).into_bytes()
    } else if parsed.has("b") {
        STANDARD.encode(data).into_bytes()
    } else {
        data.to_vec()
    }
}

fn value_as_json(command: &str, path: &str, value: &NodeValue) -> Value {
    let mut object = json!({ "command": command, "path": path, "stat": stat_as_json(&value.stat) });
    put_data(&mut object, value.data.as_deref());
    object
}

pub(super) async fn stat(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let old = "'stat path [watch]' has been deprecated. Please use 'stat [-w] path' instead.";
    let parsed = parse_with_watch(shell, "stat", &STAT, words, old, 2)?;
    let at = paths::path(&parsed.words[1])?;
    let client = shell.client(&at).await?;
    let stat = match parsed.has("w") {
        true => {
            let (stat, watch) = client.exists_watched(&at).await?;
            shell.session.watch(Awaits::Data, &at, watch);
            stat
        }
        false => client.exists(&at).await?,
    };
    let stat = stat.ok_or_else(|| Failure::refused(ErrorCode::NoNode, &at))?;
    shell.out.show(
        || stat_as_text(&stat),
        || json!({ "command": "stat", "path": at, "stat": stat_as_json(&stat) }),
    );
    Ok(())
}

pub(super) async fn get_acl(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = shell.parse("getAcl", &GET_ACL, words, 2)?;
    let at = paths::path(&parsed.words[1])?;
    let (entries, stat) = shell.client(&at).await?.acl(&at).await?;
    shell.out.show(
        || {
            let numbers = if parsed.has("s") { stat_as_text(&stat) } else { String::new() };
            acl::shown(&entries) + &numbers
        },
        || json!({ "command": "getAcl", "path": at, "acl": acl::as_json(&entries), "stat": stat_as_json(&stat) }),
    );
    Ok(())
}

pub(super) async fn get_all_children_number(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = shell.parse("getAllChildrenNumber", &NONE, words, 2)?;
    let at = paths::path(&parsed.words[1])?;
    let count = shell.client(&at).await?.count_below(&at).await?;
    shell.out.show(
        || format!("{count}\n"),
        || json!({ "command": "getAllChildrenNumber", "path": at, "count": count }),
    );
    Ok(())
}

pub(super) async fn get_ephemerals(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = shell.parse("getEphemerals", &NONE, words, 1)?;
    let prefix = parsed.words.get(1).map_or(Ok("/".to_owned()), |word| paths::path(word))?;
    let paths = shell.client(&prefix).await?.ephemerals(&prefix).await?;
    shell.out.show(
        || format!("[{}]\n", paths.join(", ")),
        || json!({ "command": "getEphemerals", "path": prefix, "ephemerals": paths }),
    );
    Ok(())
}

pub(super) async fn config(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = shell.parse("config", &CONFIG_FLAGS, words, 1)?;
    let client = shell.client(CONFIG).await?;
    let value = match parsed.has("w") {
        true => {
            let (value, watch) = client.get_watched(CONFIG).await?;
            shell.session.watch(Awaits::Data, CONFIG, watch);
            value
        }
        false => client.get(CONFIG).await?,
    };
    let config = text(value.data.as_deref().unwrap_or(b"null"));
    if shell.out.is_json() {
        let mut object = value_as_json("config", CONFIG, &value);
        object["clients"] = json!(client_addresses(&config));
        shell.out.object(&object);
        return Ok(());
    }
    match parsed.has("c") {
        true => shell.out.line(&client_addresses(&config)),
        false => shell.out.line(&config),
    }
    if parsed.has("s") {
        shell.out.remark(stat_as_text(&value.stat).trim_end());
    }
    Ok(())
}

/// The configuration's version, a blank, and where its servers listen for clients, in its order.
fn client_addresses(config: &str) -> String {
    let assignments = config.lines().filter_map(|line| line.split_once('='));
    let (mut version, mut addresses) = ("", Vec::new());
    for (key, value) in assignments {
        let value = value.trim();
        match key.trim() {
            "version" => version = value,
            key if key.starts_with("server.") => {
                // server.1=host:2888:3888:participant;host:2181 — the host may be left out.
                let Some((_, client)) = value.split_once(';') else { continue };
                let (host, port) = client.rsplit_once(':').unwrap_or(("0.0.0.0", client));
                addresses.push(format!("{host}:{port}"));
            }
            _ => {}
        }
    }
    format!("{version} {}", addresses.join(","))
}

pub(super) async fn whoami(shell: &mut Shell, _words: &[Word]) -> Result<()> {
    let identities = shell.client("").await?.who_am_i().await?;
    shell.out.show(
        || {
            let lines = identities.iter().map(|info| format!("{}: {}\n", info.scheme, info.user));
            format!("Auth scheme: User\n{}", lines.collect::<String>())
        },
        || {
            let identity = |info: &_| {
                let quorate_core::jute::ClientInfo { scheme, user } = info;
                json!({ "scheme": scheme, "user": user })
            };
            json!({ "command": "whoami", "identities": identities.iter().map(identity).collect::<Vec<_>>() })
        },
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_addresses_are_told_as_zk_cli_tells_them() {
        let config =
            "server.1=h1:2888:3888:participant;0.0.0.0:2181\nserver.2=h2:2888:3888;2182\nversion=100000000";
        assert_eq!(client_addresses(config), "100000000 0.0.0.0:2181,0.0.0.0:2182");
        assert_eq!(client_addresses(""), " ");
    }
}
