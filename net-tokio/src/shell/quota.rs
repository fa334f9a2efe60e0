//! `setquota`, `listquota` and `delquota`: limits and counts are nodes below `/zookeeper/quota`, which servers look at.
//!
//! As in zkCli, a path has a quota only if none above or below it has one, and several requests make one quota: others who do
//! the same at the same time are not kept out.

use super::Shell;
use super::failure::{Failure, Result};
use super::flags::{Choice, Flags, Parsed, flag, value};
use super::line::{Word, text};
use super::paths;
use super::walk::Walk;
use quorate_client::{Client, CreateOptions, ErrorCode, Version};
use quorate_core::tree::path::{self, QUOTA, SYSTEM};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";

static SET: Flags = Flags {
    flags: &[
        value("n", "num soft quota"),
        value("b", "bytes soft quota"),
        value("N", "num hard quota"),
        value("B", "bytes hard quota"),
    ],
    choice: Choice::ExactlyOne,
};
static DELETE: Flags = Flags {
    flags: &[
        flag("n", "num soft quota"),
        flag("b", "bytes soft quota"),
        flag("N", "num hard quota"),
        flag("B", "bytes hard quota"),
    ],
    choice: Choice::AtMostOne,
};
static LIST: Flags = super::flags::free(&[]);

/// Which option sets which limit.
const KEYS: [(&str, &str); 4] =
    [("n", "count"), ("b", "bytes"), ("N", "countHardLimit"), ("B", "byteHardLimit")];

/// Limits or counts, as they are written into nodes: `count=5,bytes=-1=;byteHardLimit=-1`. -1 is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Track(BTreeMap<String, i64>);

impl Track {
    fn parse(data: &[u8]) -> Result<Track> {
        let text = text(data);
        let wrong = || Failure::new(format!("{text:?} is no quota"));
        let pairs = text.split([',', ';']).filter(|pair| !pair.is_empty());
        let read = |pair: &str| {
            let mut parts = pair.split('=');
            let (key, number) = (parts.next()?, parts.next()?);
            let number = if number.is_empty() { -1 } else { number.parse().ok()? };
            Some((key.to_owned(), number))
        };
        pairs.map(|pair| read(pair).ok_or_else(wrong)).collect::<Result<_>>().map(Track)
    }

    fn get(&self, key: &str) -> i64 {
        self.0.get(key).copied().unwrap_or(-1)
    }

    fn set(&mut self, key: &str, number: i64) {
        self.0.insert(key.to_owned(), number);
    }

    fn as_json(&self) -> Value {
        KEYS.iter()
            .map(|(_, key)| ((*key).to_owned(), json!(self.get(key))))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// Warnings about limits that are passed already.
    fn exceeded_by(&self, stats: &Track) -> Vec<String> {
        let passed =
            |keys: [&str; 2], now: i64| keys.iter().any(|key| self.get(key) > -1 && self.get(key) < now);
        let (count, bytes) = (stats.get("count"), stats.get("bytes"));
        let mut warnings = Vec::new();
        if passed(["count", "countHardLimit"], count) {
            warnings.push(format!(
                "[Warning]: the count quota you create is less than the existing count:{count}"
            ));
        }
        if passed(["bytes", "byteHardLimit"], bytes) {
            warnings.push(format!(
                "[Warning]: the bytes quota you create is less than the existing bytes:{bytes}"
            ));
        }
        warnings
    }
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={},bytes={}", self.get("count"), self.get("bytes"))?;
        let more: Vec<_> =
            self.0.iter().filter(|(key, _)| !matches!(key.as_str(), "count" | "bytes")).collect();
        if !more.is_empty() {
            // So that servers before 3.9 read the bytes and nothing else.
            f.write_str("=")?;
        }
        more.iter().try_for_each(|(key, number)| write!(f, ";{key}={number}"))
    }
}

/// The node below `/zookeeper/quota` that stands for a path.
fn quota_node(path: &str) -> String {
    format!("{QUOTA}{path}")
}

pub(super) async fn list(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = shell.parse("listquota", &LIST, words, 2)?;
    let at = text(&parsed.words[1]);
    let node = quota_node(&at);
    let (limits_at, stats_at) = (format!("{node}/{LIMITS}"), format!("{node}/{STATS}"));
    shell.out.note(&format!("absolute path is {limits_at}"));
    paths::path(limits_at.as_bytes())?;
    let client = shell.client(&limits_at).await?;
    let (limits, stats) = match read_both(&client, &limits_at, &stats_at).await {
        Err(failure) if failure.code == "NoNode" => {
            shell.out.note(&format!("quota for {at} does not exist."));
            shell.out.show(String::new, || json!({ "command": "listquota", "path": at, "limits": null }));
            return Ok(());
        }
        both => both?,
    };
    shell.out.show(
        || format!("Output quota for {at} {limits}\nOutput stat for {at} {stats}\n"),
        || json!({ "command": "listquota", "path": at, "limits": limits.as_json(), "stats": stats.as_json() }),
    );
    Ok(())
}

async fn read_both(client: &Client, limits: &str, stats: &str) -> Result<(Track, Track)> {
    Ok((read(client, limits).await?, read(client, stats).await?))
}

async fn read(client: &Client, path: &str) -> Result<Track> {
    Track::parse(client.get(path).await?.bytes())
}

pub(super) async fn set(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = shell.parse("setquota", &SET, words, 2)?;
    let at = text(&parsed.words[1]);
    if at.starts_with(QUOTA) {
        shell.out.note(&format!("cannot set a quota under the path: {QUOTA}"));
        return Ok(());
    }
    let limits = match limits(&parsed) {
        Ok(limits) => limits,
        Err(complaint) => {
            // zkCli does not take it for a failure.
            shell.out.note(complaint);
            return Ok(());
        }
    };
    let at = paths::path(at.as_bytes())?;
    let client = shell.client(&at).await?;
    if client.exists(&at).await?.is_none() {
        return Err(Failure::path(format!("{at} does not exist.")));
    }
    // The root can have none.
    paths::path(quota_node(&at).as_bytes())?;
    none_below(&client, &at).await?;
    none_above(&client, &at).await?;
    for warning in put(&client, &at, &limits).await? {
        shell.out.remark(&warning);
    }
    shell.out.show(String::new, || json!({ "command": "setquota", "path": at, "limits": limits.as_json() }));
    Ok(())
}

/// The limits that were asked for, or what zkCli says of a number.
fn limits(parsed: &Parsed) -> std::result::Result<Track, &'static str> {
    let mut limits = Track::default();
    for (option, key) in KEYS {
        limits.set(key, -1);
        let Some(number) = parsed.value(option) else { continue };
        let is_count = key.starts_with("count");
        let number = text(number);
        let number = if is_count { number.parse::<i32>().map(i64::from) } else { number.parse::<i64>() };
        let number = number.map_err(|_| "NumberFormatException happens when parsing the option value")?;
        if is_count && number <= 0 {
            return Err("the num quota must be greater than zero");
        }
        if number < 0 {
            return Err("the bytes quota must be greater than or equal to zero");
        }
        limits.set(key, number);
    }
    Ok(limits)
}

async fn none_below(client: &Client, at: &str) -> Result<()> {
    let node = quota_node(at);
    if client.exists(&node).await?.is_none() {
        return Ok(());
    }
    let mut walk = Walk::below(&node);
    while let Some(children) = walk.advance(client).await? {
        for child in children {
            let (parent, name) = path::split(&child).unwrap_or_default();
            if name == LIMITS && parent != node {
                let below = &parent[QUOTA.len()..];
                return Err(Failure::path(format!("{at} has a child {below} which has a quota")));
            }
        }
    }
    Ok(())
}

async fn none_above(client: &Client, at: &str) -> Result<()> {
    let node = quota_node(at);
    let above = std::iter::successors(path::parent(&node), |node| path::parent(node));
    let mut above: Vec<&str> = above.take_while(|node| *node != QUOTA).collect();
    above.reverse();
    for parent in above {
        if client.exists(&format!("{parent}/{LIMITS}")).await?.is_some() {
            let path = &parent[QUOTA.len()..];
            return Err(Failure::path(format!("{at} has a parent {path} which has a quota")));
        }
    }
    Ok(())
}

/// Writes the limits; what zkCli warns of.
async fn put(client: &Client, at: &str, limits: &Track) -> Result<Vec<String>> {
    let node = quota_node(at);
    let (limits_at, stats_at) = (format!("{node}/{LIMITS}"), format!("{node}/{STATS}"));
    if client.exists(&limits_at).await?.is_some() {
        let (mut now, stats) = read_both(client, &limits_at, &stats_at).await?;
        for (_, key) in KEYS.iter().filter(|(_, key)| limits.get(key) > -1) {
            now.set(key, limits.get(key));
        }
        client.set(&limits_at, now.to_string(), Version::ANY).await?;
        return Ok(now.exceeded_by(&stats));
    }
    let bare = CreateOptions::persistent().without_data();
    let above = std::iter::successors(Some(node.as_str()), |node| path::parent(node));
    let mut above: Vec<&str> = above.take_while(|node| *node != SYSTEM).collect();
    above.reverse();
    for parent in above {
        create_once(client, parent, "", &bare).await?;
    }
    create_once(client, &limits_at, &limits.to_string(), &CreateOptions::persistent()).await?;
    create_once(client, &stats_at, "count=0,bytes=0", &CreateOptions::persistent()).await?;
    let (now, stats) = read_both(client, &limits_at, &stats_at).await?;
    Ok(now.exceeded_by(&stats))
}

async fn create_once(client: &Client, path: &str, data: &str, options: &CreateOptions) -> Result<()> {
    match client.create(path, data.to_owned(), options).await {
        Err(error) if error.code() != Some(ErrorCode::NodeExists) => Err(error.into()),
        _ => Ok(()),
    }
}

pub(super) async fn delete(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = shell.parse("delquota", &DELETE, words, 2)?;
    let at = text(&parsed.words[1]);
    let node = quota_node(&at);
    let limits_at = format!("{node}/{LIMITS}");
    paths::path(limits_at.as_bytes())?;
    let client = shell.client(&limits_at).await?;
    if client.exists(&limits_at).await?.is_none() {
        shell.out.remark(&format!("Quota does not exist for {at}"));
        shell.out.show(String::new, || json!({ "command": "delquota", "path": at, "limits": null }));
        return Ok(());
    }
    let chosen: Vec<&str> =
        KEYS.iter().filter(|(option, _)| parsed.has(option)).map(|(_, key)| *key).collect();
    if chosen.is_empty() {
        remove(&client, &node).await?;
    } else {
        let mut limits = read(&client, &limits_at).await?;
        chosen.iter().for_each(|key| limits.set(key, -1));
        client.set(&limits_at, limits.to_string(), Version::ANY).await?;
    }
    shell.out.show(String::new, || json!({ "command": "delquota", "path": at }));
    Ok(())
}

/// Removes a quota, and the nodes above it that nothing else needs.
async fn remove(client: &Client, node: &str) -> Result<()> {
    for name in client.children(node).await?.0 {
        client.delete(&path::join(node, &name), Version::ANY).await?;
    }
    let mut node = node;
    while node != QUOTA && client.children(node).await?.0.is_empty() {
        client.delete(node, Version::ANY).await?;
        let Some(parent) = path::parent(node) else { break };
        node = parent;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_read_and_written_as_zookeeper_does() {
        for line in
            ["count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=-1", "count=0,bytes=0", "count=1,bytes=2"]
        {
            assert_eq!(Track::parse(line.as_bytes()).expect("it is one").to_string(), line);
        }
        assert_eq!(Track::parse(b"bytes=7,count=").expect("it is one").to_string(), "count=-1,bytes=7");
        assert!(Track::parse(b"hello").is_err());
    }
}
