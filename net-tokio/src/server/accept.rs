//! The client port: bound early, so that a port in use is found out before the data is read; listening once there is
//! something to serve.
//!
//! Without an address of its own it takes IPv6 and IPv4 alike. Descriptors that run out pause it; who is connected goes on
//! being served, and who is not waits in the backlog.

use super::connection::Connection;
use super::ingress::Ingress;
use super::serve::serve;
use super::table::Table;
use crate::config::{ListenConfig, ServerConfig};
use quorate_core::contract::{Identity, Input};
use quorate_core::jute::{ClientDecoder, FieldLimit};
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Connections that may wait to be accepted, unless `clientPortListenBacklog` says otherwise. Java's default of 50 makes
/// clients that come all at once wait for a retransmission.
const BACKLOG: i32 = 4096;
/// How long nothing is accepted after the process ran out of something.
const PAUSE: Duration = Duration::from_millis(100);

/// A port that is taken, but that nobody can connect to yet.
#[derive(Debug)]
pub(crate) struct BoundPort {
    socket: Socket,
    backlog: i32,
}

impl BoundPort {
    /// Takes the client port, if the configuration has one.
    ///
    /// # Errors
    /// The address, and why it can't be taken.
    pub(crate) fn bind(config: &ListenConfig) -> Result<Option<Self>, (SocketAddr, io::Error)> {
        let Some(address) = config.socket_address() else { return Ok(None) };
        let backlog = config.backlog.map_or(BACKLOG, |backlog| i32::try_from(backlog).unwrap_or(i32::MAX));
        let socket = match config.address {
            Some(_) => bind(address, false),
            None => bind_every_address(address.port()),
        };
        socket.map(|socket| Some(BoundPort { socket, backlog })).map_err(|error| (address, error))
    }

    /// The port's number.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn number(&self) -> io::Result<u16> {
        let address = self.socket.local_addr()?.as_socket();
        address.map(|address| address.port()).ok_or_else(|| io::Error::other("the client port has no number"))
    }

    /// Lets clients connect. Needs a runtime.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn listen(self) -> io::Result<TcpListener> {
        self.socket.listen(self.backlog)?;
        TcpListener::from_std(self.socket.into())
    }
}

/// Binds a port on every address of this machine.
pub(super) fn bind_every_address(port: u16) -> io::Result<Socket> {
    // A system without IPv6 has IPv4.
    bind(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port), true).or_else(|error| {
        if is_in_use(&error) {
            Err(error)
        } else {
            bind(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port), false)
        }
    })
}

fn is_in_use(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

pub(super) fn bind(address: SocketAddr, dual_stack: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if dual_stack {
        socket.set_only_v6(false)?;
    }
    // A server that was just stopped leaves connections behind that must not keep the port.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// What accepted connections become part of.
#[derive(Debug)]
pub(super) struct Acceptor {
    /// Where they are found.
    pub(super) table: Rc<RefCell<Table>>,
    /// Where what they say goes.
    pub(super) ingress: Rc<Ingress>,
    /// `jute.maxbuffer`.
    pub(super) max_frame: u32,
    /// The longest field in a frame.
    pub(super) field_limit: FieldLimit,
    /// Whether `stmk` is executed, so that a mask follows it.
    pub(super) takes_mask: bool,
    /// `clientTcpKeepAlive`.
    pub(super) keep_alive: bool,
}

impl Acceptor {
    /// An acceptor with nothing accepted yet.
    pub(super) fn new(table: Rc<RefCell<Table>>, ingress: Rc<Ingress>, config: &ServerConfig) -> Self {
        let limits = &config.peer.limits;
        Acceptor {
            table,
            ingress,
            max_frame: limits.max_frame,
            field_limit: FieldLimit(limits.max_field()),
            takes_mask: config.four_letter.allows("stmk"),
            keep_alive: config.listen.tcp_keep_alive,
        }
    }

    /// Accepts until it is dropped.
    pub(super) async fn run(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, address)) => {
                    self.ingress.entrance.pass().await;
                    self.add(stream, address);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(
                        name: "accept_failed",
                        "cannot accept connections for the moment: {error}"
                    );
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn add(&self, stream: TcpStream, address: SocketAddr) {
        // Neither option is needed to serve the client.
        let _ = stream.set_nodelay(true);
        if self.keep_alive {
            let _ = SockRef::from(&stream).set_keepalive(true);
        }
        // An IPv4 client of an IPv6 socket is an IPv4 client.
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let (read, write) = stream.into_split();
        let connection = self.table.borrow_mut().insert(|id| Connection::new(id, address, write));
        self.ingress
            .push(Input::Accepted { conn: connection.id, identity: Identity { address, certificate: None } });
        let decoder = ClientDecoder::new(self.max_frame, self.field_limit);
        let decoder = if self.takes_mask { decoder } else { decoder.without_mask() };
        tokio::task::spawn_local(serve(connection, read, decoder, Rc::clone(&self.ingress)));
    }
}

/// Whether only the connection that was about to be accepted is lost.
pub(super) fn is_of_one_connection(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::CONNABORTED | Errno::INTR | Errno::PROTO | Errno::PERM))
}
