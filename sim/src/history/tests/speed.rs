//! How fast both checks are: figures are printed, and what the search looked at is judged; no time is.
//!
//! `cargo test --release -p quorate-sim --lib speed -- --nocapture` shows them.

use super::generator::Dice;
use super::{connection, get, reply, set, shows, sync, synced, version};
use crate::history::{Found, Operations, Options, search, witness};
use crate::recorded::{RecordedHistory, RecordedRequest};
use quorate_core::jute::{Request, Response};
use quorate_core::vocabulary::Xid;

/// What a client is about to do: what it asked, when and of which node, and what it will hear.
#[derive(Default)]
struct Client {
    asked: Option<(u64, usize, Request)>,
    answer: Option<(i64, Result<Response, i32>)>,
    seen: i64,
}

/// So many clients ask for so much, each one thing after the other, of `paths` nodes; one in `lost` hears nothing.
fn busy(clients: usize, operations: usize, paths: usize, lost: usize) -> RecordedHistory {
    let mut dice = Dice(7);
    let mut history = RecordedHistory {
        connections: (0..clients).map(|client| connection(client, 0)).collect(),
        ..RecordedHistory::default()
    };
    let names: Vec<String> = (0..paths).map(|path| format!("/n{path}")).collect();
    // Of each node, from which zxid on it had which version; the data is that zxid.
    let mut nodes: Vec<Vec<(i64, i32)>> = Vec::new();
    for (path, name) in names.iter().enumerate() {
        let zxid = path as i64 + 1;
        let request = super::create(name, &zxid.to_string(), 0);
        let requests = &mut history.connections[0].requests;
        let xid = Xid(requests.len() as i32 + 1);
        let time = 2 * zxid as u64;
        let reply = Some(reply(xid, time + 1, zxid, &super::created(name)));
        requests.push(RecordedRequest { xid, request, sent: time, reply });
        nodes.push(vec![(zxid, 0)]);
    }
    let (mut zxid, mut clock) = (paths as i64, 2 * paths as u64 + 10);
    let (mut begun, mut done) = (paths, paths);
    let mut all: Vec<Client> = (0..clients).map(|_| Client::default()).collect();
    all[0].seen = zxid;
    while done < operations {
        clock += 1;
        let number = dice.below(clients);
        let path = dice.below(paths);
        let client = &mut all[number];
        match (client.asked.take(), client.answer.take()) {
            (None, _) if begun == operations => {}
            (None, _) => {
                begun += 1;
                let request = match dice.below(10) {
                    0..=4 => set(&names[path], "", -1),
                    5 => sync(),
                    _ => get(&names[path]),
                };
                client.asked = Some((clock, path, request));
            }
            (Some((sent, path, request)), None) => {
                let node = &mut nodes[path];
                let (request, at, answer) = match request {
                    Request::SetData { .. } => {
                        zxid += 1;
                        let next = node[node.len() - 1].1 + 1;
                        node.push((zxid, next));
                        (set(&names[path], &zxid.to_string(), -1), zxid, version(next))
                    }
                    Request::Sync { .. } => (request, zxid, synced()),
                    _ => {
                        let at = client.seen.max(zxid - dice.below(5) as i64).max(paths as i64);
                        let (data, shown) = node[node.partition_point(|(since, _)| *since <= at) - 1];
                        (request, at, shows(&data.to_string(), shown))
                    }
                };
                client.asked = Some((sent, path, request));
                client.answer = Some((at, answer));
                client.seen = at;
            }
            (Some((sent, _, request)), Some((zxid, answer))) => {
                let requests = &mut history.connections[number].requests;
                let xid = Xid(requests.len() as i32 + 1);
                let is_lost = matches!(request, Request::SetData { .. }) && dice.once_in(lost);
                let reply = (!is_lost).then(|| reply(xid, clock, zxid, &answer));
                requests.push(RecordedRequest { xid, request, sent, reply });
                done += 1;
            }
        }
    }
    history
}

/// Nanoseconds that this thread has spent on a processor.
fn cpu_nanos() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(0)
}

fn timed<T>(what: &str, operations: usize, run: impl FnOnce() -> T) -> T {
    let begin = cpu_nanos();
    let result = run();
    let took = (cpu_nanos() - begin).max(1);
    let rate = (operations as u128 * 1_000_000_000 / u128::from(took)) as u64;
    println!("{what}: {operations} operations in {} CPU ms, {rate} a CPU second", took / 1_000_000);
    result
}

#[test]
fn speed_of_the_witness() {
    let history = busy(20, 200_000, 100, usize::MAX);
    let operations = timed("reading", 200_000, || Operations::of(&history)).unwrap();
    let counts = timed("witness", 200_000, || witness(&operations, &Options::default())).unwrap();
    assert_eq!((counts.operations, counts.searched), (200_000, 0));
}

#[test]
fn speed_of_the_search() {
    for (paths, lost) in [(1, usize::MAX), (20, usize::MAX), (20, 50)] {
        let history = busy(20, 40_000, paths, lost);
        let operations = Operations::of(&history).unwrap();
        let what =
            format!("search, {paths} paths, {} unknown", if lost == usize::MAX { "none" } else { "some" });
        let found = timed(&what, 40_000, || search(&operations, &Options::default()));
        assert_eq!(found.found, Found::Linearizable);
        assert!(found.places < 200_000, "it has been at {} places", found.places);
        if lost != usize::MAX {
            let counts = timed("witness, some unknown", 40_000, || witness(&operations, &Options::default()));
            assert_eq!(counts.unwrap().gave_up, 0);
        }
    }
}
