//! Connections between servers: the election port, the quorum port and that for observers (`quorum-protocol.md` §1, §4, §6.3).
//!
//! ```text
//! ports      the ports that are bound, and who connects to them
//! dial       names resolved at every dial, addresses tried one after the other
//! link       one connection: what is written to it, snapshots piece by piece
//! read       the task that reads it, and the decoders
//! inbox      what all of them have for the peer
//! ```
//!
//! All of it lives on the owner's thread. Each connection has a task that reads and one that writes on when the socket was full;
//! what the peer sends is written straight from the owner's turn. What servers say is handled before what clients say.
//!
//! Invariants: a connection's number is used once; exactly one `LinkClosed` is said of each, behind everything that came over it,
//! unless the peer hung up itself: then nothing more is said. Who connects to the election port and does not say who it is in time
//! is hung up on. Whatever is between servers is decided by the core.
//!
//! Absent: TLS and SASL between servers, several addresses in what the election port is told (each is tried at a dial).

mod dial;
mod link;
mod ports;
mod read;

pub(crate) use ports::{BoundPorts, PortProblem};

use self::link::Link;
use self::read::Decoders;
use super::inbox::Inbox;
use crate::config::{MemberConfig, ServerConfig};
use bytes::Bytes;
use quorate_core::contract::{Input, Port};
use quorate_core::quorum::ServerAddresses;
use quorate_core::tree::{SnapshotImage, TreeOptions};
use quorate_core::vocabulary::{LinkId, LookupSeed, ServerId};
use socket2::SockRef;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, spawn_local};

/// So many connections that others made may be open; a server has no use for more.
const MOST_ACCEPTED: usize = 1000;

/// The owner's end of everything. See the module's words.
#[derive(Debug)]
pub(super) struct Links {
    shared: Rc<Shared>,
    accepting: Vec<JoinHandle<()>>,
    /// Those to flush at the end of the batch.
    dirty: Vec<Rc<Link>>,
}

/// What the tasks share.
#[derive(Debug)]
struct Shared {
    inbox: Inbox,
    table: RefCell<BTreeMap<LinkId, Rc<Link>>>,
    last: Cell<u64>,
    decoders: Decoders,
    addresses: BTreeMap<ServerId, Vec<ServerAddresses>>,
    observer_master_port: u16,
    dial_timeout: Duration,
    /// How long who connects to the election port may take to say who it is.
    introduction: Duration,
    keep_alive: bool,
}

impl Links {
    /// Accepts from these ports. Needs a local runtime.
    ///
    /// # Errors
    /// When a port can't be listened to.
    pub(super) fn start(
        config: &ServerConfig,
        member: &MemberConfig,
        seed: LookupSeed,
        ports: BoundPorts,
    ) -> io::Result<Self> {
        let ensemble = &member.ensemble;
        let switches = &config.peer.switches;
        let tree = TreeOptions {
            extended_types: switches.extended_types,
            digest: switches.digest,
            serialize_last_zxid: switches.serialize_last_zxid,
        };
        let servers = ensemble.membership.servers();
        let shared = Rc::new(Shared {
            inbox: Inbox::default(),
            table: RefCell::default(),
            last: Cell::new(0),
            decoders: Decoders::new(seed, tree, config.peer.limits.max_field()),
            addresses: servers.map(|(id, server)| (id, server.addresses.clone())).collect(),
            observer_master_port: member.observer_master_port.unwrap_or(0),
            dial_timeout: Duration::from_millis(member.dial_timeout.0),
            introduction: Duration::from_millis(config.peer.tick_time.0 * u64::from(ensemble.sync_limit)),
            keep_alive: member.tcp_keep_alive,
        });
        let accepting = ports.accept(&shared)?;
        Ok(Links { shared, accepting, dirty: Vec::new() })
    }

    /// Makes `context` the owner, who is woken.
    pub(super) fn register(&self, context: &Context<'_>) {
        self.shared.inbox.register(context);
    }

    /// Whether nothing waits for the peer.
    pub(super) fn is_empty(&self) -> bool {
        self.shared.inbox.is_empty()
    }

    /// Exchanges what waits for `batch`, which must be empty.
    pub(super) fn swap(&self, batch: &mut Vec<Input>) {
        self.shared.inbox.swap(batch);
    }

    /// Connects to a server.
    pub(super) fn dial(&self, port: Port, to: ServerId) {
        spawn_local(dial::dial(Rc::clone(&self.shared), port, to));
    }

    /// Queues bytes.
    pub(super) fn send(&mut self, link: LinkId, bytes: Bytes) {
        if let Some(link) = self.shared.table.borrow().get(&link)
            && link.queue(bytes)
        {
            self.dirty.push(Rc::clone(link));
        }
    }

    /// Queues a database.
    pub(super) fn send_snapshot(&self, link: LinkId, image: SnapshotImage) {
        if let Some(link) = self.shared.table.borrow().get(&link) {
            link.queue_snapshot(image);
        }
    }

    /// Hangs up once everything queued is written; nothing more is heard.
    pub(super) fn close(&self, link: LinkId) {
        let found = self.shared.table.borrow().get(&link).cloned();
        if let Some(link) = found {
            link.hang_up();
        }
    }

    /// Whether [`Self::flush`] would do anything.
    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Writes what the sockets take; what the peer should hear of that is added to `inputs`.
    pub(super) fn flush(&mut self, inputs: &mut Vec<Input>) {
        for link in self.dirty.drain(..) {
            link.flush(|input| inputs.push(input));
        }
    }

    /// Nobody can connect any more.
    pub(super) fn stop_accepting(&mut self) {
        self.accepting.drain(..).for_each(|task| task.abort());
    }
}

impl Shared {
    /// Makes a link of a connection, and starts its tasks; the first input about it comes from the caller.
    fn open(self: &Rc<Self>, port: Port, stream: TcpStream, accepted: bool) -> LinkId {
        // Neither option is needed for what is said.
        let _ = stream.set_nodelay(true);
        if self.keep_alive {
            let _ = SockRef::from(&stream).set_keepalive(true);
        }
        self.last.set(self.last.get() + 1);
        let id = LinkId(self.last.get());
        let address = stream.peer_addr().unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into());
        let (read, write) = stream.into_split();
        let link = Rc::new(Link::new(id, port, address, write));
        self.table.borrow_mut().insert(id, Rc::clone(&link));
        let decoder = self.decoders.decoder(port, accepted);
        let reading = spawn_local(read::read(Rc::clone(self), Rc::clone(&link), read, decoder));
        spawn_local(link::write(Rc::clone(self), link, reading));
        id
    }

    /// Somebody connected.
    fn accepted(self: &Rc<Self>, port: Port, stream: TcpStream, address: SocketAddr) {
        if self.table.borrow().len() >= MOST_ACCEPTED {
            return;
        }
        // An IPv4 server at an IPv6 socket is an IPv4 server.
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let link = self.open(port, stream, true);
        self.inbox.push(Input::LinkAccepted { port, link, address });
    }
}
