//! One connection between servers as its owner sees it: the queue of what is to be written, and a database on its way.
//!
//! While a database is sent, what is queued behind it waits; pieces of it are made one at a time, each when the one before is written, so
//! that neither the owner nor memory has more than one at hand.

use super::Shared;
use crate::server::connection::Connection;
use bytes::{Bytes, BytesMut};
use quorate_core::contract::{Input, Port};
use quorate_core::tree::{SnapshotEncoder, SnapshotImage};
use quorate_core::vocabulary::LinkId;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;

/// How long what was queued before hanging up may take to be written.
const PATIENCE: Duration = Duration::from_secs(5);
/// The peer hears of a backlog from this size on.
const BACKLOG_REPORTED: usize = 64 << 10;

/// See the module's words.
#[derive(Debug)]
pub(super) struct Link {
    port: Port,
    connection: Connection<LinkId>,
    snapshot: RefCell<Option<Sending>>,
    /// The backlog as the peer last heard of it.
    reported: Cell<usize>,
    /// Whether the peer waits to hear that everything is written.
    owes_written: Cell<bool>,
    hung_up: Cell<bool>,
    /// Why it broke, as far as reading knows.
    reason: RefCell<Option<String>>,
}

/// A database on its way, and what comes behind it.
#[derive(Debug)]
struct Sending {
    encoder: SnapshotEncoder,
    behind: VecDeque<Piece>,
    /// Bytes that wait behind it.
    bytes: usize,
    /// The peer has hung up behind it.
    is_last: bool,
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    Snapshot(SnapshotImage),
}

impl Link {
    pub(super) fn new(id: LinkId, port: Port, address: SocketAddr, socket: OwnedWriteHalf) -> Self {
        Link {
            port,
            connection: Connection::new(id, address, socket),
            snapshot: RefCell::new(None),
            reported: Cell::new(0),
            owes_written: Cell::new(false),
            hung_up: Cell::new(false),
            reason: RefCell::new(None),
        }
    }

    pub(super) fn id(&self) -> LinkId {
        self.connection.id
    }

    /// Queues bytes. True when the link has to be put on the list of those to flush.
    pub(super) fn queue(&self, bytes: Bytes) -> bool {
        self.owes_written.set(self.port == Port::Election);
        if let Some(sending) = &mut *self.snapshot.borrow_mut() {
            sending.bytes += bytes.len();
            sending.behind.push_back(Piece::Bytes(bytes));
            return false;
        }
        self.connection.queue(bytes)
    }

    /// Queues a database.
    pub(super) fn queue_snapshot(&self, image: SnapshotImage) {
        let mut snapshot = self.snapshot.borrow_mut();
        match &mut *snapshot {
            Some(sending) => sending.behind.push_back(Piece::Snapshot(image)),
            None => *snapshot = Some(Sending::new(image)),
        }
        self.connection.wake();
    }

    /// Writes what the socket takes, and tells what the peer should hear.
    pub(super) fn flush(&self, tell: impl FnMut(Input)) {
        self.connection.flush();
        self.report(tell);
    }

    fn backlog(&self) -> usize {
        match &*self.snapshot.borrow() {
            Some(sending) => sending.bytes,
            None => self.connection.backlog(),
        }
    }

    fn report(&self, mut tell: impl FnMut(Input)) {
        if self.hung_up.get() {
            return;
        }
        let (now, before) = (self.backlog(), self.reported.get());
        let is_written = now == 0 && self.snapshot.borrow().is_none();
        if is_written && self.owes_written.take() {
            tell(Input::LinkWritten { link: self.id() });
        }
        let changed = match now {
            0 => before > 0 && is_written,
            _ if before == 0 => now >= BACKLOG_REPORTED,
            _ => now >= 2 * before || 2 * now <= before,
        };
        if changed && self.port != Port::Election {
            self.reported.set(now);
            tell(Input::LinkBacklog { link: self.id(), bytes: now });
        }
    }

    /// The peer wants it closed.
    pub(super) fn hang_up(self: &Rc<Self>) {
        self.hung_up.set(true);
        match &mut *self.snapshot.borrow_mut() {
            Some(sending) => sending.is_last = true,
            None => self.connection.close(),
        }
        let link = Rc::clone(self);
        spawn_local(async move {
            sleep(PATIENCE).await;
            link.connection.abort();
        });
    }

    pub(super) fn is_hung_up(&self) -> bool {
        self.hung_up.get()
    }

    /// Nothing more comes over it, for this reason.
    pub(super) fn broke(&self, reason: String) {
        *self.reason.borrow_mut() = Some(reason);
        self.connection.abort();
    }

    /// Writes on; ready when there will be nothing more to write.
    fn poll_write(&self, context: &mut Context<'_>, shared: &Shared) -> Poll<()> {
        self.connection.poll_blocked(context);
        self.report(|input| shared.inbox.push(input));
        if self.connection.is_finished() {
            return Poll::Ready(());
        }
        if self.connection.backlog() == 0 && self.snapshot.borrow().is_some() {
            self.send_piece();
            // Others have their turn before the next piece.
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Sends the next piece of the database on its way, or goes on with what is behind it.
    fn send_piece(&self) {
        let mut snapshot = self.snapshot.borrow_mut();
        let Some(sending) = &mut *snapshot else { return };
        let mut piece = BytesMut::new();
        if sending.encoder.next_chunk(&mut piece) {
            self.connection.queue(piece.freeze());
            self.connection.flush();
            return;
        }
        // That all of it is written is told, though nothing may have waited.
        self.reported.set(self.reported.get().max(1));
        while let Some(next) = sending.behind.pop_front() {
            match next {
                Piece::Bytes(bytes) => {
                    sending.bytes -= bytes.len();
                    self.connection.queue(bytes);
                }
                Piece::Snapshot(image) => {
                    sending.encoder = image.stream();
                    self.connection.flush();
                    return;
                }
            }
        }
        self.connection.flush();
        if sending.is_last {
            self.connection.close();
        }
        *snapshot = None;
    }
}

impl Sending {
    fn new(image: SnapshotImage) -> Self {
        Sending { encoder: image.stream(), behind: VecDeque::new(), bytes: 0, is_last: false }
    }
}

/// Writes what the owner's turns left, until the connection's end; then says that it is gone.
pub(super) async fn write(shared: Rc<Shared>, link: Rc<Link>, reading: JoinHandle<()>) {
    poll_fn(|context| link.poll_write(context, &shared)).await;
    link.connection.shut_down();
    reading.abort();
    shared.table.borrow_mut().remove(&link.id());
    if !link.is_hung_up() {
        let reason = link.reason.take().unwrap_or_else(|| "it broke while it was written to".to_owned());
        shared.inbox.push(Input::LinkClosed { link: link.id(), reason });
    }
}
