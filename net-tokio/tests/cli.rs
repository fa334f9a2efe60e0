//! The binary from outside: what it prints, what it leaves behind, and with which code it exits (`operations.md` §1.1, §8.1,
//! §13).

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_quorate");

/// A command in a directory, with nothing in its environment that could configure it.
fn command(program: impl AsRef<Path>, dir: &Path) -> Command {
    let mut command = Command::new(program.as_ref());
    command.current_dir(dir);
    let scripts =
        ["ZOOCFG", "ZOOCFGDIR", "ZOOPIDFILE", "ZOO_LOG_DIR", "ZOO_DATADIR_AUTOCREATE_DISABLE", "RUST_LOG"];
    for name in ["SERVER_JVMFLAGS", "JVMFLAGS"].iter().chain(&scripts) {
        command.env_remove(name);
    }
    command
}

fn run(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    outcome(command(BINARY, dir).args(arguments).output().unwrap())
}

fn outcome(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().expect("it was killed"), text(output.stdout), text(output.stderr))
}

fn zoo_cfg(text: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("zoo.cfg"), text).unwrap();
    dir
}

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

/// Answers every connection with the same bytes, whatever it is asked.
fn fake_server(reply: &'static str) -> u16 {
    fake_server_on("127.0.0.1:0", reply)
}

fn fake_server_on(address: &str, reply: &'static str) -> u16 {
    let listener = TcpListener::bind(address).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut word = [0; 4];
            // A peer that leaves early has had its answer.
            let _ = stream.read_exact(&mut word).and_then(|()| stream.write_all(reply.as_bytes()));
        }
    });
    port
}

const SRVR: &str =
    "Zookeeper version: 3.9.5-x\nLatency min/avg/max: 0/0.0/0\nMode: standalone\nNode count: 5\n";
const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests\n";

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

/// The binary under the name of the script.
fn script(dir: &Path) -> PathBuf {
    let path = dir.join("zkServer.sh");
    std::os::unix::fs::symlink(BINARY, &path).unwrap();
    path
}

#[test]
fn as_zk_server_sh_it_takes_the_scripts_verbs() {
    let port = fake_server(SRVR);
    let dir = zoo_cfg(&format!("dataDir=data\nclientPort={port}\n"));
    let script = script(dir.path());
    let call = |arguments: &[&str]| {
        outcome(command(&script, dir.path()).env("ZOOCFGDIR", dir.path()).args(arguments).output().unwrap())
    };
    let config = dir.path().join("zoo.cfg");
    let head = format!("ZooKeeper JMX enabled by default\nUsing config: {}\n", config.display());

    let (code, out, err) = call(&["status"]);
    assert!(code == 0 && out.ends_with("Mode: standalone\n"), "{out}");
    assert_eq!(err, head);
    let (code, out, _) = call(&["stop"]);
    let pid_file = dir.path().join("data/zookeeper_server.pid");
    let expected =
        format!("Stopping zookeeper ... no zookeeper to stop (could not find file {})\n", pid_file.display());
    assert_eq!((code, out), (0, expected));
    let (code, out, _) = call(&["version"]);
    assert!(code == 0 && out.starts_with("quorate, version 3.9.5-quorate-"), "{out}");
    let (code, out, _) = call(&["print-cmd"]);
    assert!(code == 0 && out.contains("\"server\"") && out.contains("zoo.cfg"), "{out}");
    let (code, out, err) = call(&["dance"]);
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(err.starts_with(&format!("{head}Usage: ")), "{err}");
    let (code, _, err) = call(&["--config", "/elsewhere", "status", "other.cfg"]);
    assert!(code == 1 && err.contains("Using config: /elsewhere/other.cfg\n"), "{err}");
}

#[test]
fn the_script_makes_no_data_directory_that_it_was_told_not_to_make() {
    let dir = zoo_cfg("dataDir=volume\nclientPort=2181\n");
    let call = |verb: &str| {
        let mut call = command(dir.path().join("zkServer.sh"), dir.path());
        outcome(
            call.env("ZOOCFGDIR", dir.path())
                .env("ZOO_LOG_DIR", dir.path().join("logs"))
                .env("ZOO_DATADIR_AUTOCREATE_DISABLE", "1")
                .arg(verb)
                .output()
                .unwrap(),
        )
    };
    script(dir.path());
    let volume = dir.path().canonicalize().unwrap().join("volume");
    let missing = format!(
        "ZooKeeper data directory is missing at {} fix the path or run initialize\n",
        volume.display()
    );
    for verb in ["start", "start-foreground", "restart"] {
        let (code, out, _) = call(verb);
        assert_eq!((code, &out), (1, &missing), "{verb}");
        assert!(!volume.exists(), "{verb} has made it");
    }
    fs::create_dir_all(volume.join("version-2")).unwrap();
    let (code, out, _) = call("print-cmd");
    assert!(code == 0 && out.contains("\"--set\" \"datadir.autocreate=false\""), "{out}");
}

#[test]
fn the_script_is_found_through_path_and_looks_beside_itself() {
    let dir = zoo_cfg("");
    let (bin, conf) = (dir.path().join("zookeeper/bin"), dir.path().join("zookeeper/conf"));
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir_all(&conf).unwrap();
    fs::create_dir_all(dir.path().join("elsewhere")).unwrap();
    fs::write(conf.join("zoo.cfg"), "dataDir=data\nclientPort=2181\n").unwrap();
    let link = dir.path().join("elsewhere/zkServer.sh");
    std::os::unix::fs::symlink(script(&bin), &link).unwrap();
    // By its name alone, as a shell calls it, and by a link to it from a directory without a conf.
    for (called, path) in [(Path::new("zkServer.sh"), bin.as_path()), (&link, Path::new(""))] {
        let (code, out, err) =
            outcome(command(called, dir.path()).env("PATH", path).arg("print-cmd").output().unwrap());
        assert!(code == 0 && out.contains("/zookeeper/bin/../logs/"), "{out}");
        assert!(err.ends_with("/zookeeper/bin/../conf/zoo.cfg\n"), "{err}");
    }
    let (code, out, err) = outcome(command(&link, dir.path()).args(["start", "gone.cfg"]).output().unwrap());
    assert_eq!((code, out.as_str()), (1, "Starting zookeeper ... FAILED TO START\n"));
    assert!(err.ends_with("/zookeeper/bin/../conf/gone.cfg file is missing\n"), "{err}");
}

#[test]
fn a_server_that_cannot_start_is_told_by_start() {
    let dir = zoo_cfg("dataDir=data\nclientPort=2181\nsecureClientPort=2281\n");
    let script = script(dir.path());
    let mut start = command(&script, dir.path());
    start.env("ZOOCFGDIR", dir.path()).env("ZOO_LOG_DIR", dir.path().join("logs")).arg("start");
    let (code, out, _) = outcome(start.output().unwrap());
    assert_eq!((code, out.as_str()), (1, "Starting zookeeper ... FAILED TO START\n"));
    assert!(!dir.path().join("data/zookeeper_server.pid").exists());
    let logs: Vec<_> = fs::read_dir(dir.path().join("logs")).unwrap().collect();
    let log = fs::read_to_string(logs[0].as_ref().unwrap().path()).unwrap();
    assert!(log.contains("TLS is not built yet"), "{log}");
}

/// A server that has said where it listens. It is killed when a test ends early.
struct Server {
    child: Child,
    /// What it said up to there.
    said: Vec<String>,
    address: String,
    err: BufReader<std::process::ChildStderr>,
}

impl Server {
    fn start(mut command: Command) -> Server {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let err = BufReader::new(child.stderr.take().unwrap());
        let mut server = Server { child, said: Vec::new(), address: String::new(), err };
        while server.address.is_empty() {
            let mut line = String::new();
            assert!(server.err.read_line(&mut line).unwrap() > 0, "it ended: {:#?}", server.said);
            if let Some((_, rest)) = line.split_once("event=listening address=") {
                server.address = rest.split_whitespace().next().unwrap().to_owned();
            }
            server.said.push(line.trim_end().to_owned());
        }
        server
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Asks it to stop; its exit code, and what else it said.
    fn terminate(mut self) -> (i32, String) {
        self.signal(rustix::process::Signal::TERM);
        let mut rest = String::new();
        self.err.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code().expect("it was killed"), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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

/// The server that a pid file names; a test that ends early leaves none running.
struct Daemon(PathBuf);

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = fs::read_to_string(&self.0).ok().and_then(|text| text.trim().parse().ok());
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

#[test]
fn the_script_starts_a_server_in_the_background_and_stops_it() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dir = zoo_cfg(&format!("dataDir=data\nclientPort={port}\nclientPortAddress=127.0.0.1\n"));
    let script = script(dir.path());
    let call = |verb: &str| {
        let mut call = command(&script, dir.path());
        outcome(
            call.env("ZOOCFGDIR", dir.path())
                .env("ZOO_LOG_DIR", dir.path().join("logs"))
                .arg(verb)
                .output()
                .unwrap(),
        )
    };
    let _daemon = Daemon(dir.path().join("data/zookeeper_server.pid"));
    let (code, out, err) = call("start");
    assert_eq!((code, out.as_str()), (0, "Starting zookeeper ... STARTED\n"), "{err}");
    let pid = fs::read_to_string(dir.path().join("data/zookeeper_server.pid")).unwrap();
    let (code, out, _) = call("status");
    assert!(code == 0 && out.ends_with("Mode: standalone\n"), "{out}");
    let (code, out, _) = call("start");
    assert_eq!((code, out), (1, format!("Starting zookeeper ... already running as process {pid}.\n")));
    let (code, out, _) = call("restart");
    assert_eq!((code, out.as_str()), (0, "Stopping zookeeper ... STOPPED\nStarting zookeeper ... STARTED\n"));
    let restarted = fs::read_to_string(dir.path().join("data/zookeeper_server.pid")).unwrap();
    assert_ne!(pid, restarted);
    let (code, out, _) = call("stop");
    assert_eq!((code, out.as_str()), (0, "Stopping zookeeper ... STOPPED\n"));
    assert!(!Path::new(&format!("/proc/{restarted}")).exists());
    assert_eq!(call("status").0, 1);
}
