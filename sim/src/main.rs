//! The `quorate-sim` binary: runs plans, sweeps over seeds, prints what came of it.
//!
//! Exit codes: 0 everything held, 1 a violation, or a sweep that proved too little, 2 wrong usage.

mod cli;

use std::process::ExitCode;

/// The system's allocator would take a good part of a run.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cli::main()
}
