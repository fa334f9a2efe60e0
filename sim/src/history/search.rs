//! The check that believes no zxid: is there any order at all that explains what clients saw?
//!
//! The rules, all of which an order must keep:
//! - a write takes effect at one moment between its request and its reply, and a multi's steps at the same one;
//! - what a session asks for takes effect in the order in which it asked; so a read shows at least what the session's earlier
//!   writes and reads on these paths have shown, and may be as old as that;
//! - no read is older than the request of the last sync or write that its session was answered before;
//! - what was not answered took effect at any moment from its request on, once or never;
//! - an ephemeral goes when its session closes, or may go once the session has done its last work.
//!
//! Paths that nothing joins ([`super::partition`]) are searched by themselves. Reads are in order over all paths of a session by
//! the witness only; lists of children, and the sequence of what one connection asked without an answer, are not judged.

use super::engine::{Answer, Deepest, Entry, Problem, Role, solve};
use super::operations::{End, Kind, NEVER, Operations};
use super::partition::{Component, Partition};
use super::sessions::Sessions;
use super::state::Tree;
use super::{Options, sequence};
use std::collections::BTreeMap;

/// So many operations of a window are named.
const MOST_NAMED: usize = 8;

/// What came of a search.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// An order explains everything.
    Linearizable,
    /// None does.
    NotLinearizable(Window),
    /// The budget was spent over these paths.
    GaveUp(Vec<String>),
}

/// The first reply that no order explains, and what was under way around it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Window {
    /// The paths that were judged together.
    pub paths: Vec<String>,
    /// When the first of what matters was sent, nanoseconds.
    pub from: u64,
    /// When the reply had come.
    pub to: u64,
    /// What can't be.
    pub detail: String,
}

/// A search, and what it took.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Search {
    /// What came of it.
    pub found: Found,
    /// Groups of paths that were searched.
    pub components: usize,
    /// Operations that were put in order.
    pub operations: usize,
    /// Places that the search has been at.
    pub places: u64,
}

/// Searches for an order that explains all replies.
pub fn search(operations: &Operations, options: &Options) -> Search {
    search_in(operations, options, &Partition::of(operations)).0
}

/// Within this partition; returns the orders that were found, too.
pub(super) fn search_in(
    operations: &Operations,
    options: &Options,
    partition: &Partition,
) -> (Search, Vec<Vec<Entry>>) {
    let sessions = Sessions::of(operations, options);
    let mut tree = Tree::new(operations, &partition.settled);
    let mut result = Search { found: Found::Linearizable, components: 0, operations: 0, places: 0 };
    let mut orders = Vec::new();
    if let Some(window) = sequence::by_time(operations) {
        result.found = Found::NotLinearizable(window);
        return (result, orders);
    }
    for component in partition.components.iter().filter(|component| !component.operations.is_empty()) {
        let judged = Judged { operations, sessions: &sessions, component };
        let problem = judged.problem(NEVER);
        result.components += 1;
        result.operations += problem.chains.iter().map(Vec::len).sum::<usize>();
        let mut budget = options.budget;
        let answer = solve(operations, &mut tree, &problem, &mut budget);
        result.places += options.budget - budget;
        match answer {
            Answer::Explained(order) => orders.push(order),
            Answer::GaveUp if result.found == Found::Linearizable => {
                result.found = Found::GaveUp(judged.paths());
            }
            Answer::GaveUp => {}
            Answer::Not(deepest) => {
                result.found = Found::NotLinearizable(judged.window(&mut tree, options, deepest));
                break;
            }
        }
    }
    (result, orders)
}

struct Judged<'a> {
    operations: &'a Operations,
    sessions: &'a Sessions,
    component: &'a Component,
}

impl<'a> Judged<'a> {
    fn paths(&self) -> Vec<String> {
        self.component.paths.iter().map(|path| self.operations.paths[*path as usize].clone()).collect()
    }

    /// What was seen up to `horizon`: what was answered later may have been.
    fn problem(&self, horizon: u64) -> Problem {
        let mut problem = Problem { paths: self.component.paths.clone(), ..Problem::default() };
        let mut answered: Vec<u32> = Vec::new();
        for index in &self.component.operations {
            let operation = &self.operations.list[*index as usize];
            if operation.at <= horizon && operation.end != End::Unknown {
                answered.push(*index);
            } else if operation.kind == Kind::Write && operation.may_change() && operation.sent <= horizon {
                problem.may_be.push(Entry::may_be(self.operations, *index));
            }
        }
        let closes = self.component.owners.iter().filter_map(|owner| self.sessions.closes[*owner as usize]);
        answered.extend(closes.filter(|index| self.operations.list[*index as usize].at <= horizon));
        answered.sort_unstable_by_key(|index| {
            let operation = &self.operations.list[*index as usize];
            let (began, session) = self.operations.connections[operation.connection as usize];
            (session, began, operation.connection, operation.place)
        });
        let mut last_chains: BTreeMap<u32, usize> = BTreeMap::new();
        let mut last: Option<(u32, u32, u64)> = None;
        for index in answered {
            let operation = &self.operations.list[index as usize];
            let (began, session) = self.operations.connections[operation.connection as usize];
            // A connection that began before another of its session was done has an order of its own.
            let goes_on = last.is_some_and(|(of, connection, over)| {
                of == session && (connection == operation.connection || over < began)
            });
            if !goes_on {
                problem.chains.push(Vec::new());
            }
            let over = last.filter(|_| goes_on).map_or(0, |(_, _, over)| over);
            last = Some((session, operation.connection, over.max(operation.at)));
            last_chains.insert(session, problem.chains.len() - 1);
            problem.chains.last_mut().expect("one was just begun").push(self.entry(index));
        }
        for owner in &self.component.owners {
            let low = self.sessions.last_write(*owner, horizon);
            let after = last_chains.get(owner).map(|chain| (*chain, problem.chains[*chain].len()));
            problem.may_be.push(Entry::may_be_closed(*owner, low, after));
        }
        problem.may_be.sort_by_key(|entry| entry.low);
        problem
    }

    fn entry(&self, index: u32) -> Entry {
        let operation = &self.operations.list[index as usize];
        match operation.kind {
            Kind::Close => {
                Entry { role: Role::Closed, ..Entry::answered(self.operations, index, operation.sent) }
            }
            Kind::Write => Entry::answered(self.operations, index, operation.sent),
            Kind::Read | Kind::Sync => {
                Entry::answered(self.operations, index, self.sessions.lows[index as usize])
            }
        }
    }

    /// The first reply that no order explains: behind it none is found, and without it one is.
    fn window(&self, tree: &mut Tree<'a>, options: &Options, mut deepest: Deepest) -> Window {
        let mut times: Vec<u64> =
            self.problem(NEVER).chains.iter().flatten().map(|entry| entry.high).collect();
        times.sort_unstable();
        times.dedup();
        // Up to `low` an order is found, up to `high` none.
        let (mut low, mut high) = (0, times.len() - 1);
        while low < high {
            let middle = (low + high) / 2;
            let mut budget = options.budget;
            match solve(self.operations, tree, &self.problem(times[middle]), &mut budget) {
                Answer::Not(found) => (high, deepest) = (middle, found),
                _ => low = middle + 1,
            }
        }
        let to = times[high];
        let problem = self.problem(to);
        let culprit = problem.chains.iter().flatten().find(|entry| entry.high == to);
        let sent = culprit.map_or(0, |entry| self.operations.list[entry.operation as usize].sent);
        let culprit = culprit.map_or(String::new(), |entry| self.operations.words(entry.operation));
        let around = |entry: &&Entry| {
            entry.operation != super::operations::NONE && entry.high > sent && entry.high != to
        };
        let mut around: Vec<&Entry> =
            problem.chains.iter().flatten().chain(&problem.may_be).filter(around).collect();
        let sent_at = |entry: &Entry| self.operations.list[entry.operation as usize].sent;
        around.sort_by_key(|entry| (std::cmp::Reverse(sent_at(entry)), entry.operation));
        let from = around.iter().take(MOST_NAMED).map(|entry| sent_at(entry)).min().unwrap_or(sent).min(sent);
        let named: Vec<String> =
            around.iter().take(MOST_NAMED).map(|entry| self.operations.words(entry.operation)).collect();
        let others = match (named.len(), around.len()) {
            (0, _) => "nothing else was under way".to_owned(),
            (_, all) => format!("of {all} under way meanwhile or never answered: {}", named.join("; ")),
        };
        let waits: Vec<String> =
            deepest.heads.iter().map(|entry| self.operations.words(entry.operation)).collect();
        let detail = format!(
            "no order explains this reply: [{culprit}]; {others}; the longest order that fits has {} operations and \
             leaves {}, where these can't follow: {}",
            deepest.taken,
            deepest.state(self.operations),
            waits.join("; "),
        );
        Window { paths: self.paths(), from, to, detail }
    }
}
