//! The `quorate-sim` binary: runs plans, sweeps over seeds, prints what came of it.
//!
//! Exit codes: 0 everything held, 1 a violation, or a sweep that proved too little, 2 wrong usage.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
