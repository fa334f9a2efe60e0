//! The `quorate-sim` binary.
fn main() {}
