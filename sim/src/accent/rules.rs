//! What must hold of a learner under a leader of Java's.

use super::history::JavaHistory;
use super::leader::Leader;
use crate::checkers::{Verdict, require, violated};
use quorate_core::contract::Epochs;
use quorate_core::tree::Database;
use quorate_core::vocabulary::{Epoch, Zxid};
use quorate_storage_file::Recovered;
use std::collections::BTreeMap;

/// S17, S18: what is acknowledged is on the disk, and with NEWLEADER the epoch.
pub(super) fn ack_durable(end: Zxid, (leader, on_disk): (Epoch, Epoch), survivor: &Database) -> Verdict {
    let holds = survivor.last_zxid() >= end && on_disk == leader;
    require("ack_durable", holds, || {
        let last = survivor.last_zxid();
        format!("{end} is acknowledged in epoch {}; the disk has {last} and epoch {}", leader.0, on_disk.0)
    })
}

/// D2: what was acknowledged, and not taken away since by a leader, is there behind a crash.
pub(super) fn keeps_what_it_promised(promised: Zxid, found: &Database) -> Verdict {
    let last = found.last_zxid();
    require("durability", last >= promised, || format!("{promised} was acknowledged, {last} is left"))
}

/// S18: an epoch on disk says that the history is there that its leader began with.
pub(super) fn epoch_implies_history(
    marks: &BTreeMap<Epoch, Zxid>,
    epochs: Epochs,
    found: &Database,
    promised: Zxid,
) -> Verdict {
    let mark = marks.get(&epochs.current).copied().filter(|_| promised > Zxid::ZERO).unwrap_or(Zxid::ZERO);
    let last = found.last_zxid();
    require("epoch_implies_history", epochs.accepted >= epochs.current && last >= mark, || {
        format!("{epochs:?} are on disk, and a history that ends in {last}, not in {mark}")
    })
}

/// D3: what a disk holds is a history that somebody had, and the tree is what comes of it. While a database that was written under
/// way lacks what follows it, the tree is ahead of its zxid.
pub(super) fn recovered(history: &JavaHistory, found: &Database, is_exact: bool) -> Verdict {
    let last = found.last_zxid();
    let Some(tree) = history.tree(last) else {
        return violated("recovered_state", format!("no leader had {last}"));
    };
    if !is_exact {
        return Ok(());
    }
    require("recovered_state", found.tree.digest() == tree, || {
        format!("the tree behind {last} is {:#x}, and should be {tree:#x}", found.tree.digest())
    })
}

/// S22: leader and learner with the same history have the same tree and sessions.
pub(super) fn state_equality(leader: &Leader<'_>, learner: &Database) -> Verdict {
    let history = &leader.history;
    let last = learner.last_zxid();
    let owed = history.end(history.applied);
    // The zxid that an epoch begins with has no txn, and a database may have been sent under it by an earlier leader.
    let is_bare = last.counter() == 0 && owed < last && last <= leader.last_processed();
    if last != owed && !is_bare {
        return violated("state_equality", format!("the learner has applied {last}, its leader {owed}"));
    }
    let tree = history.tree(owed);
    require("state_equality", tree == Some(learner.tree.digest()), || {
        format!("behind {last} the learner's tree is {:#x}, its leader's {tree:x?}", learner.tree.digest())
    })?;
    if history.applied < history.len() {
        return Ok(());
    }
    let truth = history.database();
    require("state_equality", truth.sessions() == learner.sessions(), || {
        format!("sessions {:?} and {:?}", truth.sessions(), learner.sessions())
    })?;
    same_acls(truth, learner)
}

/// ACLs are in no digest.
pub(super) fn same_acls(truth: &Database, learner: &Database) -> Verdict {
    let mut paths = vec![String::new()];
    while let Some(path) = paths.pop() {
        let (Some(theirs), Some(ours)) = (truth.tree.node(&path), learner.tree.node(&path)) else {
            return violated("state_equality", format!("only one of two has {path:?}"));
        };
        require("state_equality", theirs.acl() == ours.acl(), || {
            format!("the ACL of {path:?} is {:?}, and should be {:?}", ours.acl(), theirs.acl())
        })?;
        paths.extend(theirs.children().map(|name| format!("{path}/{name}")));
    }
    Ok(())
}

/// In the end it serves.
pub(super) fn serves(is_serving: bool) -> Verdict {
    require("liveness", is_serving, || "its leader has told it to serve, and it does not".to_string())
}

/// S4, S21: what is logged is what was proposed, byte for byte and without a gap, and all of it.
pub(super) fn log_is_verbatim(history: &JavaHistory, found: &Recovered) -> Verdict {
    let mut before = None;
    for (zxid, txn) in &found.recent {
        require("prefix_consistency", history.txn(*zxid) == Some(txn), || {
            format!("{zxid} is logged as another txn than was proposed")
        })?;
        let at = history.count_up_to(*zxid);
        let is_next = before.is_none_or(|before| at == before + 1) && at > 0 && history.zxid(at - 1) == *zxid;
        require("prefix_consistency", is_next, || format!("{zxid} is logged out of turn"))?;
        before = Some(at);
    }
    let (last, owed) = (found.database.last_zxid(), history.end(history.committed));
    require("committed_never_lost", last >= owed, || format!("{owed} is committed, the disk has {last}"))?;
    recovered(history, &found.database, true)
}
