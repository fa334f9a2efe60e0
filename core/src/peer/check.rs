//! What must hold (`zab-invariants.md` §2: S23, S26, S27).

use super::Peer;
use crate::pipeline::{ConnectionState, Origin, Pending};
use crate::session::SessionScope;
use crate::vocabulary::Zxid;

impl Peer {
    /// The invariants that cost nothing to look at; to be called after every input.
    ///
    /// # Errors
    /// The invariant that does not hold.
    pub fn check(&self) -> Result<(), String> {
        let database = &self.state.database;
        let applied = database.last_zxid();
        if self.decides() {
            self.prep.check(&database.tree, applied)?;
        }
        if let Some(last) = self.commit.last_zxid()
            && self.decides()
            && self.prep.last_zxid() != last
        {
            return Err(format!("{} was prepared last, {last} waits for its commit", self.prep.last_zxid()));
        }
        if self.commit.is_empty() && self.prep.outstanding_changes() != 0 {
            return Err("changes are pending without a txn".to_owned());
        }
        let is_fuzzy = self.state.fuzzy_until != Zxid::ZERO;
        if database.digest_mismatches() != self.mismatches_at_start && !is_fuzzy {
            return Err(format!("the tree after {applied} is not what its txn said"));
        }
        if !self.is_read_only() && database.sessions().len() > self.state.sessions.global_len() {
            return Err("a session of the database is not tracked".to_owned());
        }
        if self.is_draining() && !self.has_answers_left() {
            return Err("it is told to end, has nothing left to answer, and does not end".to_owned());
        }
        Ok(())
    }

    /// Every invariant, by walking everything.
    ///
    /// # Errors
    /// The invariant that does not hold.
    pub fn check_full(&self) -> Result<(), String> {
        self.check()?;
        let database = &self.state.database;
        database.check_full()?;
        self.state.connections.check()?;
        self.state.watches.check()?;
        self.state.sessions.check()?;
        for session in database.tree.sessions_with_ephemerals() {
            if !database.sessions().contains_key(&session) {
                return Err(format!("ephemerals of {session}, which is no session"));
            }
        }
        for session in database.sessions().keys() {
            match (self.state.sessions.scope(*session), self.is_read_only()) {
                (None, false) => return Err(format!("{session} is in the database and not tracked")),
                (Some(SessionScope::Local), _) => {
                    return Err(format!("{session} is the ensemble's, and local"));
                }
                (Some(_), true) => return Err(format!("{session} of the ensemble could expire read-only")),
                _ => {}
            }
        }
        for (conn, _) in self.state.watches.by_connection() {
            if self.state.connections.slot(conn).is_none() {
                return Err(format!("a watch of {conn:?}, which is not open"));
            }
        }
        self.check_queues()
    }

    /// The writes in a connection's queue are its txns under way, in order.
    fn check_queues(&self) -> Result<(), String> {
        for connection in self.state.connections.iter() {
            let id = connection.id();
            let queued = connection.queue.iter().filter_map(|pending| match pending {
                Pending::Write { zxid, .. } => Some(*zxid),
                _ => None,
            });
            let ours = |origin: Origin| matches!(origin, Origin::Request { conn, .. } if conn == id);
            let under_way = self.commit.iter().filter(|proposal| ours(proposal.origin));
            if !queued.eq(under_way.map(|proposal| proposal.zxid())) {
                return Err(format!("{id:?} waits for other writes than it has under way"));
            }
            if let Some(session) = connection.session()
                && connection.state() != ConnectionState::Establishing
                && self.state.sessions.timeout(session).is_none()
            {
                return Err(format!("{id:?} has {session}, which is not tracked"));
            }
        }
        Ok(())
    }

    /// A number that equal states share: for comparing replays.
    pub fn digest(&self) -> u64 {
        let database = &self.state.database;
        let words = [
            database.tree.digest(),
            database.last_zxid().0 as u64,
            self.prep.last_zxid().0 as u64,
            database.sessions().len() as u64,
            self.state.sessions.len() as u64,
            self.state.sessions.next_expiry(SessionScope::Global).map_or(0, |due| due.0),
            self.state.sessions.next_expiry(SessionScope::Local).map_or(0, |due| due.0),
            self.state.connections.len() as u64,
            self.state.watches.watch_count() as u64,
            self.in_process() as u64,
            self.log_seq.0,
            self.state.metrics.server.packets_sent,
        ];
        words.into_iter().fold(0xcbf2_9ce4_8422_2325, |digest, word| {
            (digest ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(29)
        })
    }
}
