//! What every disk begins with in some runs, as behind an upgrade: logs and a snapshot of a ZooKeeper, with numbers near their ends.

use super::operations::NAMES;
use crate::chooser::Draws;
use quorate_core::vocabulary::LAST_COUNTER;
use serde::{Deserialize, Serialize};

/// In a thousand plans so many have an image.
const PERMILLE: u64 = 125;

/// A data image; each server has the same one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImagePlan {
    /// Of its txns.
    pub epoch: u32,
    /// The counter of the last of them.
    pub last_counter: u32,
    /// What the epoch files of a member say; a server alone has none.
    pub current_epoch: u32,
    /// The same.
    pub accepted_epoch: u32,
    /// Whether its txns are as old servers wrote them: without digests, a closeSession without its list of paths, a create without its
    /// parent's count, which then goes up by one; but for the create that brings a parent's count where it is to be.
    pub is_old: bool,
    /// Parents come first.
    pub nodes: Vec<ImageNode>,
    /// Sessions that nobody comes back to.
    pub sessions: Vec<ImageSession>,
    /// So many of its txns are in its snapshot; all of them, if there are no more.
    pub snapshot_behind: u32,
    /// So many txns are in each log.
    pub log_txns: u32,
    /// Whether there are logs of what the snapshot holds.
    pub keeps_old_logs: bool,
}

/// A node of an image, and the numbers that it has come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the numbers are those of a stat; cversion counts creations only, as it is stored"
)]
pub struct ImageNode {
    pub path: String,
    pub version: i32,
    pub cversion: i32,
    pub aversion: i32,
}

/// A session of an image, and its one ephemeral.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageSession {
    /// What its client had asked for, ms.
    pub timeout_ms: i32,
    /// The node that it owns.
    pub ephemeral: String,
    /// Whether it has ended.
    pub is_closed: bool,
}

/// In some runs there is one. Clients use so many names for each node's children.
pub(super) fn image(draws: &mut Draws<'_>, names: u64, may_be_old: bool) -> Option<ImagePlan> {
    if !draws.chance(PERMILLE) {
        return None;
    }
    let epoch = draws.of(&[1, 300, 0x7fff_0000]);
    let current_epoch = epoch + draws.of(&[0, 0, 1]);
    let mut nodes = Vec::new();
    for name in &NAMES[..names as usize] {
        if draws.chance(700) {
            let path = format!("/{name}");
            let below = draws.chance(400).then(|| format!("{path}/{}", NAMES[draws.below(names) as usize]));
            nodes.push(node(draws, path));
            nodes.extend(below.map(|path| node(draws, path)));
        }
    }
    let sessions = (0..draws.below(3)).map(|number| ImageSession {
        timeout_ms: draws.of(&[2000, 9000]),
        ephemeral: format!("/{}{number}", NAMES[0]),
        is_closed: draws.chance(300),
    });
    Some(ImagePlan {
        sessions: sessions.collect(),
        epoch,
        last_counter: draws.of(&[LAST_COUNTER, LAST_COUNTER - 1, LAST_COUNTER - 40, 0x8000_0000, 1000]),
        current_epoch,
        accepted_epoch: current_epoch + draws.of(&[0, 0, 1, 7]),
        is_old: may_be_old && draws.chance(500),
        nodes,
        snapshot_behind: draws.of(&[1, 4, 10, 1000]),
        log_txns: draws.of(&[1, 5, 1000]),
        keeps_old_logs: draws.chance(500),
    })
}

fn node(draws: &mut Draws<'_>, path: String) -> ImageNode {
    ImageNode {
        path,
        version: draws.of(&[0, i32::MAX - 2, i32::MAX, -3]),
        cversion: draws.of(&[0, i32::MAX - 3, i32::MAX - 1, i32::MAX]),
        aversion: draws.of(&[0, i32::MAX - 1, i32::MAX, -2]),
    }
}
