//! `quorate status` and `quorate health`.

use crate::{NOT_SERVING, SRVR, fake_server, fake_server_on, run, zoo_cfg};
use std::fs;
use std::net::TcpListener;
use tempfile::TempDir;

#[test]
fn status_prints_and_exits_as_the_script() {
    let port = fake_server(SRVR);
    let dir = zoo_cfg(&format!("dataDir=data\nclientPort={port}\nclientPortAddress=127.0.0.1\n"));
    let found = format!("Client port found: {port}. Client address: 127.0.0.1. Client SSL: false.\n");
    let (code, out, err) = run(dir.path(), &["status", "zoo.cfg"]);
    assert_eq!((code, out), (0, format!("{found}Mode: standalone\n")));
    assert_eq!(err, "ZooKeeper JMX enabled by default\nUsing config: zoo.cfg\n");

    let port = fake_server(NOT_SERVING);
    let dir = zoo_cfg(&format!("dataDir=data\nclientPort={port}\n"));
    let found = format!("Client port found: {port}. Client address: localhost. Client SSL: false.\n");
    let (code, out, _) = run(dir.path(), &["status", "zoo.cfg"]);
    assert_eq!((code, out), (1, format!("{found}Error contacting service. It is probably not running.\n")));

    let dir = zoo_cfg("dataDir=data\n");
    let (code, out, _) = run(dir.path(), &["status", "zoo.cfg"]);
    assert_eq!(code, 1);
    assert_eq!(
        out,
        "myid could not be determined, will not able to locate clientPort in the server configs.\n\
         Client port not found. Looking for secureClientPort in the static config.\n\
         Unable to find either secure or unsecure client port in any configs. Terminating.\n"
    );
}

#[test]
fn status_finds_the_port_of_a_member_by_its_myid() {
    let port = fake_server(SRVR);
    let dir = zoo_cfg(&format!("dataDir=.\nserver.1=a:1:2;9\nserver.2=b:1:2;{port}\nserver.3=c:1:2;9\n"));
    fs::write(dir.path().join("myid"), "2\n").unwrap();
    let (code, out, _) = run(dir.path(), &["status", "zoo.cfg"]);
    assert!(code == 0 && out.ends_with("Mode: standalone\n"), "{out}");

    let port = fake_server_on("127.0.0.2:0", SRVR);
    let dir = zoo_cfg(&format!("dataDir=.\nserver.1=a:1:2;127.0.0.2:{port}\n"));
    fs::write(dir.path().join("myid"), "1\n").unwrap();
    let (code, out, _) = run(dir.path(), &["status", "zoo.cfg"]);
    let found = format!("Client port found: {port}. Client address: 127.0.0.2. Client SSL: false.\n");
    assert_eq!((code, out), (0, format!("{found}Mode: standalone\n")));
}

#[test]
fn status_without_a_configuration_asks_where_a_server_without_one_serves() {
    let dir = TempDir::new().unwrap();
    let (_, out, err) = run(dir.path(), &["status"]);
    assert!(
        out.starts_with("Client port found: 2181. Client address: 127.0.0.1. Client SSL: false.\n"),
        "{out}"
    );
    assert!(err.ends_with("Using config: built-in\n"), "{err}");
}

#[test]
fn health_is_told_by_the_exit_code() {
    let dir = TempDir::new().unwrap();
    let server = format!("127.0.0.1:{}", fake_server(SRVR));
    let (code, out, _) = run(dir.path(), &["health", "--server", &server]);
    assert_eq!((code, out), (0, format!("{server} serves as standalone\n")));
    let idle = format!("127.0.0.1:{}", fake_server(NOT_SERVING));
    let (code, _, err) = run(dir.path(), &["health", "--server", &idle]);
    assert!(code == 1 && err.contains("does not serve"), "{err}");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, _, err) = run(dir.path(), &["health", "--server", &free.to_string()]);
    assert!(code == 1 && err.contains("does not answer"), "{err}");

    // Nobody accepts, but the system connects.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = mute.local_addr().unwrap().to_string();
    let (code, _, err) = run(dir.path(), &["health", "--server", &mute, "--timeout-ms", "50"]);
    assert_eq!((code, err), (1, format!("{mute} does not answer: nothing came within 50 ms\n")));
    for wrong in [["--timeout-ms", "0"], ["--server", "foo"], ["--server", "a:b"], ["--server", "::1:2181"]] {
        let (code, _, err) = run(dir.path(), &["health", wrong[0], wrong[1]]);
        assert!(code == 2 && err.contains(wrong[0]), "{wrong:?}: {err}");
    }
}
