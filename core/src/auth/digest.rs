//! The `digest` scheme: a user and the hash of user and password (`client-protocol.md` §15.4).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// `user:base64(SHA1(credentials))`: the hash is of the whole text, the user is what precedes its first colon.
pub fn generate_digest(credentials: &str) -> String {
    let hash = STANDARD.encode(Sha1::digest(credentials.as_bytes()));
    format!("{}:{hash}", user(credentials))
}

/// The part before the first colon, or all of it.
pub(super) fn user(id: &str) -> &str {
    id.split(':').next().unwrap_or(id)
}

/// Whether `id` can stand in an ACL: two parts as Java's `split(":")` counts them, which drops empty ones at the end.
pub(super) fn is_valid(id: &str) -> bool {
    let without_end = id.trim_end_matches(':');
    !without_end.is_empty() && without_end.split(':').count() == 2
}

/// The id with its hash hidden: what stands behind a colon, up to the end of its line, as Java's `replaceAll(":.*", ":x")` has it.
pub(super) fn masked(id: &str) -> String {
    let mask = |line: &str| match line.split_once(':') {
        Some((user, _)) => {
            format!("{user}:x{}", line.strip_suffix(is_line_end).map_or("", |kept| &line[kept.len()..]))
        }
        None => line.to_owned(),
    };
    id.split_inclusive(is_line_end).map(mask).collect()
}

/// What `.` does not match in Java.
fn is_line_end(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}
