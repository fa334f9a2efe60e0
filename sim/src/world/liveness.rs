//! The end of a run of an ensemble: some quorum is healed for good, the rest is gone in one way or another, and within a bound
//! that follows from the plan the quorum has to elect, serve, catch up and answer everybody (`zab-invariants.md` §6, class A).
//!
//! Class B: of the rest, who has the best vote is reached at its election port only. FastLeaderElection alone would elect it for ever.
//! A run in which nobody leads at the bound is excused then, and counted: only few may be.

use super::client::Client;
use super::net::RETRY_LIMIT;
use super::server::{Server, State};
use super::wires::CONNECT_NS;
use super::{Event, PATIENCE_NS, World};
use crate::app;
use crate::checkers::{Verdict, leadership, one_connection, violated};
use crate::chooser::{Choice, Draws};
use crate::oracle::Voters;
use crate::plan::{EnsemblePlan, Rest};

const MS: u64 = 1_000_000;
const CONNECT_MS: u64 = CONNECT_NS / MS;
/// Fewer commits than this prove nothing.
const THIN: u64 = 10;
/// So many leaders may come and go once everything is healed.
const MOST_ELECTIONS: usize = 4;
const SECOND: u64 = 1_000_000_000;
/// How often it is looked whether all is well.
pub(super) const LOOK_NS: u64 = SECOND;
/// What clients need beyond what servers do: to find out that theirs is gone, and to find another.
const CLIENTS_NS: u64 = 40 * SECOND;

/// When all has to be well, behind the end of faults.
///
/// A connection that is dead without a word is found out by what is sent over it, at the retry limit; an election that began
/// before goes on with its next notification; a leader without a quorum gives up after initLimit; and all of that may have to be
/// gone through twice, the second time with the right leader. Whom nobody could follow is left out for as long as that was tried, and
/// a while. An observer may try every other follower before it finds one that serves it.
pub(super) fn bound_ns(plan: &EnsemblePlan, tick_ms: u64) -> u64 {
    let limits = u64::from(plan.init_limit + plan.sync_limit) * tick_ms;
    let tried = u64::from(plan.init_limit) * tick_ms;
    let election = tried + plan.max_notification_ms + plan.finalize_wait_ms + plan.avoid_ms;
    let masters = if plan.observer_masters { u64::from(plan.voters) * tried.max(CONNECT_MS) } else { 0 };
    2 * ((limits + election + masters) * MS + RETRY_LIMIT) + CLIENTS_NS
}

impl World<'_> {
    /// Who is healed: enough of the voters, without `outcast` if they can do without it, and all, some or none of the others.
    fn choose_survivors(&mut self, plan: &EnsemblePlan, outcast: Option<usize>) {
        let mut draws = Draws::new(&mut *self.chooser, Choice::Servers, (0, 0));
        let voters = plan.voters as usize;
        let mut order: Vec<usize> = (0..voters).collect();
        for place in 0..voters {
            let other = draws.between(place as u64, voters as u64 - 1) as usize;
            order.swap(place, other);
        }
        self.survivors = vec![plan.rest == Rest::Healed; self.servers.len()];
        let mut chosen = Voters::default();
        let mut order = order.into_iter().filter(|server| Some(*server) != outcast);
        while !self.oracle.quorums().decide(chosen)
            && let Some(server) = order.next()
        {
            chosen = chosen.with(server);
            self.survivors[server] = true;
        }
        if !self.oracle.quorums().decide(chosen) {
            self.survivors.fill(true);
        }
    }

    /// What was committed before anything was healed; of an ensemble that nothing broke for, under one leader.
    pub(super) fn note_commits(&mut self) {
        let commits = self.oracle.commits();
        self.counters.commits_before_liveness = commits;
        self.counters.thin_runs = u64::from(self.plan.ensemble.is_some() && commits < THIN);
    }

    /// The rest of the servers goes.
    pub(super) fn part_with_the_rest(&mut self, plan: &EnsemblePlan) -> Verdict {
        self.elections_before = self.oracle.reigns();
        leadership::stable(self.plan.faults.is_empty(), self.elections_before)?;
        if !plan.groups.is_empty() {
            self.counters.probe("groups_decide");
        }
        let outcast = matches!(plan.rest, Rest::HalfBroken { .. }).then(|| self.best_vote()).flatten();
        self.choose_survivors(plan, outcast);
        for server in 0..self.servers.len() {
            if self.survivors[server] {
                continue;
            }
            match plan.rest {
                Rest::Healed => {}
                Rest::Paused if self.pause(server, 1 << 60) => {}
                Rest::HalfBroken { is_mute, accepts } if outcast == Some(server) => {
                    self.counters.probe("rest_half_broken");
                    self.counters.probe(match (is_mute, accepts) {
                        (_, false) => "rest_half_broken_refuses",
                        (false, true) => "rest_half_broken_deaf",
                        (true, true) => "rest_half_broken_mute",
                    });
                    self.cut_quorum_port(server, is_mute, accepts);
                }
                Rest::Dead | Rest::Paused | Rest::HalfBroken { .. } => {
                    self.lose_power(server, 1 << 60)?;
                    // Nothing that was planned before brings it back.
                    self.servers[server].life += 1;
                }
                Rest::CutOff => self.cut_off(server),
            }
        }
        match plan.rest {
            Rest::Healed => self.counters.probe("rest_healed"),
            Rest::Dead => self.counters.probe("rest_dead"),
            Rest::Paused => self.counters.probe("rest_paused"),
            Rest::CutOff => self.counters.probe("rest_cut_off"),
            Rest::HalfBroken { .. } => {}
        }
        self.schedule(self.now + LOOK_NS, Event::Look);
        Ok(())
    }

    /// Who would be elected if everybody were heard.
    fn best_vote(&self) -> Option<usize> {
        let quorums = self.oracle.quorums();
        let voters = (0..quorums.voters()).filter(|server| quorums.weight(*server) > 0);
        voters.max_by_key(|server| {
            let ledger = &self.oracle.views[*server].ledger;
            (ledger.epochs.current, ledger.end, *server)
        })
    }

    /// Whether all is well; if it is, and was a while ago, the run is over.
    pub(super) fn look(&mut self) -> Verdict {
        if self.what_is_wrong().is_none() {
            self.is_over = true;
            return self.finish_ensemble();
        }
        self.schedule(self.now + LOOK_NS, Event::Look);
        Ok(())
    }

    /// The bound has passed.
    pub(super) fn finish_ensemble(&mut self) -> Verdict {
        if let Some(wrong) = self.what_is_wrong() {
            let is_half_broken = self.plan.ensemble.as_ref().is_some_and(EnsemblePlan::has_half_broken_rest);
            if is_half_broken && self.leading_survivor().is_none() {
                self.counters.probe("liveness_excused");
                return Ok(());
            }
            return violated("liveness", wrong);
        }
        self.election_links_are_few()?;
        leadership::settles(self.oracle.reigns().since(self.elections_before), MOST_ELECTIONS)?;
        if self.oracle.history.has_lost() {
            self.counters.probe("proposals_lost");
        }
        self.judge_apps()?;
        (0..self.servers.len()).try_for_each(|server| self.check_server(server))
    }

    /// What must hold over all applications.
    fn judge_apps(&self) -> Verdict {
        let machines = self.clients.iter().filter_map(|client| match client {
            Client::App(app) => Some(&**app),
            _ => None,
        });
        let machines: Vec<&app::Machine> = machines.collect();
        self.plan.apps.first().map_or(Ok(()), |plan| self.programs.judge(&machines, plan))
    }

    fn leading_survivor(&self) -> Option<usize> {
        self.leader().filter(|leader| self.survivors[*leader])
    }

    /// What is still to come of what has to come; nothing when a quorum serves, all of it is up to date, and everybody is answered.
    fn what_is_wrong(&self) -> Option<String> {
        let Some(leader) = self.leading_survivor() else {
            return Some("nobody leads".to_string());
        };
        let zxid_of = |server: &Server| server.running().map(|process| process.peer.status().last_zxid());
        let newest = zxid_of(&self.servers[leader]);
        for (index, server) in self.servers.iter().enumerate().filter(|(index, _)| self.survivors[*index]) {
            let is_read_only = server.running().is_some_and(|process| process.peer.status().is_read_only());
            if !server.is_serving() || is_read_only {
                return Some(format!("server {index} does not serve, server {leader} leads"));
            }
            if zxid_of(server) != newest {
                return Some(format!("server {index} is at {:?}, its leader at {newest:?}", zxid_of(server)));
            }
        }
        let end_of_faults = self.plan.duration_ms * MS;
        for (index, client) in self.clients.iter().enumerate() {
            if client.is_read_only() {
                return Some(format!("client {index} only reads, server {leader} leads"));
            }
            if !client.is_done() {
                return Some(format!("client {index}, {}, has not come to its end", client.state()));
            }
            if client.last_answered() < end_of_faults || client.waits_since() + PATIENCE_NS < self.now {
                let (state, heard, waits) = (client.state(), client.last_answered(), client.waits_since());
                return Some(format!(
                    "client {index} is {state}, was answered at {heard}, waits since {waits} ns"
                ));
            }
        }
        None
    }

    /// S28.
    fn election_links_are_few(&self) -> Verdict {
        one_connection::per_pair(self.links.by_id.iter().filter_map(|(_, link)| {
            let is_quiet = link.ends.iter().all(|end| {
                end.is_open()
                    && self.survivors[end.server]
                    && matches!(self.servers[end.server].state, State::Running(_))
            });
            (link.port == quorate_core::contract::Port::Election && is_quiet).then(|| link.ways(0))
        }))
    }
}
