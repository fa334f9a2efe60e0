//! `mntr` and the Prometheus page.

use crate::client::{Client, create, create_request, create_with_flags, get, set, word};
use crate::process::{Server, poll_until};
use quorate_core::jute::{MultiOp, MultiReadOp, Request};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use tempfile::tempdir;

/// What dashboards rely on (`operations.md` §4.8).
const DASHBOARD: [&str; 18] = [
    "zk_version",
    "zk_server_state",
    "zk_avg_latency",
    "zk_min_latency",
    "zk_max_latency",
    "zk_packets_received",
    "zk_packets_sent",
    "zk_num_alive_connections",
    "zk_outstanding_requests",
    "zk_znode_count",
    "zk_watch_count",
    "zk_ephemerals_count",
    "zk_approximate_data_size",
    "zk_open_file_descriptor_count",
    "zk_max_file_descriptor_count",
    "zk_uptime",
    "zk_global_sessions",
    "zk_avg_fsynctime",
];

fn page(text: &str) -> BTreeMap<&str, &str> {
    text.lines().map(|line| line.split_once('\t').unwrap()).collect()
}

#[test]
fn mntr_has_every_key_that_a_standalone_server_has_and_counts() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let (mut client, _) = Client::with_session(server.address);
    client.ask(create("/app", b"12345")).unwrap();
    client.ask(create("/app/x", b"")).unwrap();
    client.ask(get("/app")).unwrap();
    let text = word(server.address, b"mntr");
    let page = page(&text);
    for key in DASHBOARD {
        assert!(page.contains_key(key), "{key} is missing");
    }
    let value = |key: &str| page[key].to_owned();
    assert_eq!(value("zk_server_state"), "standalone");
    assert_eq!(
        (value("zk_znode_count"), value("zk_num_alive_connections")),
        ("7".to_owned(), "2".to_owned())
    );
    // A handshake, two creates, a read, and this word.
    assert_eq!((value("zk_packets_received"), value("zk_packets_sent")), ("5".to_owned(), "4".to_owned()));
    // What was written is durable in batches; how many there were is the disk's affair.
    assert_eq!(
        (value("zk_sum_sync_processor_batch_size"), value("zk_cnt_propagation_latency")),
        ("3".to_owned(), "3".to_owned())
    );
    // They count what a leader tells, and snapshots that learners get.
    assert_eq!((value("zk_commit_count"), value("zk_snap_count")), ("0".to_owned(), "0".to_owned()));
    assert_eq!(value("zk_global_sessions"), "1");
    // A session and two creates were made durable, in at most as many syncs.
    let syncs: u64 = value("zk_cnt_fsynctime").parse().unwrap();
    assert!((1..=3).contains(&syncs), "{syncs} syncs");
    assert_eq!(value("zk_cnt_write_per_namespace".replace("cnt_", "cnt_app_").as_str()), "2");
    assert!(page.len() > 480, "{} keys", page.len());
    // What came with 3.10 is not shown by a 3.9.
    assert!(!text.contains("op_count_") && !text.contains("ttl_node_"));
}

/// Values of `mntr`, as they are printed.
fn values<const COUNT: usize>(server: &Server, keys: [&str; COUNT]) -> [String; COUNT] {
    let text = word(server.address, b"mntr");
    let page = page(&text);
    keys.map(|key| page.get(key).map_or("none", |value| *value).to_owned())
}

#[test]
fn only_clients_that_leave_without_a_word_are_dropped_connections() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let dropped = || values(&server, ["zk_connection_drop_count"]);
    let (mut client, _) = Client::with_session(server.address);
    client.ask(Request::CloseSession).unwrap();
    assert!(client.is_hung_up_on());
    drop(client);
    for _ in 0..5 {
        assert_eq!(word(server.address, b"ruok"), "imok");
    }
    // Its session is found by its next connection; the old one is closed by the server.
    let (first, session) = Client::with_session(server.address);
    let (second, _) = Client::reattach(server.address, &session);
    drop(first);
    assert_eq!(dropped(), ["0"]);
    drop(second);
    poll_until("it is counted", || dropped() == ["1"]);
}

#[test]
fn answers_to_words_are_packets() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    for _ in 0..5 {
        word(server.address, b"ruok");
    }
    // One that is long goes out in several.
    let page = word(server.address, b"mntr");
    assert!(page.contains("\nzk_packets_sent\t5\n"));
    let sent_by_now = 5 + page.len().div_ceil(8192);
    let srvr = word(server.address, b"srvr");
    assert!(srvr.contains(&format!("\nSent: {sent_by_now}\n")), "{srvr}");
    word(server.address, b"srst");
    assert_eq!(values(&server, ["zk_packets_sent"]), ["1"], "srst counts its own answer");
}

#[test]
fn bytes_by_namespace_are_those_that_zookeeper_counts() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let (mut client, _) = Client::with_session(server.address);
    let path = || Some("/app".to_owned());
    let write = |path: &str| MultiOp::Create(create_request(path, b"mm"));
    let bad = MultiOp::Check { path: Some("/none".to_owned()), version: 0 };
    client.ask(create("/app", b"12345")).unwrap();
    client.ask(Request::Multi(vec![write("/app/m"), write("/app/n")])).unwrap();
    let _ = client.ask(Request::Multi(vec![write("/app/o"), bad]));
    client.ask(create_with_flags("/app/e", b"", 1)).unwrap();
    let keys = ["zk_cnt_app_write_per_namespace", "zk_sum_app_write_per_namespace"];
    // Each path and its data; of the multi that failed, nothing.
    assert_eq!(values(&server, keys), ["4", "31"]);

    client.ask(get("/app")).unwrap();
    client.ask(Request::Exists { path: path(), watch: false }).unwrap();
    client.ask(Request::GetChildren { path: path(), watch: false }).unwrap();
    client.ask(Request::MultiRead(vec![MultiReadOp::GetData { path: path() }])).unwrap();
    let read = ["zk_cnt_app_read_per_namespace", "zk_sum_app_read_per_namespace"];
    // The path, 68 bytes of stat, and the data or the names.
    assert_eq!(values(&server, read), ["4", &(4 * (4 + 68) + 5 + 3 + 5).to_string()]);

    client.ask(Request::CloseSession).unwrap();
    assert_eq!(values(&server, keys), ["5", "37"], "the ephemeral's end is a write, too");
    word(server.address, b"srst");
    assert_eq!(values(&server, keys), ["0", "0"]);
    assert_eq!(values(&server, read), ["0", "0"]);
}

#[test]
fn bytes_of_frames_are_those_that_zookeeper_counts() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let (mut client, _) = Client::with_session(server.address);
    client.ask(create("/app", b"12345")).unwrap();
    client.ask(get("/app")).unwrap();
    let keys = [
        "zk_bytes_received_count",
        "zk_response_bytes",
        "zk_last_client_response_size",
        "zk_max_client_response_size",
    ];
    // A handshake, a create, a read and this word; then replies without their lengths, and without the handshake's.
    let received = 49 + (12 + 8 + 9 + 27 + 4) + (12 + 8 + 1) + 4;
    let read = 16 + 9 + 68;
    assert_eq!(
        values(&server, keys),
        [received, 16 + 8 + read, read, read].map(|value: u64| value.to_string())
    );
}

#[test]
fn starts_and_snapshots_are_measured_and_purges_are_not() {
    let dir = tempdir().unwrap();
    let settings = ["snapCount=4"];
    let mut server = Server::start(dir.path(), &settings);
    let started = [
        "zk_cnt_dbinittime",
        "zk_cnt_startup_snap_load_time",
        "zk_cnt_startup_txns_load_time",
        "zk_cnt_snapshottime",
    ];
    // A new database begins with a snapshot, and has nothing to replay.
    assert_eq!(values(&server, started), ["1", "1", "0", "1"]);
    let (mut client, _) = Client::with_session(server.address);
    client.ask(create("/a", b"")).unwrap();
    // Three snapshots are kept: when a file goes, several purges that found nothing are over.
    poll_until("a snapshot is purged", || {
        client.ask(set("/a", b"x")).unwrap();
        server.count_logged("event=purged") > 0
    });
    poll_until("as many are measured as were written", || {
        let written = 1 + server.count_logged("event=snapshot_durable");
        values(&server, ["zk_cnt_snapshottime"]) == [written.to_string()]
    });
    assert_eq!(values(&server, ["zk_snap_count"]), ["0"]);
    server.stop();
    let server = Server::start(dir.path(), &settings);
    assert_eq!(values(&server, started), ["1", "1", "1", "0"]);
}

fn scrape(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn the_prometheus_page_shows_the_same_registry() {
    let dir = tempdir().unwrap();
    let provider =
        "metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider";
    let port = free_port();
    let port_setting = format!("metricsProvider.httpPort={port}");
    let server = Server::start(dir.path(), &[provider, "metricsProvider.httpHost=127.0.0.1", &port_setting]);
    let line = server.logged("event=metrics_listening");
    let address: SocketAddr =
        line.split("address=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let (mut client, _) = Client::with_session(server.address);
    client.ask(create("/app", b"12345")).unwrap();

    let reply = scrape(address, "/metrics");
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    for line in [
        "# TYPE znode_count gauge",
        "znode_count 6.0",
        "# TYPE snap_count counter",
        "# TYPE updatelatency summary",
        "updatelatency_count 2.0",
        "write_per_namespace_count{key=\"app\"} 1.0",
        "# TYPE process_resident_memory_bytes gauge",
    ] {
        assert!(body.lines().any(|found| found == line), "no line {line:?}");
    }
    assert!(body.contains("\nupdatelatency{quantile=\"0.99\"} "));
    // A basic summary has its median, and no other.
    assert!(body.contains("\nsync_processor_batch_size{quantile=\"0.5\"} 1.0\n"));
    assert!(body.contains("\nwrite_per_namespace{key=\"app\",quantile=\"0.5\"} 9.0\n"));
    assert!(!body.contains("\nsync_processor_batch_size{quantile=\"0.9"));
    // A family is announced once, and every sample belongs to one.
    let types: Vec<_> = body.lines().filter(|line| line.starts_with("# TYPE ")).collect();
    let distinct: std::collections::BTreeSet<_> = types.iter().collect();
    assert_eq!(types.len(), distinct.len());
    for line in body.lines().filter(|line| !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').unwrap();
        assert!(value == "NaN" || value.parse::<f64>().is_ok(), "{line}");
    }
    assert!(scrape(address, "/other").starts_with("HTTP/1.1 404"));
    // The provider renames what mntr prints.
    assert!(word(server.address, b"mntr").contains("zk_updatelatency{quantile=\"0.5\"}\t"));
}

/// A port that nobody had a moment ago: the configuration has no way to ask for any.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
