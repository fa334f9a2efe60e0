//! Learners: what they do before they say so, and what ends them.

use crate::rig::{
    LearnerRig, TICK, commit, database, expect, new_leader, proposal, standing, txn, typed_txn, zxid,
};
use quorate_core::contract::EpochKind::{Accepted, Current};
use quorate_core::jute::{OpCode, QuorumPacket};
use quorate_core::vocabulary::{Epoch, LinkId, Millis, Zxid};
use quorate_core::zab::{LearnerKind, LearnerPhase};

/// A learner that has promised itself to epoch 2 and has the history up to 1.3.
fn promised(kind: LearnerKind) -> LearnerRig {
    let mut rig = LearnerRig::new(kind, standing(1, 1, zxid(1, 3)));
    rig.dialled();
    rig.hears([QuorumPacket::LeaderInfo { epoch: Epoch(2) }]);
    expect(&rig.stored(Accepted, 2), &["7 <- ACKEPOCH 1.3 1"]);
    rig
}

/// One that serves in epoch 2, with nothing new in its history.
fn serving(kind: LearnerKind) -> LearnerRig {
    let mut rig = promised(kind);
    rig.hears([QuorumPacket::Diff { zxid: zxid(1, 3) }, new_leader(2)]);
    rig.history_stored();
    rig.stored(Current, 2);
    let lines = rig.hears([QuorumPacket::UpToDate]);
    expect(&lines, &["7 <- ACK 2.0", "established 2"]);
    rig
}

#[test]
fn a_follower_stores_history_then_epoch_then_acknowledges_and_serves_last_of_all() {
    let mut rig = LearnerRig::new(LearnerKind::Follower, standing(1, 1, zxid(1, 3)));
    expect(&rig.dialled(), &["7 <- FOLLOWERINFO 1 Quorate"]);
    expect(&rig.hears([QuorumPacket::LeaderInfo { epoch: Epoch(2) }]), &["store Accepted 2"]);
    expect(&rig.stored(Accepted, 1), &[]);
    expect(&rig.stored(Accepted, 2), &["7 <- ACKEPOCH 1.3 1"]);
    let lines = rig.hears([
        QuorumPacket::Diff { zxid: zxid(1, 4) },
        proposal(zxid(1, 4)),
        commit(zxid(1, 4)),
        proposal(zxid(1, 5)),
        new_leader(2),
    ]);
    expect(&lines, &["append 1.4", "commit 1.4", "append 1.5", "config", "history complete"]);
    // Whatever is durable, and whatever comes: nothing is acknowledged before NEWLEADER.
    expect(
        &rig.hears([proposal(zxid(2, 1)), QuorumPacket::Ping { zxid: Zxid(0), touched: None }]),
        &["append 2.1"],
    );
    expect(&rig.logged(zxid(2, 1)), &[]);
    expect(&rig.history_stored(), &["store Current 2"]);
    expect(&rig.stored(Current, 1), &[]);
    // What was committed when NEWLEADER came is acknowledged with it, the rest one by one, as Java counts them.
    expect(&rig.stored(Current, 2), &["7 <- ACK 2.0", "7 <- ACK 1.5", "7 <- ACK 2.1"]);
    expect(&rig.hears([commit(zxid(1, 5))]), &["commit 1.5"]);
    assert_eq!(rig.learner.phase(), LearnerPhase::Synchronisation);
    let lines = rig.hears([QuorumPacket::UpToDate, commit(zxid(2, 1))]);
    expect(&lines, &["7 <- ACK 2.0", "established 2", "commit 2.1"]);
}

#[test]
fn a_promise_given_before_is_not_given_again() {
    let mut rig = LearnerRig::new(LearnerKind::Follower, standing(2, 1, zxid(1, 3)));
    rig.dialled();
    let lines = rig.hears([QuorumPacket::LeaderInfo { epoch: Epoch(2) }]);
    expect(&lines, &["7 <- ACKEPOCH 1.3 -1"]);
}

#[test]
fn a_leader_of_an_earlier_epoch_is_left() {
    let mut rig = LearnerRig::new(LearnerKind::Follower, standing(3, 1, zxid(1, 3)));
    rig.dialled();
    let lines = rig.hears([QuorumPacket::LeaderInfo { epoch: Epoch(2) }]);
    expect(&lines, &["fails: the leader's epoch 2 is below the accepted one, 3"]);
    let mut rig = LearnerRig::new(LearnerKind::Follower, standing(3, 1, zxid(1, 3)));
    rig.dialled();
    let lines = rig.hears([QuorumPacket::LeaderInfo { epoch: Epoch(u32::MAX) }]);
    expect(&lines, &["fails: the leader's epoch is one that nothing can follow"]);
}

#[test]
fn a_database_takes_the_place_of_everything_and_what_it_holds_is_passed_over() {
    let mut rig = promised(LearnerKind::Follower);
    let lines = rig.act(|learner, turn| learner.snapshot(Box::new(database(zxid(1, 9))), turn));
    expect(&lines, &["replace by 1.9"]);
    let lines = rig.hears([
        proposal(zxid(1, 8)),
        commit(zxid(1, 8)),
        proposal(zxid(1, 9)),
        proposal(zxid(1, 10)),
        commit(zxid(1, 9)),
        commit(zxid(1, 10)),
    ]);
    expect(&lines, &["append 1.10", "commit 1.10"]);
    let lines = rig.act(|learner, turn| learner.snapshot(Box::new(database(zxid(1, 9))), turn));
    expect(&lines, &["fails: SNAP out of turn"]);
}

#[test]
fn what_comes_while_the_log_is_cut_waits_for_that() {
    let mut rig = promised(LearnerKind::Follower);
    let trunc = QuorumPacket::Trunc { zxid: zxid(1, 2) };
    expect(
        &rig.hears([trunc, proposal(zxid(2, 1)), commit(zxid(2, 1)), new_leader(2)]),
        &["truncate to 1.2"],
    );
    let lines = rig.act(|learner, turn| learner.truncated(zxid(1, 2), turn));
    expect(&lines, &["append 2.1", "commit 2.1", "config", "history complete"]);
}

#[test]
fn a_log_that_can_not_be_cut_is_not_and_the_leader_is_asked_for_its_database() {
    let mut rig = promised(LearnerKind::Follower);
    rig.hears([QuorumPacket::Trunc { zxid: zxid(1, 2) }, new_leader(2)]);
    let lines = rig.act(|learner, turn| learner.truncated(zxid(1, 3), turn));
    expect(&lines, &["7 closed", "dial 2"]);
    expect(&rig.dialled(), &["7 <- FOLLOWERINFO 2 Quorate"]);
    let lines = rig.hears([QuorumPacket::LeaderInfo { epoch: Epoch(2) }]);
    expect(&lines, &["7 <- ACKEPOCH nothing -1"]);
    let lines = rig.act(|learner, turn| learner.snapshot(Box::new(database(zxid(1, 2))), turn));
    expect(&lines, &["replace by 1.2"]);
}

#[test]
fn what_is_no_synchronisation_ends_the_process_as_in_java() {
    for packet in [QuorumPacket::UpToDate, commit(zxid(1, 3)), QuorumPacket::Trunc { zxid: zxid(1, 4) }] {
        let lines = promised(LearnerKind::Follower).hears([packet]);
        assert!(lines[0].starts_with("exits with 13"), "{lines:?}");
    }
}

#[test]
fn gaps_and_strange_txns_end_the_role_before_they_are_logged() {
    let diff = || QuorumPacket::Diff { zxid: zxid(1, 9) };
    let hears = |packets: Vec<QuorumPacket>| promised(LearnerKind::Follower).hears(packets);
    let gap = "fails: 0x100000005 was proposed behind 0x100000003";
    expect(&hears(vec![diff(), proposal(zxid(1, 5))]), &[gap]);
    let lines = hears(vec![diff(), proposal(zxid(1, 4)), proposal(zxid(1, 4))]);
    expect(&lines, &["append 1.4", "fails: 0x100000004 was proposed behind 0x100000004"]);
    let other = QuorumPacket::Proposal { zxid: zxid(1, 4), txn: txn(zxid(1, 5)) };
    expect(&hears(vec![diff(), other]), &["fails: the txn proposed as 0x100000004 is another one"]);
    let lines = serving(LearnerKind::Follower).hears([proposal(zxid(3, 1))]);
    expect(&lines, &["fails: 0x300000001 was proposed in epoch 2"]);
}

#[test]
fn a_commit_of_something_else_ends_the_process_but_before_uptodate_only_the_role() {
    let mut rig = serving(LearnerKind::Follower);
    let lines = rig.hears([proposal(zxid(2, 1)), proposal(zxid(2, 2)), commit(zxid(2, 2))]);
    let reason = "exits with 12: 0x200000002 was committed, and 0x200000001 was proposed before it";
    expect(&lines, &["append 2.1", "append 2.2", reason]);
    expect(&rig.logged(zxid(2, 2)), &[]);
    let lines = serving(LearnerKind::Follower).hears([commit(zxid(2, 1))]);
    expect(&lines, &["exits with 12: 0x200000001 was committed and not proposed"]);
    let diff = QuorumPacket::Diff { zxid: zxid(1, 4) };
    let lines = promised(LearnerKind::Follower).hears([diff, commit(zxid(1, 4))]);
    expect(&lines, &["fails: 0x100000004 was committed and not proposed"]);
}

#[test]
fn newleader_of_another_epoch_twice_or_uptodate_too_early_end_the_role() {
    let diff = || QuorumPacket::Diff { zxid: zxid(1, 3) };
    let ends = |packets: Vec<QuorumPacket>| promised(LearnerKind::Follower).hears(packets).pop().unwrap();
    assert_eq!(ends(vec![diff(), new_leader(3)]), "fails: NEWLEADER of 0x300000000 in epoch 2");
    assert_eq!(ends(vec![diff(), new_leader(2), new_leader(2)]), "fails: NEWLEADER out of turn");
    let early = "fails: UPTODATE before NEWLEADER was acknowledged";
    assert_eq!(ends(vec![diff(), new_leader(2), QuorumPacket::UpToDate]), early);
    assert_eq!(ends(vec![diff(), diff()]), "fails: a second beginning");
    let again = QuorumPacket::LeaderInfo { epoch: Epoch(2) };
    assert_eq!(ends(vec![diff(), again]), "fails: a second beginning");
}

#[test]
fn a_reconfiguration_under_way_ends_the_process_before_anything_of_it_is_acknowledged() {
    let reconfig = |zxid| QuorumPacket::Proposal { zxid, txn: typed_txn(zxid, OpCode::Reconfig.code()) };
    let diff = || QuorumPacket::Diff { zxid: zxid(1, 4) };
    let is_exit = |lines: &[String]| {
        let exit = lines.last().unwrap();
        assert!(
            exit.starts_with("exits with 1: the leader changes the ensemble's configuration"),
            "{lines:?}"
        );
        assert!(!lines.iter().any(|line| line.contains("ACK")), "{lines:?}");
    };
    is_exit(&serving(LearnerKind::Follower).hears([reconfig(zxid(2, 1))]));
    is_exit(&promised(LearnerKind::Follower).hears([diff(), reconfig(zxid(1, 4)), new_leader(2)]));
    is_exit(&promised(LearnerKind::Follower).hears([diff(), new_leader(2), reconfig(zxid(2, 1))]));
    let (designated_leader, at) = (2, zxid(2, 1));
    let inform = QuorumPacket::InformAndActivate { zxid: at, designated_leader, txn: txn(at) };
    is_exit(&serving(LearnerKind::Observer).hears([inform]));
    // What is committed is history like any other.
    let lines = promised(LearnerKind::Follower).hears([
        diff(),
        reconfig(zxid(1, 4)),
        commit(zxid(1, 4)),
        new_leader(2),
    ]);
    expect(&lines, &["append 1.4", "commit 1.4", "config", "history complete"]);
}

#[test]
fn an_observer_hears_of_what_is_committed_and_acknowledges_only_newleader() {
    let mut rig = LearnerRig::new(LearnerKind::Observer, standing(1, 1, zxid(1, 3)));
    expect(&rig.dialled(), &["7 <- OBSERVERINFO 1"]);
    rig.hears([QuorumPacket::LeaderInfo { epoch: Epoch(2) }]);
    rig.stored(Accepted, 2);
    let inform = |zxid| QuorumPacket::Inform { zxid, txn: txn(zxid) };
    let diff = QuorumPacket::Diff { zxid: zxid(1, 4) };
    rig.hears([diff, proposal(zxid(1, 4)), commit(zxid(1, 4)), new_leader(2), inform(zxid(2, 1))]);
    rig.history_stored();
    expect(&rig.stored(Current, 2), &["7 <- ACK 2.0"]);
    rig.hears([QuorumPacket::UpToDate]);
    expect(&rig.hears([inform(zxid(2, 2))]), &["append 2.2", "commit 2.2"]);
    expect(&rig.logged(zxid(2, 2)), &[]);
    // As Java, it does not hear proposals any more.
    expect(&rig.hears([proposal(zxid(2, 3)), commit(zxid(2, 3))]), &[]);
}

#[test]
fn proposals_are_acknowledged_one_by_one_when_they_are_durable() {
    let mut rig = serving(LearnerKind::Follower);
    rig.hears((1..=3).map(|counter| proposal(zxid(2, counter))));
    expect(&rig.logged(zxid(2, 2)), &["7 <- ACK 2.1", "7 <- ACK 2.2"]);
    // A commit may come before one's own disk is done.
    expect(
        &rig.hears((1..=3).map(|counter| commit(zxid(2, counter)))),
        &["commit 2.1", "commit 2.2", "commit 2.3"],
    );
    expect(&rig.logged(zxid(2, 3)), &["7 <- ACK 2.3"]);
}

#[test]
fn pings_are_answered_with_what_is_not_null_and_answers_come_through() {
    let mut rig = serving(LearnerKind::Follower);
    expect(&rig.hears([QuorumPacket::Ping { zxid: zxid(1, 3), touched: None }]), &["ping"]);
    let lines = rig.act(|learner, turn| learner.answer_ping(zxid(1, 3), Vec::new(), turn.outbox));
    expect(&lines, &["7 <- PING 1.3 touched"]);
    expect(&rig.hears([QuorumPacket::Sync { zxid: Zxid(0) }]), &["synced"]);
    expect(&rig.hears([QuorumPacket::Unknown { kind: 77 }]), &[]);
}

#[test]
fn a_leader_that_can_not_be_reached_is_called_a_few_times() {
    let mut rig = LearnerRig::new(LearnerKind::Follower, standing(1, 1, zxid(1, 3)));
    for _ in 0..4 {
        expect(&rig.act(|learner, turn| learner.dial_failed("refused", turn)), &[]);
        expect(&rig.waits(Millis(99)), &[]);
        expect(&rig.waits(Millis(1)), &["dial 2"]);
    }
    let lines = rig.act(|learner, turn| learner.dial_failed("refused", turn));
    expect(&lines, &["unreachable: refused"]);
    let mut rig = LearnerRig::new(LearnerKind::Follower, standing(1, 1, zxid(1, 3)));
    expect(&rig.waits(Millis(5 * TICK.0)), &["unreachable: no answer within initLimit"]);
    rig.act(|learner, turn| {
        assert!(!learner.dialled(LinkId(8), turn), "whoever answers later is hung up on")
    });
}

#[test]
fn a_silent_leader_is_left_after_its_limit_and_a_snapshot_under_way_is_not_silence() {
    let mut rig = promised(LearnerKind::Follower);
    rig.waits(Millis(4 * TICK.0));
    let now = rig.now;
    rig.learner.heard(now);
    expect(&rig.waits(Millis(4 * TICK.0)), &[]);
    expect(&rig.waits(TICK), &["unreachable: nothing was heard of the leader within initLimit"]);
    let mut rig = serving(LearnerKind::Follower);
    expect(&rig.waits(TICK), &[]);
    expect(&rig.waits(TICK), &["fails: nothing was heard of the leader within syncLimit"]);
    let mut rig = serving(LearnerKind::Follower);
    expect(&rig.act(|learner, turn| learner.closed(LinkId(6), "reset", turn)), &[]);
    let lines = rig.act(|learner, turn| learner.closed(LinkId(7), "reset", turn));
    expect(&lines, &["fails: the leader's connection has ended: reset"]);
}

#[test]
fn a_role_that_has_ended_says_nothing_more() {
    let mut rig = serving(LearnerKind::Follower);
    rig.hears([proposal(zxid(2, 1))]);
    expect(&rig.act(|learner, turn| learner.stop(turn.outbox)), &["7 closed"]);
    expect(&rig.logged(zxid(2, 1)), &[]);
    expect(&rig.hears([proposal(zxid(2, 2)), QuorumPacket::UpToDate]), &[]);
    let lines = rig.act(|learner, turn| learner.answer_ping(Zxid(0), Vec::new(), turn.outbox));
    expect(&lines, &[]);
    assert_eq!(rig.learner.next_timeout(), None);
}
