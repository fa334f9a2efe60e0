//! File descriptors: as many as the system lets this process have, in a table with room for them.
//!
//! The kernel doubles a process's table when it is full, and while the process has several threads, each doubling holds up the one
//! that needs it for some 16 ms: a crowd that comes would stop the server for everybody, again and again.

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::os::fd::RawFd;

/// Descriptors that the table has room for from the start; 8 bytes each, of the kernel's memory.
const ROOM: RawFd = 1 << 16;

/// Takes what the system allows; to be called before the process has a second thread.
///
/// # Errors
/// When the soft limit, which shells set for programs with few descriptors, can't be raised to the hard one.
pub(super) fn make_room() -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    let last = maximum.map_or(ROOM, |maximum| RawFd::try_from(maximum).unwrap_or(ROOM).min(ROOM)) - 1;
    // Whatever is refused here is made when it is needed.
    drop(fcntl_dupfd_cloexec(io::stderr(), last));
    Ok(())
}
