//! `quorate check`: what it says of a configuration and of its directories is what the server would.

use crate::{BINARY, Server, command, outcome, run, zoo_cfg};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

#[test]
fn check_exits_as_the_server_would_and_says_where_values_come_from() {
    let dir = zoo_cfg("dataDir=data\nclientPort=2181\nsnapCount=10\nssl.keyStore.location=/k\n");
    let mut check = command(BINARY, dir.path());
    check
        .args(["check", "zoo.cfg"])
        .env("SERVER_JVMFLAGS", "-Xmx1g -Dzookeeper.preAllocSize=64 -Dzookeeper.snapCount=5");
    let (code, out, err) = outcome(check.output().unwrap());
    assert_eq!((code, err.as_str()), (2, ""));
    let line = |start: &str| {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        out.lines().find(|line| line.starts_with(start)).map(words).unwrap_or_default()
    };
    assert_eq!(line("clientPort="), "clientPort=2181 zoo.cfg:2 same");
    assert_eq!(line("preAllocSize="), "preAllocSize=64 SERVER_JVMFLAGS same");
    assert_eq!(line("snapCount=5"), "snapCount=5 SERVER_JVMFLAGS overridden: zoo.cfg:3 counts");
    assert_eq!(line("tickTime="), "tickTime=3000 default same");
    assert!(line("ssl.keyStore.location=").contains("zoo.cfg:4 REFUSED: TLS is not built yet"));
    assert!(
        out.contains("ignored: -Xmx1g\n") && out.ends_with("the server would refuse to start\n"),
        "{out}"
    );

    fs::write(dir.path().join("zoo.cfg"), "dataDir=data\nclientPort=2181\n").unwrap();
    let (code, out, _) = run(dir.path(), &["check", "zoo.cfg"]);
    assert!(code == 0 && out.ends_with("the server would start\n"), "{out}");
}

#[test]
fn check_looks_at_a_data_directory() {
    let dir = zoo_cfg("dataDir=data\nclientPort=2181\n");
    let version = dir.path().join("data/version-2");
    fs::create_dir_all(&version).unwrap();
    for name in ["snapshot.0", "snapshot.1f", "log.1", "log.20", "log.5.bak"] {
        fs::write(version.join(name), "").unwrap();
    }
    fs::write(dir.path().join("data/myid"), "abc\n").unwrap();
    let (code, out, _) = run(dir.path(), &["check", "zoo.cfg", "data"]);
    assert_eq!(code, 2);
    let (code, out_configured, _) = run(dir.path(), &["check", "zoo.cfg"]);
    assert!(code == 2 && out_configured.contains("newest snapshot  snapshot.1f"), "{out_configured}");
    for expected in [
        "newest snapshot  snapshot.1f (of 2)",
        "newest log       log.20 (of 2)",
        "not understood   log.5.bak",
        "REFUSED: serverid abc is not a number",
    ] {
        assert!(out.contains(expected), "{expected}: {out}");
    }
}

/// A log that Java wrote.
const REAL_LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/tests/data/zookeeper-3.9.5/log.1");

/// What `check` promises must be what `server` does, and it may change nothing.
#[test]
fn check_rehearses_a_start_without_changing_anything() {
    let dir = zoo_cfg("dataDir=data\nclientPort=2181\n");
    let version = dir.path().join("data/version-2");
    let contents = || {
        let entries = fs::read_dir(&version).into_iter().flatten().map(|entry| entry.unwrap().path());
        let mut files: Vec<(PathBuf, Vec<u8>)> =
            entries.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        files.sort();
        files
    };
    let check = || {
        let before = contents();
        let (code, out, _) = run(dir.path(), &["check", "zoo.cfg"]);
        assert_eq!(contents(), before);
        (code, out)
    };
    let (code, out) = check();
    assert!(code == 0 && out.contains("\n  made a new database\n  wrote snapshot.0\n"), "{out}");
    assert!(!dir.path().join("data").exists());

    let mut start = command(BINARY, dir.path());
    start.args(["server", "zoo.cfg", "--port", "0"]);
    Server::start(start).terminate();
    // A log that a power loss has torn would be cut.
    let mut torn = fs::read(REAL_LOG).unwrap();
    torn.truncate(torn.len() - 5);
    fs::write(version.join("log.1"), torn).unwrap();
    let (code, out) = check();
    assert!(code == 0 && out.contains("\n  loaded snapshot.0\n  read log.1: "), "{out}");
    assert!(out.contains("\n  cut log.1 from "), "{out}");

    // Damage is what a start would refuse.
    fs::write(version.join("snapshot.0"), "ZKSN but no snapshot\0\0\0\x01/").unwrap();
    let (code, out) = check();
    assert!(code == 2 && out.contains("\n  REFUSED: none of 1 snapshots can be loaded"), "{out}");
    assert_eq!(run(dir.path(), &["server", "zoo.cfg", "--port", "0"]).0, 1);

    fs::remove_dir_all(&version).unwrap();
    fs::write(&version, "").unwrap();
    let (code, out, _) = run(dir.path(), &["check", "zoo.cfg"]);
    assert!(code == 2 && out.contains("/data/version-2 is not a directory"), "{out}");
}

/// Without extended types they look like ephemerals of sessions that are gone, and go with those.
#[test]
fn nodes_with_a_ttl_are_told_of_before_they_are_lost() {
    let dir = zoo_cfg("dataDir=data\nclientPort=2181\n");
    let version = dir.path().join("data/version-2");
    fs::create_dir_all(&version).unwrap();
    for entry in fs::read_dir(Path::new(REAL_LOG).parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, version.join(path.file_name().unwrap())).unwrap();
    }
    let (code, out, _) = run(dir.path(), &["check", "zoo.cfg"]);
    assert!(
        code == 0 && out.contains("  warning: nodes with a TTL are deleted at start (1, /app/ttl among"),
        "{out}"
    );
    let mut start = command(BINARY, dir.path());
    start.args(["server", "zoo.cfg", "--port", "0", "--set", "extendedTypesEnabled=true"]);
    let kept = Server::start(start);
    assert!(!kept.said.iter().any(|line| line.contains("ttl_nodes_lost")), "{:#?}", kept.said);
    kept.terminate();
    let mut start = command(BINARY, dir.path());
    start.args(["server", "zoo.cfg", "--port", "0"]);
    let lost = Server::start(start);
    assert!(lost.said.iter().any(|line| line.contains("WARN  event=ttl_nodes_lost")), "{:#?}", lost.said);
}

#[test]
fn check_warns_of_what_still_runs() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let dir = zoo_cfg(&format!("dataDir=data\nclientPort={}\nclientPortAddress=127.0.0.1\n", address.port()));
    let (code, out, _) = run(dir.path(), &["check", "zoo.cfg"]);
    assert!(code == 0 && out.contains(&format!("  warning: clientPort: {address} is in use; ")), "{out}");

    let dir = TempDir::new().unwrap();
    let mut start = command(BINARY, dir.path());
    start.args(["server", "--port", "0"]);
    let _server = Server::start(start);
    let (code, out, _) = run(dir.path(), &["check"]);
    assert!(code == 0 && out.contains("/quorate-data: a server is running on it"), "{out}");
}

#[test]
fn the_table_of_settings_in_the_readme_is_the_programs() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (code, table, _) = run(Path::new("."), &["check", "--list-settings"]);
    assert_eq!(code, 0);
    assert!(
        readme.contains(&table),
        "README.md is behind: put in what `quorate check --list-settings` prints"
    );
}
