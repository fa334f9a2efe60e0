//! The client library against a server: those of `QUORATE_CONNECT` (`host:port,…`), any of ZooKeeper's, or else a Quorate process.
//!
//! Every test works below a node of its own, through a proxy of its own where it breaks the connection.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod basics;
mod embedded;
mod guide;
#[allow(dead_code, reason = "the tests of ensembles use the rest")]
#[path = "../server/process.rs"]
mod process;
#[allow(dead_code, reason = "the tests of ensembles use the rest")]
#[path = "../chaos/proxy.rs"]
mod proxy;
mod sessions;
mod watches;

use process::Server;
use proxy::Proxy;
use quorate_client::{Client, CreateOptions, Millis};
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::{TempDir, tempdir};

/// Only a broken server or client takes longer for anything.
const DEADLINE: Duration = Duration::from_secs(30);

/// Servers to test against.
struct Target {
    addresses: Vec<SocketAddr>,
    _own: Option<(Server, TempDir)>,
}

impl Target {
    fn start() -> Self {
        if let Some(connect) = std::env::var_os("QUORATE_CONNECT") {
            let connect = connect.into_string().unwrap();
            let addresses = connect.split(',').map(str::parse).collect::<Result<_, _>>();
            let addresses = addresses.expect("QUORATE_CONNECT names addresses with ports");
            return Target { addresses, _own: None };
        }
        let dir = tempdir().unwrap();
        let server = Server::start(dir.path(), &["extendedTypesEnabled=true"]);
        Target { addresses: vec![server.address], _own: Some((server, dir)) }
    }

    /// A client that lives below a new node.
    async fn client(&self, name: &str) -> Client {
        self.through(&self.connect_string(), name).await
    }

    fn connect_string(&self) -> String {
        joined(&self.addresses)
    }

    /// The same, reaching the servers by other ways.
    async fn through(&self, connect: &str, name: &str) -> Client {
        let builder = quorate_client::builder(connect).unwrap();
        let client = builder.session_timeout(Millis(6000)).connect().await.unwrap();
        let home = format!("/client-test-{}-{name}-", std::process::id());
        let home = client.create(&home, "", &CreateOptions::persistent().sequential()).await.unwrap().path;
        client.at(&home).unwrap()
    }

    /// Ways to the servers that can be cut, and what they are for a client.
    fn proxies(&self) -> (Proxies, String) {
        let proxies: Vec<_> = self.addresses.iter().map(|address| Proxy::before(address.port())).collect();
        let ways: Vec<_> =
            proxies.iter().map(|proxy| SocketAddr::from(([127, 0, 0, 1], proxy.port))).collect();
        (Proxies(proxies), joined(&ways))
    }
}

fn joined(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// The ways to all servers.
struct Proxies(Vec<Proxy>);

impl Proxies {
    /// Silent, both ways.
    fn cut(&self) {
        self.0.iter().for_each(|proxy| proxy.cut(true, true));
    }

    /// What was cut is gone, and there are ways again.
    fn heal(&self) {
        for proxy in &self.0 {
            proxy.heal(true);
        }
    }
}

/// What is waited for comes in time.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .unwrap_or_else(|_| panic!("it never came to pass that {what}"))
}
