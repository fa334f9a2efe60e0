//! `dump` (`operations.md` §4.5): sessions and connections by when they end, ephemerals by session.

use super::{Facts, java_address, wall_millis};
use crate::civil::Civil;
use quorate_core::peer::Mode;
use quorate_core::pipeline::ConnectionState;
use quorate_core::session::SessionScope;
use quorate_core::vocabulary::{Mono, SessionId};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The three parts.
pub(super) fn dump(facts: &Facts<'_>) -> String {
    let mut text = "SessionTracker dump:\n".to_owned();
    sessions(facts, &mut text);
    ephemerals(facts, &mut text);
    connections(facts, &mut text);
    text
}

/// A server's own sessions, then the ensemble's: by bucket where they can end, as a list elsewhere.
fn sessions(facts: &Facts<'_>, text: &mut String) {
    let status = &facts.status;
    let is_decided_here = matches!(status.mode(), Mode::Standalone | Mode::Leader);
    let has_local = status.makes_local_sessions();
    if has_local {
        sets("Local ", SessionScope::Local, facts, text);
    }
    if is_decided_here {
        return sets(if has_local { "Global " } else { "" }, SessionScope::Global, facts, text);
    }
    let global = status.database().sessions();
    let _ = writeln!(text, "Global Sessions({}):", global.len());
    for (session, timeout) in global {
        let _ = writeln!(text, "{session}\t{timeout}ms");
    }
}

fn sets(kind: &str, scope: SessionScope, facts: &Facts<'_>, text: &mut String) {
    let buckets = || facts.status.sessions().queue(scope).buckets();
    let alive: usize = buckets().map(|(_, sessions)| sessions.len()).sum();
    let _ = writeln!(text, "{kind}Session Sets ({})/({alive}):", buckets().len());
    for (end, sessions) in buckets() {
        let _ = writeln!(text, "{} expire at {}:", sessions.len(), date(facts, end));
        for session in sessions {
            let _ = writeln!(text, "\t{session}");
        }
    }
}

fn ephemerals(facts: &Facts<'_>, text: &mut String) {
    let tree = &facts.status.database().tree;
    let owners = tree.sessions_with_ephemerals();
    let _ = writeln!(text, "ephemeral nodes dump:\nSessions with Ephemerals ({}):", owners.len());
    for owner in owners {
        let _ = writeln!(text, "{owner}:");
        for path in tree.ephemerals(owner) {
            let _ = writeln!(text, "\t{path}");
        }
    }
}

/// A connection ends with its session; one without has until its deadline.
fn connections(facts: &Facts<'_>, text: &mut String) {
    let scopes = [SessionScope::Local, SessionScope::Global];
    let by_session: BTreeMap<SessionId, Mono> = scopes
        .into_iter()
        .flat_map(|scope| facts.status.sessions().queue(scope).buckets())
        .flat_map(|(end, sessions)| sessions.iter().map(move |session| (*session, end)))
        .collect();
    let patience = facts.config.peer.limits.handshake_timeout;
    let mut sets: BTreeMap<Mono, Vec<String>> = BTreeMap::new();
    let mut count = 0;
    for connection in facts.status.connections() {
        let session = connection.session().unwrap_or_default();
        let end = match connection.state() {
            ConnectionState::Accepted { deadline } => deadline,
            _ => by_session.get(&session).copied().unwrap_or(facts.now.mono + patience),
        };
        let address = java_address(connection.identity().address);
        sets.entry(end).or_default().push(format!("\tip: {address} sessionId: {session}\n"));
        count += 1;
    }
    let _ = writeln!(text, "Connections dump:\nConnections Sets ({})/({count}):", sets.len());
    for (end, lines) in sets {
        let _ = writeln!(text, "{} expire at {}:", lines.len(), date(facts, end));
        text.extend(lines);
    }
}

fn date(facts: &Facts<'_>, mono: Mono) -> impl std::fmt::Display + use<> {
    Civil::from_unix_millis(wall_millis(facts.now, mono)).java_date()
}
