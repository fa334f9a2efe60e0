//! Quotas (`client-protocol.md` §17): limits that become active with their node, usage kept in another, checks against what was
//! applied when the server judged.

use super::Model;
use bytes::Bytes;
use quorate_core::vocabulary::Zxid;
use std::collections::BTreeMap;

const ROOT: &str = "/zookeeper/quota";

/// Limits and usage of one path at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Quota {
    is_active: bool,
    limits: Option<Bytes>,
    usage: Option<Bytes>,
}

/// For each path that ever had a quota, every state with the zxid that brought it, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Quotas {
    by_path: BTreeMap<String, Vec<(Zxid, Quota)>>,
}

/// The numbers of a limits or a stats node; -1 for what is not there.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    count: i64,
    bytes: i64,
    count_hard: i64,
    bytes_hard: i64,
}

impl Numbers {
    fn parse(text: Option<&Bytes>) -> Self {
        let mut numbers = Numbers { count: -1, bytes: -1, count_hard: -1, bytes_hard: -1 };
        let text = text.map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default();
        for part in text.split([',', ';']) {
            let Some((key, value)) = part.split_once('=') else { continue };
            let value = value.trim_end_matches('=').parse().unwrap_or(-1);
            match key {
                "count" => numbers.count = value,
                "bytes" => numbers.bytes = value,
                "countHardLimit" => numbers.count_hard = value,
                "byteHardLimit" => numbers.bytes_hard = value,
                _ => {}
            }
        }
        numbers
    }
}

impl Model {
    /// The deepest path with a quota, active when history was applied up to `applied`, that governs `path`.
    fn governing(&self, applied: Zxid, path: &str) -> Option<(&String, &Quota)> {
        let governs =
            |root: &str| path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
        let at = |states: &'_ Vec<(Zxid, Quota)>| states.iter().rposition(|(zxid, _)| *zxid <= applied);
        self.quotas
            .by_path
            .iter()
            .filter(|(root, _)| governs(root))
            .filter_map(|(root, states)| Some((root, &states[at(states)?].1)))
            .filter(|(_, quota)| quota.is_active)
            .max_by_key(|(root, _)| root.len())
    }

    /// Whether `path` may grow by `(count, bytes)`.
    pub(super) fn check_quota(
        &self,
        applied: Zxid,
        path: &str,
        (count, bytes): (i64, i64),
    ) -> Result<(), i32> {
        if !self.config.enforce_quota {
            return Ok(());
        }
        let Some((_, quota)) = self.governing(applied, path) else { return Ok(()) };
        if quota.limits.is_none() || quota.usage.is_none() {
            return Ok(());
        }
        let limits = Numbers::parse(quota.limits.as_ref());
        let usage = Numbers::parse(quota.usage.as_ref());
        let is_over = |limit: i64, used: i64, more: i64| limit > -1 && more != 0 && used + more > limit;
        if is_over(limits.count_hard, usage.count, count) || is_over(limits.bytes_hard, usage.bytes, bytes) {
            return Err(-125);
        }
        Ok(())
    }

    /// What a change of `path` does to quotas: activation, counting, keeping count.
    pub(super) fn note_quota(
        &mut self,
        zxid: Zxid,
        path: &str,
        (count, bytes): (i64, i64),
        is_created: bool,
    ) {
        let inside = path.strip_prefix(ROOT).filter(|rest| rest.starts_with('/'));
        match inside.and_then(|rest| rest.rsplit_once('/')) {
            Some((governed, "zookeeper_limits")) if !governed.is_empty() => {
                if is_created || count < 0 {
                    self.set_active(zxid, governed, is_created);
                }
                self.refresh(zxid, governed);
            }
            Some((governed, "zookeeper_stats")) if !governed.is_empty() => {
                if is_created {
                    self.recount(governed);
                }
                self.refresh(zxid, governed);
            }
            _ => {}
        }
        let Some(root) = self.governing(zxid, path).map(|(root, _)| root.clone()) else { return };
        let stats_path = format!("{ROOT}{root}/zookeeper_stats");
        let Some(node) = self.tree.get_mut(&stats_path) else { return };
        let usage = Numbers::parse(node.data.as_ref());
        let text = format!("count={},bytes={}", usage.count + count, usage.bytes + bytes);
        node.data = Some(Bytes::from(text));
        self.refresh(zxid, &root);
    }

    /// What a restart does: the usage of each path with limits is counted anew.
    pub(crate) fn recount_quotas(&mut self) {
        let zxid = self.zxid;
        let mut old = std::mem::take(&mut self.quotas.by_path);
        for (governed, states) in &mut old {
            let is_active = states.last().is_some_and(|(_, quota)| quota.is_active);
            if is_active && self.tree.get(&format!("{ROOT}{governed}/zookeeper_stats")).is_some() {
                self.recount(governed);
            }
            self.quotas.by_path.insert(governed.clone(), Vec::new());
            self.set_active(zxid, governed, is_active);
            self.refresh(zxid, governed);
        }
    }

    /// Quotas are those whose limits the tree holds.
    pub(super) fn adopt_quotas(&mut self) {
        self.quotas = Quotas::default();
        let governed = |path: &String| {
            let governed = path.strip_prefix(ROOT)?.strip_suffix("/zookeeper_limits")?;
            (!governed.is_empty()).then(|| governed.to_string())
        };
        let all: Vec<String> = self.tree.iter().filter_map(|(path, _)| governed(path)).collect();
        for governed in all {
            self.set_active(self.zxid, &governed, true);
            self.refresh(self.zxid, &governed);
        }
    }

    fn recount(&mut self, governed: &str) {
        let below = format!("{governed}/");
        let covered = self.tree.iter().filter(|(path, _)| *path == governed || path.starts_with(&below));
        let (mut count, mut bytes) = (0, 0);
        for (_, node) in covered {
            count += 1;
            bytes += node.data.as_ref().map_or(0, Bytes::len);
        }
        let node =
            self.tree.get_mut(&format!("{ROOT}{governed}/zookeeper_stats")).expect("it was just created");
        node.data = Some(Bytes::from(format!("count={count},bytes={bytes}")));
    }

    fn state(&mut self, zxid: Zxid, governed: &str) -> &mut Quota {
        let states = self.quotas.by_path.entry(governed.to_string()).or_default();
        let last = states.last().cloned().unwrap_or_default();
        if last.0 != zxid || states.is_empty() {
            states.push((zxid, last.1));
        }
        &mut states.last_mut().expect("one was just made").1
    }

    fn set_active(&mut self, zxid: Zxid, governed: &str, is_active: bool) {
        self.state(zxid, governed).is_active = is_active;
    }

    fn refresh(&mut self, zxid: Zxid, governed: &str) {
        let data = |name: &str| {
            self.tree
                .get(&format!("{ROOT}{governed}/{name}"))
                .map(|node| node.data.clone().unwrap_or_default())
        };
        let (limits, usage) = (data("zookeeper_limits"), data("zookeeper_stats"));
        let state = self.state(zxid, governed);
        (state.limits, state.usage) = (limits, usage);
    }
}
