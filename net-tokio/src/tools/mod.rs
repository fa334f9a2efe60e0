//! What comes with the server: commands that ask, check, measure and read.

pub(crate) mod ask;
pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod copy;
pub(crate) mod health;
pub(crate) mod inspect;
pub(crate) mod status;
pub(crate) mod top;

use quorate_core::jute::Stat;
use serde_json::{Value, json};
use std::io::Write;

/// Prints to standard output. That the reader has left is no error: `quorate inspect … | head` is how one looks at much.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A node's numbers as every tool names them in JSON; times in milliseconds.
pub(crate) fn stat_as_json(stat: &Stat) -> Value {
    json!({
        "czxid": stat.czxid.to_string(),
        "mzxid": stat.mzxid.to_string(),
        "pzxid": stat.pzxid.to_string(),
        "ctime": stat.ctime,
        "mtime": stat.mtime,
        "version": stat.version,
        "cversion": stat.cversion,
        "aversion": stat.aversion,
        "ephemeral_owner": format!("0x{:x}", stat.ephemeral_owner),
        "data_length": stat.data_length,
        "children": stat.num_children,
    })
}
