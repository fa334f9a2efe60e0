//! `quorate cli` from outside: what scripts see of it. Beside Java's zkCli it is held by `tests/interop/zkcli.py`.

use crate::{BINARY, Server, command, outcome};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const CONNECTED: &str = "\nWATCHER::\n\nWatchedEvent state:SyncConnected type:None path:null zxid: -1\n";
/// How it may have gone, within seconds rather than the session's timeout.
const PATIENCE: [&str; 2] = ["-timeout", "5000"];

struct Rig {
    dir: TempDir,
    server: Server,
}

impl Rig {
    fn start() -> Rig {
        let dir = TempDir::new().unwrap();
        let mut start = command(BINARY, dir.path());
        start.args(["server", "--port", "0", "--data-dir", "data"]);
        Rig { server: Server::start(start), dir }
    }

    fn cli(&self) -> Command {
        cli(self.dir.path(), &self.server.address)
    }

    fn run(&self, words: &[&str]) -> (i32, String, String) {
        outcome(self.cli().args(words).output().unwrap())
    }

    /// What it says to lines from a pipe.
    fn pipe(&self, options: &[&str], lines: &[u8]) -> (i32, String, String) {
        let mut child = self.cli().args(options).stdin(Stdio::piped()).spawn_piped();
        child.stdin.take().unwrap().write_all(lines).unwrap();
        outcome(child.wait_with_output().unwrap())
    }
}

trait Piped {
    fn spawn_piped(&mut self) -> Child;
}

impl Piped for Command {
    fn spawn_piped(&mut self) -> Child {
        self.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

fn cli(dir: &Path, server: &str) -> Command {
    let mut cli = command(BINARY, dir);
    cli.args(["cli", "-server", server]).args(PATIENCE).env_remove("CLIENT_JVMFLAGS").stdin(Stdio::null());
    cli
}

#[test]
fn one_command_prints_and_exits_as_zk_cli_does() {
    let rig = Rig::start();
    let head = format!("Connecting to {}\n{CONNECTED}", rig.server.address);
    let (code, out, err) = rig.run(&["create", "/a", "one two"]);
    assert_eq!((code, out, err.as_str()), (0, head.clone(), "Created /a\n"));
    assert_eq!(rig.run(&["get", "/a"]), (0, format!("{head}one two\n"), String::new()));
    assert_eq!(rig.run(&["get", "/b"]), (1, head.clone(), "Node does not exist: /b\n".to_owned()));
    assert_eq!(rig.run(&["ls", "/"]).1, format!("{head}[a, zookeeper]\n"));
    let (code, _, err) = rig.run(&["lz", "/"]);
    assert_eq!(code, 127);
    assert!(err.ends_with("\nCommand not found: Command not found lz\n"), "{err}");
    let (code, _, err) = rig.run(&["get", "-q", "/a"]);
    let unrecognized = "org.apache.commons.cli.UnrecognizedOptionException: Unrecognized option: -q\n";
    assert_eq!((code, err.as_str()), (1, unrecognized));
    let link = rig.dir.path().join("zkCli.sh");
    std::os::unix::fs::symlink(BINARY, &link).unwrap();
    let called = command(&link, rig.dir.path()).args(["-server", &rig.server.address, "get", "/a"]).output();
    assert_eq!(outcome(called.unwrap()), (0, format!("{head}one two\n"), String::new()));
}

#[test]
fn a_pipe_or_a_file_holds_commands_of_one_session() {
    let rig = Rig::start();
    let lines = "create /a 1\nget -w /a\nset /a 2\n\nget /a\nget /gone\n";
    let (code, out, err) = rig.pipe(&[], lines.as_bytes());
    assert_eq!((code, err.as_str()), (1, "Created /a\nNode does not exist: /gone\n"));
    assert!(
        out.contains("\nWatchedEvent state:SyncConnected type:NodeDataChanged path:/a zxid: 3\n"),
        "{out}"
    );
    // The prompts go along, as zkCli's do.
    let prompt = |number: u32| format!("[zk: {}(CONNECTED) {number}] ", rig.server.address);
    assert!(out.ends_with(&format!("{}{}2\n{}{}\n", prompt(3), prompt(3), prompt(4), prompt(5))), "{out}");
    std::fs::write(rig.dir.path().join("lines"), "set /a 3\r\nget /a\nget /gone\nquit\nset /a 4\n").unwrap();
    let (code, out, _) = rig.run(&["-f", "lines"]);
    assert!(code == 1 && out.contains("\n3\n") && out.contains("state:Closed"), "{out}");
    assert!(rig.run(&["get", "/a"]).1.ends_with("\n3\n"), "what stands behind quit was done");
    let (code, _, err) = rig.run(&["-f", "gone"]);
    assert_eq!((code, err.as_str()), (1, "gone: No such file or directory (os error 2)\n"));
}

#[test]
fn json_is_one_object_a_line_and_nothing_else() {
    let rig = Rig::start();
    let lines = "create /a x\nget -w /a\nset /a y\nget /gone\nlz\nls -R /a\n";
    let (code, out, err) = rig.pipe(&["--json"], lines.as_bytes());
    assert_eq!((code, err.as_str()), (0, ""));
    let objects: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let told = |field: &str| objects.iter().filter_map(|o| o[field].as_str()).collect::<Vec<_>>();
    assert_eq!(told("command"), ["create", "get", "set", "get", "lz", "ls"], "{out}");
    assert_eq!(told("error"), ["NoNode", "CommandNotFound"]);
    assert_eq!(told("event"), ["NodeDataChanged"]);
    assert_eq!(
        (objects[1]["text"].as_str(), objects[1]["stat"]["data_length"].as_i64()),
        (Some("x"), Some(1))
    );
}

#[test]
fn values_are_bytes() {
    let rig = Rig::start();
    let bytes: Vec<u8> = (0..=255).collect();
    std::fs::write(rig.dir.path().join("bytes"), &bytes).unwrap();
    assert_eq!(rig.run(&["create", "/file", "--file", "bytes"]).0, 0);
    assert_eq!(rig.run(&["get", "/file", "--out", "copy"]).0, 0);
    assert_eq!(std::fs::read(rig.dir.path().join("copy")).unwrap(), bytes);
    let printed = rig.cli().args(["get", "/file"]).output().unwrap().stdout;
    assert!(printed.ends_with(&[&bytes[..], b"\n"].concat()), "{printed:?}");
    let word = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    assert!(rig.cli().args(["set", "/file"]).arg(word).output().unwrap().status.success());
    assert!(rig.run(&["get", "-b", "/file"]).1.ends_with("\n//4=\n"));
    let mut set = rig.cli().args(["set", "/file", "--file", "-"]).stdin(Stdio::piped()).spawn_piped();
    set.stdin.take().unwrap().write_all(b"a\nb\n").unwrap();
    assert_eq!(outcome(set.wait_with_output().unwrap()).0, 0);
    assert!(rig.run(&["get", "/file"]).1.ends_with("\na\nb\n\n"));
}

#[test]
fn watch_follows_a_subtree_until_it_has_seen_enough() {
    let rig = Rig::start();
    let mut watch = rig.cli().args(["--json", "watch", "-d", "-n", "3", "/"]).spawn_piped();
    let mut seen = BufReader::new(watch.stdout.take().unwrap());
    // Until the watch stands, what is created may not be seen.
    let mut first = String::new();
    std::thread::scope(|scope| {
        let lines = scope.spawn(|| seen.read_line(&mut first));
        for number in 0.. {
            assert_eq!(rig.run(&["create", &format!("/early{number}"), "e"]).0, 0);
            if lines.is_finished() {
                break;
            }
        }
    });
    assert!(first.contains("\"event\":\"NodeCreated\"") && first.contains("\"text\":\"e\""), "{first}");
    rig.pipe(&[], b"create /a\ncreate /a/b\nset /a/b x\ndelete /a/b\n");
    let mut rest = String::new();
    seen.read_to_string(&mut rest).unwrap();
    assert_eq!(rest.lines().count(), 2, "{rest}");
    assert!(watch.wait().unwrap().success());
}

#[test]
fn a_closed_pipe_ends_the_printing_and_not_the_commands() {
    let rig = Rig::start();
    let mut child = rig.cli().stdin(Stdio::piped()).spawn_piped();
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(b"create /a\nget /a\ncreate /b\nget /a\n").unwrap();
    let (code, _, err) = outcome(child.wait_with_output().unwrap());
    assert_eq!((code, err.as_str()), (0, "Created /a\nCreated /b\n"));
}

#[test]
fn a_server_that_is_not_there_is_told_in_one_line() {
    let dir = TempDir::new().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let (code, out, err) = outcome(cli(dir.path(), &address).args(["get", "/a"]).output().unwrap());
    assert_eq!((code, out), (1, format!("Connecting to {address}\n")));
    let expected =
        format!("KeeperErrorCode = ConnectionLoss for /a ({address}: Connection refused (os error 111))\n");
    assert_eq!(err, expected);
    for (server, reason) in
        [("h:x", "h:x: \"h:x\" has no valid port\n"), ("/a", "/a: the connect string names no host\n")]
    {
        let (code, _, err) = outcome(cli(dir.path(), server).args(["ls", "/"]).output().unwrap());
        assert_eq!((code, err.as_str()), (1, reason));
    }
    let mut secure = cli(dir.path(), &address);
    let asked =
        secure.env("CLIENT_JVMFLAGS", "-Xmx1g -Dzookeeper.client.secure=true").args(["ls", "/"]).output();
    let (code, _, err) = outcome(asked.unwrap());
    assert!(
        code == 1 && err.starts_with("CLIENT_JVMFLAGS: zookeeper.client.secure=true asks for TLS"),
        "{err}"
    );
}

#[test]
fn an_interrupt_ends_it_with_130() {
    let rig = Rig::start();
    let mut child = rig.cli().stdin(Stdio::piped()).spawn_piped();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // It stays open: the end of what is said would end it, too.
    let mut said = child.stdin.take().unwrap();
    said.write_all(b"whoami\n").unwrap();
    while !line.starts_with("ip: ") {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0);
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
