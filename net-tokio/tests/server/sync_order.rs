//! A reply to a write leaves behind the sync of the log that it promises. In the long form (`QUORATE_FULL`), which needs
//! `strace`, the system calls themselves are looked at.

use crate::bystander::is_full;
use crate::client::{Client, create, set, word};
use crate::process::{Server, command, poll_until};
use quorate_core::jute::Request;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::tempdir;

const MARK: &str = "what-is-to-be-durable";

#[test]
fn a_write_is_answered_when_its_sync_has_been_counted() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let (mut client, _) = Client::with_session(server.address);
    client.ask(create("/a", b"")).unwrap();
    for _ in 0..50 {
        let before = syncs(server.address);
        client.ask(set("/a", b"1")).unwrap();
        assert!(syncs(server.address) > before, "a write was answered before a sync");
    }
}

fn syncs(address: SocketAddr) -> u64 {
    let mntr = word(address, b"mntr");
    let line = mntr.lines().find_map(|line| line.strip_prefix("zk_cnt_fsynctime\t"));
    line.unwrap().parse().unwrap()
}

#[test]
fn a_write_is_answered_behind_the_system_call_that_syncs_it() {
    if is_full() {
        let dir = tempdir().unwrap();
        let trace = dir.path().join("trace");
        let lines = trace_one_set(&dir.path().join("data"), &trace);
        assert_synced_before_answered(&lines);
    }
}

/// The system calls of a server that answers one durable set, in their order.
fn trace_one_set(data: &Path, trace: &Path) -> Vec<String> {
    let inner = command(data, &[]);
    let mut strace = Command::new("strace");
    // The server is the child, and strace beside it, so that signals reach the server.
    strace.args(["-D", "-f", "-y", "-s", "300", "-o"]).arg(trace);
    strace.args(["-e", "trace=fdatasync,fsync,write,writev,pwrite64,pwritev,sendto,sendmsg"]);
    strace.arg(inner.get_program()).args(inner.get_args());
    strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut server = Server::spawn(&mut strace);
    let (mut client, _) = Client::with_session(server.address);
    client.ask(create("/a", b"")).unwrap();
    client.ask(set("/a", MARK.as_bytes())).unwrap();
    client.ask(Request::Ping).unwrap();
    server.stop();
    let read = || std::fs::read_to_string(trace).unwrap();
    poll_until("strace has written its last line", || read().contains("+++ exited with 0 +++"));
    read().lines().map(str::to_owned).collect()
}

fn assert_synced_before_answered(lines: &[String]) {
    let after = |from: usize, what: &str, is_it: &dyn Fn(&str) -> bool| {
        let found = lines[from..].iter().position(|line| is_it(line));
        from + found.unwrap_or_else(|| panic!("no {what} in:\n{}", lines[from..].join("\n")))
    };
    let logged = after(0, "write of the txn", &|line| line.contains("version-2/log.") && line.contains(MARK));
    let synced =
        after(logged, "end of its sync", &|line| line.contains("fdatasync") && line.ends_with("= 0"));
    let answered = after(logged, "reply", &|line| {
        ["sendto(", "sendmsg(", "write(", "writev("].iter().any(|call| line.contains(call))
            && line.contains("<socket:")
    });
    println!("{}\n{}\n{}", lines[logged], lines[synced], lines[answered]);
    assert!(synced < answered, "the reply overtook the sync:\n{}", lines[logged..].join("\n"));
}
