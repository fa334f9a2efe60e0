//! What goes into a client session and what comes out of it.

use super::connect_string::Host;
use crate::jute::{AuthPacket, Request, Response, WatcherEvent};
use crate::vocabulary::{ErrorCode, Zxid};
use bytes::{Bytes, BytesMut};

/// One attempt to have a connection. What a given-up attempt still says is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(pub u64);

/// A request, as its submitter numbers it; never on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// One thing that happens to a client session. Time comes beside it.
#[derive(Clone, Debug)]
pub enum ClientInput {
    /// The connection that was asked for stands.
    Connected(Attempt),
    /// The connection is gone, or never came about.
    ConnectionLost(Attempt),
    /// The server said something.
    Bytes(Attempt, Bytes),
    /// Do this. A read with its watch flag set, an addWatch and a removeWatches change the client's table of watches once
    /// they are answered.
    Submit(RequestId, Request),
    /// Prove this identity now and on every later connection. Completed when a server has accepted it.
    AddAuth(RequestId, AuthPacket),
    /// The time that `next_timeout` named has come.
    Timeout,
    /// End the session.
    Close,
}

/// What the session is like now, by ZooKeeper's names (`client-protocol.md` §16.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeeperState {
    /// Not on a server; the session may live on.
    Disconnected,
    /// On a server.
    SyncConnected,
    /// On a server that has lost its ensemble and only reads.
    ConnectedReadOnly,
    /// The end: the servers have given the session up, or must have.
    Expired,
    /// The end: a server refused the credentials.
    AuthFailed,
    /// The end, as asked.
    Closed,
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The connection was lost.
    ConnectionLoss,
    /// The session has expired.
    SessionExpired,
    /// A server refused the credentials.
    AuthFailed,
    /// The session was closed.
    Closed,
    /// The request is one that the session makes itself: ping, auth, setWatches, closeSession, SASL.
    NotSubmittable,
}

/// Why a request did not succeed; the variants tell what may have come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum ClientError {
    /// It never left: nothing happened.
    #[error("not sent: {0:?}")]
    NotSent(Reason),
    /// The server refused it: nothing happened.
    #[error("refused: {0:?}")]
    Refused(ErrorCode),
    /// The server refused it with a code that ZooKeeper does not have: nothing happened.
    #[error("refused with code {0}")]
    RefusedStrangely(i32),
    /// It was sent and not answered: it may have happened, or may yet happen.
    #[error("outcome unknown: {0:?}")]
    OutcomeUnknown(Reason),
}

/// One thing to do.
#[derive(Clone, Debug)]
pub enum ClientOutput {
    /// Connect to this host. Whatever becomes of it is reported under the attempt's number.
    Connect(Attempt, Host),
    /// Write these bytes to the connection.
    Send(Attempt, Bytes),
    /// Close the connection, or stop trying; nothing of it is heard any more.
    Disconnect(Attempt),
    /// A request came to its end.
    Completed {
        /// Which.
        id: RequestId,
        /// The zxid of the reply's header: of a write its own, of a read the server's last. None without a reply.
        zxid: Option<Zxid>,
        /// The reply's body, or why there is none.
        result: Result<Response, ClientError>,
    },
    /// A watch fired. The zxid is the change's, -1 for replayed events and from servers before 3.9.
    Event(WatcherEvent, Zxid),
    /// The session is in another state.
    StateChanged(KeeperState),
}

#[derive(Debug)]
enum Entry {
    Send { attempt: Attempt, start: usize, end: usize },
    Other(ClientOutput),
}

/// What a client session wants done, in order; filled by one `handle`, drained by the driver.
#[derive(Debug, Default)]
pub struct ClientOutbox {
    entries: Vec<Entry>,
    arena: BytesMut,
}

impl ClientOutbox {
    /// An empty one; keep it and use it again.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends what `write` appends; sends that follow each other become one.
    pub(super) fn send(&mut self, attempt: Attempt, write: impl FnOnce(&mut BytesMut)) {
        let start = self.arena.len();
        write(&mut self.arena);
        let end = self.arena.len();
        match self.entries.last_mut() {
            Some(Entry::Send { attempt: last, end: last_end, .. }) if *last == attempt => *last_end = end,
            _ => self.entries.push(Entry::Send { attempt, start, end }),
        }
    }

    /// Adds anything but a send.
    pub(super) fn push(&mut self, output: ClientOutput) {
        self.entries.push(Entry::Other(output));
    }

    /// A request without a reply came to its end.
    pub(super) fn fail(&mut self, id: RequestId, error: ClientError) {
        self.push(ClientOutput::Completed { id, zxid: None, result: Err(error) });
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes everything out, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = ClientOutput> + '_ {
        let bytes = self.arena.split().freeze();
        self.entries.drain(..).map(move |entry| match entry {
            Entry::Send { attempt, start, end } => ClientOutput::Send(attempt, bytes.slice(start..end)),
            Entry::Other(output) => output,
        })
    }
}
