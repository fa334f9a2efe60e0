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
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{server} does not answer")));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece)? {
            0 => return Ok(String::from_utf8_lossy(&reply).into_owned()),
            n => reply.extend_from_slice(&piece[..n]),
        }
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
