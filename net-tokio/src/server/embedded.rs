//! A server within somebody else's process, for tests of applications.
//!
//! It has a free port of the loopback, and its data in a directory that goes with it. It hears no signals, and its log goes to the
//! process's own `tracing` subscriber, if there is one.

use super::mailbox::Mailbox;
use super::owner::{Exit, Message};
use super::start::{self, Running};
use crate::config::{self, Given};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot::{self, error::TryRecvError};

/// How often it is looked whether the server has ended, and for how long.
const GLANCE: Duration = Duration::from_millis(1);
const GLANCES: u32 = 5000;

/// A standalone server in this process. Dropping it ends it.
#[derive(Debug)]
pub struct EmbeddedServer {
    address: SocketAddr,
    mailbox: Arc<Mailbox<Message>>,
    exit: oneshot::Receiver<Exit>,
    directory: PathBuf,
}

impl EmbeddedServer {
    /// Starts one, with ticks of 500 ms, so that sessions may have timeouts from 1 s to 10 s.
    ///
    /// # Errors
    /// What the system refuses, in words.
    pub fn start() -> Result<Self, String> {
        Self::with_settings(&[])
    }

    /// The same with other settings, as zoo.cfg spells them.
    ///
    /// # Errors
    /// What the system refuses, and settings that are wrong, in words.
    pub fn with_settings(settings: &[(&str, &str)]) -> Result<Self, String> {
        let directory = new_directory().map_err(|error| format!("no directory for its data: {error}"))?;
        let data = directory.display().to_string();
        let own = [("dataDir", data.as_str()), ("tickTime", "500")];
        let flag =
            |(key, value): &(&str, &str)| ("an embedded server".to_owned(), (*key).into(), (*value).into());
        let flags = own.iter().chain(settings).map(flag).collect();
        let given = Given { flags, any_port: true, ..Given::default() };
        let evaluation = config::evaluate(&given).map_err(|invalid| invalid.to_string())?;
        let config = evaluation.accept().map_err(|invalid| invalid.to_string())?;
        let running = start::start(config, || Ok(()), |disk| disk).map_err(|failure| failure.to_string())?;
        let Running { config, mailbox, exit, .. } = running;
        let port = config.listen.port.ok_or("it was told to have no port")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(EmbeddedServer { address, mailbox, exit, directory })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients connect to.
    pub fn connect_string(&self) -> String {
        self.address.to_string()
    }
}

/// A directory that was not there: a process of this number may have left its own.
fn new_directory() -> io::Result<PathBuf> {
    static STARTED: AtomicU64 = AtomicU64::new(0);
    loop {
        let name = format!("quorate-{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        match std::fs::create_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| directory),
        }
    }
}

impl Drop for EmbeddedServer {
    fn drop(&mut self) {
        self.mailbox.send(Message::Shutdown);
        // Not by blocking on it: that must not be done within a runtime, and this may be.
        for _ in 0..GLANCES {
            if !matches!(self.exit.try_recv(), Err(TryRecvError::Empty)) {
                break;
            }
            std::thread::sleep(GLANCE);
        }
        // What can't be removed is the system's to remove.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
