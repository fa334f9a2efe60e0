//! The observer at the server's side: it sees every input before the server does and every output before the network, asks the
//! model what each must be, and lets the checkers judge.
//!
//! Txns are taken from the server's requests to its log; a txn's effect is never read from it, but computed by the model from the request
//! that asked for it. The model follows history lazily: it stands where the last reply, event or input says the server stands.
//!
//! Invariant between inputs: the model is at the server's last applied txn, and no event is owed to anybody.

mod connection;
mod handshake;
mod history;
mod replies;
mod restart;
mod session;

use crate::checkers::lies::Lies;
use crate::checkers::sequence_numbers::SequenceNumbers;
use crate::checkers::versions::Versions;
use crate::checkers::{Verdict, digest, durability, recovered_state, watches};
use crate::counters::Counters;
use crate::model::{Model, ModelConfig};
use connection::Connection;
use history::LoggedTxn;
use quorate_core::contract::{Input, Lane, Output, StoreOp, StoreSeq};
use quorate_core::jute::{ClientMessage, Txn};
use quorate_core::peer::Peer;
use quorate_core::vocabulary::{ConnId, Now, SessionId, Zxid};
use session::Session;
use std::collections::{BTreeMap, VecDeque};

/// What the oracle knows of the server's configuration, beyond the model's.
#[derive(Clone, Debug)]
pub(crate) struct OracleConfig {
    pub(crate) min_timeout: i32,
    pub(crate) max_timeout: i32,
    pub(crate) tick_ms: u64,
    pub(crate) handshake_timeout_ms: u64,
}

/// See the module's words.
#[derive(Debug)]
pub(crate) struct Oracle {
    pub(crate) model: Model,
    config: OracleConfig,
    connections: BTreeMap<ConnId, Connection>,
    sessions: BTreeMap<SessionId, Session>,
    /// Txns that were logged and that the model has not executed yet.
    pending: VecDeque<LoggedTxn>,
    /// Ops of the log lane that were not confirmed yet: the last zxid behind each.
    unconfirmed: VecDeque<(StoreSeq, Zxid)>,
    logged: Zxid,
    confirmed: Zxid,
    /// How far history was confirmed when all of that was on the disk.
    honest: Zxid,
    /// What rested on lies of the disk when the power went.
    lies: Lies,
    /// Every txn that history holds, oldest first.
    pub(crate) history: Vec<Txn>,
    /// Events that are owed, over all connections.
    owed: usize,
    sequence_numbers: SequenceNumbers,
    versions: Versions,
    /// The handle under way.
    now: Now,
    input_from: Option<ConnId>,
    is_space_low: bool,
    is_ending: bool,
}

impl Oracle {
    pub(crate) fn new(model: ModelConfig, config: OracleConfig) -> Self {
        Oracle {
            model: Model::new(model),
            config,
            connections: BTreeMap::new(),
            sessions: BTreeMap::new(),
            pending: VecDeque::new(),
            unconfirmed: VecDeque::new(),
            logged: Zxid::ZERO,
            confirmed: Zxid::ZERO,
            honest: Zxid::ZERO,
            lies: Lies::default(),
            history: Vec::new(),
            owed: 0,
            sequence_numbers: SequenceNumbers::default(),
            versions: Versions::default(),
            now: Now::default(),
            input_from: None,
            is_space_low: false,
            is_ending: false,
        }
    }

    /// The server is about to be given this.
    pub(crate) fn input(&mut self, now: Now, input: &Input) -> Verdict {
        self.now = now;
        self.input_from = None;
        match input {
            Input::Accepted { conn, identity } => self.accepted(*conn, identity.address.ip()),
            Input::Client { conn, message } => {
                self.input_from = Some(*conn);
                match message {
                    ClientMessage::Connect(request) => self.connecting(*conn, request.clone()),
                    ClientMessage::Request { xid, request, .. } => self.requested(*conn, *xid, request),
                    ClientMessage::FourLetter { .. } => {}
                }
            }
            Input::Closed { conn } => self.forget(*conn),
            Input::Stored { lane: Lane::Log, seq } => self.confirm(*seq),
            Input::Shutdown => self.is_ending = true,
            Input::StoreFailed { lane: Lane::Log, .. } => self.is_ending = true,
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn space_is_low(&mut self, is_low: bool) {
        self.is_space_low |= is_low;
    }

    /// The server asks for this.
    pub(crate) fn output(&mut self, output: &Output, counters: &mut Counters) -> Verdict {
        match output {
            Output::Send { conn, bytes } => self.sent(*conn, bytes, counters),
            Output::Close { conn } => self.closed(*conn),
            Output::Store { lane: Lane::Log, seq, op } => match op {
                StoreOp::Append { zxid, txn } => self.logged(*seq, *zxid, txn),
                _ => {
                    self.unconfirmed.push_back((*seq, self.logged));
                    Ok(())
                }
            },
            Output::Exit { .. } => {
                self.is_ending = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The outputs are drained.
    pub(crate) fn handled(&mut self, peer: &Peer, was_timeout: bool) -> Verdict {
        let last = peer.status().last_zxid();
        durability::visible(last, self.confirmed)?;
        self.advance(last)?;
        if !self.is_ending {
            watches::all_sent(last, self.owed, || self.owed_example())?;
            if was_timeout {
                self.expiry_is_due()?;
            }
        }
        Ok(())
    }

    /// Compares everything there is.
    pub(crate) fn check_full(&self, peer: &Peer) -> Verdict {
        let database = peer.status().database().clone();
        recovered_state::equals("tree_matches_model", &database, &self.model)?;
        crate::checkers::ephemerals::owned(&database)?;
        digest::scanned(&database)
    }

    fn confirm(&mut self, seq: StoreSeq) {
        while let Some((unconfirmed, zxid)) = self.unconfirmed.front()
            && *unconfirmed <= seq
        {
            self.confirmed = self.confirmed.max(*zxid);
            self.unconfirmed.pop_front();
        }
    }

    fn owed_example(&self) -> String {
        let owing = self.connections.values().find_map(|connection| connection.owed.front());
        format!("{owing:?} was sent")
    }
}
