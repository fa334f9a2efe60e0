//! One connection, of a client or between servers, as its owner sees it: the queue of what is to be written, and what the task that reads is told.
//!
//! The owner of the peer queues replies and flushes each connection once a batch, straight from its own turn. Only when the
//! socket takes no more does the connection's task ([`super::serve`]) wait for room.
//!
//! Invariants: bytes are written in the order in which they were queued; what a reader who is slow keeps in memory is
//! of the size of its own backlog: short pieces are copied out of the batch that they came in, long ones have a batch nearly for themselves.

use bytes::{Buf as _, Bytes};
use quorate_core::vocabulary::ConnId;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use tokio::net::tcp::OwnedWriteHalf;

/// Pieces that go into one write.
const PIECES: usize = 64;
/// A piece that is as long keeps little else in memory than itself (`quorate_core::contract::Outbox`): copying it would cost more.
const OWN_FROM: usize = 16 << 10;
/// The peer hears of a backlog from this size on.
const BACKLOG_REPORTED: usize = 64 << 10;

/// See the module's words.
#[derive(Debug)]
pub(super) struct Connection<Id = ConnId> {
    /// Its number.
    pub(super) id: Id,
    /// The client's address.
    pub(super) address: SocketAddr,
    socket: OwnedWriteHalf,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Bytes>,
    /// Bytes in the queue.
    queued: usize,
    /// How many pieces at the front of the queue are looked at: long ones, or copies that only this connection holds.
    own: usize,
    /// The backlog as the peer last heard of it.
    reported: usize,
    /// The socket took no more; the task waits until it does.
    blocked: bool,
    paused: bool,
    /// The task is to look at its socket, whatever the poller says.
    to_look: bool,
    closing: Closing,
    /// On the owner's list of connections to flush.
    dirty: bool,
    task: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Closing {
    #[default]
    No,
    /// When the queue is empty.
    AfterQueue,
    /// At once: the socket is broken, or nobody waits any more.
    Now,
}

impl<Id> Connection<Id> {
    /// A connection over `socket`.
    pub(super) fn new(id: Id, address: SocketAddr, socket: OwnedWriteHalf) -> Self {
        Connection { id, address, socket, state: RefCell::default() }
    }

    /// Queues bytes. True when the connection has to be put on the list of those to flush.
    pub(super) fn queue(&self, bytes: Bytes) -> bool {
        let mut state = self.state.borrow_mut();
        // A piece without bytes could never be seen to be written.
        if state.closing != Closing::No || bytes.is_empty() {
            return false;
        }
        state.queued += bytes.len();
        state.queue.push_back(bytes);
        !std::mem::replace(&mut state.dirty, true)
    }

    /// Writes what the socket takes. Returns the size of the backlog when the peer should hear of it.
    pub(super) fn flush(&self) -> Option<usize> {
        let mut state = self.state.borrow_mut();
        state.dirty = false;
        if !state.blocked {
            self.write(&mut state);
            // The task goes on writing; or it has been told to close, may have looked already, and waits for the queue's end.
            if state.blocked || state.closing != Closing::No {
                state.wake();
            }
        }
        state.own_the_rest();
        state.report()
    }

    /// Has its task look at it.
    pub(super) fn wake(&self) {
        self.state.borrow().wake();
    }

    /// Closes the connection once everything queued is written.
    pub(super) fn close(&self) {
        let mut state = self.state.borrow_mut();
        if state.closing == Closing::No {
            state.closing = Closing::AfterQueue;
        }
        state.wake();
    }

    /// Closes the connection without writing anything more.
    pub(super) fn abort(&self) {
        self.state.borrow_mut().abort();
    }

    /// Whether the server wants it closed.
    pub(super) fn is_closing(&self) -> bool {
        self.state.borrow().closing != Closing::No
    }

    /// Whether it is to be closed, and nothing is left to write.
    pub(super) fn is_finished(&self) -> bool {
        let state = self.state.borrow();
        match state.closing {
            Closing::No => false,
            Closing::AfterQueue => state.queued == 0,
            Closing::Now => true,
        }
    }

    /// Bytes that wait to be written.
    pub(super) fn backlog(&self) -> usize {
        self.state.borrow().queued
    }

    /// Reads nothing more from it, or goes on.
    pub(super) fn pause_read(&self, paused: bool) {
        let mut state = self.state.borrow_mut();
        state.paused = paused;
        if !paused {
            state.wake();
        }
    }

    /// Has its task look at its socket without the poller. False when nothing more is read from it.
    pub(super) fn look(&self) -> bool {
        let mut state = self.state.borrow_mut();
        state.to_look = true;
        state.wake();
        state.closing == Closing::No
    }

    /// For the task: whether it is to look, this once.
    pub(super) fn takes_look(&self) -> bool {
        std::mem::take(&mut self.state.borrow_mut().to_look)
    }

    /// Whether its task should read now.
    pub(super) fn may_read(&self) -> bool {
        let state = self.state.borrow();
        !state.paused && state.closing == Closing::No
    }

    /// Sends the end of the stream.
    pub(super) fn shut_down(&self) {
        // A socket that is broken already has nothing to shut.
        let _ = socket2::SockRef::from(self.socket.as_ref()).shutdown(std::net::Shutdown::Write);
    }

    /// For the connection's task: goes on writing when the socket has room again, and is woken by the owner from now on.
    /// Returns the size of the backlog when the peer should hear of it.
    pub(super) fn poll_blocked(&self, context: &mut Context<'_>) -> Option<usize> {
        let mut state = self.state.borrow_mut();
        let known = state.task.as_ref().is_some_and(|task| task.will_wake(context.waker()));
        if !known {
            state.task = Some(context.waker().clone());
        }
        while state.blocked && state.closing != Closing::Now {
            match self.socket.as_ref().poll_write_ready(context) {
                Poll::Pending => break,
                Poll::Ready(_) => {
                    state.blocked = false;
                    self.write(&mut state);
                }
            }
        }
        state.report()
    }

    fn write(&self, state: &mut State) {
        while !state.queue.is_empty() {
            let written = if state.queue.len() == 1 {
                self.socket.try_write(&state.queue[0])
            } else {
                let mut pieces = [IoSlice::new(&[]); PIECES];
                for (slice, piece) in pieces.iter_mut().zip(&state.queue) {
                    *slice = IoSlice::new(piece);
                }
                self.socket.try_write_vectored(&pieces[..state.queue.len().min(PIECES)])
            };
            match written {
                Ok(written @ 1..) => state.written(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    state.blocked = true;
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => {
                    state.abort();
                    return;
                }
            }
        }
    }
}

impl State {
    fn wake(&self) {
        if let Some(task) = &self.task {
            task.wake_by_ref();
        }
    }

    fn abort(&mut self) {
        self.closing = Closing::Now;
        self.queue = VecDeque::new();
        (self.queued, self.own) = (0, 0);
        self.wake();
    }

    fn written(&mut self, mut bytes: usize) {
        self.queued -= bytes;
        while bytes > 0 {
            let first = self.queue.front_mut().expect("what was written was queued");
            if bytes < first.len() {
                first.advance(bytes);
                return;
            }
            bytes -= first.len();
            self.queue.pop_front();
            self.own = self.own.saturating_sub(1);
        }
    }

    /// Copies what is left of batches, so that they can go; gives the queue's own memory back when nothing is left.
    fn own_the_rest(&mut self) {
        if self.queue.is_empty() {
            if self.queue.capacity() > 0 {
                self.queue = VecDeque::new();
            }
            return;
        }
        let is_short = |piece: &Bytes| piece.len() < OWN_FROM;
        if self.queue.range(self.own..).any(is_short) {
            let rest: Vec<Bytes> = self.queue.drain(self.own..).collect();
            let runs = rest.chunk_by(|one, next| is_short(one) && is_short(next));
            self.queue
                .extend(runs.map(|run| if is_short(&run[0]) { run.concat().into() } else { run[0].clone() }));
        }
        self.own = self.queue.len();
    }

    /// The size of the backlog, when it has changed a lot since the peer last heard of it.
    fn report(&mut self) -> Option<usize> {
        let (now, before) = (self.queued, self.reported);
        let changed = match now {
            0 => before > 0,
            _ if before == 0 => now >= BACKLOG_REPORTED,
            _ => now >= 2 * before || 2 * now <= before,
        };
        if !changed {
            return None;
        }
        self.reported = now;
        Some(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::runtime::Builder;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_task_that_has_looked_before_the_last_bytes_are_written_is_told_when_they_are() {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
            let (_client, (stream, _)) = (client.unwrap(), accepted.unwrap());
            let (_read, write) = stream.into_split();
            let connection = Connection::new(ConnId(1), address, write);
            write_ready(&connection).await;
            assert!(connection.queue(Bytes::from_static(b"the last words")));
            connection.close();
            let woken = Arc::<Woken>::default();
            let waker = Waker::from(Arc::clone(&woken));
            connection.poll_blocked(&mut Context::from_waker(&waker));
            assert!(!connection.is_finished());
            connection.flush();
            assert!(connection.is_finished() && woken.0.load(Ordering::SeqCst) == 1);
        });
    }

    async fn write_ready(connection: &Connection) {
        connection.socket.writable().await.unwrap();
    }
}
