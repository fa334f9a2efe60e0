//! Asks a server by a four-letter word, blocking, with a deadline on every step (`operations.md` §4.1).

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// Sends `word` to `server` (`host:port`) and reads until the server closes. Bytes that are not UTF-8 are replaced.
pub(crate) fn ask(server: &str, word: &str, patience: Duration) -> io::Result<String> {
    let deadline = Instant::now() + patience;
    let mut stream = connect(server, patience)?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(word.as_bytes())?;
    let mut reply = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let text = format!("nothing came within {} ms", patience.as_millis());
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece) {
            Ok(0) => return Ok(String::from_utf8_lossy(&reply).into_owned()),
            Ok(n) => reply.extend_from_slice(&piece[..n]),
            // That is how a socket says that the time is over; the next round says it in words.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Takes a server as the command line names it.
///
/// # Errors
/// What was expected.
pub(crate) fn host_and_port(text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or_default();
    let is_one_host =
        !host.is_empty() && (!host.contains(':') || host.starts_with('[') && host.ends_with(']'));
    match port.parse::<u16>() {
        Ok(1..) if is_one_host => Ok(text.to_owned()),
        _ => Err("expected HOST:PORT, as in 127.0.0.1:2181 or [::1]:2181".to_owned()),
    }
}

/// Connects to the first of the host's addresses that answers.
fn connect(server: &str, patience: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{server} has no address"));
    for address in server.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
