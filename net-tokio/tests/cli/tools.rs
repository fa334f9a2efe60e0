//! `quorate top` and `quorate copy` over a server.

use crate::{BINARY, SRVR, Server, command, fake_server, run};
use tempfile::TempDir;

fn server(dir: &TempDir, data: &str) -> Server {
    let mut start = command(BINARY, dir.path());
    start.args(["server", "--port", "0", "--data-dir", data, "--set", "extendedTypesEnabled=true"]);
    start.args(["--set", "4lw.commands.whitelist=*"]);
    Server::start(start)
}

#[test]
fn top_shows_a_row_a_server_and_exits_1_if_one_is_silent() {
    let dir = TempDir::new().unwrap();
    let server = server(&dir, "data");
    // One that allows srvr alone answers mntr as it likes.
    let other = format!("127.0.0.1:{}", fake_server(SRVR));
    let (code, out, _) =
        run(dir.path(), &["top", "--once", "--servers", &format!("{},{other}", server.address)]);
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((code, lines.len()), (0, 3), "{out}");
    assert_eq!(lines[1][..3], [server.address.as_str(), "standalone", "0x0"]);
    assert_eq!((lines[2][1], lines[2][6]), ("standalone", "-"), "{out}");
    let (code, out, _) = run(dir.path(), &["top", "--once", "--json", "--server", "127.0.0.1:1"]);
    assert!(code == 1 && out.contains("\"error\":\"Connection refused"), "{out}");
}

#[test]
fn copy_keeps_data_and_acls() {
    let dir = TempDir::new().unwrap();
    let (from, to) = (server(&dir, "from"), server(&dir, "to"));
    let lines = "addauth digest u:p\ncreate /app one\ncreate -c /app/box\ncreate -t 3600000 /app/ttl x\ncreate /app/null\n\
                 create /app/mine secret auth::cdrwa\ncreate /app/mine/below y\ncreate -e /app/eph z\ncreate -s /app/s- 1\n\
                 delete /app/null\ncreate /app/null\nquit\n";
    std::fs::write(dir.path().join("lines"), lines).unwrap();
    assert_eq!(run(dir.path(), &["cli", "-server", &from.address, "-f", "lines"]).0, 0);
    // A session of its own keeps an ephemeral node there.
    assert_eq!(run(dir.path(), &["cli", "-server", &from.address, "create", "-e", "/app/eph", "z"]).0, 0);
    let (source, target) = (format!("{}/app", from.address), format!("{}/deep/app", to.address));
    let (code, _, err) = run(dir.path(), &["copy", &source, &target]);
    assert!(code == 1 && err.contains("get /app/mine: refused: NoAuth"), "{err}");
    let copy = ["copy", &source, &target, "--auth", "digest:u:p", "--overwrite"];
    let (code, out, err) = run(dir.path(), &copy);
    assert!(code == 0 && out.starts_with("copied 7 nodes with 12 bytes from "), "{out}{err}");
    assert_eq!(
        err,
        "beware: containers and nodes with a TTL can't be told from others: their copies stay\nbeware: 1 ephemeral nodes were left \
         out: they live by sessions of the source\nbeware: below 1 nodes, sequential names will go on from other numbers than in \
         the source: one that was copied is refused\n"
    );
    let all = |address: &str, root: &str| {
        let lines = format!("addauth digest u:p\nget -R {root}\n");
        std::fs::write(dir.path().join("lines"), lines).unwrap();
        let (code, out, _) = run(dir.path(), &["cli", "--json", "-server", address, "-f", "lines"]);
        assert_eq!(code, 0, "{out}");
        let nodes = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let nodes = nodes.filter(|node| node["path"].as_str().is_some_and(|path| !path.ends_with("/eph")));
        nodes
            .map(|node| {
                let path = node["path"].as_str().unwrap().trim_start_matches("/deep").to_owned();
                (path, node["data"].clone())
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(all(&from.address, "/app"), all(&to.address, "/deep/app"));
    let (code, _, err) = run(dir.path(), &["cli", "-server", &to.address, "get", "/deep/app/mine"]);
    assert!(code == 1 && err.contains("Insufficient permission"), "{err}");
    let (code, _, err) = run(dir.path(), &copy[..5]);
    assert!(code == 1 && err.contains("refused: NodeExists; --overwrite sets what is there"), "{err}");
    let inside = format!("{}/app/inside", from.address);
    let (code, _, err) = run(dir.path(), &["copy", &source, &inside]);
    assert!(code == 1 && err.contains("the copy would be copied"), "{err}");
}

#[test]
fn copy_counts_what_is_written_before_a_refusal_and_tells_of_ephemeral_nodes_in_its_way() {
    let dir = TempDir::new().unwrap();
    let (from, to) = (server(&dir, "from"), server(&dir, "to"));
    let play = |address: &str, lines: &str| {
        std::fs::write(dir.path().join("lines"), lines).unwrap();
        assert_eq!(run(dir.path(), &["cli", "-server", address, "-f", "lines"]).0, 0);
    };
    play(&from.address, "create /app r\ncreate /app/a 1\ncreate /app/b 2\ncreate /app/c 3\n");
    play(&to.address, "addauth digest u:p\ncreate /app\ncreate /app/b x auth::cdrwa\ncreate -e /goes y\n");
    let copy = |source: &str, target: &str| {
        let (source, target) = (format!("{}{source}", from.address), format!("{}{target}", to.address));
        run(dir.path(), &["copy", &source, &target, "--overwrite"])
    };
    let (code, out, err) = copy("/app", "/app");
    assert!(code == 1 && err.contains("/app/b: refused: NoAuth"), "{err}");
    assert!(out.starts_with("copied 3 nodes with 3 bytes from "), "{out}");
    let (code, _, err) = copy("/app/a", "/goes");
    assert!(code == 0 && err.contains("1 nodes were there already as ephemeral ones"), "{err}");
}
