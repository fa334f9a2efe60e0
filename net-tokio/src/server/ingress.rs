//! What clients' connections have for the peer, and the buffer they all read into.
//!
//! Invariant: a connection owns a buffer only while it holds part of a frame. Everything else is read into one shared buffer,
//! whose memory goes to the requests that point into it and comes back when they are done with.

use super::inbox::Inbox;
use super::regulars::Regulars;
use super::turnstile::Turnstile;
use bytes::BytesMut;
use quorate_core::contract::Input;
use quorate_core::jute::ClientDecoder;
use socket2::SockRef;
use std::cell::RefCell;
use std::future::Future as _;
use std::io::{self, Read as _};
use std::pin::pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncReadExt as _;
use tokio::net::tcp::OwnedReadHalf;

/// Bytes that one read may bring.
const READ: usize = 64 << 10;
/// With less room than this in the shared buffer, a new one is made.
const ROOM: usize = 16 << 10;
/// Bytes that a look may bring.
const LOOK: usize = 4 << 10;
/// Connections that are accepted in one turn of the owner, and as many that are heard for the first time.
const COMINGS_A_TURN: usize = 2;
/// Connections that end in one turn.
const GOINGS_A_TURN: usize = 1;

/// See the module's words. Lives on the owner's thread.
#[derive(Debug)]
pub(super) struct Ingress {
    inbox: Inbox,
    buffer: RefCell<BytesMut>,
    /// Where connections wait that come,
    pub(super) entrance: Turnstile,
    /// and those that go.
    pub(super) exit: Turnstile,
    /// Whom such a crowd is not to keep waiting.
    pub(super) regulars: Regulars,
}

impl Default for Ingress {
    fn default() -> Self {
        Ingress {
            inbox: Inbox::default(),
            buffer: RefCell::default(),
            entrance: Turnstile::new(COMINGS_A_TURN),
            exit: Turnstile::new(GOINGS_A_TURN),
            regulars: Regulars::default(),
        }
    }
}

impl Ingress {
    /// Adds an input, and wakes the owner for the first of a batch.
    pub(super) fn push(&self, input: Input) {
        self.inbox.push(input);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.inbox.is_empty()
    }

    /// Exchanges what waits for `batch`, which must be empty.
    pub(super) fn swap(&self, batch: &mut Vec<Input>) {
        self.inbox.swap(batch);
    }

    /// Makes `context` the owner, who is woken.
    pub(super) fn register(&self, context: &Context<'_>) {
        self.inbox.register(context);
        self.entrance.register(context);
        self.exit.register(context);
    }

    /// Whether somebody waits to come or to go.
    pub(super) fn has_line(&self) -> bool {
        self.entrance.has_line() || self.exit.has_line()
    }

    /// The next turn begins. Returns in how many turns everybody who waits now will have come or gone.
    pub(super) fn turn(&self) -> usize {
        self.entrance.turn().max(self.exit.turn())
    }

    /// Reads what is there into `decoder`, once. 0 bytes mean the end of the stream.
    pub(super) fn poll_read(
        &self,
        context: &mut Context<'_>,
        socket: &mut OwnedReadHalf,
        decoder: &mut ClientDecoder,
    ) -> Poll<io::Result<usize>> {
        let shared = decoder.buffered() == 0;
        let buffer = decoder.buffer_mut();
        if shared {
            std::mem::swap(buffer, &mut *self.buffer.borrow_mut());
            if buffer.capacity() < ROOM {
                *buffer = BytesMut::with_capacity(READ);
            }
        } else {
            // Whoever says half a word and no more has no room for the rest.
            ready!(socket.as_ref().poll_read_ready(context))?;
            buffer.reserve(ROOM);
        }
        let polled = pin!(socket.read_buf(buffer)).poll(context);
        if shared && !matches!(polled, Poll::Ready(Ok(_))) {
            std::mem::swap(decoder.buffer_mut(), &mut *self.buffer.borrow_mut());
        }
        polled
    }

    /// Reads what is there into `decoder`, though the poller may not know of it. 0 when that is nothing, or nothing that a read by
    /// [`poll_read`](Self::poll_read) would not find.
    pub(super) fn look(&self, socket: &OwnedReadHalf, decoder: &mut ClientDecoder) -> usize {
        let (socket, mut found) = (SockRef::from(socket.as_ref()), [0; LOOK]);
        let length = (&*socket).read(&mut found).unwrap_or(0);
        decoder.buffer_mut().extend_from_slice(&found[..length]);
        length
    }

    /// To be called when every whole frame was taken out of `decoder` after a read: takes the buffer back.
    pub(super) fn after_decoding(&self, decoder: &mut ClientDecoder) {
        let buffer = decoder.buffer_mut();
        let mut shared = self.buffer.borrow_mut();
        if shared.capacity() > 0 {
            // The frame under way has a buffer of its own; without one it needs none.
            if buffer.is_empty() {
                *buffer = BytesMut::new();
            }
            return;
        }
        let part = buffer.split();
        std::mem::swap(buffer, &mut *shared);
        if !part.is_empty() {
            buffer.extend_from_slice(&part);
        }
    }
}
