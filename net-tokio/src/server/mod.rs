//! The running server: sockets, threads, files, clocks and signals around one [`quorate_core::peer::Peer`].
//!
//! ```text
//! start         from a configuration to a running owner; what can fail, and the exit codes
//! advice        what an operator can do about what failed
//! supervise     the main thread from then on: signals, service manager, free space, metrics page
//! owner         the task that calls the peer, in batches
//! accept        the client port
//! serve         the task of one connection: reading
//! connection    what is to be written to it
//! ingress       what connections have for the peer
//! turnstile     who comes or goes, so many in a turn
//! regulars      who asked last, and does not wait for a crowd
//! held          what was read of connections that are paused, or had their turn
//! table         connections by number
//! links         connections between servers
//! lanes         the threads that own the files
//! mailbox       how other threads reach the owner
//! descriptors   room for all those connections
//! events        what the peer tells the operator
//! clock         both clocks
//! embedded      a server within somebody else's process
//! version       what the server says it is
//! ```
//!
//! Three kinds of thread: the main thread supervises; one thread owns the peer and, with it, every client connection; one
//! thread a storage lane. A decision belongs in the core, never here.
//!
//! Connections have no threads of their own: a pipelined read costs the owner half a microsecond, system calls included, so that
//! clients on several processors are needed to keep its one busy, and every thread more would add a wake-up to each request.
//!
//! Absent: TLS, the admin server.

mod accept;
mod advice;
mod clock;
mod connection;
mod descriptors;
mod embedded;
mod events;
mod held;
mod inbox;
mod ingress;
mod lanes;
mod links;
mod mailbox;
mod owner;
mod regulars;
mod serve;
mod start;
mod supervise;
mod table;
mod turnstile;
pub(crate) mod version;

pub(crate) use accept::BoundPort;
pub(crate) use advice::{about_port, about_recovery, lost_ttl_nodes, user_name, with_access};
pub use embedded::EmbeddedServer;
pub use lanes::ServerDisk;
pub(crate) use links::BoundPorts;
pub(crate) use mailbox::Mailbox;
pub(crate) use owner::Message;
pub(crate) use start::recovery_options;

use crate::config::ServerConfig;
use crate::logging;
use quorate_storage_file::StdDisk;
use std::process::ExitCode;
use supervise::Signals;

/// Runs a server until it is told to stop.
pub fn run(config: ServerConfig) -> ExitCode {
    run_over(config, |disk| disk)
}

/// The same over another disk, which is given the directories, opened and locked.
pub fn run_over<D: ServerDisk>(config: ServerConfig, over: impl FnOnce(StdDisk) -> D) -> ExitCode {
    begin_process(&config);
    let code = supervise::runtime()
        .and_then(|runtime| {
            let running = start::start(config, || Signals::hear(&runtime), over)?;
            supervise::supervise(runtime, running)
        })
        .unwrap_or_else(|failure| failure.report());
    logging::flush();
    ExitCode::from(code)
}

/// Runs several servers in this process until it is told to stop, or one of them ends by itself; `ready` is called once all of them
/// listen.
pub(crate) fn run_together(configs: Vec<ServerConfig>, ready: impl FnOnce()) -> ExitCode {
    configs.first().iter().for_each(|config| begin_process(config));
    let code = supervise::runtime()
        .and_then(|runtime| {
            let start = |config| start::start(config, || Signals::hear(&runtime), |disk| disk);
            let running = configs.into_iter().map(start).collect::<Result<_, _>>()?;
            ready();
            supervise::supervise_all(runtime, running)
        })
        .unwrap_or_else(|failure| failure.report());
    logging::flush();
    ExitCode::from(code)
}

/// What concerns the whole process, while it has one thread.
fn begin_process(config: &ServerConfig) {
    let room = descriptors::make_room();
    logging::start(&config.log);
    if let Err(error) = room {
        tracing::warn!(name: "descriptor_limit", "cannot raise it: {error}");
    }
    end_with_any_panic();
}

/// A broken assertion ends the process, not the thread it broke in: nothing may be served from a state that can't be right.
fn end_with_any_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        logging::flush();
        print(panic);
        std::process::abort();
    }));
}
