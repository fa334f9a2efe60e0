//! What comes with the server: commands that ask, check, measure and read.

pub(crate) mod ask;
pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod copy;
pub(crate) mod health;
pub(crate) mod inspect;
pub(crate) mod status;
pub(crate) mod top;

use std::io::Write;

/// Prints to standard output. That the reader has left is no error: `quorate inspect … | head` is how one looks at much.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
