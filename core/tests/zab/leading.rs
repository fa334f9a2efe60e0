//! Leaders: who is sent what, what counts, and when it ends.

use crate::rig::{LeaderRig, config, expect, standing, txn, zxid};
use quorate_core::contract::{EpochKind, LoadId};
use quorate_core::jute::{ForwardedRequest, OpCode, QuorumPacket};
use quorate_core::vocabulary::{Epoch, LinkId, SessionId, Xid, Zxid};
use quorate_core::zab::{LeaderPhase, SyncToken};

fn stored(rig: &mut LeaderRig, kind: EpochKind, epoch: u32) -> Vec<String> {
    rig.act(|leader, turn| leader.epoch_stored(kind, Epoch(epoch), turn))
}

/// Leads servers 2 (link 2) and 3 (not connected) in epoch 2, behind the history 1.1 to 1.3.
fn established() -> LeaderRig {
    let history = [zxid(1, 1), zxid(1, 2), zxid(1, 3)];
    let (mut rig, _) = LeaderRig::new(3, standing(1, 1, zxid(1, 3)), &history);
    rig.joins(2, 2, 1, true);
    stored(&mut rig, EpochKind::Accepted, 2);
    rig.acks_epoch(2, zxid(1, 3), Some(1));
    stored(&mut rig, EpochKind::Current, 2);
    rig.acks(2, zxid(2, 0));
    assert_eq!(rig.leader.phase(), LeaderPhase::Broadcast);
    rig
}

/// Brings one more learner to where it waits for the history.
fn late(rig: &mut LeaderRig, link: u64, sid: i64, last: Zxid, is_quorate: bool) -> Vec<String> {
    expect(&rig.joins(link, sid, 1, is_quorate), &[&format!("{link} <- LEADERINFO 2")]);
    rig.acks_epoch(link, last, Some(1))
}

#[test]
fn an_epoch_begins_step_by_step_and_each_is_on_disk_before_the_next() {
    let (mut rig, lines) = LeaderRig::new(3, standing(4, 4, zxid(4, 1)), &[zxid(4, 1)]);
    expect(&lines, &[]);
    // Whoever has accepted more raises the epoch, observers too.
    expect(&rig.joins(9, 9, 7, true), &[]);
    expect(&rig.joins(2, 2, 5, true), &["store Accepted 8"]);
    expect(&stored(&mut rig, EpochKind::Accepted, 5), &[]);
    expect(&stored(&mut rig, EpochKind::Accepted, 8), &["2 <- LEADERINFO 8", "9 <- LEADERINFO 8"]);
    expect(&rig.acks_epoch(9, zxid(4, 1), Some(4)), &[]);
    let synchronised = ["2 <- DIFF 4.1", "2 <- NEWLEADER 8.0", "9 <- DIFF 4.1", "9 <- NEWLEADER 8.0"];
    let lines = rig.acks_epoch(2, zxid(4, 1), Some(4));
    expect(&lines, &[&synchronised[..], &["store Current 8"]].concat());
    expect(&rig.acks(2, zxid(8, 0)), &[]);
    expect(&rig.acks(9, zxid(8, 0)), &[]);
    let lines = stored(&mut rig, EpochKind::Current, 8);
    expect(&lines, &["2 <- UPTODATE", "9 <- UPTODATE", "established 8"]);
}

#[test]
fn a_leader_that_is_a_quorum_by_itself_goes_on_by_itself() {
    let (mut rig, lines) = LeaderRig::new(1, standing(0, 0, Zxid(0)), &[]);
    expect(&lines, &["store Accepted 1"]);
    expect(&stored(&mut rig, EpochKind::Accepted, 1), &["store Current 1"]);
    expect(&stored(&mut rig, EpochKind::Current, 1), &["established 1"]);
    expect(&rig.proposes(zxid(1, 1)), &[]);
    expect(&rig.act(|leader, turn| leader.sync(SyncToken(7), turn)), &[]);
    expect(&rig.logs(zxid(1, 1)), &["commit 1.1", "synced 7"]);
    expect(&rig.act(|leader, turn| leader.sync(SyncToken(8), turn)), &["synced 8"]);
    assert_eq!(rig.waits(40), Vec::<String>::new(), "and lives for ever");
}

#[test]
fn a_learner_whose_history_is_ahead_is_refused_and_one_that_promised_before_does_not_count() {
    let (mut rig, _) = LeaderRig::new(3, standing(4, 4, zxid(4, 5)), &[zxid(4, 5)]);
    rig.joins(2, 2, 4, true);
    stored(&mut rig, EpochKind::Accepted, 5);
    expect(&rig.acks_epoch(2, zxid(4, 6), Some(4)), &["2 closed", "2 gone: its history is ahead of ours"]);
    rig.joins(3, 3, 5, true);
    expect(&rig.acks_epoch(3, zxid(4, 6), None), &[]);
    assert_eq!(rig.leader.phase(), LeaderPhase::Discovery);
    rig.joins(4, 2, 4, true);
    let lines = rig.acks_epoch(4, zxid(3, 9), Some(3));
    assert_eq!(lines.last().unwrap(), "store Current 5", "{lines:?}");
}

#[test]
fn a_voter_that_promised_itself_further_ends_the_epoch_and_the_next_is_beyond() {
    let mut rig = established();
    let lines = rig.joins(3, 3, 7, true);
    expect(&lines, &["store Accepted 7", "ends: a voter has accepted epoch 7, ours is 2"]);
    let mut rig = established();
    expect(&rig.joins(9, 9, 7, true), &["9 <- LEADERINFO 2"]);
}

#[test]
fn epochs_that_nothing_can_follow_and_newer_configurations_are_refused() {
    let mut rig = established();
    let lines = rig.joins(3, 3, u32::MAX, true);
    expect(&lines, &["3 closed", "3 gone: it has accepted an epoch that nothing can follow"]);
    let lines = rig.joins(4, 1, 1, true);
    expect(&lines, &["4 closed", "4 gone: it has this server's id"]);
}

#[test]
fn a_leader_that_has_accepted_an_epoch_that_nothing_can_follow_promises_nothing_more() {
    for accepted in [i32::MAX as u32, u32::MAX - 1, u32::MAX] {
        let (mut rig, _) = LeaderRig::new(3, standing(accepted, 1, zxid(1, 3)), &[]);
        expect(&rig.joins(2, 2, 1, true), &["ends: no epoch can follow the accepted one"]);
        let (_, lines) = LeaderRig::new(1, standing(accepted, 1, zxid(1, 3)), &[]);
        expect(&lines, &["ends: no epoch can follow the accepted one"]);
    }
    let (_, lines) = LeaderRig::new(1, standing(i32::MAX as u32 - 1, 1, zxid(1, 3)), &[]);
    expect(&lines, &["store Accepted 2147483647"]);
}

#[test]
fn a_learner_that_is_a_little_behind_gets_what_it_lacks() {
    let mut rig = established();
    let lines = late(&mut rig, 3, 3, zxid(1, 2), false);
    expect(&lines, &["3 <- DIFF 1.3", "3 <- PROPOSAL 1.3", "3 <- COMMIT 1.3", "3 <- NEWLEADER 2.0"]);
    expect(&rig.acks(3, zxid(2, 0)), &["3 <- UPTODATE"]);
}

#[test]
fn a_follower_that_logged_a_proposal_nobody_else_has_is_truncated() {
    let mut rig = established();
    let lines = late(&mut rig, 3, 3, zxid(1, 4), true);
    expect(&lines, &["3 <- TRUNC 1.3", "3 <- NEWLEADER 2.0"]);
    // Also when history has gone on since.
    rig.proposes(zxid(2, 1));
    rig.acks(2, zxid(2, 1));
    rig.logs(zxid(2, 1));
    let lines = rig.joins(4, 3, 1, true);
    expect(&lines, &["3 closed", "4 <- LEADERINFO 2", "3 gone: the same server connected again"]);
    let lines = rig.acks_epoch(4, zxid(1, 4), Some(1));
    expect(&lines, &["4 <- TRUNC 1.3", "4 <- PROPOSAL 2.1", "4 <- COMMIT 2.1", "4 <- NEWLEADER 2.0"]);
}

#[test]
fn java_with_such_a_proposal_gets_the_database_by_a_name_that_is_beyond_it() {
    let mut rig = established();
    let lines = late(&mut rig, 3, 3, zxid(1, 4), false);
    expect(&lines, &["3 <- SNAP 2.0", "3 <- database 1.3", "3 <- NEWLEADER 2.0"]);
    rig.acks(3, zxid(2, 0));
    // By which it comes back.
    expect(&rig.proposes(zxid(2, 1)), &["2 <- PROPOSAL 2.1", "3 <- PROPOSAL 2.1"]);
    rig.acks(2, zxid(2, 1));
    rig.logs(zxid(2, 1));
    rig.joins(4, 3, 2, false);
    let lines = rig.acks_epoch(4, zxid(2, 0), Some(2));
    expect(&lines, &["4 <- DIFF 2.1", "4 <- PROPOSAL 2.1", "4 <- COMMIT 2.1", "4 <- NEWLEADER 2.0"]);
    // And so does whoever asks for it.
    let mut rig = established();
    let lines = late(&mut rig, 3, 3, Zxid(-1), true);
    expect(&lines, &["3 <- SNAP 1.3", "3 <- database 1.3", "3 <- NEWLEADER 2.0"]);
}

#[test]
fn whoever_has_txns_of_an_epoch_that_is_none_of_ours_gets_the_database() {
    let history = [zxid(1, 1), zxid(3, 1)];
    let (mut rig, _) = LeaderRig::new(3, standing(3, 3, zxid(3, 1)), &history);
    rig.joins(2, 2, 3, true);
    stored(&mut rig, EpochKind::Accepted, 4);
    let lines = rig.acks_epoch(2, zxid(2, 1), Some(2));
    expect(&lines, &["2 <- SNAP 3.1", "2 <- database 3.1", "2 <- NEWLEADER 4.0", "store Current 4"]);
}

#[test]
fn a_learner_at_the_beginning_of_an_epoch_that_we_have_goes_on_from_there() {
    let mut rig = established();
    for counter in 1..=2 {
        rig.proposes(zxid(2, counter));
        rig.acks(2, zxid(2, counter));
        rig.logs(zxid(2, counter));
    }
    // A former Java leader's last zxid.
    let lines = late(&mut rig, 3, 3, zxid(2, 0), false);
    assert_eq!(lines[..2], ["3 <- DIFF 2.2", "3 <- PROPOSAL 2.1"]);
}

#[test]
fn a_learner_that_is_far_behind_gets_what_the_log_has() {
    let mut rig = established();
    for counter in 1..=4 {
        rig.proposes(zxid(2, counter));
        rig.acks(2, zxid(2, counter));
        rig.logs(zxid(2, counter));
    }
    let lines = late(&mut rig, 3, 3, zxid(1, 2), false);
    expect(&lines, &["load behind 1.2 up to 2.1"]);
    rig.proposes(zxid(2, 5));
    let id = LoadId(2 << 32 | 1);
    let loaded = |zxids: &[Zxid]| Some(zxids.iter().map(|zxid| txn(*zxid)).collect());
    let twin = LeaderRig { leader: rig.leader.clone(), log: rig.log.clone(), ..established() };
    let txns = loaded(&[zxid(1, 3), zxid(2, 1)]);
    let lines = rig.act(|leader, turn| leader.loaded(id, txns, turn));
    let pairs = [(1, 3), (2, 1), (2, 2), (2, 3), (2, 4)];
    let mut expected = vec!["3 <- DIFF 2.4".to_owned()];
    for (epoch, counter) in pairs {
        expected.push(format!("3 <- PROPOSAL {epoch}.{counter}"));
        expected.push(format!("3 <- COMMIT {epoch}.{counter}"));
    }
    expected.extend(["3 <- PROPOSAL 2.5".to_owned(), "3 <- NEWLEADER 2.0".to_owned()]);
    assert_eq!(lines, expected);
    // A log that does not hold its last txn, or has a gap, leaves the database.
    for txns in [None, loaded(&[zxid(1, 4), zxid(2, 1)])] {
        let mut twin = LeaderRig { leader: twin.leader.clone(), log: twin.log.clone(), ..established() };
        let lines = twin.act(|leader, turn| leader.loaded(id, txns, turn));
        assert_eq!(lines[..2], ["3 <- SNAP 1.3", "3 <- database 1.3"]);
    }
}

#[test]
fn txns_are_committed_by_a_quorum_and_in_order() {
    let mut rig = established();
    late(&mut rig, 9, 9, zxid(1, 3), true);
    rig.acks(9, zxid(2, 0));
    for counter in 1..=3 {
        expect(&rig.proposes(zxid(2, counter)), &[&format!("2 <- PROPOSAL 2.{counter}")]);
    }
    expect(&rig.acks(9, zxid(2, 3)), &[]);
    expect(&rig.acks(2, zxid(2, 1)), &[]);
    expect(&rig.logs(zxid(2, 2)), &["2 <- COMMIT 2.1", "9 <- INFORM 2.1", "commit 2.1"]);
    let lines = rig.acks(2, zxid(2, 3));
    expect(&lines, &["2 <- COMMIT 2.2", "9 <- INFORM 2.2", "commit 2.2"]);
    assert_eq!((rig.leader.outstanding(), rig.leader.last_committed()), (1, zxid(2, 2)));
}

#[test]
fn a_follower_that_comes_back_keeps_what_is_still_proposed_and_serves_when_it_is_committed() {
    let mut rig = established();
    rig.proposes(zxid(2, 1));
    rig.proposes(zxid(2, 2));
    let lines = late(&mut rig, 3, 3, zxid(2, 1), true);
    expect(&lines, &["3 <- DIFF 1.3", "3 <- PROPOSAL 2.2", "3 <- NEWLEADER 2.0"]);
    expect(&rig.acks(3, zxid(2, 0)), &[]);
    // What it has counts.
    let lines = rig.logs(zxid(2, 1));
    expect(&lines, &["2 <- COMMIT 2.1", "3 <- COMMIT 2.1", "3 <- UPTODATE", "commit 2.1"]);
}

#[test]
fn what_java_3_8_acknowledges_before_newleader_counts_only_with_it() {
    let mut rig = established();
    late(&mut rig, 3, 3, zxid(1, 2), false);
    rig.act(|leader, turn| leader.closed(LinkId(2), "reset", turn));
    rig.proposes(zxid(2, 1));
    expect(&rig.acks(3, zxid(1, 3)), &[]);
    expect(&rig.acks(3, zxid(2, 1)), &[]);
    expect(&rig.logs(zxid(2, 1)), &[]);
    expect(&rig.acks(3, zxid(2, 0)), &["3 <- COMMIT 2.1", "3 <- UPTODATE", "commit 2.1"]);
    expect(&rig.acks(3, zxid(2, 0)), &[]);
}

#[test]
fn packets_out_of_turn_and_acknowledgements_of_nothing_close_the_link() {
    let gone = |link: u64, reason: &str| [format!("{link} closed"), format!("{link} gone: {reason}")];
    let mut rig = established();
    assert_eq!(rig.acks(2, zxid(2, 9)), gone(2, "it acknowledged what was not proposed"));
    let mut rig = established();
    late(&mut rig, 3, 3, zxid(1, 3), false);
    assert_eq!(rig.pongs(3), gone(3, "it sent a packet out of turn"));
    rig.act(|leader, turn| leader.accepted(LinkId(4), turn));
    assert_eq!(rig.acks(4, zxid(2, 0)), gone(4, "it sent a packet out of turn"));
    rig.act(|leader, turn| leader.accepted(LinkId(5), turn));
    assert_eq!(rig.acks_epoch(5, zxid(1, 3), None), gone(5, "it acknowledged an epoch out of turn"));
}

fn sync_request() -> QuorumPacket {
    QuorumPacket::Request(ForwardedRequest {
        session: SessionId(1),
        cxid: Xid(1),
        opcode: OpCode::Sync.code(),
        body: Default::default(),
        identities: Vec::new(),
    })
}

#[test]
fn a_sync_is_answered_when_a_quorum_has_answered_a_later_ping() {
    let mut rig = established();
    expect(&rig.act(|leader, turn| leader.sync(SyncToken(1), turn)), &["2 <- PING 1.3"]);
    // Those that come meanwhile wait for the next round, together.
    expect(&rig.act(|leader, turn| leader.sync(SyncToken(2), turn)), &[]);
    expect(&rig.say(2, sync_request()), &[]);
    expect(&rig.pongs(2), &["2 <- PING 1.3", "synced 1"]);
    rig.proposes(zxid(2, 1));
    expect(&rig.act(|leader, turn| leader.sync(SyncToken(3), turn)), &[]);
    expect(&rig.pongs(2), &["2 <- PING 2.1", "2 <- SYNC", "synced 2"]);
    expect(&rig.pongs(2), &[]);
    rig.acks(2, zxid(2, 1));
    let lines = rig.logs(zxid(2, 1));
    expect(&lines, &["2 <- COMMIT 2.1", "commit 2.1", "synced 3"]);
}

#[test]
fn a_deposed_leader_answers_no_sync() {
    let mut rig = established();
    rig.act(|leader, turn| leader.sync(SyncToken(1), turn));
    let lines = rig.waits(8);
    assert!(!lines.iter().any(|line| line.starts_with("synced")), "{lines:?}");
    assert_eq!(lines.last().unwrap(), "ends: no quorum of followers is heard of");
}

#[test]
fn pings_before_uptodate_are_not_counted_since_java_does_not_answer_them() {
    let mut rig = established();
    late(&mut rig, 3, 3, zxid(1, 3), false);
    expect(&rig.waits(1), &["2 <- PING 1.3", "3 <- PING 1.3"]);
    rig.acks(3, zxid(2, 0));
    expect(&rig.act(|leader, turn| leader.sync(SyncToken(1), turn)), &[]);
    // One answer, to the half tick's round, which is no later one.
    expect(&rig.pongs(2), &["2 <- PING 1.3", "3 <- PING 1.3"]);
    expect(&rig.pongs(3), &["synced 1"]);
}

#[test]
fn whoever_is_silent_for_the_sync_limit_is_given_up_and_then_the_quorum_is_lost() {
    let mut rig = established();
    let lines = rig.waits(3);
    expect(&lines, &["2 <- PING 1.3"; 3]);
    let lines = rig.waits(1);
    let gone = ["2 closed", "2 gone: nothing was heard of it within syncLimit"];
    expect(&lines, &[gone[0], gone[1], "ends: no quorum of followers is heard of"]);
    assert_eq!(rig.leader.next_timeout(), None);
}

#[test]
fn a_learner_that_is_sent_a_database_is_given_time_but_counts_for_a_quorum_no_longer_than_in_java() {
    // initLimit and syncLimit are 7 ticks.
    let quorum_is_lost = "ends: no quorum of followers is heard of";
    let mut rig = established();
    late(&mut rig, 3, 3, Zxid(-1), true);
    rig.act(|leader, turn| leader.closed(LinkId(2), "reset", turn));
    expect(&rig.waits(13), &["3 <- PING 1.3"; 13]);
    assert!(rig.leader.has_quorum());
    expect(&rig.waits(1), &[quorum_is_lost]);
    // Where there is another quorum it may take longer.
    let mut rig = established();
    late(&mut rig, 3, 3, Zxid(-1), true);
    for _ in 0..99 {
        expect(&rig.waits(1), &["2 <- PING 1.3", "3 <- PING 1.3"]);
        rig.pongs(2);
    }
    let gone = ["3 closed", "2 <- PING 1.3", "3 gone: it did not take over the history within initLimit"];
    expect(&rig.waits(1), &gone);
}

#[test]
fn a_learner_whose_database_is_all_on_its_way_is_there() {
    let mut rig = established();
    late(&mut rig, 3, 3, Zxid(-1), true);
    for _ in 0..20 {
        rig.waits(1);
        rig.pongs(2);
    }
    rig.act(|leader, turn| leader.closed(LinkId(2), "reset", turn));
    assert!(!rig.leader.has_quorum());
    rig.act(|leader, turn| leader.backlog(LinkId(3), 0, turn));
    assert!(rig.leader.has_quorum());
    expect(&rig.waits(9), &["3 <- PING 1.3"; 9]);
    expect(&rig.acks(3, zxid(2, 0)), &["3 <- UPTODATE"]);
    assert!(rig.leader.has_quorum());
}

#[test]
fn a_follower_that_answers_pings_and_logs_nothing_is_given_up() {
    let mut rig = established();
    rig.proposes(zxid(2, 1));
    rig.logs(zxid(2, 1));
    let mut lines = Vec::new();
    for _ in 0..5 {
        lines = rig.waits(1);
        rig.pongs(2);
    }
    assert!(lines.contains(&"2 gone: it did not log a proposal within syncLimit".to_owned()), "{lines:?}");
}

#[test]
fn a_leader_whose_disk_stalls_steps_down() {
    let mut rig = established();
    rig.proposes(zxid(2, 1));
    rig.acks(2, zxid(2, 1));
    let mut lines = Vec::new();
    for _ in 0..5 {
        lines = rig.waits(1);
        rig.pongs(2);
    }
    expect(&lines, &["ends: 0x200000001 could not be logged here within syncLimit"]);
}

#[test]
fn each_phase_has_its_limit() {
    let (mut rig, _) = LeaderRig::new(3, standing(1, 1, zxid(1, 3)), &[zxid(1, 3)]);
    rig.joins(9, 9, 1, true);
    expect(&rig.waits(10), &["ends: no quorum has connected within initLimit"]);
    let (mut rig, _) = LeaderRig::new(3, standing(1, 1, zxid(1, 3)), &[zxid(1, 3)]);
    rig.joins(2, 2, 1, true);
    expect(&rig.waits(10), &["ends: no quorum has acknowledged the epoch within initLimit"]);
    let (mut rig, _) = LeaderRig::new(3, standing(1, 1, zxid(1, 3)), &[zxid(1, 3)]);
    rig.joins(2, 2, 1, true);
    stored(&mut rig, EpochKind::Accepted, 2);
    rig.acks_epoch(2, zxid(1, 3), Some(1));
    let lines = rig.waits(10);
    assert_eq!(lines.last().unwrap(), "ends: no quorum has taken over the history within initLimit");
}

#[test]
fn a_learner_that_reads_too_slowly_is_closed_but_not_for_what_it_was_sent_at_once() {
    let config = quorate_core::zab::ZabConfig { backlog_close: 100, ..config() };
    let history = [zxid(1, 1), zxid(1, 2), zxid(1, 3)];
    let (mut rig, _) = LeaderRig::with_config(config, 1, standing(1, 1, zxid(1, 3)), &history);
    stored(&mut rig, EpochKind::Accepted, 2);
    stored(&mut rig, EpochKind::Current, 2);
    late(&mut rig, 3, 3, zxid(1, 1), false);
    expect(&rig.act(|leader, turn| leader.backlog(LinkId(3), 300, turn)), &[]);
    rig.acks(3, zxid(2, 0));
    let lines = rig.act(|leader, turn| leader.backlog(LinkId(3), 101, turn));
    expect(&lines, &["3 closed", "3 gone: it reads too slowly"]);
}

#[test]
fn an_epoch_ends_when_its_zxids_are_used_up() {
    // As if four thousand million txns had been committed.
    let almost = zxid(2, u32::MAX - 2);
    let (mut rig, _) = LeaderRig::new(1, standing(1, 1, almost), &[]);
    stored(&mut rig, EpochKind::Accepted, 2);
    stored(&mut rig, EpochKind::Current, 2);
    assert!(rig.leader.has_room());
    rig.proposes(zxid(2, u32::MAX - 1));
    assert!(!rig.leader.has_room());
    expect(&rig.logs(zxid(2, u32::MAX - 1)), &["commit 2.4294967294"]);
    let lines = rig.act(|leader, turn| leader.timeout(turn));
    expect(&lines, &["ends: the zxids of this epoch are used up"]);
}

#[test]
fn an_epoch_may_have_fewer_zxids() {
    let config = quorate_core::zab::ZabConfig { last_counter: 2, ..config() };
    let (mut rig, _) = LeaderRig::with_config(config, 1, standing(1, 1, zxid(1, 9)), &[]);
    stored(&mut rig, EpochKind::Accepted, 2);
    stored(&mut rig, EpochKind::Current, 2);
    for counter in 1..=2 {
        assert!(rig.leader.has_room(), "whatever counter the history of an earlier epoch ends in");
        rig.proposes(zxid(2, counter));
    }
    assert!(!rig.leader.has_room());
    expect(&rig.logs(zxid(2, 1)), &["commit 2.1"]);
    expect(&rig.logs(zxid(2, 2)), &["commit 2.2"]);
    let lines = rig.act(|leader, turn| leader.timeout(turn));
    expect(&lines, &["ends: the zxids of this epoch are used up"]);
}

#[test]
fn a_stopped_leader_closes_its_links_and_says_nothing_more() {
    let mut rig = established();
    expect(&rig.act(|leader, turn| leader.stop(turn.outbox)), &["2 closed"]);
    expect(&rig.acks(2, zxid(2, 0)), &[]);
    expect(&rig.waits(10), &[]);
    expect(&rig.proposes(zxid(2, 1)), &[]);
}
