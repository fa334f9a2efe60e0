//! What must hold of a leader over learners of Java's. Disks are read at the moment when a packet leaves that promises something.

use super::super::rules::same_acls;
use super::learner::JavaLearner;
use super::truth::Truth;
use crate::checkers::{Verdict, require, violated};
use quorate_core::tree::Database;
use quorate_core::vocabulary::{Epoch, Zxid};
use quorate_storage_file::Recovered;

/// Of how many servers more than half have to agree.
pub(super) fn voters(learners: &[JavaLearner<'_>]) -> usize {
    1 + learners.iter().filter(|learner| !learner.plan.is_observer).count()
}

/// S10, S17: what is told to be committed is on the disks of a quorum.
pub(super) fn committed_by_a_quorum(
    zxid: Zxid,
    learners: &[JavaLearner<'_>],
    leader: impl FnOnce() -> Result<Recovered, crate::checkers::Violation>,
) -> Verdict {
    let has = |learner: &&JavaLearner<'_>| {
        !learner.plan.is_observer && learner.disk.durable_end(learner.plan.loses_power) >= zxid
    };
    let count = learners.iter().filter(has).count();
    let needed = voters(learners) / 2 + 1;
    let count = if count >= needed { count } else { count + usize::from(last(&leader()?) >= zxid) };
    require("committed_never_lost", count >= needed, || {
        format!("{zxid} is committed, and on {count} disks of the {needed} that have to hold it")
    })
}

fn last(found: &Recovered) -> Zxid {
    found.database.last_zxid()
}

/// S12, S17: an epoch begins when a quorum has it on disk, with the history that it begins with.
pub(super) fn begun_by_a_quorum(
    (epoch, mark): (Epoch, Zxid),
    learners: &[JavaLearner<'_>],
    leader: &Recovered,
) -> Verdict {
    let is_there = |current: Epoch, end: Zxid| current == epoch && end >= mark;
    let has = |learner: &&JavaLearner<'_>| {
        let end = learner.disk.durable_end(learner.plan.loses_power);
        !learner.plan.is_observer && is_there(learner.disk.current, end)
    };
    let mine = usize::from(is_there(leader.epochs.current, last(leader)));
    let (count, needed) = (learners.iter().filter(has).count() + mine, voters(learners) / 2 + 1);
    require("epochs", count >= needed, || {
        format!(
            "epoch {} is told to be up to date; {count} disks of {needed} hold it and all up to {mark}",
            epoch.0
        )
    })
}

/// S12: nobody hears of an epoch that its leader may forget (ZOOKEEPER-1291).
pub(super) fn promised_by_itself(epoch: Epoch, leader: &Recovered) -> Verdict {
    require("epochs", leader.epochs.accepted >= epoch, || {
        format!("LEADERINFO tells of epoch {}, on the leader's disk is {:?}", epoch.0, leader.epochs)
    })
}

/// D2, D3: what a quorum of votes would make the leader again has everything that was committed, and is a history.
pub(super) fn has_what_was_committed(truth: &mut Truth, found: &Database) -> Verdict {
    let (last, owed) = (found.last_zxid(), truth.committed());
    require("committed_never_lost", last >= owed, || {
        format!("{owed} is committed; whoever is elected has {last}")
    })
}

/// S22: in the end all have the same.
pub(super) fn all_alike(learners: &[JavaLearner<'_>], leader: &Database, owed: Zxid) -> Verdict {
    let last = leader.last_zxid();
    require("state_equality", last >= owed, || {
        format!("the leader has applied {last}, committed is {owed}")
    })?;
    for learner in learners {
        let (theirs, sid) = (&learner.database, learner.sid);
        // The zxid that an epoch begins with has no txn.
        let is_there =
            theirs.last_zxid() == last || (theirs.last_zxid().counter() == 0 && theirs.last_zxid() > last);
        let is_alike = theirs.tree.digest() == leader.tree.digest() && theirs.sessions() == leader.sessions();
        if !is_there || !is_alike {
            let detail = format!(
                "Java server {sid} has applied {} and the leader {last}; trees {:#x} and {:#x}; sessions {:?} and {:?}",
                theirs.last_zxid(),
                theirs.tree.digest(),
                leader.tree.digest(),
                theirs.sessions(),
                leader.sessions()
            );
            return violated("state_equality", detail);
        }
        same_acls(leader, theirs)?;
    }
    Ok(())
}
