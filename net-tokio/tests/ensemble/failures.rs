//! Servers are killed, stopped, cut off and emptied; what was acknowledged stays, and sessions go on.

use crate::client::{create, create_with_flags, set};
use crate::process::poll_until;
use crate::rig::{Rig, a_while};
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
    a_while();
    assert_eq!(rig.word(survivor, "srvr"), "This ZooKeeper instance is not currently serving requests\n");
    assert_eq!(rig.word(survivor, "ruok"), "imok");
    rig.start(others[0]);
    rig.wait_for_all();
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
    (0..3).for_each(|server| rig.kill(server));
    (0..3).for_each(|server| rig.start(server));
    rig.wait_for_all();
    rig.move_session(&mut session, Some(1));
    for path in ["/n0", "/n49", "/mine"] {
        session.data(path).unwrap();
    }
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
    // Taken up by whoever leads next: the old leader answers nobody.
    rig.move_session(&mut session, Some(other));
    session.ask(set("/a", b"meanwhile")).unwrap();
    rig.server(leader).signal(Signal::CONT);
    poll_until("the old leader has noticed", || rig.server(leader).count_logged("event=role_ended") > 0);
    assert!(rig.wait_for_all() != leader);
    rig.wait_for_data(leader, "/a", b"meanwhile");
    rig.wait_for_equal_trees();
}

#[test]
fn a_server_that_lost_its_disk_gets_everything_anew() {
    let mut rig = Rig::serving(3, &[]);
    let follower = rig.a_follower();
    let mut session = rig.client((follower + 1) % 3);
    for number in 0..300 {
        session.ask(create(&format!("/n{number}"), &[7; 1000])).unwrap();
    }
    rig.kill(follower);
    std::fs::remove_dir_all(rig.data(follower)).unwrap();
    session.ask(create("/meanwhile", b"x")).unwrap();
    rig.start(follower);
    rig.wait_for_all();
    rig.wait_for_data(follower, "/n299", &[7; 1000]);
    rig.wait_for_data(follower, "/meanwhile", b"x");
    let version = rig.data(follower).join("version-2");
    let names: Vec<String> = std::fs::read_dir(version)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().all(|name| !name.starts_with("replacement")), "{names:?}");
    // It is as good as any other.
    let leader = rig.wait_for_all();
    rig.kill(leader);
    rig.wait_for_all();
    rig.wait_for_data(follower, "/meanwhile", b"x");
    rig.wait_for_equal_trees();
}

#[test]
fn a_large_database_goes_to_a_server_while_others_write() {
    let mut rig = Rig::serving(3, &[]);
    let follower = rig.a_follower();
    rig.kill(follower);
    std::fs::remove_dir_all(rig.data(follower)).unwrap();
    let mut session = rig.client((follower + 1) % 3);
    let data = vec![7; 500_000];
    for number in 0..60 {
        session.ask(create(&format!("/large{number}"), &data)).unwrap();
    }
    rig.start(follower);
    for number in 0..200 {
        session.ask(create(&format!("/meanwhile{number}"), b"x")).unwrap();
    }
    rig.wait_for_all();
    rig.wait_for_data(follower, "/large59", &data);
    rig.wait_for_data(follower, "/meanwhile199", b"x");
    rig.wait_for_equal_trees();
}
