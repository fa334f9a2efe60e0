//! Tokio as the runtime of a client.

use bytes::{Buf as _, Bytes, BytesMut};
use quorate_core::client::{ByteStream, Host, Lost, Runtime};
use quorate_core::vocabulary::Mono;
use std::future::Future;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWrite as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, Sleep};

/// As much is read from a socket at once.
const READ_BYTES: usize = 16 << 10;

/// Tasks, sockets and timers of the tokio runtime that it was made in.
#[derive(Clone, Debug)]
pub struct Tokio {
    /// When its clock showed nothing.
    start: Instant,
    handle: tokio::runtime::Handle,
}

impl Tokio {
    /// The runtime of the task that asks.
    ///
    /// # Panics
    /// Outside of any.
    pub fn new() -> Self {
        Tokio { start: Instant::now(), handle: tokio::runtime::Handle::current() }
    }
}

impl Default for Tokio {
    fn default() -> Self {
        Tokio::new()
    }
}

impl Runtime for Tokio {
    type Stream = TokioStream;
    type Sleep = Sleep;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(task);
    }

    fn now(&self) -> Mono {
        Mono(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn sleep_until(&self, due: Mono) -> Sleep {
        tokio::time::sleep_until(self.start + Duration::from_nanos(due.0))
    }

    fn connect(&self, host: &Host) -> impl Future<Output = Result<TokioStream, Lost>> + Send + 'static {
        let (host, address, start) = (host.to_string(), (host.name.clone(), host.port), self.entropy());
        async move {
            let stream = dial(address, start).await.map_err(|error| Lost(format!("{host}: {error}")))?;
            Ok(TokioStream { stream, buffer: BytesMut::new() })
        }
    }

    fn entropy(&self) -> u64 {
        // The keys of the standard library's hash tables are the system's entropy.
        RandomState::new().hash_one(())
    }
}

/// Connects to an address of the host, beginning with any of them: one that swallows what it is sent keeps nobody from the others
/// for good, and many clients do not all take the first.
async fn dial(host: (String, u16), start: u64) -> io::Result<TcpStream> {
    let mut addresses: Vec<SocketAddr> = lookup_host(host).await?.collect();
    let count = addresses.len().max(1) as u64;
    addresses.rotate_left((start % count) as usize);
    let stream = TcpStream::connect(addresses.as_slice()).await?;
    // A request that waits for the acknowledgement of the one before it waits for nothing.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A TCP connection to a server.
#[derive(Debug)]
pub struct TokioStream {
    stream: TcpStream,
    buffer: BytesMut,
}

impl ByteStream for TokioStream {
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, Lost>> {
        self.buffer.reserve(READ_BYTES);
        let read = pin!(self.stream.read_buf(&mut self.buffer)).poll(context);
        read.map(|read| match read {
            Ok(0) => Err(Lost("the server hung up".to_owned())),
            Ok(_) => Ok(self.buffer.split().freeze()),
            Err(error) => Err(Lost(error.to_string())),
        })
    }

    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &mut Bytes) -> Poll<Result<(), Lost>> {
        while bytes.has_remaining() {
            match Pin::new(&mut self.stream).poll_write(context, bytes) {
                Poll::Ready(Ok(written)) => bytes.advance(written),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Lost(error.to_string()))),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}
