//! The binary from outside: what it prints, what it leaves behind, and with which code it exits (`operations.md` §1.1, §8.1,
//! §13).

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod check;
mod script;
mod server;
mod shell;
mod status;
mod tools;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
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
