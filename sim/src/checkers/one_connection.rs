//! S28: when all is quiet, two servers have one election connection between them at most.

use super::{Verdict, require};
use std::collections::BTreeMap;

/// Each connection is told by its two servers.
pub(crate) fn per_pair(connections: impl Iterator<Item = (usize, usize)>) -> Verdict {
    let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for (one, other) in connections {
        *counts.entry((one.min(other), one.max(other))).or_default() += 1;
    }
    let most = counts.iter().max_by_key(|(_, count)| **count);
    require("one_connection_per_pair", most.is_none_or(|(_, count)| *count <= 1), || {
        format!("servers and their election connections: {counts:?}")
    })
}
