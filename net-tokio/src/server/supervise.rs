//! The main thread while the server runs: signals, the service manager, free space, the metrics page, the log's counts.

use super::mailbox::Mailbox;
use super::owner::{Exit, Message};
use super::start::{Failure, Running};
use crate::config::StorageConfig;
use crate::{logging, metrics};
use quorate_core::contract::ExitCode;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{error, info, warn};

/// How often free space is looked at.
const FREE_SPACE: Duration = Duration::from_secs(1);
/// How long the owner may take to end. A disk that hangs keeps it longer, and then nothing more is to be had from it.
const PATIENCE: Duration = Duration::from_millis(4500);

/// What the main thread waits in.
///
/// # Errors
/// When the system refuses it.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// Signals as the process hears them from now on; until then they do what the system has them do.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    quit: Signal,
}

impl Signals {
    /// Begins to hear them.
    ///
    /// # Errors
    /// When the system refuses it.
    pub(super) fn hear(runtime: &Runtime) -> io::Result<Self> {
        let _inside = runtime.enter();
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Waits for one that ends the server; returns its name. A terminal that closes does not end it, and what makes a JVM print
    /// its threads does not either.
    async fn end(&mut self) -> &'static str {
        loop {
            let ignored = tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => "SIGHUP",
                _ = self.quit.recv() => "SIGQUIT",
            };
            info!(name: "signal_ignored", signal = ignored, "SIGTERM or SIGINT stops the server");
        }
    }
}

/// Waits for the end of the server; returns the exit code.
///
/// # Errors
/// When it can't be waited for.
pub(super) fn supervise(runtime: Runtime, running: Running<Signals>) -> Result<u8, Failure> {
    let code = runtime.block_on(watch(running));
    // Threads that measure a hanging disk are not waited for.
    runtime.shutdown_background();
    code
}

/// Waits for the end of several servers: all of them end when they are told to, the process when one ends by itself.
///
/// # Errors
/// When one can't be waited for.
pub(super) fn supervise_all(runtime: Runtime, running: Vec<Running<Signals>>) -> Result<u8, Failure> {
    let code = runtime.block_on(async {
        let mut servers = JoinSet::new();
        running.into_iter().for_each(|server| drop(servers.spawn(watch(server))));
        let mut code = 0;
        while let Some(ended) = servers.join_next().await {
            match ended {
                Ok(Ok(0)) => {}
                Ok(Ok(unexpected)) => return Ok(unexpected),
                Ok(Err(failure)) => return Err(failure),
                Err(_) => code = ExitCode::UnexpectedError as u8,
            }
        }
        Ok(code)
    });
    runtime.shutdown_background();
    code
}

async fn watch(running: Running<Signals>) -> Result<u8, Failure> {
    let Running { config, mailbox, mut exit, metrics, mut signals } = running;
    if let Some(listener) = metrics {
        let address = metrics::serve(listener, Arc::clone(&mailbox)).await?;
        info!(name: "metrics_listening", %address, "/metrics");
    }
    tokio::spawn(watch_free_space(config.storage.clone(), Arc::clone(&mailbox)));
    tokio::spawn(report_suppressed_lines());
    notify("READY=1");
    let asked = tokio::select! {
        how = &mut exit => return Ok(ended(how)),
        signal = signals.end() => signal,
    };
    info!(name: "stopping", signal = asked);
    notify("STOPPING=1");
    mailbox.send(Message::Shutdown);
    match timeout(PATIENCE, &mut exit).await {
        Ok(how) => Ok(ended(how)),
        Err(_) => {
            error!(name: "stopped", code = 1u64, "what was accepted is not on disk yet, and the disk does not answer");
            Ok(ExitCode::UnexpectedError as u8)
        }
    }
}

fn ended(how: Result<Exit, oneshot::error::RecvError>) -> u8 {
    let Ok(Exit { code, reason }) = how else {
        error!(name: "stopped", code = 1u64, "the owner's thread ended");
        return ExitCode::UnexpectedError as u8;
    };
    let number = code as u8;
    if code == ExitCode::Finished {
        info!(name: "stopped", code = u64::from(number), "{reason}");
    } else {
        error!(name: "stopped", code = u64::from(number), "{reason}");
    }
    number
}

/// Tells the peer how much room the log has. The disk is asked on another thread, because it may hang.
async fn watch_free_space(storage: StorageConfig, mailbox: Arc<Mailbox<Message>>) {
    let mut ticks = interval(FREE_SPACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let directories = [storage.data_log_dir.clone(), storage.data_dir.clone()];
        let least =
            tokio::task::spawn_blocking(move || directories.iter().filter_map(|path| free_space(path)).min());
        if let Ok(Some(bytes)) = least.await {
            mailbox.send(Message::FreeSpace(bytes));
        }
    }
}

fn free_space(path: &Path) -> Option<u64> {
    match rustix::fs::statvfs(path) {
        Ok(stat) => Some(stat.f_bavail.saturating_mul(stat.f_frsize)),
        Err(error) => {
            warn!(name: "free_space_unknown", path = %path.display(), "{error}");
            None
        }
    }
}

async fn report_suppressed_lines() {
    let mut ticks = interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        logging::report_suppressed();
    }
}

/// Tells the service manager, if there is one (`sd_notify(3)`).
fn notify(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send_notification(&path, state) {
        warn!(name: "notify_failed", path = %path.to_string_lossy(), "{error}");
    }
}

fn send_notification(path: &std::ffi::OsStr, state: &str) -> std::io::Result<()> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(path)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}
