//! How a member starts, and how it does not.

use crate::process::Server;
use crate::rig::Rig;
use std::net::TcpListener;
use std::process::Command;

/// Runs a command that ends by itself: its code and what it said.
fn run(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_port_that_somebody_else_has_ends_the_start_with_14() {
    for quorum in [true, false] {
        let rig = Rig::new(3, &["electionPortBindRetry=2"]);
        let ports = rig.ports(1);
        let _taken =
            TcpListener::bind(("127.0.0.1", if quorum { ports.quorum } else { ports.election })).unwrap();
        let (code, said) = run(rig.command(1));
        assert_eq!(code, Some(14), "{said}");
        assert!(said.contains("tried again in a second") && said.contains("can't be bound"), "{said}");
    }
}

#[test]
fn an_id_that_is_in_no_list_is_told_as_java_tells_it() {
    let rig = Rig::new(3, &[]);
    let command = rig.command(0);
    std::fs::write(rig.data(0).join("myid"), "7").unwrap();
    let (code, said) = run(command);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("My id 7 not in the peer list"), "{said}");
}

#[test]
fn a_server_whose_name_nobody_knows_is_not_waited_for() {
    let mut rig = Rig::new(3, &["server.4=nobody.invalid:2888:3888"]);
    (0..3).for_each(|server| rig.start(server));
    rig.wait_for_all();
    rig.client(0).ask(crate::client::create("/a", b"")).unwrap();
}

#[test]
fn an_ensemble_may_consist_of_one() {
    let mut rig = Rig::new(1, &["standaloneEnabled=false"]);
    rig.start(0);
    rig.wait_for_all();
    rig.client(0).ask(crate::client::create("/a", b"")).unwrap();
    let server: &mut Server = rig.server(0);
    server.logged("event=serving role=leader");
}
