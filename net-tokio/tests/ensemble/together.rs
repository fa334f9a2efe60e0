//! What an ensemble does while nothing fails.

use crate::client::{create, create_with_flags, set};
use crate::rig::Rig;

#[test]
fn a_write_through_a_follower_is_read_everywhere() {
    let rig = Rig::serving(3, &[]);
    let (leader, follower) = (rig.wait_for_all(), rig.a_follower());
    let mut writer = rig.client(follower);
    writer.ask(create("/a", b"one")).unwrap();
    assert_eq!(writer.data("/a").unwrap(), b"one", "it reads what it wrote");
    for server in 0..3 {
        let mut reader = rig.client(server);
        reader.sync();
        assert_eq!(reader.data("/a").unwrap(), b"one", "at server {}", server + 1);
    }
    rig.client(leader).ask(set("/a", b"two")).unwrap();
    writer.sync();
    assert_eq!(writer.data("/a").unwrap(), b"two");
}

#[test]
fn a_session_moves_between_servers_with_its_ephemerals() {
    let rig = Rig::serving(3, &[]);
    let mut session = rig.client(0);
    session.ask(create_with_flags("/mine", b"", 1)).unwrap();
    for to in [1, 2, 0] {
        rig.move_session(&mut session, Some(to));
        session.sync();
        assert_eq!(session.data("/mine").unwrap(), b"");
    }
}

#[test]
fn words_and_metrics_tell_leader_and_followers_apart() {
    let rig = Rig::serving(3, &[]);
    let (leader, follower) = (rig.wait_for_all(), rig.a_follower());
    rig.client(follower).ask(create("/a", b"")).unwrap();
    let pages = [leader, follower].map(|server| rig.word(server, "mntr"));
    let value = |page: &str, key: &str| {
        page.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('\t').map(str::to_owned))
    };
    let [of_leader, of_follower] = &pages;
    let expected = [
        ("zk_server_state", Some("leader"), Some("follower")),
        ("zk_peer_state", Some("leading - broadcast"), Some("following - broadcast")),
        ("zk_quorum_size", Some("3"), Some("3")),
        ("zk_learners", Some("2"), None),
        ("zk_synced_followers", Some("2"), None),
        ("zk_synced_observers", Some("0"), None),
        ("zk_pending_syncs", Some("0"), None),
    ];
    for (key, at_leader, at_follower) in expected {
        assert_eq!(value(of_leader, key).as_deref(), at_leader, "{key}");
        assert_eq!(value(of_follower, key).as_deref(), at_follower, "{key}");
    }
    let last: i64 = value(of_leader, "zk_last_proposal_size").unwrap().parse().unwrap();
    assert!(last > 0);
    let srvr = rig.word(leader, "srvr");
    assert!(
        srvr.lines().last().unwrap().starts_with(&format!("Proposal sizes last/min/max: {last}/")),
        "{srvr}"
    );
    let conf = rig.word(follower, "conf");
    let ports = rig.ports(follower);
    for line in [
        format!("serverId={}", follower + 1),
        "initLimit=20\nsyncLimit=10\nelectionAlg=3".to_owned(),
        format!(
            "electionPort={}\nquorumPort={}\npeerType=0\nmembership: \nserver.1=",
            ports.election, ports.quorum
        ),
    ] {
        assert!(conf.contains(&line), "{conf}");
    }
    assert!(conf.ends_with("\nversion=0"), "{conf}");
}

#[test]
fn an_observer_serves_and_is_told_of_everything_but_has_no_vote() {
    let mut rig = Rig::new(3, &[]).with_observer().started();
    assert_eq!(rig.mode(2).as_deref(), Some("observer"));
    let leader = rig.wait_for_all();
    let page = rig.word(leader, "mntr");
    for line in ["zk_quorum_size\t2\n", "zk_synced_observers\t1\n", "zk_synced_followers\t1\n"] {
        assert!(page.contains(line), "{line}{page}");
    }
    let mut session = rig.client(2);
    session.ask(create("/through-the-observer", b"x")).unwrap();
    session.ask(create_with_flags("/mine", b"", 1)).unwrap();
    rig.wait_for_data(leader, "/through-the-observer", b"x");
    let of_observer = rig.word(2, "mntr");
    assert!(of_observer.contains("zk_peer_state\tobserving - broadcast\n"), "{of_observer}");
    assert!(of_observer.contains(&format!("zk_observer_master_id\t{}\n", leader + 1)), "{of_observer}");
    // It comes back to whoever leads next.
    rig.kill(2);
    rig.client(leader).ask(set("/through-the-observer", b"y")).unwrap();
    rig.start(2);
    rig.wait_for_all();
    rig.move_session(&mut session, Some(2));
    session.sync();
    assert_eq!(session.data("/through-the-observer").unwrap(), b"y");
    assert_eq!(session.data("/mine").unwrap(), b"");
    rig.wait_for_equal_trees();
}

#[test]
fn an_observer_behind_a_follower_serves_and_finds_another_when_that_is_gone() {
    let mut rig = Rig::new(4, &[]).with_observer().with_observer_masters().started();
    let leader = rig.wait_for_all();
    let mut session = rig.client(3);
    session.ask(create("/through-the-observer", b"x")).unwrap();
    session.ask(create_with_flags("/mine", b"", 1)).unwrap();
    rig.wait_for_data(leader, "/through-the-observer", b"x");
    assert!(rig.word(leader, "mntr").contains("zk_synced_observers\t0\n"), "the leader does not know it");
    let master = |rig: &Rig| {
        let page = rig.word(3, "mntr");
        let id =
            page.lines().find_map(|line| line.strip_prefix("zk_observer_master_id\t")?.parse::<usize>().ok());
        id.expect("it observes") - 1
    };
    let first = master(&rig);
    assert_ne!(first, leader);
    let page = rig.word(first, "mntr");
    assert!(page.contains("zk_synced_observers\t1\n"), "{page}");
    rig.kill(first);
    rig.wait_for_all();
    assert_ne!(master(&rig), first);
    rig.move_session(&mut session, Some(3));
    rig.client(leader).ask(set("/through-the-observer", b"y")).unwrap();
    session.sync();
    assert_eq!(session.data("/through-the-observer").unwrap(), b"y");
    assert_eq!(session.data("/mine").unwrap(), b"");
    rig.start(first);
    rig.wait_for_all();
    rig.wait_for_equal_trees();
}

#[test]
fn servers_find_each_other_over_ipv6_and_by_name_and_out_of_a_dynamic_file() {
    let rigs = [
        Rig::new(3, &[]).at("[::1]"),
        Rig::new(3, &["quorumListenOnAllIPs=true"]).at("localhost"),
        Rig::new(3, &[]).with_dynamic_file(),
    ];
    for rig in rigs {
        let rig = rig.started();
        rig.client(rig.a_follower()).ask(create("/a", b"x")).unwrap();
        rig.wait_for_equal_trees();
    }
}
