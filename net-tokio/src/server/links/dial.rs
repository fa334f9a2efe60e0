//! Connecting to another server. Its name is resolved each time, because it may have moved; a name that nobody knows is no more than
//! a server that does not answer.

use super::Shared;
use quorate_core::contract::{Input, Port};
use quorate_core::vocabulary::ServerId;
use std::io;
use std::rc::Rc;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Connects to the port of a server, at the first of its addresses that answers.
pub(super) async fn dial(shared: Rc<Shared>, port: Port, to: ServerId) {
    let input = match connect(&shared, port, to).await {
        Ok(stream) => Input::Dialled { port, to, link: shared.open(port, stream, false) },
        Err(reason) => Input::DialFailed { port, to, reason },
    };
    shared.inbox.push(input);
}

async fn connect(shared: &Shared, port: Port, to: ServerId) -> Result<TcpStream, String> {
    let Some(addresses) = shared.addresses.get(&to) else {
        return Err(format!("server {} is in no configuration, so it has no address", to.0));
    };
    let mut reasons = Vec::new();
    for address in addresses {
        let number = match port {
            Port::Election => address.election_port,
            Port::Quorum => address.quorum_port,
            // The same at every server.
            Port::ObserverMaster => shared.observer_master_port,
        };
        match timeout(shared.dial_timeout, at(&address.host, number)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => reasons.push(format!("{}:{number}: {error}", address.host)),
            Err(_) => reasons.push(format!("{}:{number}: no answer in time", address.host)),
        }
    }
    Err(reasons.join("; "))
}

async fn at(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((host, port)).await? {
        match TcpStream::connect(address).await {
            // A port of this machine that nobody listens to may be given to who dials it, and then he talks to himself.
            Ok(stream) if stream.local_addr().ok() == stream.peer_addr().ok() => {
                last = io::Error::new(io::ErrorKind::ConnectionRefused, "nobody listens");
            }
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
