//! The ports for other servers: where they are bound, and who connects to them (`quorum-protocol.md` §1.2). That for observers
//! (`observerMasterPort`) is there at every voter, and whoever connects while this server does not follow is hung up on.
//!
//! Each is bound at the addresses that the server's own line names, or on every one with `quorumListenOnAllIPs`. A port that can't be
//! had is tried again, because the name may not be known yet, or who had it before may be about to go.

use super::Shared;
use crate::config::MemberConfig;
use crate::server::accept::{bind, bind_every_address, is_of_one_connection};
use quorate_core::contract::Port;
use quorate_core::quorum::{Role, ServerAddresses};
use quorate_core::vocabulary::ServerId;
use socket2::Socket;
use std::io;
use std::net::ToSocketAddrs as _;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, spawn_local};

/// Servers that may wait to be accepted.
const BACKLOG: i32 = 128;
/// How long after an attempt to bind a port the next one is.
const PAUSE: Duration = Duration::from_secs(1);
/// How long nothing is accepted after the process ran out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Ports that are taken, but that nobody can connect to yet.
#[derive(Debug)]
pub(crate) struct BoundPorts {
    sockets: Vec<(Port, Socket)>,
}

/// A port that can't be had.
#[derive(Debug, thiserror::Error)]
#[error("the {kind} port {address} can't be bound: {error}")]
pub(crate) struct PortProblem {
    kind: &'static str,
    address: String,
    error: io::Error,
}

impl PortProblem {
    /// Whether somebody else has it.
    pub(crate) fn is_in_use(&self) -> bool {
        self.error.kind() == io::ErrorKind::AddrInUse
    }
}

impl BoundPorts {
    /// Takes the ports of server `me`, as often as is configured; whoever is told of attempts that failed decides whether to go on.
    ///
    /// # Errors
    /// The port, and why it can't be taken.
    pub(crate) fn bind_patiently(
        member: &MemberConfig,
        me: ServerId,
        mut failed: impl FnMut(&PortProblem),
    ) -> Result<Self, PortProblem> {
        let mut attempts = 0;
        loop {
            let problem = match Self::bind(member, me) {
                Ok(ports) => return Ok(ports),
                Err(problem) => problem,
            };
            attempts += 1;
            if attempts == member.bind_attempts {
                return Err(problem);
            }
            failed(&problem);
            std::thread::sleep(PAUSE);
        }
    }

    /// Takes them now.
    ///
    /// # Errors
    /// The port, and why it can't be taken.
    pub(crate) fn bind(member: &MemberConfig, me: ServerId) -> Result<Self, PortProblem> {
        let addresses =
            member.ensemble.membership.server(me).map_or(&[][..], |server| server.addresses.as_slice());
        let votes = member.ensemble.role == Role::Participant;
        let mut ports = BoundPorts { sockets: Vec::new() };
        let mut bound = Vec::new();
        for address in addresses {
            let numbers = [
                (Port::Election, Some(address.election_port)),
                (Port::Quorum, Some(address.quorum_port)),
                (Port::ObserverMaster, member.observer_master_port.filter(|_| votes)),
            ];
            for (port, number) in numbers.into_iter().filter_map(|(port, number)| Some((port, number?))) {
                if member.listen_on_all_ips && bound.contains(&number) {
                    continue;
                }
                bound.push(number);
                let socket = if member.listen_on_all_ips {
                    bind_every_address(number)
                } else {
                    bind_named(address, number)
                };
                let problem = |error| PortProblem {
                    kind: name(port),
                    address: if member.listen_on_all_ips {
                        number.to_string()
                    } else {
                        format!("{}:{number}", address.host)
                    },
                    error,
                };
                ports.sockets.push((port, socket.map_err(problem)?));
            }
        }
        Ok(ports)
    }

    /// Accepts from them, until the tasks are aborted. Needs a local runtime.
    pub(super) fn accept(self, shared: &Rc<Shared>) -> io::Result<Vec<JoinHandle<()>>> {
        let start = |(port, socket): (Port, Socket)| {
            socket.listen(BACKLOG)?;
            let listener = TcpListener::from_std(socket.into())?;
            Ok(spawn_local(accept(Rc::clone(shared), port, listener)))
        };
        self.sockets.into_iter().map(start).collect()
    }
}

fn bind_named(address: &ServerAddresses, port: u16) -> io::Result<Socket> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (address.host.as_str(), port).to_socket_addrs()? {
        match bind(address, false) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn name(port: Port) -> &'static str {
    match port {
        Port::Election => "election",
        Port::Quorum => "quorum",
        Port::ObserverMaster => "observer master",
    }
}

async fn accept(shared: Rc<Shared>, port: Port, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => shared.accepted(port, stream, address),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(
                    name: "accept_failed",
                    "cannot accept connections to the {} port for the moment: {error}",
                    name(port)
                );
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
