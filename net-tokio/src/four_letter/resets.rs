//! `srst` and `crst`: what they say; what they do is their [`super::Effect`].

use super::Facts;

/// Statistics of the server, every counter and summary too, begin anew.
pub(super) fn srst(_: &Facts<'_>) -> String {
    "Server stats reset.\n".to_owned()
}

/// Statistics of the connections begin anew.
pub(super) fn crst(_: &Facts<'_>) -> String {
    "Connection stats reset.\n".to_owned()
}
