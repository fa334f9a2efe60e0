//! Both checks over ten thousand small histories, right and wrong: what they say must fit together.
//!
//! What the servers did right both accept. Whatever the witness accepts the search accepts, whole and in parts. What the search
//! accepts against the witness it must prove: its order, taken for the zxids, is accepted by the witness.

use super::generator::{Fault, Generated, generate};
use crate::history::engine::{Entry, Role};
use crate::history::operations::{End, Kind, Operations};
use crate::history::partition::Partition;
use crate::history::search::search_in;
use crate::history::{Found, Options, search, witness};
use std::collections::BTreeMap;

const HISTORIES: u64 = 10_000;

/// What there was to judge.
#[derive(Debug, Default)]
struct Seen {
    right: usize,
    both_reject: usize,
    /// By fault, those that the search rejects.
    rejected: BTreeMap<Fault, usize>,
    /// The zxids show what can't be seen without them.
    only_the_witness: usize,
    /// The search was right to accept them: its order is a witness.
    proven: usize,
    /// Reads went back over several paths, which no part of the search sees.
    only_the_whole: usize,
    unknown: usize,
    operations: usize,
}

#[test]
fn the_checks_agree_wherever_the_witness_is_honest() {
    let mut seen = Seen::default();
    for seed in 0..HISTORIES {
        judge(seed, &generate(seed), &mut seen);
    }
    println!("{seen:?}");
    for (what, count, floor) in [
        ("histories in which all was right", seen.right, 4000),
        ("histories that both reject", seen.both_reject, 1500),
        ("kinds of fault that the search rejects", seen.rejected.len(), 8),
        ("orders of the search that were proven", seen.proven, 1000),
        ("histories with unknown outcomes", seen.unknown, 6000),
        ("histories that only the whole of the search rejects", seen.only_the_whole, 1),
        ("operations", seen.operations, 150_000),
    ] {
        assert!(count >= floor, "{what}: {count}, there should be {floor}: {seen:?}");
    }
    assert!(seen.rejected.values().all(|count| *count >= 25), "{seen:?}");
}

fn judge(seed: u64, generated: &Generated, seen: &mut Seen) {
    let operations = Operations::of(&generated.history).unwrap();
    let options = Options::default();
    let by_zxids = witness(&operations, &options);
    let (whole, orders) = search_in(&operations, &options, &Partition::whole(&operations));
    let parts = search(&operations, &options);
    for found in [&whole.found, &parts.found] {
        assert!(!matches!(found, Found::GaveUp(_)), "seed {seed}: {found:?}");
    }
    let accepts = |found: &Found| *found == Found::Linearizable;
    let (whole_accepts, parts_accept) = (accepts(&whole.found), accepts(&parts.found));
    let told =
        || format!("seed {seed}, {:?}: {by_zxids:?}\n{:?}\n{:?}", generated.fault, whole.found, parts.found);
    seen.operations += operations.len();
    seen.unknown += usize::from(operations.list.iter().any(|operation| operation.end == End::Unknown));
    let is_right = !generated.has_happened;
    seen.right += usize::from(is_right);
    if is_right {
        assert!(by_zxids.is_ok() && whole_accepts && parts_accept, "all was right; {}", told());
    }
    if generated.fault == Fault::LyingWitness {
        assert!(whole_accepts && parts_accept, "only the zxid is wrong; {}", told());
    }
    assert!(by_zxids.is_err() || whole_accepts, "the witness is an order; {}", told());
    assert!(!whole_accepts || parts_accept, "a part of an order is one; {}", told());
    if parts_accept && !whole_accepts {
        assert!(generated.paths > 1, "there is but one path; {}", told());
        seen.only_the_whole += 1;
    }
    match (by_zxids.is_ok(), whole_accepts) {
        (false, false) => {
            seen.both_reject += 1;
            *seen.rejected.entry(generated.fault).or_default() += 1;
        }
        (_, true) => {
            seen.only_the_witness += usize::from(by_zxids.is_err());
            let relabelled = relabelled(&generated.history, &orders);
            let proof = witness(&relabelled, &options);
            assert!(proof.is_ok(), "the order of the search is none: {proof:?}; {}", told());
            seen.proven += usize::from(by_zxids.is_err());
        }
        (true, false) => {}
    }
}

/// The history as it would be if the search's order had been the servers'.
fn relabelled(history: &crate::recorded::RecordedHistory, orders: &[Vec<Entry>]) -> Operations {
    let mut operations = Operations::of(history).unwrap();
    for operation in &mut operations.list {
        operation.zxid = 0;
        if operation.kind == Kind::Close {
            // It stands in no order, unless it ends an ephemeral.
            operation.end = End::Unknown;
        }
    }
    for step in &mut operations.steps {
        if let Some(shown) = &mut step.shown {
            (shown.czxid, shown.mzxid) = (0, 0);
        }
    }
    let mut zxid = 1;
    for entry in orders.iter().flatten() {
        let is_read =
            entry.role == Role::Answered && operations.list[entry.operation as usize].kind == Kind::Read;
        zxid += i64::from(!is_read);
        if matches!(entry.role, Role::Answered | Role::Closed) {
            let operation = &mut operations.list[entry.operation as usize];
            operation.zxid = zxid;
            operation.end = if operation.end == End::Unknown { End::Done } else { operation.end };
        }
    }
    // A sync shows what was answered before it, and what its session has seen: so much the reads behind it must show.
    for index in 0..operations.list.len() {
        let sync = operations.list[index];
        if sync.kind != Kind::Sync || sync.end == End::Unknown {
            continue;
        }
        let is_before = |earlier: &(usize, &crate::history::operations::Operation)| {
            let (place, earlier) = earlier;
            earlier.at < sync.sent || (*place < index && earlier.connection == sync.connection)
        };
        let before = operations.list.iter().enumerate().filter(is_before);
        operations.list[index].zxid = before.map(|(_, earlier)| earlier.zxid).max().unwrap_or(0);
    }
    operations
}
