//! The `quorate` binary: the command line is all of it.

use std::process::ExitCode;

fn main() -> ExitCode {
    quorate::cli::main()
}

/// glibc's allocator searches what thousands of sessions left behind in one go: it stopped the owner for 100 ms when they ended
/// (`tests/server/expiry.rs`).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
