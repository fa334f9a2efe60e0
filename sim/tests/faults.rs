//! Each kind of fault does what it says: a cut cuts, a pause pauses, and what is over is over.
//!
//! Three servers with little else to worry about; one fault at a time, and what the trace tells of it. What a disk keeps behind a loss of
//! power, a lie or rot is tested in `src/disk/tests.rs`.

use quorate_sim::{
    ClockKind, Direction, Fault, Moment, Outcome, Plan, PlannedFault, Ports, Rest, RotPlace, Scenario, Shape,
    Target, run,
};
use std::collections::BTreeMap;

/// When the fault begins, ms.
const AT: u64 = 20_000;
/// Whose it is, unless it is the leader's: a server's place is in the upper byte of what its events say first, so 0 can't be told.
const SERVER: u32 = 1;
/// What is on its way when a way is cut, or a disk call that has begun, is done with so soon.
const SLACK: u64 = 30;
/// The inputs of a server that lives.
const INPUTS: [&str; 12] = [
    "accepted",
    "request",
    "closed",
    "stored",
    "loaded",
    "election",
    "quorum",
    "dialled",
    "link accepted",
    "link written",
    "timeout",
    "link closed",
];

#[derive(Clone, Debug)]
struct Entry {
    /// ns.
    at: u64,
    what: String,
    numbers: Vec<u64>,
}

impl Entry {
    fn read(line: &str) -> Entry {
        let (time, rest) = line.trim_start().split_once(' ').expect("a line begins with its time");
        let (seconds, nanos) = time.split_once('.').expect("a time has a fraction");
        let number = |text: &str| text.parse::<u64>().expect("a time is made of numbers");
        let words = rest
            .split(' ')
            .take_while(|word| !word.starts_with("0x") && !word.starts_with(char::is_uppercase));
        let what = words.collect::<Vec<_>>().join(" ");
        let numbers =
            rest.split(' ').filter_map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
        Entry { at: number(seconds) * 1_000_000_000 + number(nanos), what, numbers: numbers.collect() }
    }

    fn server(&self) -> u32 {
        (self.numbers.first().copied().unwrap_or(0) >> 56) as u32
    }

    fn is_between(&self, from_ms: u64, to_ms: u64) -> bool {
        (from_ms * 1_000_000..to_ms * 1_000_000).contains(&self.at)
    }
}

/// A run with one fault.
struct Story {
    outcome: Outcome,
    entries: Vec<Entry>,
}

fn plan(target: Target, fault: Fault) -> Plan {
    let mut plan = Plan::expand(Scenario::R1, 5);
    let ensemble = plan.ensemble.as_mut().expect("r1 is an ensemble");
    (ensemble.voters, ensemble.observers, ensemble.observer_masters) = (3, 0, false);
    (ensemble.groups, ensemble.weights, ensemble.read_only) = (Vec::new(), Vec::new(), Vec::new());
    (ensemble.init_limit, ensemble.sync_limit, ensemble.last_counter) = (10, 5, u32::MAX);
    (ensemble.db_autocreate, ensemble.rest) = (true, Rest::Healed);
    plan.image = None;
    (plan.server.tick_time_ms, plan.server.local_sessions, plan.server.snap_count) = (1000, false, 100_000);
    (plan.network.latency_us, plan.network.jitter_us, plan.network.split_permille) = (100, 0, 0);
    (plan.disk.call_us, plan.disk.sync_us, plan.disk.fuzzy_permille) = (1, 1000, 0);
    for client in &mut plan.clients {
        client.timeout_ms = 12_000;
        client.accepts_read_only = false;
    }
    plan.faults = vec![PlannedFault { at_us: AT * 1000, target, fault }];
    plan
}

fn told(plan: &Plan) -> Story {
    let outcome = run(plan, Some(usize::MAX));
    assert_eq!(outcome.violation, None, "{}", plan.summary());
    let entries = outcome.last_events.iter().map(|line| Entry::read(line)).collect();
    Story { outcome, entries }
}

fn story(target: Target, fault: Fault) -> Story {
    told(&plan(target, fault))
}

impl Story {
    fn fired(&self, name: &str) -> u64 {
        self.outcome.counters.faults.get(name).copied().unwrap_or(0)
    }

    /// What a server's process has done.
    fn inputs(&self, server: u32, from_ms: u64, to_ms: u64) -> usize {
        let of =
            self.entries.iter().filter(|entry| entry.server() == server && entry.is_between(from_ms, to_ms));
        of.filter(|entry| INPUTS.contains(&entry.what.as_str())).count()
    }

    fn count(&self, what: &str, server: u32, from_ms: u64, to_ms: u64) -> usize {
        let of =
            self.entries.iter().filter(|entry| entry.server() == server && entry.is_between(from_ms, to_ms));
        of.filter(|entry| entry.what == what).count()
    }

    /// Which servers a link joins.
    fn links(&self) -> BTreeMap<u64, (u32, u32)> {
        let dials = self.entries.iter().filter(|entry| entry.what == "dial");
        dials
            .map(|entry| {
                let link = entry.numbers[0] & ((1 << 56) - 1);
                (link, (entry.server(), entry.numbers[1] as u32 - 1))
            })
            .collect()
    }

    /// What `to` has heard of `from` on these ports.
    fn heard(&self, (from, to): (u32, u32), ports: &[&str], from_ms: u64, to_ms: u64) -> usize {
        let links = self.links();
        let inputs = self.entries.iter().filter(|entry| entry.is_between(from_ms, to_ms));
        inputs
            .filter(|entry| ports.contains(&entry.what.as_str()) && entry.server() == to)
            .filter(|entry| {
                // Of server 0 the first number is left out.
                let link = entry.numbers.last().copied().unwrap_or(0) & ((1 << 56) - 1);
                links
                    .get(&link)
                    .is_some_and(|(one, other)| (*one, *other) == (from, to) || (*other, *one) == (from, to))
            })
            .count()
    }

    /// What the clients' connections have carried to a client.
    fn to_client(&self, client: u64, from_ms: u64, to_ms: u64) -> usize {
        let heard =
            self.entries.iter().filter(|entry| entry.what == "to client" && entry.is_between(from_ms, to_ms));
        heard.filter(|entry| entry.numbers.len() == 3 && entry.numbers[0] == client).count()
    }

    fn has(&self, what: &str, from_ms: u64, to_ms: u64) -> bool {
        self.entries.iter().any(|entry| entry.what == what && entry.is_between(from_ms, to_ms))
    }
}

const BOTH: [&str; 2] = ["election", "quorum"];

fn one() -> Target {
    Target::Server(SERVER)
}

#[test]
fn who_is_killed_does_nothing_until_it_is_started_again() {
    let story = story(one(), Fault::Kill { down_ms: 3000 });
    assert_eq!(story.fired("kill"), 1);
    assert!(story.inputs(SERVER, AT - 3000, AT) > 10);
    assert_eq!(story.inputs(SERVER, AT + 1, AT + 3000), 0);
    assert_eq!(story.count("restart", SERVER, AT + 2999, AT + 3001), 1);
    assert!(story.inputs(SERVER, AT + 3000, AT + 10_000) > 10);
}

#[test]
fn who_loses_power_does_nothing_until_it_is_started_again() {
    let story = story(one(), Fault::PowerLoss { after_calls: 0, moment: Moment::Any, down_ms: 3000 });
    assert_eq!(story.fired("power_loss"), 1);
    // It waits for its moment for 2 s at most.
    let lost = story.entries.iter().find(|entry| entry.what == "power loss").expect("it has come to pass").at
        / 1_000_000;
    assert!((AT..AT + 2001).contains(&lost), "{lost}");
    assert_eq!(story.inputs(SERVER, lost + 1, lost + 3000), 0);
    assert_eq!(story.count("restart", SERVER, lost + 2999, lost + 3002), 1);
}

#[test]
fn who_is_shut_down_ends_by_itself() {
    let story = story(one(), Fault::Shutdown { down_ms: 3000 });
    assert_eq!(story.fired("shutdown"), 1);
    assert_eq!(story.count("shut down", SERVER, AT, AT + 1), 1);
    let exit =
        story.entries.iter().find(|entry| entry.what == "exit").expect("its process ends").at / 1_000_000;
    assert_eq!(story.inputs(SERVER, exit + 1, exit + 3000), 0);
}

#[test]
fn who_is_paused_does_nothing_and_then_goes_on_in_the_same_life() {
    let story = story(one(), Fault::Pause { ms: 3000 });
    assert_eq!(story.fired("pause"), 1);
    assert_eq!(story.inputs(SERVER, AT + 1, AT + 3000), 0);
    assert!(story.inputs(SERVER, AT + 3000, AT + 3001) > 0, "what has waited is heard at once");
    assert_eq!(story.count("restart", SERVER, AT, 60_000), 0);
}

#[test]
fn a_clock_that_stands_still_brings_no_timers_about_and_one_that_is_fast_more() {
    let timers = |permille| {
        let fault = Fault::ClockSpeed { clock: ClockKind::Monotonic, permille, ms: 20_000 };
        let story = story(Target::All, fault);
        [1, 2].map(|server| story.count("timeout", server, AT + 1, AT + 20_000)).into_iter().sum::<usize>()
    };
    let (frozen, slow, right, fast) = (timers(0), timers(300), timers(1000), timers(3000));
    assert_eq!(frozen, 0);
    assert!(slow < right && right < fast, "{slow}, {right}, {fast} timers");
}

#[test]
fn a_monotonic_clock_that_jumps_brings_about_what_is_due_then() {
    let story = story(one(), Fault::MonoJump { ms: 20_000 });
    assert_eq!(story.fired("mono_jump"), 1);
    assert!(story.count("timeout", SERVER, AT, AT + 1) > 0);
}

#[test]
fn a_wall_clock_that_jumps_or_is_wrong_ends_no_session() {
    let expired = |story: &Story| story.outcome.counters.probes.get("session_expired").copied();
    let usual = expired(&story(Target::All, Fault::Reset { client: 99 }));
    let faults = [
        Fault::WallJump { ms: 86_400_000 },
        Fault::WallJump { ms: -86_400_000 },
        Fault::ClockSpeed { clock: ClockKind::Wall, permille: 0, ms: 20_000 },
        Fault::ClockSpeed { clock: ClockKind::Wall, permille: 3000, ms: 20_000 },
    ];
    for fault in faults {
        let name = fault.name();
        let story = story(Target::All, fault);
        assert_eq!((story.fired(name), expired(&story)), (3, usual), "{name}");
    }
}

#[test]
fn a_reset_connection_is_gone_at_both_ends() {
    let story = story(Target::All, Fault::Reset { client: 3 });
    assert_eq!(story.fired("reset"), 1);
    assert!(story.has("reset", AT, AT + 1) && story.has("closed", AT, AT + 1));
}

#[test]
fn of_a_half_open_connection_the_server_learns_nothing() {
    let story = story(Target::All, Fault::HalfOpen { client: 3 });
    assert_eq!(story.fired("half_open"), 1);
    assert!(!story.has("reset", AT, AT + 2000) && !story.has("closed", AT, AT + 1));
}

#[test]
fn what_a_client_is_sent_waits_while_it_stalls_and_comes_then() {
    let stalled = story(Target::All, Fault::Stall { client: 3, to_server: false, ms: 3000 });
    assert_eq!(stalled.fired("stall"), 1);
    assert_eq!(stalled.to_client(3, AT + SLACK, AT + 3000), 0);
    assert!(stalled.to_client(3, AT + 3000, AT + 3001) > 0);
    assert!(
        story(Target::All, Fault::Reset { client: 4 }).to_client(3, AT + SLACK, AT + 3000) > 0,
        "it has something to hear"
    );
}

#[test]
fn a_connection_that_is_cut_for_long_ends() {
    let story = story(Target::All, Fault::Cut { client: 3, to_server: false, ms: 40_000 });
    assert_eq!(story.fired("cut"), 1);
    assert_eq!(story.to_client(3, AT + SLACK, AT + 4000), 0);
}

#[test]
fn two_servers_that_are_cut_off_from_each_other_hear_nothing_and_the_third_hears_both() {
    let fault = |ports, direction| Fault::CutLinks { shape: Shape::Pair(2), ports, direction, ms: 10_000 };
    let heard = |story: &Story, pair, ports: &[&str]| story.heard(pair, ports, AT + SLACK, AT + 10_000);
    let cut = story(one(), fault(Ports::Both, Direction::Both));
    assert_eq!(cut.fired("cut_pair"), 1);
    assert_eq!(heard(&cut, (1, 2), &BOTH) + heard(&cut, (2, 1), &BOTH), 0);
    assert!(heard(&cut, (0, 1), &BOTH) + heard(&cut, (0, 2), &BOTH) > 0);
    let before = cut.heard((1, 2), &BOTH, 0, AT) + cut.heard((2, 1), &BOTH, 0, AT);
    assert!(before > 0, "they had something to say");
}

#[test]
fn who_is_isolated_hears_nobody() {
    for (direction, hears) in [(Direction::Both, false), (Direction::In, false)] {
        let fault = Fault::CutLinks { shape: Shape::Isolate, ports: Ports::Both, direction, ms: 10_000 };
        let story = story(one(), fault);
        assert_eq!(story.fired("isolate"), 1);
        let heard = story.heard((0, 1), &BOTH, AT + SLACK, AT + 10_000)
            + story.heard((2, 1), &BOTH, AT + SLACK, AT + 10_000);
        assert_eq!(heard > 0, hears, "{direction:?}: {heard}");
    }
}

#[test]
fn a_bridge_hears_both_halves_that_do_not_hear_each_other() {
    // The halves are 0 and 2.
    let fault = |shape| Fault::CutLinks { shape, ports: Ports::Both, direction: Direction::Both, ms: 10_000 };
    let bridge = story(one(), fault(Shape::Bridge(0b001)));
    assert_eq!(bridge.fired("bridge"), 1);
    let heard = |story: &Story, pair| story.heard(pair, &BOTH, AT + SLACK, AT + 10_000);
    assert_eq!(heard(&bridge, (2, 0)) + heard(&bridge, (0, 2)), 0);
    assert!(heard(&bridge, (0, 1)) > 0 && heard(&bridge, (2, 1)) > 0);
    let halves = story(one(), fault(Shape::Halves(0b010)));
    assert_eq!(halves.fired("halves"), 1);
    assert_eq!(heard(&halves, (0, 1)) + heard(&halves, (2, 1)) + heard(&halves, (1, 2)), 0);
}

#[test]
fn slow_ways_are_slow() {
    let fault = Fault::SlowLinks { shape: Shape::Isolate, ports: Ports::Both, delay_ms: 2000, ms: 8000 };
    let story = story(one(), fault);
    assert_eq!(story.fired("slow_links"), 1);
    // Nothing new arrives for as long as the delay is, and then what was said behind its beginning.
    let heard = |from, to| story.heard((0, 1), &BOTH, from, to) + story.heard((2, 1), &BOTH, from, to);
    assert_eq!(heard(AT + SLACK, AT + 2000), 0);
    assert!(heard(AT + 2000, AT + 8000) > 0);
}

#[test]
fn lossy_ways_are_late_but_lose_nothing() {
    let waits = |permille| {
        let fault = Fault::LossyLinks { shape: Shape::Isolate, ports: Ports::Both, permille, ms: 20_000 };
        let story = story(one(), fault);
        assert_eq!(story.fired("lossy_links"), 1);
        assert_eq!(story.count("link closed", SERVER, AT, AT + 20_000), 0);
        let heard = |from| {
            story.heard((0, 1), &BOTH, from, from + 200) + story.heard((2, 1), &BOTH, from, from + 200)
        };
        (AT..AT + 20_000).step_by(200).filter(|from| heard(*from) == 0).count()
    };
    let (whole, lossy) = (waits(0), waits(300));
    assert!(lossy > whole, "{whole} and {lossy} silent fifths of a second");
}

#[test]
fn who_refuses_links_keeps_those_that_it_has() {
    let refused = |after: Option<Fault>| {
        let mut plan = plan(one(), Fault::RefuseLinks { ports: Ports::Both, ms: 10_000 });
        plan.faults.extend(after.map(|fault| PlannedFault {
            at_us: (AT + 1000) * 1000,
            target: one(),
            fault,
        }));
        told(&plan)
    };
    let heard =
        |story: &Story, from, to| story.heard((0, 1), &BOTH, from, to) + story.heard((2, 1), &BOTH, from, to);
    let quiet = refused(None);
    assert_eq!(quiet.fired("refuse_links"), 0);
    assert!(heard(&quiet, AT + SLACK, AT + 10_000) > 0);
    let broken = refused(Some(Fault::Kill { down_ms: 500 }));
    assert!(broken.fired("refuse_links") > 0);
    assert_eq!(broken.count("link accepted", SERVER, AT + SLACK, AT + 10_000), 0);
    assert!(broken.count("link accepted", SERVER, AT + 10_000, AT + 40_000) > 0);
}

#[test]
fn who_refuses_clients_keeps_those_that_it_has() {
    let mut plan = plan(Target::All, Fault::RefuseClients { ms: 10_000 });
    let quiet = told(&plan);
    assert!(quiet.count("request", SERVER, AT, AT + 10_000) > 0);
    for client in 0..plan.clients.len() as u32 {
        let fault = Fault::Reset { client };
        plan.faults.push(PlannedFault { at_us: (AT + 1000) * 1000, target: Target::All, fault });
    }
    let story = told(&plan);
    assert!(story.fired("refuse_clients") > quiet.fired("refuse_clients"));
    let accepted = |from, to| (0..3).map(|server| story.count("accepted", server, from, to)).sum::<usize>();
    assert_eq!(accepted(AT + SLACK, AT + 10_000), 0);
    assert!(accepted(AT + 10_000, AT + 30_000) > 0);
}

#[test]
fn in_a_rolling_restart_one_server_after_the_other_is_started_again() {
    let story = story(Target::All, Fault::RollingRestart { every_ms: 8000, down_ms: 1000 });
    assert_eq!(story.fired("rolling_restart"), 3);
    for server in 1..3 {
        let at = AT + 8000 * u64::from(server);
        let of = |what| story.count(what, server, at, at + 8000);
        assert_eq!((of("exit"), of("restart")), (1, 1));
        assert_eq!(
            story.count("exit", server, AT, at) + story.count("exit", server, at + 8000, at + 16_000),
            0
        );
    }
}

#[test]
fn a_truncation_fails_and_the_power_goes_soon() {
    let mut plan = plan(
        Target::Leader,
        Fault::CutLinks { shape: Shape::Isolate, ports: Ports::Both, direction: Direction::Both, ms: 12_000 },
    );
    let fault = Fault::FailTruncation { permille: 1000, after_calls: 0, down_ms: 500 };
    plan.faults.insert(0, PlannedFault { at_us: 1000, target: Target::All, fault });
    // Who comes back is to be truncated, rather than to get everything anew.
    plan.ensemble.as_mut().expect("r1 is an ensemble").commit_log_count = 500;
    let story = told(&plan);
    assert_eq!(story.fired("fail_truncation"), 1);
    assert!(story.has("power loss", AT, AT + 30_000));
}

#[test]
fn broken_connections_between_servers_are_heard_of_unless_they_break_in_silence() {
    let broken = |is_silent| {
        let fault = Fault::BreakLinks { shape: Shape::Isolate, ports: Ports::Both, is_silent };
        story(one(), fault)
    };
    let (loud, silent) = (broken(false), broken(true));
    assert_eq!((loud.fired("break_links"), silent.fired("half_open_links")), (1, 1));
    let closed = |story: &Story| {
        [1, 2].map(|server| story.count("link closed", server, AT, AT + 2)).into_iter().sum::<usize>()
    };
    assert!(closed(&loud) > closed(&silent), "{} and {}", closed(&loud), closed(&silent));
}

#[test]
fn a_slow_disk_keeps_whoever_waits_for_it() {
    let syncs = |fault| story(one(), fault).count("disk sync", SERVER, AT + SLACK, AT + 4000);
    let slow = syncs(Fault::SlowDisk { ms: 4000, call_ms: 1000 });
    let usual = syncs(Fault::WallJump { ms: 1 });
    assert!(slow * 3 < usual, "{slow} and {usual} syncs");
}

#[test]
fn a_disk_with_errors_or_without_room_ends_the_process_or_refuses_clients() {
    let errors = story(one(), Fault::DiskErrors { permille: 1000, ms: 3000 });
    assert!(errors.fired("disk_errors") > 0);
    assert!(errors.has("exit", AT, AT + 3000) || errors.has("store failed", AT, AT + 3000));
    let full = story(Target::All, Fault::DiskFull { room: 0, ms: 5000 });
    assert_eq!(full.fired("disk_full"), 3);
    assert!(full.has("free space", AT, AT + 1));
    let is_refused = full.outcome.counters.replies.contains_key(&-125);
    assert!(is_refused || full.has("exit", AT, AT + 5000), "{:?}", full.outcome.counters.replies);
}

#[test]
fn another_disk_is_found_behind_a_restart() {
    let empty = story(one(), Fault::EmptyDisk { down_ms: 1000 });
    assert_eq!((empty.fired("empty_disk"), empty.count("another disk", SERVER, AT, 60_000)), (1, 1));
    let old = story(one(), Fault::OldDisk { ms: 5000 });
    assert_eq!((old.fired("old_disk"), old.count("another disk", SERVER, AT + 5000, 60_000)), (1, 1));
}

#[test]
fn a_disk_that_lies_loses_what_a_power_loss_takes() {
    let mut plan = plan(one(), Fault::LyingDisk { ms: 5000 });
    let fault = Fault::PowerLoss { after_calls: 0, moment: Moment::Any, down_ms: 100 };
    plan.faults.push(PlannedFault { at_us: (AT + 3000) * 1000, target: one(), fault });
    let story = told(&plan);
    assert_eq!((story.fired("lying_disk"), story.fired("power_loss")), (1, 1));
    let lost =
        ["lie_lost_in_ensemble", "lie_kept_for_the_quorum", "lie_did_no_harm", "lie_refused_in_ensemble"];
    assert!(lost.iter().any(|probe| story.outcome.counters.probes.contains_key(probe)));
}

#[test]
fn rot_is_found_at_the_next_start() {
    let story = story(one(), Fault::BitRot { place: RotPlace::LogTail, has_power: true, down_ms: 1000 });
    assert_eq!((story.fired("bit_rot"), story.count("rot", SERVER, AT + 999, AT + 1001)), (1, 1));
}

#[test]
fn who_is_elected_next_fails() {
    let mut plan = plan(one(), Fault::FailElected { after_ms: 1, has_power: true, down_ms: 3000 });
    let fault = Fault::Kill { down_ms: 5000 };
    plan.faults.push(PlannedFault { at_us: (AT + 1) * 1000, target: Target::Leader, fault });
    assert_eq!(told(&plan).fired("fail_elected"), 1);
}

#[test]
fn nobody_reaches_a_lonely_machine() {
    let mut plan = Plan::expand(Scenario::Rr(quorate_sim::Workload::named("counter")), 3);
    plan.faults = vec![PlannedFault {
        at_us: 5_000_000,
        target: Target::All,
        fault: Fault::Lonely { client: 2, ms: 4000 },
    }];
    plan.apps.iter_mut().for_each(|app| app.pauses.clear());
    (plan.network.latency_us, plan.network.jitter_us) = (100, 0);
    let story = told(&plan);
    assert_eq!(story.fired("lonely"), 1);
    assert_eq!(story.to_client(2, 5000 + SLACK, 9000), 0);
    assert!(story.to_client(2, 1000, 5000) > 0 && story.to_client(2, 9000, 15_000) > 0);
}

#[test]
fn what_brings_a_learner_up_to_date_breaks_in_the_middle() {
    let story = story(one(), Fault::BreakSync { permille: 1000, ms: 10_000 });
    assert!(story.fired("break_sync") > 0);
    assert!(
        story.count("link closed", SERVER, AT, AT + 10_000)
            > story.count("link closed", SERVER, AT + 15_000, AT + 25_000)
    );
}
