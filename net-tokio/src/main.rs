//! The `quorate` binary: the command line is all of it.

use std::process::ExitCode;

fn main() -> ExitCode {
    quorate::cli::main()
}
