//! Ensembles of real server processes under everything that may happen to them, and what clients saw of it judged by the simulator's
//! checkers: writes linearizable, a session's view in order, ephemerals and sequence numbers right, every request executed once or
//! never, and nothing lost that was acknowledged.
//!
//! Without `QUORATE_FULL` one round of each kind on three servers; with it two hundred over three and five. The servers are
//! production's, in processes of this binary (`server`), over a disk that a loss of power leaves as a real one would ([`disk`]).
//! `QUORATE_HISTORIES=DIRECTORY` keeps what was seen there, for `quorate-sim judge` (`sim/HISTORY.md`).
//! No seed is kept: real processes are never twice the same. What fails here belongs into the simulator.
//!
//! This binary has no harness of its own: it is a test and a server in one.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

#[allow(dead_code, reason = "the tests of one server use the rest")]
#[path = "../server/client.rs"]
mod client;
mod disk;
mod ensemble;
mod load;
#[path = "../support/ports.rs"]
mod ports;
#[allow(dead_code, reason = "the tests of one server use the rest")]
#[path = "../server/process.rs"]
mod process;
#[allow(dead_code, reason = "the tests of the client use the rest")]
mod proxy;
mod recorder;
mod rounds;
#[path = "../../../storage-file/tests/support/mod.rs"]
mod support;

use ensemble::{MAX_TIMEOUT, MIN_TIMEOUT, SYNC_LIMIT, TICK_MS};
use quorate_sim::{RecordedCounts, RecordedHistory, RecordedSettings, judge_recorded};
use rounds::{Fault, Rig, Rounds};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Clients of the load.
const CLIENTS: u64 = 6;
/// Two hundred rounds over both.
const FULL: [(usize, usize); 2] = [(3, 120), (5, 80)];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, config, seed] = arguments.as_slice()
        && role == "server"
    {
        return disk::serve(PathBuf::from(config), seed.parse().unwrap());
    }
    // What else a harness is told is which tests are wanted.
    let mut wanted = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
    if wanted.peek().is_some() && !wanted.any(|wanted| "chaos".contains(wanted.as_str())) {
        return ExitCode::SUCCESS;
    }
    if std::env::var_os("QUORATE_FULL").is_some() {
        for (servers, rounds) in FULL {
            run(servers, rounds);
        }
    } else {
        run(3, Fault::SCHEDULE.len());
    }
    ExitCode::SUCCESS
}

/// So many rounds, one kind after the other.
fn run(servers: usize, rounds: usize) {
    let begin = Instant::now();
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut rig = Rig::start(servers, CLIENTS, wall.as_nanos() as u64);
    (0..rounds).for_each(|round| rig.round(Fault::SCHEDULE[round % Fault::SCHEDULE.len()]));
    // Every change of leaders gave those who were left behind their time again.
    std::thread::sleep(2 * Duration::from_millis(load::SHORT_TIMEOUT as u64));
    let (ensemble, recorder, seen) = rig.end();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let wall_at_zero_ms = now - (recorder.now() / 1_000_000) as i64;
    let (txns, databases) = ensemble.end();
    let settings = RecordedSettings {
        min_session_timeout: MIN_TIMEOUT,
        max_session_timeout: MAX_TIMEOUT,
        unheard_ms: (SYNC_LIMIT + 2) * TICK_MS,
        wall_at_zero_ms,
    };
    let history = RecordedHistory { txns, connections: recorder.take(), databases, settings };
    if let Some(directory) = std::env::var_os("QUORATE_HISTORIES") {
        let file = PathBuf::from(directory).join(format!("chaos-{servers}.jsonl"));
        std::fs::write(file, quorate_sim::history::write(&history)).unwrap();
    }
    println!(
        "{servers} servers, {rounds} rounds took {} s; what was seen is judged",
        begin.elapsed().as_secs()
    );
    let counts = judge_recorded(&history).unwrap_or_else(|violation| panic!("{violation:?}"));
    println!("{counts:?}\n{seen:?}");
    assert_enough(rounds, &counts, &seen);
}

/// A rig in which nothing goes wrong finds nothing.
fn assert_enough(rounds: usize, counts: &RecordedCounts, seen: &Rounds) {
    let kinds = Fault::SCHEDULE.iter().collect::<BTreeSet<_>>().len();
    let least_by_kind = seen.by_fault.values().min().copied().unwrap_or(0);
    for (what, count, floor) in [
        ("kinds of rounds", seen.by_fault.len(), kinds),
        ("rounds of each kind", least_by_kind as usize, rounds / Fault::SCHEDULE.len()),
        ("new leaders", seen.new_leaders as usize, rounds / 4),
        ("connections on which a cut held something", seen.held as usize, rounds / 2),
        ("syncs asked of leaders that were deposed, or might be", seen.syncs_of_deposed as usize, rounds / 4),
        ("epochs", counts.epochs, rounds / 2),
        ("writes that were answered", counts.writes, rounds * 40),
        ("reads that were answered", counts.reads, rounds * 15),
        ("syncs that were answered", counts.syncs, rounds * 2),
        ("requests whose outcome nobody knows", counts.unknown, rounds * 4),
        ("of those, executed", counts.executed_unanswered, rounds / 4),
        ("sessions", counts.sessions, rounds / 4),
        ("sessions taken up by another server", counts.reattached, rounds * 2),
    ] {
        assert!(count >= floor, "{what}: {count}, there should be {floor} in {rounds} rounds");
    }
    let left_out = Fault::SCHEDULE.iter().filter(|fault| fault.may_keep_all_waiting());
    let ceiling = left_out.map(|fault| seen.by_fault[fault]).sum::<u64>() / 4;
    let without = seen.without_another_leader;
    assert!(without <= ceiling, "{without} rounds without another leader, at most {ceiling} may be");
    let is_long = rounds > 2 * Fault::SCHEDULE.len();
    assert!(!is_long || counts.expired >= rounds / 40, "{} sessions expired", counts.expired);
}
