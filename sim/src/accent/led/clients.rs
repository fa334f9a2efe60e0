//! The clients of a Java learner: what it forwards for them, and what it waits for.

use super::wire;
use crate::chooser::Draws;
use bytes::Bytes;
use quorate_core::tree::Database;
use quorate_core::vocabulary::SessionId;

const TIMEOUT_MS: i32 = 30_000;
const NAMES: [&str; 6] = ["/a", "/b", "/a/a", "/a/b", "/b/a", "/a/b/c"];
const EPHEMERAL: i32 = 1;
const SEQUENTIAL: i32 = 2;

/// See the module's words.
#[derive(Debug, Default)]
pub(super) struct Clients {
    sessions: i64,
    cxids: i32,
    asked: u32,
    touched: Vec<(SessionId, i32)>,
    pending_syncs: usize,
    pending_sessions: Vec<SessionId>,
}

impl Clients {
    /// Whoever waited is gone.
    pub(super) fn lost(&mut self) {
        self.touched.clear();
        self.pending_syncs = 0;
        self.pending_sessions.clear();
    }

    /// How many requests there were so far.
    pub(super) fn asked(&self) -> u32 {
        self.asked
    }

    /// The sessions that were heard of since the last PING.
    pub(super) fn touched(&mut self) -> Vec<(SessionId, i32)> {
        std::mem::take(&mut self.touched)
    }

    /// The oldest sync is answered. False: there is none.
    pub(super) fn synced(&mut self) -> bool {
        let is_expected = self.pending_syncs > 0;
        self.pending_syncs = self.pending_syncs.saturating_sub(1);
        is_expected
    }

    /// A session is judged, in any order. False: nobody asked about it.
    pub(super) fn revalidated(&mut self, session: SessionId) -> bool {
        let at = self.pending_sessions.iter().position(|pending| *pending == session);
        at.map(|at| self.pending_sessions.remove(at)).is_some()
    }

    /// Whether somebody waits for an answer that needs no txn.
    pub(super) fn wait(&self) -> bool {
        self.pending_syncs > 0 || !self.pending_sessions.is_empty()
    }

    /// The next request.
    pub(super) fn ask(&mut self, sid: u8, database: &Database, draws: &mut Draws<'_>) -> Option<Bytes> {
        self.asked += 1;
        self.cxids += 1;
        let sessions: Vec<SessionId> = database.sessions().keys().copied().collect();
        if sessions.is_empty() || draws.chance(120) {
            self.sessions += 1;
            let session = SessionId(i64::from(sid) << 56 | 0x77_0000 | self.sessions);
            return Some(wire::request((session, 0), wire::CREATE_SESSION, &wire::timeout(TIMEOUT_MS)));
        }
        let session = draws.of(&sessions);
        self.touched.push((session, TIMEOUT_MS));
        let path = draws.of(&NAMES);
        let whose = (session, self.cxids);
        Some(match draws.weighted(&[30, 12, 15, 12, 5, 8, 6, 8, 8]) {
            0 => {
                let flags = draws.of(&[0, 0, EPHEMERAL, SEQUENTIAL, EPHEMERAL | SEQUENTIAL]);
                wire::request(whose, 1, &wire::create(path, b"java", flags))
            }
            1 => wire::request(whose, 2, &wire::delete(path)),
            2 => wire::request(whose, 5, &wire::set_data(path, &self.cxids.to_be_bytes())),
            3 => wire::request(whose, 14, &wire::multi(path, draws.of(&[-1, 0, 1]))),
            4 => wire::request(whose, 7, &wire::set_acl(path)),
            5 => wire::request(whose, wire::CLOSE_SESSION, &[]),
            6 => {
                self.pending_syncs += 1;
                wire::request(whose, wire::SYNC, &wire::path_only(path))
            }
            7 => {
                let known = if draws.chance(800) { session } else { SessionId(session.0 + 0x1000) };
                self.pending_sessions.push(known);
                wire::revalidate(known, TIMEOUT_MS)
            }
            // It has only been heard of.
            _ => return None,
        })
    }
}
