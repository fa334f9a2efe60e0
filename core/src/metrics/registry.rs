//! The registry: arrays indexed by the names' enums, and the walk over all of it.

use super::names::{Advanced, Basic, BasicSet, Counter, CounterSet};
use super::summary::{AdvancedSummary, Summary};
use std::collections::BTreeMap;

/// How many first path components have metrics of their own. Clients choose these names; the ones that come later are not
/// counted, where ZooKeeper's server would go on growing.
const MAX_LABELS: usize = 1000;

/// What `srvr` shows and the gauges of every server are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ServerStats {
    /// Frames that came from clients, four-letter words included.
    pub packets_received: u64,
    /// Frames that went to clients.
    pub packets_sent: u64,
    /// Time from a request's arrival to its reply, ms.
    pub latency: Summary,
    /// Bytes of replies to clients.
    pub response_size: Summary,
    /// The last of these sizes.
    pub last_response_size: Option<i64>,
    /// Auth packets that were refused.
    pub auth_failed: u64,
}

impl ServerStats {
    /// A reply of this many bytes.
    pub fn add_response_size(&mut self, bytes: i64) {
        self.response_size.add(bytes);
        self.last_response_size = Some(bytes);
    }
}

/// One metric, as the walk meets it.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// ZooKeeper's name.
    pub name: &'static str,
    /// The first path component it is counted for, of a metric in a set.
    pub label: Option<&'a str>,
    /// What was counted.
    pub value: SampleValue<'a>,
}

/// What a metric holds.
#[derive(Clone, Copy, Debug)]
pub enum SampleValue<'a> {
    /// A counter's value.
    Counter(u64),
    /// A summary; of its percentiles ZooKeeper shows the median only, and only on the Prometheus page.
    Basic(&'a AdvancedSummary),
    /// A summary with percentiles.
    Advanced(&'a AdvancedSummary),
}

/// See the module's words.
#[derive(Clone)]
pub struct Metrics {
    counters: Vec<u64>,
    basics: Vec<AdvancedSummary>,
    advanced: Vec<AdvancedSummary>,
    counter_sets: Vec<BTreeMap<String, u64>>,
    basic_sets: Vec<BTreeMap<String, AdvancedSummary>>,
    /// The server's own statistics.
    pub server: ServerStats,
}

/// Hundreds of numbers, which have names elsewhere.
impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Everything at 0.
    pub fn new() -> Self {
        Metrics {
            counters: vec![0; Counter::ALL.len()],
            basics: vec![AdvancedSummary::default(); Basic::ALL.len()],
            advanced: vec![AdvancedSummary::default(); Advanced::ALL.len()],
            counter_sets: vec![BTreeMap::new(); CounterSet::ALL.len()],
            basic_sets: vec![BTreeMap::new(); BasicSet::ALL.len()],
            server: ServerStats::default(),
        }
    }

    /// `srst`: everything back to 0. Labels stay, so that no key vanishes from a dashboard.
    pub fn reset(&mut self) {
        let mut fresh = Self::new();
        (fresh.counter_sets, fresh.basic_sets) =
            (zeroes(&mut self.counter_sets), zeroes(&mut self.basic_sets));
        *self = fresh;
    }

    /// One more.
    pub fn count(&mut self, counter: Counter) {
        self.counters[counter as usize] += 1;
    }

    /// `by` more.
    pub fn count_by(&mut self, counter: Counter, by: u64) {
        self.counters[counter as usize] += by;
    }

    /// A counter's value.
    pub fn counter(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }

    /// A value of a summary.
    pub fn add(&mut self, summary: Basic, value: i64) {
        self.basics[summary as usize].add(value);
    }

    /// A summary.
    pub fn basic(&self, summary: Basic) -> &AdvancedSummary {
        &self.basics[summary as usize]
    }

    /// A value of a summary with percentiles.
    pub fn add_advanced(&mut self, summary: Advanced, value: i64) {
        self.advanced[summary as usize].add(value);
    }

    /// A summary with percentiles.
    pub fn advanced(&self, summary: Advanced) -> &AdvancedSummary {
        &self.advanced[summary as usize]
    }

    /// One more under the first component of `path`; the root has none and is not counted.
    pub fn count_path(&mut self, set: CounterSet, path: &str) {
        if let Some(value) = labelled(&mut self.counter_sets[set as usize], path) {
            *value += 1;
        }
    }

    /// So many bytes of the node at `path`, and those of the path, in Java's characters, under its first component; the root has
    /// none and is not counted.
    pub fn add_path(&mut self, set: BasicSet, path: &str, bytes: i64) {
        if let Some(summary) = labelled(&mut self.basic_sets[set as usize], path) {
            summary.add(java_length(path) + bytes);
        }
    }

    /// Every metric in `mntr`'s order: counters, counter sets, basic summaries, advanced ones, basic sets.
    pub fn iter(&self) -> impl Iterator<Item = Sample<'_>> + '_ {
        let plain = |name, value| Sample { name, label: None, value };
        let counters =
            Counter::ALL.iter().map(move |c| plain(c.name(), SampleValue::Counter(self.counter(*c))));
        let counter_sets = CounterSet::ALL.iter().flat_map(|set| {
            self.counter_sets[*set as usize].iter().map(|(label, value)| Sample {
                name: set.name(),
                label: Some(label),
                value: SampleValue::Counter(*value),
            })
        });
        let basics = Basic::ALL.iter().map(move |s| plain(s.name(), SampleValue::Basic(self.basic(*s))));
        let advanced =
            Advanced::ALL.iter().map(move |s| plain(s.name(), SampleValue::Advanced(self.advanced(*s))));
        let basic_sets = BasicSet::ALL.iter().flat_map(|set| {
            self.basic_sets[*set as usize].iter().map(|(label, summary)| Sample {
                name: set.name(),
                label: Some(label),
                value: SampleValue::Basic(summary),
            })
        });
        counters.chain(counter_sets).chain(basics).chain(advanced).chain(basic_sets)
    }
}

/// The same sets with the same labels, and nothing counted.
fn zeroes<T: Default>(sets: &mut Vec<BTreeMap<String, T>>) -> Vec<BTreeMap<String, T>> {
    let zero = |set: BTreeMap<String, T>| set.into_keys().map(|label| (label, T::default())).collect();
    std::mem::take(sets).into_iter().map(zero).collect()
}

/// What Java's `String.length` says.
pub(crate) fn java_length(text: &str) -> i64 {
    text.encode_utf16().count() as i64
}

/// The value under the first component of `path`, if it has one and there is room for its label.
fn labelled<'a, T: Default>(set: &'a mut BTreeMap<String, T>, path: &str) -> Option<&'a mut T> {
    let label = path.strip_prefix('/')?.split('/').next().filter(|label| !label.is_empty())?;
    if !set.contains_key(label) {
        if set.len() >= MAX_LABELS {
            return None;
        }
        set.insert(label.to_owned(), T::default());
    }
    set.get_mut(label)
}
