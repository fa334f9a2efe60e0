//! What one server says, another can read: whole packets, of kinds and lengths that exist.

use super::{Verdict, violated};

pub(crate) const NAME: &str = "servers_understand_each_other";

/// What `server` sends is no packet.
pub(crate) fn not_decoded(server: usize, problem: &str) -> Verdict {
    violated(NAME, format!("server {server} sends what is no packet: {problem}"))
}
