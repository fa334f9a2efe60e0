//! What a server says as it starts, serves and stops, and why one does not start.

use crate::{BINARY, Server, command, run, zoo_cfg};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tempfile::TempDir;

#[test]
fn an_invalid_configuration_exits_2_and_says_why() {
    let cases = [
        ("clientPort=2181\n", "dataDir is not set"),
        (
            "dataDir=data\ntickTime=abc\n",
            "zoo.cfg:2: tickTime=abc: NumberFormatException: For input string: \"abc\"",
        ),
        (
            "dataDir=data\nclientPort=2181\nsecureClientPort=2281\n",
            "zoo.cfg:3: secureClientPort=2281: TLS is not built yet",
        ),
        ("dataDir=data\nserver.1=a:1:2\nserver.2=b:1:2\n", "initLimit is not set"),
    ];
    for (text, expected) in cases {
        let dir = zoo_cfg(text);
        let (code, out, err) = run(dir.path(), &["server", "zoo.cfg"]);
        assert_eq!((code, out.as_str()), (2, ""), "{text}");
        let mut lines = err.lines();
        assert_eq!(lines.next(), Some("Invalid config, exiting abnormally"), "{text}");
        assert_eq!(lines.next(), Some("ConfigException: Error processing zoo.cfg"), "{text}");
        assert!(lines.any(|line| line.starts_with(expected)), "{text}: {err}");
        assert!(!dir.path().join("data").exists(), "a refused server has touched the disk");
    }
}

#[test]
fn a_named_file_that_is_missing_exits_2() {
    let dir = TempDir::new().unwrap();
    let (code, _, err) = run(dir.path(), &["server", "gone.cfg"]);
    assert_eq!(code, 2);
    assert_eq!(
        err,
        "Invalid config, exiting abnormally\nConfigException: Error processing gone.cfg\ngone.cfg file is missing\n"
    );
    assert!(!dir.path().join("quorate-data").exists(), "it fell back to the embedded default");
}

#[test]
fn more_than_four_arguments_exit_2_with_the_usage() {
    let dir = TempDir::new().unwrap();
    let (code, _, err) = run(dir.path(), &["server", "2181", "data", "2000", "60", "5"]);
    assert_eq!(code, 2);
    assert!(err.starts_with("Invalid number of arguments:[2181, data, 2000, 60, 5]\nUsage: "), "{err}");
    let (code, _, err) = run(dir.path(), &["server", "--no-such-flag"]);
    assert!(code == 2 && err.contains("--no-such-flag"), "{err}");
}

#[test]
fn a_data_directory_that_cannot_be_used_exits_3() {
    let dir = zoo_cfg("dataDir=file\nclientPort=2181\n");
    fs::write(dir.path().join("file"), "").unwrap();
    let (code, _, err) = run(dir.path(), &["server", "zoo.cfg"]);
    assert_eq!(code, 3);
    assert!(err.contains("\nUnable to access datadir, exiting abnormally\n"), "{err}");

    let dir = zoo_cfg("dataDir=absent\nclientPort=2181\ndatadir.autocreate=false\n");
    let (code, _, err) = run(dir.path(), &["server", "zoo.cfg"]);
    assert!(code == 3 && err.contains("\nUnable to access datadir, exiting abnormally\n"), "{err}");
    assert!(err.contains("datadir.autocreate=false: mount its volume"), "{err}");
    assert!(!dir.path().join("absent").exists());

    let dir = zoo_cfg("dataDir=data\nclientPort=2181\n");
    fs::create_dir(dir.path().join("data")).unwrap();
    fs::write(dir.path().join("data/version-2"), "").unwrap();
    let (code, _, err) = run(dir.path(), &["server", "zoo.cfg"]);
    assert!(code == 3 && err.contains("/data/version-2 is not a directory"), "{err}");

    let dir = zoo_cfg("dataDir=data\ndataLogDir=log\nclientPort=2181\n");
    fs::create_dir_all(dir.path().join("data/version-2")).unwrap();
    fs::write(dir.path().join("data/version-2/log.1"), "").unwrap();
    let (code, _, err) = run(dir.path(), &["server", "--set", "clientPort=0", "zoo.cfg"]);
    assert!(code == 3 && err.contains("log.1 lies in the snapshot directory"), "{err}");
}

#[test]
fn dev_runs_an_ensemble_and_prints_its_connect_string() {
    let dir = TempDir::new().unwrap();
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let needed =
        |base: u16| [0, 707, 1707].into_iter().flat_map(move |above| (0..3).map(move |at| base + above + at));
    let first = 11_000 + (std::process::id() % 7000) as u16;
    let base = (first..).find(|base| needed(*base).all(|port| is_free(&port))).unwrap();
    let mut start = command(BINARY, dir.path());
    start.args(["dev", "--servers", "3", "--port", &base.to_string(), "--data-dir", "data"]);
    let mut child = start.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, format!("127.0.0.1:{base},127.0.0.1:{},127.0.0.1:{}\n", base + 1, base + 2));
    for server in line.trim().split(',') {
        let serves = || run(dir.path(), &["health", "--server", server]).0 == 0;
        let deadline = Instant::now() + Duration::from_secs(30);
        while !serves() {
            assert!(Instant::now() < deadline, "{server} never served");
        }
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .unwrap();
    assert!(child.wait().unwrap().success());
    assert!(dir.path().join("data/server3/version-2/currentEpoch").exists());
}

#[test]
fn without_a_configuration_it_says_so_first_serves_and_stops() {
    let dir = TempDir::new().unwrap();
    let mut start = command(BINARY, dir.path());
    start.args(["server", "--port", "0"]);
    let server = Server::start(start);
    let data = dir.path().canonicalize().unwrap().join("quorate-data");
    let first = &server.said[0];
    let expected = format!(
        "no configuration was given: data in {}, clients on 127.0.0.1, on a port that the system chooses",
        data.display()
    );
    assert!(first.ends_with(&expected), "{first}");
    assert!(server.address.starts_with("127.0.0.1:"), "{}", server.address);
    let (code, out, _) = run(dir.path(), &["health", "--server", &server.address]);
    assert_eq!((code, out), (0, format!("{} serves as standalone\n", server.address)));
    let (code, rest) = server.terminate();
    assert_eq!(code, 0, "{rest}");
    assert!(data.join("version-2/snapshot.0").exists());
}

/// Signals are heard from the moment clients may come.
#[test]
fn a_closed_terminal_does_not_end_the_server_and_neither_does_a_wish_for_a_thread_dump() {
    let dir = TempDir::new().unwrap();
    let mut start = command(BINARY, dir.path());
    start.args(["server", "--port", "0"]);
    let mut server = Server::start(start);
    server.signal(rustix::process::Signal::HUP);
    server.signal(rustix::process::Signal::QUIT);
    for _ in 0..2 {
        let mut line = String::new();
        while !line.contains("event=signal_ignored signal=SIG") {
            line.clear();
            assert!(server.err.read_line(&mut line).unwrap() > 0, "it has ended");
        }
    }
    let (code, rest) = server.terminate();
    assert!(code == 0 && rest.contains("event=stopping signal=SIGTERM"), "{rest}");
}

#[test]
fn purging_is_announced_and_every_removed_file_is_told() {
    let dir = TempDir::new().unwrap();
    let mut start = command(BINARY, dir.path());
    start.args(["server", "--port", "0", "--set", "snapCount=2"]);
    let server = Server::start(start);
    let announced = "event=purging retain=3 snapshots=1 logs=0 ";
    assert!(server.said.iter().any(|line| line.contains(announced)), "{:#?}", server.said);
    let version = dir.path().join("quorate-data/version-2");
    // How many snapshots a load brings is the machine's affair; some are made of every hundred txns.
    let load = ["--workload", "write", "--znodes", "100", "--duration", "0.1", "--warmup", "0"];
    while ["snapshot.0", "log.1"].iter().any(|name| version.join(name).exists()) {
        let (code, _, err) = run(dir.path(), &[&["bench", "--server", &server.address][..], &load].concat());
        assert_eq!(code, 0, "{err}");
    }
    let (_, said) = server.terminate();
    let snapshot = "event=purged file=snapshot.0 bytes=";
    assert!(said.contains(snapshot) && !said.contains("file=snapshot.0 bytes=0 "), "{said}");
    assert!(said.contains("event=purged file=log.1 bytes="), "{said}");
}

#[test]
fn a_port_in_use_exits_1_and_a_directory_in_use_3() {
    let dir = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, _, err) = run(dir.path(), &["server", "--port", &port]);
    assert!(
        code == 1 && err.contains("Address already in use (os error 98); clientPort asks for it"),
        "{err}"
    );
    let page = "metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider";
    let page_port = format!("metricsProvider.httpPort={port}");
    let with_page = ["--set", page, "--set", &page_port, "--set", "metricsProvider.httpHost=127.0.0.1"];
    let (code, _, err) = run(dir.path(), &[&["server", "--port", "0"][..], &with_page].concat());
    assert!(code == 1 && err.contains("; metricsProvider.httpPort asks for it"), "{err}");
    assert!(!err.contains("ready for clients"), "{err}");

    let mut start = command(BINARY, dir.path());
    start.args(["server", "--port", "0"]);
    let _server = Server::start(start);
    let (code, _, err) = run(dir.path(), &["server", "--port", "0"]);
    assert!(code == 3 && err.contains("another server is running on this directory"), "{err}");
    let (code, out, _) = run(dir.path(), &["check", "--json"]);
    assert!(code == 0 && out.contains("\"accepted\": true"), "{out}");
    fs::write(dir.path().join("zoo.cfg"), "dataDir=quorate-data\nclientPort=2181\n").unwrap();
    let (code, out, _) = run(dir.path(), &["check", "zoo.cfg", "quorate-data"]);
    assert!(code == 2 && out.contains("REFUSED: another server has it open"), "{out}");
}
