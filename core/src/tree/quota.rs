//! Quotas (`client-protocol.md` §17): limits and usage, kept as text in nodes below `/zookeeper/quota`.
//!
//! Usage is kept by each server on its own, outside of txns, stats, watches and digests. A path is governed by the deepest
//! path with limits on its way down; the root never governs.

use super::data_tree::DataTree;
use super::page::NodeId;
use super::path;
use crate::jute::java_string;
use std::collections::BTreeSet;

/// The node with the limits, below the governed path's double.
const LIMITS: &str = "zookeeper_limits";
/// The node with the usage.
const STATS: &str = "zookeeper_stats";

/// What quotas say about a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuotaVerdict {
    /// Nothing.
    Within,
    /// A soft limit is passed: worth a warning.
    Soft {
        /// The governed path whose limit it is.
        path: String,
    },
    /// Limits or usage can't be parsed: ZooKeeper's server fails the write.
    Unreadable,
    /// A hard limit is passed.
    Hard {
        /// The governed path whose limit it is.
        path: String,
    },
}

/// Limits or usage, as their nodes' text says them; -1 is "no limit" or "not known".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatsTrack {
    /// Nodes, the governed one included.
    pub count: i64,
    /// Bytes of data.
    pub bytes: i64,
    /// Nodes that a write may not pass.
    pub count_hard_limit: i64,
    /// Bytes that a write may not pass.
    pub byte_hard_limit: i64,
}

impl StatsTrack {
    /// What nothing is known about.
    pub const UNKNOWN: StatsTrack =
        StatsTrack { count: -1, bytes: -1, count_hard_limit: -1, byte_hard_limit: -1 };

    /// Reads a node's text; what is missing is -1. None where ZooKeeper's server throws: for null, for a part that is no
    /// `key=number`.
    pub fn parse(text: Option<&[u8]>) -> Option<Self> {
        let mut track = StatsTrack::UNKNOWN;
        let text = java_string(text?);
        let pairs = text.trim_end_matches([',', ';']);
        if pairs.is_empty() {
            return Some(track);
        }
        if pairs.starts_with([',', ';']) {
            return None;
        }
        for pair in pairs.split([',', ';']).filter(|pair| !pair.is_empty()) {
            let mut halves = pair.trim_end_matches('=').split('=');
            let key = halves.next().unwrap_or_default();
            let value = match halves.next()? {
                "" => -1,
                value => value.parse().ok()?,
            };
            match key {
                "count" => track.count = value,
                "bytes" => track.bytes = value,
                "countHardLimit" => track.count_hard_limit = value,
                "byteHardLimit" => track.byte_hard_limit = value,
                _ => {}
            }
        }
        Some(track)
    }

    /// The text. The `=` before the first `;` is ZooKeeper's own.
    pub fn text(&self) -> String {
        let mut text = format!("count={},bytes={}", self.count, self.bytes);
        let hard = [("byteHardLimit", self.byte_hard_limit), ("countHardLimit", self.count_hard_limit)];
        let mut separator = "=;";
        for (key, value) in hard {
            if value != -1 {
                text.push_str(&format!("{separator}{key}={value}"));
                separator = ";";
            }
        }
        text
    }
}

/// The governed paths: those with a limits node.
#[derive(Clone, Debug, Default)]
pub(super) struct Quotas {
    governed: BTreeSet<String>,
}

impl Quotas {
    /// The deepest governed path at or above `path`.
    fn governing(&self, path: &str) -> Option<&str> {
        if self.governed.is_empty() {
            return None;
        }
        let mut at = path;
        while at.len() > 1 {
            if let Some(governed) = self.governed.get(at) {
                return Some(governed);
            }
            at = &at[..at.rfind('/')?];
        }
        None
    }
}

/// The path that the quota nodes below `parent` govern: `/a` for `/zookeeper/quota/a`.
fn governed_by(parent: &str) -> Option<&str> {
    parent.strip_prefix(path::QUOTA).filter(|governed| governed.is_empty() || governed.starts_with('/'))
}

/// Whether a node at `path` would be limits that govern no path, so that no ZooKeeper server could load the tree again: it takes
/// what stands before the first `/zookeeper_limits` for the governed path.
pub fn governs_nothing(path: &str) -> bool {
    let Some(inside) = path.strip_prefix(path::QUOTA) else { return false };
    inside.strip_prefix('/').is_some_and(|inside| inside.starts_with(LIMITS))
        && path::name(path) == Some(LIMITS)
}

/// Whether the node at `path` holds usage.
pub fn is_usage(path: &str) -> bool {
    path.starts_with(path::QUOTA) && path::name(path) == Some(STATS)
}

impl DataTree {
    /// Whether a write that adds so many bytes and nodes at `path` stays within its quota. Usage is the applied one.
    pub fn check_quota(&self, path: &str, bytes_delta: i64, count_delta: i64) -> QuotaVerdict {
        let Some(governed) = self.quotas.governing(path) else { return QuotaVerdict::Within };
        let Some(limits) = self.quota_node(governed, LIMITS) else { return QuotaVerdict::Within };
        let Some(limits) = self.track(limits) else { return QuotaVerdict::Unreadable };
        let is_limited = |delta: i64, soft: i64, hard: i64| delta != 0 && (soft > -1 || hard > -1);
        if !is_limited(count_delta, limits.count, limits.count_hard_limit)
            && !is_limited(bytes_delta, limits.bytes, limits.byte_hard_limit)
        {
            return QuotaVerdict::Within;
        }
        let Some(usage) = self.quota_node(governed, STATS) else { return QuotaVerdict::Within };
        let Some(usage) = self.track(usage) else { return QuotaVerdict::Unreadable };
        let mut verdict = QuotaVerdict::Within;
        let measures = [
            (count_delta, usage.count, limits.count, limits.count_hard_limit),
            (bytes_delta, usage.bytes, limits.bytes, limits.byte_hard_limit),
        ];
        for (delta, used, soft, hard) in measures {
            let limit = if hard > -1 { hard } else { soft };
            if delta == 0 || limit <= -1 || used.saturating_add(delta) <= limit {
                continue;
            }
            if hard > -1 {
                return QuotaVerdict::Hard { path: governed.to_string() };
            }
            verdict = QuotaVerdict::Soft { path: governed.to_string() };
        }
        verdict
    }

    fn track(&self, id: NodeId) -> Option<StatsTrack> {
        StatsTrack::parse(self.slab.pages.data(id))
    }

    fn quota_node(&self, governed: &str, which: &str) -> Option<NodeId> {
        self.find(&format!("{}{governed}/{which}", path::QUOTA))
    }

    /// A node was created: it may be a quota's, and it may count in one.
    pub(super) fn quota_created(&mut self, path: &str, bytes: usize) {
        if path.starts_with(path::QUOTA)
            && let Some((parent, name)) = path::split(path)
            && let Some(governed) = governed_by(parent)
        {
            match name {
                LIMITS if !governed.is_empty() => drop(self.quotas.governed.insert(governed.to_string())),
                STATS => self.recount_quota(governed),
                _ => {}
            }
        }
        self.quota_moved(path, bytes as i64, 1);
    }

    /// A node was deleted.
    pub(super) fn quota_deleted(&mut self, path: &str, bytes: usize) {
        if path.starts_with(path::QUOTA)
            && let Some((parent, LIMITS)) = path::split(path)
            && let Some(governed) = governed_by(parent)
        {
            self.quotas.governed.remove(governed);
        }
        self.quota_moved(path, -(bytes as i64), -1);
    }

    /// Usage at `path` changed by this much.
    pub(super) fn quota_moved(&mut self, path: &str, bytes_delta: i64, count_delta: i64) {
        let Some(governed) = self.quotas.governing(path) else { return };
        let Some(id) = self.quota_node(governed, STATS) else { return };
        // What can't be parsed can't be written any more; an old log may have it.
        let mut usage = self.track(id).unwrap_or(StatsTrack::UNKNOWN);
        usage.bytes = usage.bytes.saturating_add(bytes_delta);
        usage.count = usage.count.saturating_add(count_delta);
        self.store_usage(id, usage);
    }

    /// Counts what is below `governed` anew.
    fn recount_quota(&mut self, governed: &str) {
        let Some(stats) = self.quota_node(governed, STATS) else { return };
        let mut usage = StatsTrack { count: 0, bytes: 0, ..StatsTrack::UNKNOWN };
        let top = self.find(governed);
        let mut at = top;
        while let (Some(id), Some(top)) = (at, top) {
            usage.count += 1;
            usage.bytes += self.slab.pages.data(id).map_or(0, <[u8]>::len) as i64;
            at = self.slab.pages.behind(id, top);
        }
        self.store_usage(stats, usage);
    }

    fn store_usage(&mut self, stats: NodeId, usage: StatsTrack) {
        let text = usage.text();
        let before = self.slab.pages.data(stats).map_or(0, <[u8]>::len) as u64;
        self.data_size = self.data_size - before + text.len() as u64;
        self.slab.pages.set_data(stats, Some(text.as_bytes()));
    }

    /// After a load: finds the limits there are, and counts what they govern.
    pub(super) fn load_quotas(&mut self) {
        let Some(top) = self.find(path::QUOTA) else { return };
        let mut governed = Vec::new();
        let mut at = top;
        while let Some(id) = self.slab.pages.behind(at, top) {
            if self.slab.pages.name(id) == LIMITS {
                let parent = self.slab.pages.path(self.slab.pages.node(id).parent);
                governed.extend(governed_by(&parent).filter(|path| !path.is_empty()).map(str::to_string));
            }
            at = id;
        }
        for path in governed {
            self.recount_quota(&path);
            self.quotas.governed.insert(path);
        }
    }

    /// The governed paths, in order.
    pub fn quota_paths(&self) -> impl Iterator<Item = &str> {
        self.quotas.governed.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quota_texts_are_read_and_written_as_java_does() {
        let parse = |text: &str| StatsTrack::parse(Some(text.as_bytes()));
        let track = parse("count=5,bytes=-1=;byteHardLimit=100;countHardLimit=7").expect("it is well-formed");
        assert_eq!(track, StatsTrack { count: 5, bytes: -1, count_hard_limit: 7, byte_hard_limit: 100 });
        assert_eq!(track.text(), "count=5,bytes=-1=;byteHardLimit=100;countHardLimit=7");
        let plain = parse("count=1,bytes=2").expect("it is well-formed");
        assert_eq!(plain.text(), "count=1,bytes=2");
        for unlimited in ["", ",", ";,;", "foo=1", "count==5", "=5", "count=-1,;bytes=-1=="] {
            assert_eq!(parse(unlimited), Some(StatsTrack::UNKNOWN), "{unlimited:?}");
        }
        let one = Some(StatsTrack { count: 1, ..StatsTrack::UNKNOWN });
        for limited in ["count=1", "count=+1;;,", "count=1=2", "count=1;;zzz=4"] {
            assert_eq!(parse(limited), one, "{limited:?}");
        }
        let nonsense = [
            "garbage",
            "=",
            "count",
            "count=",
            "count= 1",
            "count=x",
            ",count=1",
            "count=1,=",
            "count=99999999999999999999",
        ];
        for nonsense in nonsense {
            assert_eq!(parse(nonsense), None, "{nonsense:?}");
        }
        assert_eq!(StatsTrack::parse(None), None);
        assert_eq!(StatsTrack::parse(Some(b"\xff\xfe")), None);
    }

    #[test]
    fn limits_govern_the_path_before_the_first_limits() {
        for nothing in
            ["/zookeeper/quota/zookeeper_limits", "/zookeeper/quota/zookeeper_limitsx/zookeeper_limits"]
        {
            assert!(governs_nothing(nothing), "{nothing}");
        }
        for something in [
            "/zookeeper/quota/a/zookeeper_limits",
            "/zookeeper/quota/zookeeper_limitsx",
            "/zookeeper/quota/zookeeper_stats",
            "/zookeeper/quotax/zookeeper_limits",
            "/zookeeper_limits",
        ] {
            assert!(!governs_nothing(something), "{something}");
        }
    }
}
