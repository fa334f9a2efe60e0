//! Servers are killed, stopped, cut off and emptied; what was acknowledged stays, and sessions go on.

use crate::client::{create, create_with_flags, set};
use crate::process::poll_until;
use crate::rig::{Rig, Session, a_while};
use rustix::process::Signal;

#[test]
fn what_was_acknowledged_survives_the_kill_of_the_leader_and_sessions_go_on() {
    let mut rig = Rig::serving(3, &[]);
    let (leader, follower) = (rig.wait_for_all(), rig.a_follower());
    let mut at_leader = rig.client(leader);
    let mut at_follower = rig.client(follower);
    at_leader.ask(create("/a", b"0")).unwrap();
    at_leader.ask(create_with_flags("/mine", b"", 1)).unwrap();
    for round in 1..=20 {
        at_follower.ask(set("/a", format!("{round}").as_bytes())).unwrap();
    }
    rig.kill(leader);
    rig.move_session(&mut at_leader, None);
    rig.move_session(&mut at_follower, None);
    assert_eq!(at_leader.data("/a").unwrap(), b"20");
    at_follower.ask(set("/a", b"after")).unwrap();
    assert_eq!(at_follower.data("/mine").unwrap(), b"", "its owner is alive");
    rig.start(leader);
    rig.wait_for_all();
    rig.wait_for_data(leader, "/a", b"after");
    rig.wait_for_equal_trees();
}

#[test]
fn a_planned_stop_of_any_server_loses_no_session() {
    let mut rig = Rig::serving(3, &[]);
    let mut session = rig.client(0);
    session.ask(create_with_flags("/mine", b"", 1)).unwrap();
    for server in 0..3 {
        rig.stop(server);
        rig.move_session(&mut session, None);
        session.ask(create(&format!("/during-{server}"), b"")).unwrap();
        rig.start(server);
        rig.wait_for_all();
    }
    rig.move_session(&mut session, Some(0));
    session.sync();
    assert_eq!(session.data("/mine").unwrap(), b"");
    rig.wait_for_equal_trees();
}

#[test]
fn nobody_serves_without_a_quorum() {
    let mut rig = Rig::serving(3, &[]);
    let survivor = rig.a_follower();
    let others: Vec<usize> = (0..3).filter(|server| *server != survivor).collect();
    others.iter().for_each(|server| rig.kill(*server));
    let refusal = "This ZooKeeper instance is not currently serving requests\n";
    poll_until("it serves no more", || rig.word(survivor, "srvr") == refusal);
    a_while();
    assert_eq!(rig.word(survivor, "srvr"), refusal);
    assert_eq!(rig.word(survivor, "ruok"), "imok");
    rig.start(others[0]);
    rig.wait_for_all();
    rig.client(survivor).ask(create("/back", b"")).unwrap();
}

#[test]
fn a_survivor_in_read_only_mode_says_so_until_there_is_a_quorum() {
    let mut rig = Rig::serving(3, &["readonlymode.enabled=true"]);
    let survivor = rig.a_follower();
    assert_eq!(rig.word(survivor, "isro"), "rw");
    rig.client(survivor).ask(create("/a", b"0")).unwrap();
    let others: Vec<usize> = (0..3).filter(|server| *server != survivor).collect();
    others.iter().for_each(|server| rig.kill(*server));
    poll_until("nobody is served", || rig.word(survivor, "isro") == "null");
    poll_until("reads are served", || rig.word(survivor, "isro") == "ro");
    let shown = rig.word(survivor, "srvr");
    assert!(shown.contains("\nREAD-ONLY mode; serving only read-only clients\n"), "{shown}");
    assert!(shown.contains("\nMode: read-only\n"), "{shown}");
    let metrics = rig.word(survivor, "mntr");
    for line in ["zk_server_state\tread-only", "zk_global_sessions\t1", "zk_local_sessions\t0"] {
        assert!(metrics.lines().any(|found| found == line), "{line}: {metrics}");
    }
    assert!(!metrics.contains("zk_peer_state"), "{metrics}");
    let sessions = rig.word(survivor, "dump");
    assert!(sessions.contains("\nLocal Session Sets (0)/(0):\nGlobal Sessions(1):\n0x"), "{sessions}");
    let configuration = rig.word(survivor, "conf");
    assert!(configuration.ends_with("\npeerType=0\n"), "{configuration}");
    rig.start(others[0]);
    rig.wait_for_all();
    assert_eq!(rig.word(survivor, "isro"), "rw");
    rig.client(survivor).ask(create("/back", b"")).unwrap();
}

#[test]
fn everything_comes_back_when_all_were_killed() {
    let mut rig = Rig::serving(3, &["snapCount=20"]);
    let mut session = rig.client(0);
    for number in 0..50 {
        session.ask(create(&format!("/n{number}"), b"x")).unwrap();
    }
    session.ask(create_with_flags("/mine", b"", 1)).unwrap();
    let before = rig.last_zxid(1);
    (0..3).for_each(|server| rig.kill(server));
    (0..3).for_each(|server| rig.start(server));
    rig.wait_for_all();
    rig.move_session(&mut session, Some(1));
    for path in ["/n0", "/n49", "/mine"] {
        session.data(path).unwrap();
    }
    session.ask(create("/after", b"")).unwrap();
    assert!(rig.last_zxid(1).epoch() > before.epoch(), "they remember what they promised");
    rig.wait_for_equal_trees();
}

#[test]
fn a_leader_that_hangs_is_left_and_comes_back_as_a_follower() {
    let mut rig = Rig::serving(3, &[]);
    let leader = rig.wait_for_all();
    let other = (leader + 1) % 3;
    let mut session = rig.client(other);
    session.ask(create("/a", b"before")).unwrap();
    rig.server(leader).signal(Signal::STOP);
    poll_until("the others notice", || rig.server(other).count_logged("event=role_ended") > 0);
    rig.move_session(&mut session, Some(other));
    session.ask(set("/a", b"meanwhile")).unwrap();
    rig.server(leader).signal(Signal::CONT);
    poll_until("the old leader has noticed", || rig.server(leader).count_logged("event=role_ended") > 0);
    assert!(rig.wait_for_all() != leader);
    rig.wait_for_data(leader, "/a", b"meanwhile");
    rig.wait_for_equal_trees();
}

/// Kills a server, takes its disk away, and starts it again when others have written `meanwhile`; while it joins, they write so many
/// nodes more. Returns what is on its disk then.
fn lose_disk(
    rig: &mut Rig,
    follower: usize,
    meanwhile: impl FnOnce(&mut Session),
    joining: usize,
) -> Vec<String> {
    rig.kill(follower);
    std::fs::remove_dir_all(rig.data(follower)).unwrap();
    let mut session = rig.client((follower + 1) % 3);
    meanwhile(&mut session);
    rig.start(follower);
    for number in 0..joining {
        session.ask(create(&format!("/joining{number}"), b"x")).unwrap();
    }
    rig.wait_for_all();
    rig.wait_for_equal_trees();
    let entries = std::fs::read_dir(rig.data(follower).join("version-2")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_server_that_lost_its_disk_gets_old_txns_out_of_the_leaders_log() {
    let mut rig = Rig::serving(3, &["commitLogCount=10"]);
    let follower = rig.a_follower();
    let meanwhile = |session: &mut Session| {
        for number in 0..300 {
            session.ask(create(&format!("/n{number}"), &[7; 1000])).unwrap();
        }
    };
    let names = lose_disk(&mut rig, follower, meanwhile, 0);
    assert!(
        names.contains(&"log.100000001".to_owned()) && names.contains(&"snapshot.0".to_owned()),
        "{names:?}"
    );
    rig.wait_for_data(follower, "/n299", &[7; 1000]);
    // It is as good as any other.
    let leader = rig.wait_for_all();
    rig.kill(leader);
    rig.wait_for_all();
    rig.wait_for_data(follower, "/n0", &[7; 1000]);
}

#[test]
fn a_server_that_lost_its_disk_gets_a_large_database_while_others_write() {
    let mut rig = Rig::serving(3, &["commitLogCount=10"]);
    let follower = rig.a_follower();
    let data = vec![7; 500_000];
    let meanwhile = |session: &mut Session| {
        for number in 0..60 {
            session.ask(create(&format!("/large{number}"), &data)).unwrap();
        }
    };
    let names = lose_disk(&mut rig, follower, meanwhile, 200);
    // The leader's snapshot has taken the place of everything.
    assert!(
        !names.contains(&"snapshot.0".to_owned()) && !names.contains(&"log.100000001".to_owned()),
        "{names:?}"
    );
    assert!(names.iter().all(|name| !name.starts_with("replacement")), "{names:?}");
    rig.wait_for_data(follower, "/large59", &data);
    rig.wait_for_data(follower, "/joining199", b"x");
}
