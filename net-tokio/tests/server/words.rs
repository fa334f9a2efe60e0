//! The four-letter words, over a socket.

use crate::client::{Client, create, create_with_flags, word};
use crate::process::{Server, poll_until};
use quorate_core::jute::Request;
use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use tempfile::tempdir;

/// `name` with its value cut off, so that a transcript shows only what is the same in every run.
fn keys(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split(['=', '\t', ':']).next().unwrap()).collect()
}

#[test]
fn words_of_state() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    assert_eq!(word(server.address, b"ruok"), "imok");
    assert_eq!(word(server.address, b"ruok and more\n"), "imok");
    assert_eq!(word(server.address, b"isro"), "rw");
    assert_eq!(word(server.address, b"gtmk"), "306");
    assert_eq!(word(server.address, b"stmk\0\0\0\0\0\0\0\x07"), "7");
    assert_eq!(word(server.address, b"gtmk"), "7");
    assert_eq!(word(server.address, b"hash"), "");
    // No such word: a frame that is far too long.
    assert_eq!(word(server.address, b"what"), "");
    // Half a mask, and the client gives up.
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(b"stmk\0\0").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(std::io::read_to_string(stream).unwrap(), "");
}

#[test]
fn who_asks_and_closes_its_half_is_answered() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    // dirs asks the disk on another thread, so its answer comes long after the client's end.
    for asked in ["ruok", "dirs", "conf", "srvr"] {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(asked.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_ne!(std::io::read_to_string(stream).unwrap(), "", "{asked}");
    }
}

#[test]
fn srvr_of_a_fresh_server() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let reply = word(server.address, b"srvr");
    let (version, rest) = reply.split_once('\n').unwrap();
    assert!(version.starts_with("Zookeeper version: 3.9.5-quorate-0."), "{version}");
    assert!(version.contains(", built on "), "{version}");
    assert_eq!(
        rest,
        "Latency min/avg/max: 0/0.0/0\nReceived: 1\nSent: 0\nConnections: 1\nOutstanding: 0\nZxid: 0x0\n\
         Mode: standalone\nNode count: 5\n"
    );
}

#[test]
fn stat_and_cons_show_connections() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let (mut client, session) = Client::with_session(server.address);
    client.ask(create("/a", b"")).unwrap();
    let port = client.stream.local_addr().unwrap().port();

    let stat = word(server.address, b"stat");
    let brief = format!(" /127.0.0.1:{port}[1](queued=0,recved=2,sent=2)\n");
    assert!(stat.contains(&format!("\nClients:\n{brief}")) || stat.contains(&brief), "{stat}");
    assert!(stat.contains("[0](queued=0,recved=1,sent=0)\n"), "{stat}");
    assert!(stat.contains("\n\nLatency min/avg/max: "), "{stat}");

    let cons = word(server.address, b"cons");
    let line = cons.lines().find(|line| line.contains("sid=")).unwrap();
    let head =
        format!(" /127.0.0.1:{port}[1](queued=0,recved=2,sent=2,sid={},lop=CREA,est=", session.session_id);
    assert!(line.starts_with(&head), "{line}");
    let names: Vec<_> = line.split(',').skip(3).map(|field| field.split('=').next().unwrap()).collect();
    let expected =
        ["sid", "lop", "est", "to", "lcxid", "lzxid", "lresp", "llat", "minlat", "avglat", "maxlat"];
    assert_eq!(names, expected);
    assert!(line.contains(",to=30000,lcxid=0x1,lzxid=0x2,"), "{line}");
    assert!(cons.ends_with(")\n\n"), "{cons:?}");

    assert_eq!(word(server.address, b"crst"), "Connection stats reset.\n");
    let cons = word(server.address, b"cons");
    assert!(cons.contains("[1](queued=0,recved=0,sent=0,sid="), "{cons}");
    assert!(cons.contains(",lop=NA,"), "{cons}");
    assert_eq!(word(server.address, b"srst"), "Server stats reset.\n");
    // The answer to srst is the first packet that is counted anew.
    assert!(word(server.address, b"srvr").contains("\nReceived: 1\nSent: 1\n"));
}

#[test]
fn dump_shows_when_sessions_end_and_what_ends_with_them() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let (mut client, session) = Client::with_session(server.address);
    client.ask(create_with_flags("/e", b"", 1)).unwrap();
    let id = session.session_id;
    let port = client.stream.local_addr().unwrap().port();
    let dump = word(server.address, b"dump");
    let lines: Vec<_> = dump.lines().collect();
    assert_eq!(lines[..2], ["SessionTracker dump:", "Session Sets (1)/(1):"]);
    assert!(lines[2].starts_with("1 expire at ") && lines[2].ends_with(':'), "{}", lines[2]);
    let expected = [
        &format!("\t{id}") as &str,
        "ephemeral nodes dump:",
        "Sessions with Ephemerals (1):",
        &format!("{id}:"),
        "\t/e",
        "Connections dump:",
        "Connections Sets (2)/(2):",
    ];
    assert_eq!(lines[3..10], expected);
    assert!(dump.contains(&format!("\tip: /127.0.0.1:{port} sessionId: {id}\n")), "{dump}");
    assert!(dump.contains(" sessionId: 0x0\n"), "{dump}");
}

#[test]
fn watches_are_listed_by_session_and_by_path() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    assert_eq!(word(server.address, b"wchs"), "0 connections watching 0 paths\nTotal watches:0\n");
    assert_eq!(word(server.address, b"wchc"), "\n");
    assert_eq!(word(server.address, b"wchp"), "\n");
    let (mut client, session) = Client::with_session(server.address);
    for path in ["/b", "/a"] {
        let _ = client.ask(Request::Exists { path: Some(path.to_owned()), watch: true });
    }
    // A child watch is not shown.
    client.ask(Request::GetChildren { path: Some("/".to_owned()), watch: true }).unwrap();
    let id = session.session_id;
    assert_eq!(word(server.address, b"wchs"), "1 connections watching 2 paths\nTotal watches:2\n");
    assert_eq!(word(server.address, b"wchc"), format!("{id}\n\t/a\n\t/b\n\n"));
    assert_eq!(word(server.address, b"wchp"), format!("/a\n\t{id}\n/b\n\t{id}\n\n"));
    client.ask(Request::CloseSession).unwrap();
    poll_until("its watches are gone", || word(server.address, b"wchp") == "\n");
}

#[test]
fn conf_dirs_and_envi_name_their_keys_in_order() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let conf = word(server.address, b"conf");
    let expected = [
        "clientPort",
        "secureClientPort",
        "dataDir",
        "dataDirSize",
        "dataLogDir",
        "dataLogSize",
        "tickTime",
        "maxClientCnxns",
        "minSessionTimeout",
        "maxSessionTimeout",
        "clientPortListenBacklog",
        "serverId",
    ];
    assert_eq!(keys(&conf), expected);
    assert!(conf.starts_with(&format!("clientPort={}\n", server.address.port())), "{conf}");
    let data = dir.path().join("version-2");
    assert!(conf.contains(&format!("\ndataDir={}\n", data.display())), "{conf}");
    assert!(conf.ends_with("\nserverId=0\n"), "{conf}");

    let bytes: u64 =
        std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert_eq!(word(server.address, b"dirs"), format!("datadir_size: {bytes}\nlogdir_size: {bytes}\n"));

    let envi = word(server.address, b"envi");
    assert!(envi.starts_with("Environment:\nzookeeper.version=3.9.5-quorate-"), "{envi}");
    let expected = [
        "zookeeper.version",
        "host.name",
        "java.version",
        "java.vendor",
        "java.home",
        "java.class.path",
        "java.library.path",
        "java.io.tmpdir",
        "java.compiler",
        "os.name",
        "os.arch",
        "os.version",
        "user.name",
        "user.home",
        "user.dir",
        "os.memory.free",
        "os.memory.max",
        "os.memory.total",
    ];
    assert_eq!(keys(&envi)[1..], expected);
}

#[test]
fn a_word_outside_the_whitelist_is_refused_and_srvr_never_is() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &["4lw.commands.whitelist=ruok, mntr"]);
    assert_eq!(word(server.address, b"stat"), "stat is not executed because it is not in the whitelist.\n");
    assert_eq!(word(server.address, b"isro"), "isro is not executed because it is not in the whitelist.\n");
    // The mask that would follow is not waited for.
    for stmk in [&b"stmk"[..], b"stmk\0\0\0\0\0\0\0\x01"] {
        assert_eq!(word(server.address, stmk), "stmk is not executed because it is not in the whitelist.\n");
    }
    assert_eq!(word(server.address, b"ruok"), "imok");
    assert!(word(server.address, b"mntr").starts_with("zk_version\t3.9.5-quorate-"));
    assert!(word(server.address, b"srvr").starts_with("Zookeeper version: "));
}
