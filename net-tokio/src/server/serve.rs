//! The task of one client connection: reads, decodes, writes on when the socket was full, and sees it to its end.
//!
//! Invariant: exactly one `Closed` is said of each connection, behind everything that it said itself. The owner answers it by
//! [`Connection::close`], so that replies to its last requests still leave before the socket does.

use super::connection::Connection;
use super::ingress::Ingress;
use quorate_core::contract::Input;
use quorate_core::jute::{ClientDecoder, ClientMessage, ProtocolViolation};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::timeout;

/// How long a connection that is being closed may take no byte before it is dropped.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long after the last byte went out the client's end is awaited, so that no reset overtakes the reply.
const LINGER: Duration = Duration::from_secs(1);

/// How reading came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The client said nothing more than this.
    Client,
    /// The client asked a four-letter word; it may have closed its half and still waits for the answer.
    Word,
    /// The server does not want to read on.
    Server,
}

/// Serves a connection until its end.
pub(super) async fn serve(
    connection: Rc<Connection>,
    mut socket: OwnedReadHalf,
    mut decoder: ClientDecoder,
    ingress: Rc<Ingress>,
) {
    let end = match read(&connection, &mut socket, &mut decoder, &ingress).await {
        Ok(end) => end,
        Err(violation) => {
            tracing::warn!(
                name: "connection_dropped",
                address = %connection.address,
                "the client sent {violation}"
            );
            End::Client
        }
    };
    drop(decoder);
    ingress.regulars.forget(&connection);
    if end == End::Client {
        ingress.exit.pass().await;
        ingress.push(Input::Closed { conn: connection.id });
    }
    write_the_rest(&connection, &ingress).await;
    if end != End::Client {
        ingress.push(Input::Closed { conn: connection.id });
        connection.shut_down();
    }
    if end == End::Server {
        // Whoever does not close in time is closed.
        let _ = timeout(LINGER, poll_fn(|context| poll_end(context, &mut socket))).await;
    }
}

/// Reads and forgets until the client's end. The buffer is no part of the task, which an idle connection has, too.
fn poll_end(context: &mut Context<'_>, socket: &mut OwnedReadHalf) -> Poll<()> {
    loop {
        let mut ignored = [0; 1024];
        let mut buffer = ReadBuf::new(&mut ignored);
        match ready!(Pin::new(&mut *socket).poll_read(context, &mut buffer)) {
            Ok(()) if !buffer.filled().is_empty() => {}
            _ => return Poll::Ready(()),
        }
    }
}

/// Reads and decodes until somebody ends it.
async fn read(
    connection: &Rc<Connection>,
    socket: &mut OwnedReadHalf,
    decoder: &mut ClientDecoder,
    ingress: &Ingress,
) -> Result<End, ProtocolViolation> {
    let (mut end, mut has_spoken) = (End::Client, false);
    let spoke = |context: &mut Context<'_>| poll_first_word(context, connection, socket, ingress);
    if poll_fn(spoke).await == FirstWord::Unwanted {
        return Ok(End::Server);
    }
    loop {
        match poll_fn(|context| poll_read(context, connection, socket, decoder, ingress)).await {
            Some(0) => return Ok(end),
            Some(_) => {
                let taken = take_messages(connection, decoder, ingress, &mut end);
                ingress.after_decoding(decoder);
                taken?;
                if has_spoken {
                    ingress.regulars.heard(connection);
                }
                has_spoken = true;
            }
            None => return Ok(End::Server),
        }
    }
}

/// Whether the connection's first word is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FirstWord {
    /// Something is there, and it is this connection's turn.
    Awaited,
    /// The server wants the connection closed.
    Unwanted,
}

fn poll_first_word(
    context: &mut Context<'_>,
    connection: &Connection,
    socket: &OwnedReadHalf,
    ingress: &Ingress,
) -> Poll<FirstWord> {
    poll_blocked(context, connection, ingress);
    if connection.is_closing() {
        return Poll::Ready(FirstWord::Unwanted);
    }
    // What is wrong with a socket, reading it says.
    ready!(socket.as_ref().poll_read_ready(context)).unwrap_or_default();
    ingress.entrance.poll_pass(context).map(|()| FirstWord::Awaited)
}

/// How many bytes came, 0 at the end of the stream; or `None` when the server wants the connection closed.
fn poll_read(
    context: &mut Context<'_>,
    connection: &Connection,
    socket: &mut OwnedReadHalf,
    decoder: &mut ClientDecoder,
    ingress: &Ingress,
) -> Poll<Option<usize>> {
    poll_blocked(context, connection, ingress);
    if connection.is_closing() {
        return Poll::Ready(None);
    }
    if !connection.may_read() {
        return Poll::Pending;
    }
    if connection.takes_look()
        && let found @ 1.. = ingress.look(socket, decoder)
    {
        return Poll::Ready(Some(found));
    }
    // A connection that broke has ended; why, its client knows.
    ingress.poll_read(context, socket, decoder).map(|read| Some(read.unwrap_or(0)))
}

fn poll_blocked(context: &mut Context<'_>, connection: &Connection, ingress: &Ingress) {
    if let Some(bytes) = connection.poll_blocked(context) {
        ingress.push(Input::Backlog { conn: connection.id, bytes });
    }
}

fn take_messages(
    connection: &Connection,
    decoder: &mut ClientDecoder,
    ingress: &Ingress,
    end: &mut End,
) -> Result<(), ProtocolViolation> {
    while let Some(message) = decoder.poll()? {
        if matches!(message, ClientMessage::FourLetter { .. }) {
            *end = End::Word;
        }
        ingress.push(Input::Client { conn: connection.id, message });
    }
    Ok(())
}

/// Waits until the owner wants the connection closed and everything queued is written, as long as the client takes anything.
async fn write_the_rest(connection: &Connection, ingress: &Ingress) {
    loop {
        let backlog = connection.backlog();
        let changed = poll_fn(|context| {
            poll_blocked(context, connection, ingress);
            if connection.is_finished() || connection.backlog() < backlog {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        let waited = timeout(PATIENCE, changed).await;
        if connection.is_finished() {
            return;
        }
        if waited.is_err() && connection.is_closing() {
            connection.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_core::jute::FieldLimit;
    use quorate_core::vocabulary::ConnId;
    use std::future::Future as _;
    use std::pin::pin;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::runtime::Builder;

    fn task_size<A, B, C, D, F>(_: fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn who_hangs_up_is_not_looked_at_while_it_stands_in_line() {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
            let (read, write) = accepted.unwrap().0.into_split();
            let connection = Rc::new(Connection::new(ConnId(1), address, write));
            let ingress = Rc::<Ingress>::default();
            ingress.regulars.heard(&connection);
            drop(client);
            let decoder = ClientDecoder::new(1 << 20, FieldLimit::default());
            let mut task = pin!(serve(Rc::clone(&connection), read, decoder, Rc::clone(&ingress)));
            poll_fn(|context| {
                ingress.entrance.turn();
                assert!(task.as_mut().poll(context).is_pending());
                if ingress.exit.has_line() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            assert!(!ingress.regulars.look());
        });
    }

    #[test]
    fn the_task_of_a_connection_is_small() {
        assert!(task_size(serve) <= 400, "{} bytes", task_size(serve));
    }
}
