//! A1, A3, A7: a server's process ends because it was told to, or because its disk has failed; nothing that another server of its
//! kind says makes it give up.

use super::{Verdict, require};
use quorate_core::contract::ExitCode;

/// The process of `server` ends by itself.
pub(crate) fn has_a_reason(server: usize, code: ExitCode, reason: &str) -> Verdict {
    let may = matches!(code, ExitCode::Finished | ExitCode::StorageFailed);
    require("exits_have_a_reason", may, || format!("server {server} ends with {code:?}: {reason}"))
}
