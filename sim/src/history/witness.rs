//! The check that takes the zxid in each reply for a witness: it names the moment at which the server says that it happened.
//!
//! Nothing is searched for where every outcome is known: what was said is put in order and tried, in the time that sorting takes.
//! Where an outcome is unknown, only that is searched for ([`super::engine`]), within the order of the zxids.

use super::engine::{Answer, Entry, Problem, Role, solve};
use super::operations::{End, Kind, NEVER, NONE, Operations};
use super::partition::{Component, Partition};
use super::sessions::Sessions;
use super::state::{Fit, Tree};
use super::{Options, sequence};
use crate::checkers::{Verdict, Violation, require, violated};
use std::collections::BTreeMap;

/// What a witness check had to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct WitnessCounts {
    /// Operations in all.
    pub operations: usize,
    /// Of those, without an answer.
    pub unknown: usize,
    /// Replies that named no zxid: of those nothing is judged.
    pub without_zxid: usize,
    /// Replies that say what no rule here knows of.
    pub not_judged: usize,
    /// Replies that were held against the tree.
    pub replayed: usize,
    /// Groups of paths where unknown outcomes were searched for.
    pub searched: usize,
    /// Of those, given up.
    pub gave_up: usize,
}

/// Holds everything against the zxids.
///
/// # Errors
/// The first rule that is broken: `session_order`, `session_view`, `sync`, `linearizable_writes`, `zxid_unique`,
/// `replies_match_model` or `sequence_numbers`.
pub fn witness(operations: &Operations, options: &Options) -> Result<WitnessCounts, Violation> {
    let mut counts = WitnessCounts { operations: operations.list.len(), ..WitnessCounts::default() };
    counts.not_judged = operations.not_judged;
    let is_answered = |end: End| end != End::Unknown;
    counts.unknown = operations.list.iter().filter(|operation| !is_answered(operation.end)).count();
    let blind = operations.list.iter().filter(|operation| is_answered(operation.end) && operation.zxid <= 0);
    counts.without_zxid = blind.clone().count();
    session_order(operations)?;
    in_time(operations, options)?;
    let order = by_zxid(operations)?;
    if blind.clone().any(|operation| operation.may_change()) {
        // A change that stands nowhere may stand anywhere.
        return Ok(counts);
    }
    sequence::by_zxid(operations).map_err(|detail| Violation { checker: "sequence_numbers", detail })?;
    replay(operations, options, &order, &mut counts)?;
    Ok(counts)
}

/// C1: the replies of a connection come in the order of its requests, and the zxids in them never fall.
fn session_order(operations: &Operations) -> Verdict {
    let mut last: Vec<Option<u32>> = vec![None; operations.connections.len()];
    for (index, operation) in operations.list.iter().enumerate() {
        if operation.end == End::Unknown {
            continue;
        }
        let last = &mut last[operation.connection as usize];
        if let Some(before) = *last {
            let earlier = &operations.list[before as usize];
            let is_in_order =
                operation.at >= earlier.at && (operation.zxid >= earlier.zxid || operation.zxid <= 0);
            require("session_order", is_in_order, || {
                format!(
                    "[{}] at {:#x} came before or shows less than [{}] at {:#x}",
                    operations.words(index as u32),
                    operation.zxid,
                    operations.words(before),
                    earlier.zxid
                )
            })?;
        }
        if operation.zxid > 0 || last.is_none() {
            *last = Some(index as u32);
        }
    }
    Ok(())
}

/// What happens, in the order in which two things of one time do no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    Connects,
    Sent,
    Answered,
}

/// C2 to C6: what was answered before something was asked for is not behind it.
fn in_time(operations: &Operations, options: &Options) -> Verdict {
    let mut happened: Vec<(u64, Happens, u32)> =
        Vec::with_capacity(2 * operations.list.len() + operations.connections.len());
    for (index, (began, _)) in operations.connections.iter().enumerate() {
        happened.push((*began, Happens::Connects, index as u32));
    }
    for (index, operation) in operations.list.iter().enumerate() {
        if operation.end != End::Unknown {
            happened.push((operation.sent, Happens::Sent, index as u32));
            happened.push((operation.at, Happens::Answered, index as u32));
        }
    }
    happened.sort_unstable();
    let mut newest = 0;
    let mut seen = vec![0; operations.sessions.len()];
    let mut at_connect = vec![0; operations.connections.len()];
    let mut floors = vec![0; operations.list.len()];
    for (_, what, index) in happened {
        match what {
            Happens::Connects => {
                at_connect[index as usize] = seen[operations.connections[index as usize].1 as usize];
            }
            Happens::Sent => floors[index as usize] = newest,
            Happens::Answered => {
                let operation = &operations.list[index as usize];
                let zxid = operation.zxid;
                if zxid <= 0 {
                    continue;
                }
                let floor = floors[index as usize];
                let known = at_connect[operation.connection as usize];
                let words = |why: &str, floor: i64| {
                    format!("[{}] is answered at {zxid:#x}, {why} {floor:#x}", operations.words(index))
                };
                require("session_view", zxid >= known, || {
                    words("on a connection that began when its session had seen", known)
                })?;
                let is_synced = operation.kind == Kind::Sync && !options.weak_sync;
                require("sync", !is_synced || zxid >= floor, || {
                    words("sent when somebody had been answered at", floor)
                })?;
                let is_write = matches!(operation.kind, Kind::Write | Kind::Close);
                require("linearizable_writes", !is_write || zxid > floor, || {
                    words("a write sent when somebody had been answered at", floor)
                })?;
                newest = newest.max(zxid);
                let seen = &mut seen[operation.session as usize];
                *seen = zxid.max(*seen);
            }
        }
    }
    Ok(())
}

/// Everything that says when it happened, in that order, a write before the reads that show it.
fn by_zxid(operations: &Operations) -> Result<Vec<u32>, Violation> {
    let is_read =
        |operation: &super::operations::Operation| !matches!(operation.kind, Kind::Write | Kind::Close);
    let mut order: Vec<(i64, bool, u32)> = (operations.list.iter().enumerate())
        .filter(|(_, operation)| operation.end != End::Unknown && operation.zxid > 0)
        .map(|(index, operation)| (operation.zxid, is_read(operation), index as u32))
        .collect();
    order.sort_unstable();
    for pair in order.windows(2) {
        if pair[0].0 == pair[1].0 && !pair[1].1 {
            let (one, other) = (operations.words(pair[0].2), operations.words(pair[1].2));
            violated("zxid_unique", format!("two writes at {:#x}: [{one}] and [{other}]", pair[0].0))?;
        }
    }
    Ok(order.into_iter().map(|(_, _, index)| index).collect())
}

/// C3, C4: every reply is what the tree gives at its zxid.
fn replay(operations: &Operations, options: &Options, order: &[u32], counts: &mut WitnessCounts) -> Verdict {
    let partition = Partition::of(operations);
    let mut tree = Tree::new(operations, &partition.settled);
    let mut later: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for index in order {
        let operation = &operations.list[*index as usize];
        let Some(step) = operations.steps(operation).first() else { continue };
        let component = partition.component_of[step.path as usize];
        counts.replayed += 1;
        if partition.components[component as usize].has_unknown {
            later.entry(component).or_default().push(*index);
            continue;
        }
        let fit = tree.attempt(operation, operation.zxid, false);
        tree.forget_marks();
        require("replies_match_model", fit != Fit::No, || {
            let path = &operations.paths[step.path as usize];
            let state = match tree.node(step.path) {
                None => "is not there".to_owned(),
                Some(node) => format!(
                    "is {} at version {}, set at {:#x}",
                    operations.datum(node.data),
                    node.version,
                    node.mzxid
                ),
            };
            format!("[{}] at {:#x}, where {path} {state}", operations.words(*index), operation.zxid)
        })?;
    }
    if later.is_empty() {
        return Ok(());
    }
    let sessions = Sessions::of(operations, options);
    // What was asked for when anything that stands behind an operation had been answered stands behind that operation.
    let (mut due, mut least) = (vec![NEVER; operations.list.len()], NEVER);
    for index in order.iter().rev() {
        least = least.min(operations.list[*index as usize].at);
        due[*index as usize] = least;
    }
    for (component, indices) in later {
        let component = &partition.components[component as usize];
        let problem = problem(operations, (&sessions, &due), component, &indices);
        search_unknown(operations, options, &problem, (&mut tree, counts))?;
    }
    Ok(())
}

/// What nobody knows of may have been, anywhere where it fits between the zxids.
fn search_unknown<'a>(
    operations: &'a Operations,
    options: &Options,
    problem: &Problem,
    (tree, counts): (&mut Tree<'a>, &mut WitnessCounts),
) -> Verdict {
    counts.searched += 1;
    let mut budget = options.budget;
    match solve(operations, tree, problem, &mut budget) {
        Answer::Explained(_) => Ok(()),
        Answer::GaveUp => {
            counts.gave_up += 1;
            Ok(())
        }
        Answer::Not(deepest) => {
            let waits = deepest.heads.iter().filter(|entry| entry.operation != NONE);
            let waits: Vec<String> = waits
                .map(|entry| format!("[{}] at {:#x}", operations.words(entry.operation), entry.zxid))
                .collect();
            let state = deepest.state(operations);
            violated(
                "replies_match_model",
                format!("{}, where {state}, whatever became of what was not answered", waits.join("; ")),
            )
        }
    }
}

fn problem(
    operations: &Operations,
    (sessions, due): (&Sessions, &[u64]),
    component: &Component,
    indices: &[u32],
) -> Problem {
    let mut chain: Vec<Entry> = Vec::with_capacity(indices.len());
    let closes = component.owners.iter().filter_map(|owner| sessions.closes[*owner as usize]);
    let mut all: Vec<u32> = indices.iter().copied().chain(closes).collect();
    let is_read = |index: &u32| operations.list[*index as usize].kind == Kind::Read;
    all.sort_by_key(|index| (operations.list[*index as usize].zxid, is_read(index)));
    for index in all {
        let operation = &operations.list[index as usize];
        let is_close = operation.kind == Kind::Close;
        let role = if is_close { Role::Closed } else { Role::Answered };
        let (zxid, high) = (operation.zxid, due[index as usize]);
        chain.push(Entry { role, zxid, high, ..Entry::answered(operations, index, 0) });
    }
    let unknown = component.operations.iter().filter(|index| {
        let operation = &operations.list[**index as usize];
        operation.end == End::Unknown && operation.kind == Kind::Write
    });
    let mut may_be: Vec<Entry> = unknown.map(|index| Entry::may_be(operations, *index)).collect();
    for owner in &component.owners {
        let (low, last) = (sessions.last_write(*owner, NEVER), sessions.last_zxids[*owner as usize]);
        let after = chain.partition_point(|entry| entry.zxid <= last);
        may_be.push(Entry::may_be_closed(*owner, low, Some((0, after))));
    }
    may_be.sort_by_key(|entry| entry.low);
    Problem { chains: vec![chain], may_be, paths: component.paths.clone() }
}
