//! One server as the oracle sees it: what it was given and what it said, and a model that stands where the server stands.
//!
//! The model follows the committed history lazily: it stands where the last reply, event or input says the server stands.
//!
//! Invariant between inputs, while it serves: the model is at the server's last applied txn, and no event is owed to anybody.

use super::OracleConfig;
use super::connection::Connection;
use super::execute::execute;
use super::history::{Cause, History};
use super::ledger::Ledger;
use super::local::Local;
use super::session::Lead;
use crate::checkers::digest;
use crate::checkers::lies::Lies;
use crate::checkers::{Verdict, durability, read_only, recovered_state, txns_match_model, watches};
use crate::model::{ExpectedEvent, Model};
use quorate_core::election::Round;
use quorate_core::jute::TxnRecord;
use quorate_core::peer::Peer;
use quorate_core::vocabulary::{ConnId, Epoch, Now, SessionId, Zxid};
use std::collections::{BTreeMap, BTreeSet};

/// See the module's words.
#[derive(Debug)]
pub(crate) struct View {
    pub(super) server: usize,
    pub(super) config: OracleConfig,
    pub(crate) model: Model,
    /// How many committed txns the model has executed.
    position: usize,
    pub(super) connections: BTreeMap<ConnId, Connection>,
    /// The sessions that it alone knows of, in the part that it plays.
    pub(super) local: Local,
    /// What a leader knows beyond the others.
    pub(super) lead: Option<Lead>,
    pub(crate) ledger: Ledger,
    pub(super) is_serving: bool,
    /// Only reads, for it finds no leader.
    pub(super) is_read_only: bool,
    /// Where its state was compared with the other servers' last.
    pub(super) compared: Zxid,
    /// The logical clock of its elections, as it showed it behind the last input.
    pub(super) round: Option<Round>,
    /// The epoch that it heard of from its leader last.
    pub(super) leader_epoch: Epoch,
    /// Where the history ends that it has to have for its leader's NEWLEADER.
    pub(super) history_mark: Zxid,
    /// How far its leader has told it that history is committed, since it follows.
    pub(super) told_committed: Zxid,
    /// Sessions that observers have told it of, and it has not told its leader.
    pub(super) owed_touches: BTreeSet<SessionId>,
    /// The server that asks about a session here, and is to be asked for at the leader.
    pub(super) asks_for: Option<usize>,
    /// Whether it has just heard a request that it may hand on.
    pub(super) hands_on: bool,
    /// Whether it learns from a follower.
    pub(super) has_master: bool,
    /// How far history was confirmed when all of that was on the disk.
    pub(super) honest: Zxid,
    /// What rested on lies of the disk when the power went.
    pub(super) lies: Lies,
    /// Events that are owed, over all connections.
    pub(super) owed: usize,
    /// The handle under way.
    pub(super) now: Now,
    pub(super) is_space_low: bool,
    pub(super) is_ending: bool,
}

impl View {
    pub(super) fn new(server: usize, config: OracleConfig, model: Model) -> Self {
        View {
            server,
            config,
            model,
            position: 0,
            connections: BTreeMap::new(),
            local: Local::default(),
            lead: None,
            ledger: Ledger::default(),
            is_serving: false,
            is_read_only: false,
            compared: Zxid::ZERO,
            round: None,
            leader_epoch: Epoch(0),
            history_mark: Zxid::ZERO,
            told_committed: Zxid::ZERO,
            owed_touches: BTreeSet::new(),
            asks_for: None,
            hands_on: false,
            has_master: false,
            honest: Zxid::ZERO,
            lies: Lies::default(),
            owed: 0,
            now: Now::default(),
            is_space_low: false,
            is_ending: false,
        }
    }

    /// The model is this one, at `zxid` of the committed history; connections stay, without watches.
    pub(super) fn stand_at(&mut self, zxid: Zxid, model: Model, history: &History) {
        let who = std::mem::take(&mut self.model.who);
        self.model = model;
        self.model.who = who;
        self.position = history.position(zxid);
    }

    /// Its part in the ensemble has ended, or it has none yet.
    pub(super) fn stops_serving(&mut self) {
        (self.is_serving, self.is_read_only, self.lead) = (false, false, None);
        self.owed_touches.clear();
    }

    /// Lets the model follow the committed history up to `zxid`.
    pub(super) fn advance(&mut self, zxid: Zxid, history: &mut History) -> Verdict {
        if zxid <= self.model.zxid {
            return Ok(());
        }
        history.visible(zxid)?;
        while self.model.zxid < zxid
            && let Some((txn, origin)) = history.committed_at(self.position)
        {
            let executed = execute(&mut self.model, txn, origin)?;
            let (header, is_close) = (txn.header, matches!(txn.record, TxnRecord::CloseSession { .. }));
            if let TxnRecord::CreateSession { .. } = txn.record {
                self.local.upgrading.remove(&header.session);
            }
            let asked = match &origin.cause {
                Cause::Request(asked) | Cause::RefusedForSpace(asked) if asked.server == self.server => {
                    Some((asked.conn, asked.number))
                }
                _ => None,
            };
            if let (Some(lead), true) = (&mut self.lead, is_close) {
                lead.ended(header.session);
            }
            history.judge(self.position, &self.model, executed.outcome.as_ref())?;
            self.position += 1;
            if let Some((conn, number)) = asked
                && let Some(connection) = self.connections.get_mut(&conn)
            {
                connection.executed(number, header.zxid, executed.outcome);
            }
            self.owe(executed.events);
        }
        txns_match_model::was_logged(zxid, self.model.zxid)
    }

    fn owe(&mut self, events: Vec<(ConnId, ExpectedEvent)>) {
        for (conn, event) in events {
            if let Some(connection) = self.connections.get_mut(&conn) {
                connection.owed.push_back(event);
                self.owed += 1;
            }
        }
    }

    /// The outputs are drained.
    pub(super) fn handled(&mut self, peer: &Peer, was_timeout: bool, history: &mut History) -> Verdict {
        let last = peer.status().last_zxid();
        self.round = peer.status().election_round();
        if !self.is_serving {
            return Ok(());
        }
        self.advance(last, history)?;
        if !self.is_ending {
            if self.is_read_only {
                self.nobody_waits(peer)?;
            }
            watches::all_sent(last, self.owed, || self.owed_example())?;
            // With so many due that one time-out does not end them all, the next one is due at once.
            let is_done = peer.next_deadline().is_none_or(|due| due > self.now.mono);
            if was_timeout && is_done {
                self.expiry_is_due(history)?;
            }
        }
        Ok(())
    }

    /// Whoever asks a server that serves only reads is answered at once, unless that has more to do than one input may.
    fn nobody_waits(&self, peer: &Peer) -> Verdict {
        if peer.next_deadline().is_some_and(|due| due <= self.now.mono) {
            return Ok(());
        }
        let mut established = self.connections.iter().filter(|(_, connection)| connection.is_established);
        established.try_for_each(|(conn, connection)| {
            read_only::leaves_nobody(*conn, connection.queue.front().map(|awaited| &*awaited.request))
        })
    }

    /// Compares everything there is.
    pub(super) fn check_full(&self, peer: &Peer) -> Verdict {
        let database = peer.status().database().clone();
        if self.is_serving {
            recovered_state::equals("tree_matches_model", &database, &self.model)?;
        }
        crate::checkers::ephemerals::owned(&database)?;
        digest::scanned(&database)
    }

    /// It is the server's own; or by a leader's word for it, or what this server has applied.
    pub(super) fn is_alive(&self, session: SessionId) -> bool {
        let is_ensembles = match &self.lead {
            Some(lead) => lead.is_alive(session),
            None => self.model.sessions.contains_key(&session) || self.local.upgrading.contains(&session),
        };
        is_ensembles || self.local.holds(session)
    }

    pub(super) fn owed_example(&self) -> String {
        let owing = self.connections.values().find_map(|connection| connection.owed.front());
        format!("{owing:?} was sent")
    }

    /// The server has applied history up to `last`: of a server alone that is what makes it committed.
    pub(super) fn visible_alone(&self, last: Zxid) -> Verdict {
        durability::visible(last, self.ledger.durable)
    }
}
