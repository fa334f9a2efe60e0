//! The observer at the servers' side: it sees every input before a server does and every output before the network, asks the
//! model what each must be, and lets the checkers judge.
//!
//! [`History`] is what all servers share: txns as leaders logged them, each with the request that asked for it, and which are
//! committed. A [`View`] is one server: its connections, what its disk holds, and a model that follows the committed history.

mod checks;
mod connection;
mod ensemble;
mod execute;
mod handshake;
mod history;
mod image;
mod ledger;
mod local;
mod logged;
mod loss;
mod packets;
mod quorums;
mod recorded;
#[cfg(test)]
mod recorded_tests;
mod replies;
mod restart;
mod session;
mod view;

use crate::checkers::{Verdict, Violation, ack_durable, leadership, own_round};
use crate::counters::Counters;
use crate::disk::SimDisk;
use crate::model::ModelConfig;
use crate::plan::EnsemblePlan;
pub use checks::Checks;
use checks::Tally;
pub(crate) use connection::makes_txn;
use ensemble::Ensemble;
pub(crate) use history::History;
pub(crate) use ledger::Ledger;
pub(crate) use loss::Cause;
use quorate_core::contract::{Input, Lane, Output, PeerEvent, Port, StoreOp};
use quorate_core::jute::ClientMessage;
use quorate_core::peer::Peer;
use quorate_core::tree::Database;
use quorate_core::vocabulary::{LinkId, Mono, Now, Zxid};
use quorate_storage_file::{Recovered, RecoveryOptions};
pub(crate) use quorums::{Quorums, Voters};
pub(crate) use recorded::judge_recorded;
use std::collections::{BTreeMap, VecDeque};
pub(crate) use view::View;

/// What the oracle knows of the servers' configuration, beyond the model's.
#[derive(Clone, Debug)]
pub(crate) struct OracleConfig {
    pub(crate) min_timeout: i32,
    pub(crate) max_timeout: i32,
    pub(crate) tick_ms: u64,
    pub(crate) handshake_timeout_ms: u64,
    /// Of members of an ensemble; a server alone has no local sessions.
    pub(crate) local_sessions: bool,
    pub(crate) local_sessions_upgrading: bool,
    /// The last counter of an epoch's zxids.
    pub(crate) last_counter: u32,
}

/// See the module's words.
#[derive(Debug)]
pub(crate) struct Oracle {
    checks: Checks,
    tally: Tally,
    pub(crate) history: History,
    pub(crate) views: Vec<View>,
    ensemble: Ensemble,
    /// Connections between a leader and its learners, and where the history ends that NEWLEADER stood for there.
    quorum_links: BTreeMap<LinkId, Zxid>,
    /// The learner of each.
    learners: BTreeMap<LinkId, usize>,
    /// For which server each question about a session was asked that is on its way there, oldest first.
    questions: BTreeMap<LinkId, VecDeque<usize>>,
    /// Rare branches that were taken and not counted yet.
    probes: Vec<&'static str>,
}

impl Oracle {
    /// Of a server alone, or of an ensemble.
    pub(crate) fn new(
        model: ModelConfig,
        config: OracleConfig,
        ensemble: Option<&EnsemblePlan>,
        checks: Checks,
    ) -> Self {
        let history = History::new(model, ensemble.is_none());
        let view = |server| View::new(server, config.clone(), history.fresh());
        let views = (0..ensemble.map_or(1, EnsemblePlan::servers)).map(view).collect();
        let ensemble = Ensemble::new(Quorums::new(ensemble));
        Oracle {
            checks,
            tally: Tally::default(),
            history,
            views,
            ensemble,
            quorum_links: BTreeMap::new(),
            learners: BTreeMap::new(),
            questions: BTreeMap::new(),
            probes: Vec::new(),
        }
    }

    /// A server is about to be given this.
    pub(crate) fn input(&mut self, server: usize, now: Now, input: &Input) -> Verdict {
        if !self.is_on() {
            return Ok(());
        }
        let (view, history) = (&mut self.views[server], &mut self.history);
        view.now = now;
        (view.asks_for, view.hands_on) = (None, false);
        history.heard = None;
        match input {
            Input::Accepted { conn, identity } => view.accepted(*conn, identity.address.ip()),
            Input::Client { conn, message } => match message {
                ClientMessage::Connect(request) => view.connecting(*conn, request.clone(), history),
                ClientMessage::Request { xid, request, .. } => {
                    view.requested(*conn, (*xid, request), history)
                }
                ClientMessage::FourLetter { .. } => {}
            },
            Input::Closed { conn } => view.forget(*conn, history),
            Input::Stored { lane: Lane::Log, seq } => view.ledger.confirmed(*seq),
            Input::Stored { lane: Lane::Epoch, seq } => view.ledger.epochs_confirmed(*seq),
            Input::Truncated { seq, history } => {
                view.ledger.confirmed(*seq);
                return self.truncated(server, &history.database);
            }
            Input::Dialled { port: port @ (Port::Quorum | Port::ObserverMaster), link, .. } => {
                view.has_master = *port == Port::ObserverMaster;
                self.quorum_links.entry(*link).or_default();
                self.learners.insert(*link, server);
            }
            Input::LinkAccepted { port: Port::Quorum | Port::ObserverMaster, link, .. } => {
                self.quorum_links.entry(*link).or_default();
            }
            Input::Quorum { link, message } => self.hears(server, *link, message),
            Input::Loaded { txns: Some(txns), .. } => {
                self.probes.push("old_txns_loaded");
                return self.loaded(txns);
            }
            Input::Shutdown => view.is_ending = true,
            Input::StoreFailed { lane: Lane::Log, seq, .. } => match view.ledger.truncation_failed(*seq) {
                true => self.probes.push("truncation_failed"),
                false => view.is_ending = true,
            },
            Input::StoreFailed { lane: Lane::Epoch, .. } => view.is_ending = true,
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn space_is_low(&mut self, server: usize, is_low: bool) {
        self.views[server].is_space_low |= is_low;
    }

    /// An input was handled; what came of it is not looked at yet.
    pub(crate) fn applied(&mut self, server: usize, peer: &Peer) -> Verdict {
        if !self.is_on() {
            self.tally(peer);
            return Ok(());
        }
        if !self.history.is_alone {
            return self.member_applied(server, peer);
        }
        let last = peer.status().last_zxid();
        if last > self.history.tail() {
            self.views[server].visible_alone(last)?;
            self.history.commit(last)?;
        }
        Ok(())
    }

    /// A server asks for this.
    pub(crate) fn output(
        &mut self,
        server: usize,
        (output, peer): (&Output, &Peer),
        counters: &mut Counters,
    ) -> Verdict {
        if !self.is_on() {
            return Ok(());
        }
        let probes = self.probes.drain(..).chain(self.history.probes.drain(..));
        probes.for_each(|probe| counters.probe(probe));
        let (view, history) = (&mut self.views[server], &mut self.history);
        match output {
            Output::Send { conn, bytes } => view.sent((*conn, bytes), history, counters),
            Output::Close { conn } => view.closed(*conn, history),
            Output::Store { lane: Lane::Log, seq, op } => match op {
                StoreOp::Append { zxid, txn } => view.logged(*seq, (*zxid, txn), history),
                StoreOp::Truncate { to } => {
                    view.ledger.truncation = Some(*seq);
                    view.cuts(*seq, *to, history)
                }
                StoreOp::Replace(image) => {
                    view.ledger.floor = image.zxid();
                    view.cuts(*seq, image.zxid(), history)
                }
                _ => {
                    view.ledger.asked(*seq, view.ledger.end);
                    Ok(())
                }
            },
            Output::Store { seq, op: StoreOp::Epoch { kind, epoch }, .. } => {
                self.epoch_asked(server, *kind, *epoch, peer)?;
                self.views[server].ledger.epoch_asked(*seq, *kind, *epoch);
                Ok(())
            }
            Output::SendLink { link, bytes } => self.says(server, *link, bytes),
            Output::Event(PeerEvent::SessionUpgraded { session }) => view.upgraded(*session, history),
            Output::Event(PeerEvent::SessionExpired { session, .. }) => view.said_expired(*session, history),
            Output::Event(PeerEvent::Looking { zxid, .. }) => ack_durable::vote(server, *zxid, &view.ledger),
            Output::Event(PeerEvent::Elected { leader, .. })
                if *leader == peer.status().config().server_id =>
            {
                leadership::may_lead(server, self.ensemble.quorums.weight(server))?;
                own_round::elected(server, view.round, peer.status().election_round())
            }
            Output::Exit { .. } => {
                view.is_ending = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The outputs are drained.
    pub(crate) fn handled(&mut self, server: usize, peer: &Peer, was_timeout: bool) -> Verdict {
        if !self.is_on() {
            return Ok(());
        }
        self.views[server].handled(peer, was_timeout, &mut self.history)
    }

    /// Compares everything there is.
    pub(crate) fn check_full(&self, server: usize, peer: &Peer) -> Verdict {
        if self.is_on() { self.views[server].check_full(peer) } else { Ok(()) }
    }

    pub(crate) fn process_ended(&mut self, server: usize) {
        self.views[server].process_ended(&mut self.history);
    }

    /// History came back from a disk. True when what was acknowledged is lost with a lie.
    pub(crate) fn recovered(
        &mut self,
        server: usize,
        (recovered, disk): (&Recovered, &SimDisk),
        now: (Mono, Database),
    ) -> Result<bool, Violation> {
        if !self.is_on() {
            return Ok(false);
        }
        if self.history.is_alone {
            return self.views[server].recovered_alone(recovered, now, &mut self.history);
        }
        self.recovered_member(server, recovered, disk)?;
        Ok(false)
    }

    /// What lies on disk is good for more than this one recovery.
    pub(crate) fn disk_is_good(&self, server: usize, disk: &SimDisk, options: &RecoveryOptions) -> Verdict {
        if self.is_on() { self.views[server].disk_is_good(disk, options) } else { Ok(()) }
    }
}
