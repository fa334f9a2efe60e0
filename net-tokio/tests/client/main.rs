//! The client library against a server: the one of `QUORATE_CONNECT` (`host:port`), any of ZooKeeper's, or else a Quorate process.
//!
//! Every test works below a node of its own, through a proxy of its own where it breaks the connection.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod basics;
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

/// A server to test against.
struct Target {
    address: SocketAddr,
    _own: Option<(Server, TempDir)>,
}

impl Target {
    fn start() -> Self {
        if let Some(connect) = std::env::var_os("QUORATE_CONNECT") {
            let address =
                connect.into_string().unwrap().parse().expect("QUORATE_CONNECT is an address and a port");
            return Target { address, _own: None };
        }
        let dir = tempdir().unwrap();
        let server = Server::start(dir.path(), &["extendedTypesEnabled=true"]);
        Target { address: server.address, _own: Some((server, dir)) }
    }

    /// A client that lives below a new node.
    async fn client(&self, name: &str) -> Client {
        self.through(self.address, name).await
    }

    /// The same, reaching the server where `address` is.
    async fn through(&self, address: SocketAddr, name: &str) -> Client {
        let builder = quorate_client::builder(&address.to_string()).unwrap();
        let client = builder.session_timeout(Millis(6000)).connect().await.unwrap();
        let home = format!("/client-test-{}-{name}-", std::process::id());
        let home = client.create(&home, "", &CreateOptions::persistent().sequential()).await.unwrap().path;
        client.at(&home).unwrap()
    }

    /// A way to the server that can be cut.
    fn proxy(&self) -> (Proxy, SocketAddr) {
        let proxy = Proxy::before(self.address.port());
        let address = SocketAddr::from(([127, 0, 0, 1], proxy.port));
        (proxy, address)
    }
}

/// What is waited for comes in time.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .unwrap_or_else(|_| panic!("it never came to pass that {what}"))
}
