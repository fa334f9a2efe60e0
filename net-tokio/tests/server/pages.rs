//! `mntr` and the Prometheus page.

use crate::client::{Client, create, get, word};
use crate::process::Server;
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
    assert_eq!(value("zk_global_sessions"), "1");
    // A session and two creates were made durable, in at most as many syncs.
    let syncs: u64 = value("zk_cnt_fsynctime").parse().unwrap();
    assert!((1..=3).contains(&syncs), "{syncs} syncs");
    assert_eq!(value("zk_cnt_write_per_namespace".replace("cnt_", "cnt_app_").as_str()), "2");
    assert!(page.len() > 480, "{} keys", page.len());
    // What came with 3.10 is not shown by a 3.9.
    assert!(!text.contains("op_count_") && !text.contains("ttl_node_"));
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
