//! The values of `mntr` that an operator of an ensemble watches move with what they measure.

use crate::client::{create, set};
use crate::process::poll_until;
use crate::rig::Rig;
use quorate_core::jute::Request;
use rustix::process::Signal;

/// A value of `mntr`; none when there is no such line.
fn value(rig: &Rig, server: usize, key: &str) -> Option<i64> {
    let page = rig.word(server, "mntr");
    let found = page.lines().find_map(|line| line.strip_prefix("zk_")?.strip_prefix(key)?.strip_prefix('\t'));
    found.map(|value| value.parse().unwrap())
}

fn assert_values(rig: &Rig, server: usize, wanted: &[(&str, i64)]) {
    for (key, expected) in wanted {
        assert_eq!(value(rig, server, key), Some(*expected), "{key} of server {}", server + 1);
    }
}

/// The values are there, and at least this.
fn assert_at_least(rig: &Rig, server: usize, least: i64, keys: &[&str]) {
    for key in keys {
        let found = value(rig, server, key);
        assert!(found >= Some(least), "{key} of server {}: {found:?}, not {least}", server + 1);
    }
}

#[test]
fn what_is_written_is_counted_where_it_goes() {
    let rig = Rig::new(4, &[]).with_observer().started();
    let (leader, observer) = (rig.wait_for_all(), 3);
    let follower = rig.a_follower();
    let first = [("learners", 3), ("synced_followers", 2), ("synced_non_voting_followers", 0)];
    assert_values(&rig, leader, &first);
    assert_values(&rig, leader, &[("synced_observers", 1), ("pending_syncs", 0), ("quorum_size", 3)]);
    let before = value(&rig, leader, "cnt_quorum_ack_latency").unwrap();
    let mut session = rig.client(follower);
    session.ask(create("/short", b"")).unwrap();
    let short = value(&rig, leader, "last_proposal_size").unwrap();
    for round in 0..10 {
        session.ask(set("/short", &[round; 1000])).unwrap();
    }
    assert_at_least(&rig, leader, short + 900, &["last_proposal_size", "max_proposal_size"]);
    assert!(value(&rig, leader, "min_proposal_size").unwrap() <= short);
    assert_at_least(&rig, leader, 11, &["proposal_count", "commit_count"]);
    assert_at_least(&rig, leader, before + 11, &["cnt_quorum_ack_latency"]);
    let heard = ["learner_proposal_received_count", "learner_commit_received_count"];
    for server in [follower, observer] {
        poll_until("it has heard of all", || value(&rig, server, heard[1]) >= Some(11));
        assert_at_least(&rig, server, 11, &heard);
        assert_at_least(&rig, server, 11, &["cnt_proposal_latency", "cnt_commit_propagation_latency"]);
        assert_values(&rig, server, &[("proposal_count", 0), ("cnt_quorum_ack_latency", 0)]);
    }
    rig.move_session(&mut session, Some(observer));
    assert_at_least(&rig, observer, 1, &["connection_revalidate_count"]);
    assert_at_least(&rig, leader, 1, &["revalidate_count"]);
    assert_values(&rig, leader, &[("digest_mismatches_count", 0), ("outstanding_tls_handshake", 0)]);
    rig.word(leader, "srst");
    assert_values(
        &rig,
        leader,
        &[("commit_count", 0), ("cnt_quorum_ack_latency", 0), ("last_proposal_size", -1)],
    );
}

#[test]
fn elections_and_what_learners_lack_are_counted() {
    let mut rig = Rig::serving(3, &[]);
    let (leader, follower) = (rig.wait_for_all(), rig.a_follower());
    let brought = |rig: &Rig, server, words: [&str; 2]| {
        words.map(|key| value(rig, server, key).unwrap()).iter().sum::<i64>()
    };
    assert_eq!(brought(&rig, leader, ["diff_count", "snap_count"]), 2);
    assert_eq!(brought(&rig, leader, ["cnt_inflight_diff_count", "cnt_inflight_snap_count"]), 2);
    assert_at_least(&rig, leader, 1, &["looking_count", "cnt_election_time", "cnt_unavailable_time"]);
    assert_at_least(&rig, leader, 1, &["cnt_leader_unavailable_time"]);
    let waited = value(&rig, follower, "cnt_unavailable_time").unwrap();
    assert!(waited >= 1);
    let third = 3 - leader - follower;
    rig.kill(third);
    poll_until("its leader knows", || value(&rig, leader, "synced_followers") == Some(1));
    assert_values(&rig, leader, &[("learners", 1), ("quorum_size", 3)]);
    rig.start(third);
    rig.wait_for_all();
    assert_values(&rig, leader, &[("synced_followers", 2)]);
    assert_eq!(brought(&rig, leader, ["diff_count", "snap_count"]), 3);
    let (early, earlier) =
        (value(&rig, leader, "leader_uptime").unwrap(), value(&rig, leader, "uptime").unwrap());
    assert!((1..=earlier).contains(&early), "it has led for {early} ms of {earlier}");
    // A sync waits for a quorum, and nobody answers.
    let mut session = rig.client(leader);
    for stopped in [follower, third] {
        rig.server(stopped).signal(Signal::STOP);
    }
    session.client.send(&Request::Sync { path: Some("/".to_owned()) });
    poll_until("the sync waits", || value(&rig, leader, "pending_syncs") == Some(1));
    for stopped in [follower, third] {
        rig.server(stopped).signal(Signal::CONT);
    }
    poll_until("the sync is answered", || value(&rig, leader, "pending_syncs") == Some(0));
    let leader = rig.wait_for_all();
    rig.kill(leader);
    let next = rig.wait_for_all();
    assert_at_least(&rig, next, 2, &["looking_count", "cnt_election_time", "cnt_unavailable_time"]);
    assert_at_least(&rig, next, 1, &["cnt_leader_unavailable_time"]);
}
