//! What the client library needs of the world it lives in. `quorate-client` gives it tokio's, the simulator its own.

use super::Host;
use crate::vocabulary::Mono;
use bytes::Bytes;
use std::future::Future;
use std::task::{Context, Poll};

/// Tasks, a clock, connections and entropy. A clone is another handle of the same world.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A connection to a server.
    type Stream: ByteStream;
    /// What `sleep_until` answers.
    type Sleep: Future<Output = ()> + Send + 'static;

    /// Runs `task` beside everything else, to its end.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// The time by a clock that never goes back.
    fn now(&self) -> Mono;

    /// Ready when the clock shows `due` or later.
    fn sleep_until(&self, due: Mono) -> Self::Sleep;

    /// Resolves the host's name and connects to it. How long that may take is the caller's business: it drops the future.
    fn connect(&self, host: &Host) -> impl Future<Output = Result<Self::Stream, Lost>> + Send + 'static;

    /// A number that nobody can guess and that no other call has given.
    fn entropy(&self) -> u64;
}

/// The bytes of a connection, both ways. Dropping it closes the connection.
pub trait ByteStream: Send + Unpin + 'static {
    /// The next bytes from the server, at least one.
    ///
    /// # Errors
    /// When no more will come.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, Lost>>;

    /// Takes as many of `bytes` as there is room for off their front; ready when none is left.
    ///
    /// # Errors
    /// When the connection takes no more.
    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &mut Bytes) -> Poll<Result<(), Lost>>;
}

/// The connection is gone or never came about; the words say why, for logs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Lost(pub String);
