//! Quotas (`client-protocol.md` §17): limits and usage, kept as text in nodes below `/zookeeper/quota`.
//!
//! Usage is kept by each server on its own, outside of txns, stats, watches and digests. A path is governed by the deepest
//! path with limits on its way down; the root never governs.

use super::data_tree::DataTree;
use super::page::NodeId;
use super::path;
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
    /// Reads the text; what is missing or no number is -1.
    pub fn parse(text: &[u8]) -> Self {
        let mut track = StatsTrack { count: -1, bytes: -1, count_hard_limit: -1, byte_hard_limit: -1 };
        for pair in String::from_utf8_lossy(text).split([',', ';']) {
            let mut halves = pair.split('=');
            let (key, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
            let value = value.parse().unwrap_or(-1);
            match key {
                "count" => track.count = value,
                "bytes" => track.bytes = value,
                "countHardLimit" => track.count_hard_limit = value,
                "byteHardLimit" => track.byte_hard_limit = value,
                _ => {}
            }
        }
        track
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

impl DataTree {
    /// Whether a write that adds so many bytes and nodes at `path` stays within its quota. Usage is the applied one.
    pub fn check_quota(&self, path: &str, bytes_delta: i64, count_delta: i64) -> QuotaVerdict {
        let Some(governed) = self.quotas.governing(path) else { return QuotaVerdict::Within };
        let Some(limits) = self.quota_track(governed, LIMITS) else { return QuotaVerdict::Within };
        let Some(usage) = self.quota_track(governed, STATS) else { return QuotaVerdict::Within };
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

    fn quota_track(&self, governed: &str, which: &str) -> Option<StatsTrack> {
        let id = self.quota_node(governed, which)?;
        Some(StatsTrack::parse(self.slab.pages.data(id).unwrap_or_default()))
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
        let mut usage = StatsTrack::parse(self.slab.pages.data(id).unwrap_or_default());
        usage.bytes = usage.bytes.saturating_add(bytes_delta);
        usage.count = usage.count.saturating_add(count_delta);
        self.store_usage(id, usage);
    }

    /// Counts what is below `governed` anew.
    fn recount_quota(&mut self, governed: &str) {
        let Some(stats) = self.quota_node(governed, STATS) else { return };
        let mut usage = StatsTrack { count: 0, bytes: 0, count_hard_limit: -1, byte_hard_limit: -1 };
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
        let track = StatsTrack::parse(b"count=5,bytes=-1=;byteHardLimit=100;countHardLimit=7");
        assert_eq!(track, StatsTrack { count: 5, bytes: -1, count_hard_limit: 7, byte_hard_limit: 100 });
        assert_eq!(track.text(), "count=5,bytes=-1=;byteHardLimit=100;countHardLimit=7");
        let plain = StatsTrack::parse(b"count=1,bytes=2");
        assert_eq!(plain.text(), "count=1,bytes=2");
        for nonsense in [&b""[..], b"=;,;", b"count=,bytes", b"\xff\xfe", b"count=9999999999999999999999"] {
            assert_eq!(StatsTrack::parse(nonsense).text(), "count=-1,bytes=-1");
        }
    }
}
