//! The lines of a configuration, and who is a quorum of it.

use quorate_core::quorum::{MemberLine, Membership, Memberships, ServerSet};
use quorate_core::vocabulary::ServerId;

fn set(ids: &[u8]) -> ServerSet {
    ids.iter().copied().map(ServerId).collect()
}

#[test]
fn server_lines_are_read_as_java_reads_them() {
    let cases = [
        ("server.1=zk1:2888:3888", "zk1:2888:3888:participant"),
        ("server.1=zk1:2888:3888;2181", "zk1:2888:3888:participant;0.0.0.0:2181"),
        ("server.1=zk1:2888:3888:observer;10.0.0.1:2181", "zk1:2888:3888:observer;10.0.0.1:2181"),
        ("server.1=zk1:2888:3888:Participant", "zk1:2888:3888:participant"),
        ("server.2=[::1]:2888:3888;[::]:2181", "[::1]:2888:3888:participant;[::]:2181"),
        ("server.1=a:1:2|b:3:4:observer;2181;2281", "a:1:2|b:3:4:observer;0.0.0.0:2181"),
        ("server.1=zk1:2888:3888;;2281", "zk1:2888:3888:participant"),
        ("server.1=zk1:2888:3888:boss", "Unrecognised peertype: boss"),
        (
            "server.255=zk1:2888:3888",
            "255 can't be the top byte of session ids, and 255 marks the owners of nodes with a TTL: an id is 0 to 254",
        ),
        ("server.x=zk1:2888:3888", "NumberFormatException: For input string: \"x\""),
        (
            "server.1=zk1:2888:2888",
            "Client and election port must be different! Please update the configuration file on server.1",
        ),
        ("tickTime=1", "Unrecognised parameter: tickTime"),
    ];
    for (line, expected) in cases {
        let (key, value) = line.split_once('=').unwrap();
        let told = match MemberLine::parse(key, value) {
            Ok(MemberLine::Server(_, server)) => server.to_string(),
            Ok(other) => format!("{other:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(told, expected, "of {line}");
    }
    for malformed in ["zk1:2888", "zk1", "zk1:a:b", "[::1:2888:3888", "zk1:2888:3888;a:b:c", ""] {
        let error = MemberLine::parse("server.1", malformed).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{malformed} does not have the form server_config")), "{error}");
    }
}

#[test]
fn a_configuration_survives_being_written_and_read() {
    let text = "server.1=zk1:2888:3888:participant;0.0.0.0:2181\nserver.2=[::1]:2888:3888:participant\n\
                server.3=a:1:2|b:3:4:observer\ngroup.1=1:2\nweight.1=3\nversion=100000000";
    let membership = Membership::parse(text).unwrap();
    assert_eq!(membership.to_string(), text);
}

#[test]
fn configurations_nobody_can_decide_under_are_refused() {
    let cases = [
        ("server.1=a:1:2:observer", "no participant is configured: an ensemble needs a server that votes"),
        ("server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1", "Server 2 is not in any group"),
        ("server.1=a:1:2\ngroup.1=1\ngroup.2=1", "Server 1 is in multiple groups"),
        ("server.1", "Unrecognised parameter: server.1"),
    ];
    for (text, expected) in cases {
        assert_eq!(Membership::parse(text).unwrap_err().to_string(), expected, "of {text}");
    }
}

#[test]
fn more_than_half_of_the_voters_decide() {
    let five = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2\nserver.5=e:1:2:observer";
    let membership = Membership::parse(five).unwrap();
    assert!(membership.is_quorum(&set(&[1, 2, 4])));
    assert!(!membership.is_quorum(&set(&[1, 2])), "half is not more than half");
    assert!(!membership.is_quorum(&set(&[1, 2, 5, 9])), "observers and strangers do not count");
    assert_eq!(membership.weight(ServerId(5)), 0);
}

#[test]
fn more_than_half_of_the_groups_decide_each_by_more_than_half_of_its_weight() {
    let servers: String = (1..=9).map(|id| format!("server.{id}=h{id}:1:2\n")).collect();
    let groups = "group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9\n";
    let membership = Membership::parse(&format!("{servers}{groups}")).unwrap();
    assert!(membership.is_quorum(&set(&[1, 2, 4, 5])));
    assert!(!membership.is_quorum(&set(&[1, 2, 3, 4, 7])), "one group won");
    let weighty = Membership::parse(&format!("{servers}{groups}weight.1=5\n")).unwrap();
    assert!(weighty.is_quorum(&set(&[1, 4, 5])), "server 1 is its group");
    assert!(!weighty.is_quorum(&set(&[2, 3, 4, 5])));
    let silent =
        Membership::parse(&format!("{servers}{groups}weight.7=0\nweight.8=0\nweight.9=0\n")).unwrap();
    assert!(!silent.is_quorum(&set(&[1, 2, 7, 8, 9])), "of two groups that weigh anything, one is half");
    assert!(silent.is_quorum(&set(&[1, 2, 4, 5])));
}

#[test]
fn while_a_configuration_changes_both_must_agree() {
    let old = Membership::parse("server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2").unwrap();
    let new = Membership::parse("server.3=c:1:2\nserver.4=d:1:2\nserver.5=e:1:2\nversion=100000007").unwrap();
    let mut live = Memberships::new(old);
    assert!(live.have_quorums(&set(&[1, 2])));
    live.propose(new.clone());
    assert!(!live.have_quorums(&set(&[1, 2, 3])));
    assert!(live.have_quorums(&set(&[1, 3, 4])));
    assert_eq!(live.voters(), set(&[1, 2, 3, 4, 5]));
    live.commit(new);
    assert!(live.last_seen().is_none() && live.have_quorums(&set(&[4, 5])));
}
