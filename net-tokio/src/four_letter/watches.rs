//! `wchs`, `wchc` and `wchp` (`operations.md` §4.7): data watches, as ZooKeeper shows them.

use super::Facts;
use quorate_core::vocabulary::ConnId;
use std::fmt::Write as _;

/// How many.
pub(super) fn wchs(facts: &Facts<'_>) -> String {
    let summary = facts.status.watches().summary();
    let (connections, paths, watches) = (summary.connections, summary.paths, summary.watches);
    format!("{connections} connections watching {paths} paths\nTotal watches:{watches}\n")
}

/// By session.
pub(super) fn wchc(facts: &Facts<'_>) -> String {
    let mut text = String::new();
    for (conn, paths) in facts.status.watches().by_connection() {
        let _ = writeln!(text, "{}", session(facts, conn));
        paths.iter().for_each(|path| text.extend(["\t", path, "\n"]));
    }
    text.push('\n');
    text
}

/// By path.
pub(super) fn wchp(facts: &Facts<'_>) -> String {
    let mut text = String::new();
    for (path, connections) in facts.status.watches().by_path() {
        text.extend([path, "\n"]);
        for conn in connections {
            let _ = writeln!(text, "\t{}", session(facts, conn));
        }
    }
    text.push('\n');
    text
}

fn session(facts: &Facts<'_>, conn: ConnId) -> String {
    facts.status.session_of(conn).unwrap_or_default().to_string()
}
