//! The program as its users see it: what it prints, which files it writes, and what it exits with. What breaks is `rr-unfenced-mutex`, an
//! application that is wrong on purpose.

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

const BREAKS: &str = "rr-unfenced-mutex";

fn sim(arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate-sim"));
    command.args(arguments.split(' ')).output().expect("it was just built")
}

/// What it prints, if this is what it exits with.
fn printed(arguments: &str, code: i32) -> String {
    let output = sim(arguments);
    let text = String::from_utf8(output.stdout).expect("text");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments}\n{text}\n{errors}");
    if code == 2 { errors } else { text }
}

fn json(arguments: &str, code: i32) -> Value {
    serde_json::from_str(&printed(arguments, code)).expect("JSON")
}

/// A file of this test's own, which is not there yet.
fn file(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path
}

/// The first seed that breaks, by one thread.
fn lowest() -> u64 {
    static LOWEST: OnceLock<u64> = OnceLock::new();
    *LOWEST.get_or_init(|| {
        let total = json(&format!("sweep --scenario {BREAKS} --seeds 0..2000 --jobs 1 --json"), 1);
        total["broken"][0]["seed"].as_u64().expect("one of so many does")
    })
}

#[test]
fn every_command_says_how_it_is_used() {
    for command in ["run", "sweep", "plan"] {
        assert!(printed(&format!("{command} --help"), 0).contains("--seed"), "{command}");
    }
    for wrong in [
        "run",
        "run --seed x",
        "run --seed 1 --scenario r9",
        "sweep --seeds 5..5",
        "sweep --seeds 0..9 --shard 3/2",
        "sweep --seeds 0..9 --time-budget 0s",
        "sweep --seeds 0..9 --keep-going --until-violation",
        "sweep --seeds 0..2 --shard 5/9",
        "sweep --seeds 0..2 --junit /nowhere/at/all.xml",
        "sweep --seeds 0..2 --resume /nowhere/at/all.json",
    ] {
        assert!(!printed(wrong, 2).is_empty(), "{wrong}");
    }
}

#[test]
fn a_run_is_told_in_under_twenty_lines() {
    for (scenario, seed) in [("r0", 7), ("r1", 7), ("rj", 7), ("rr", 7)] {
        let text = printed(&format!("run --scenario {scenario} --seed {seed}"), 0);
        assert!(text.lines().count() < 20, "{text}");
        for part in
            ["simulated ", "events ", "operations ", "replies by code ", "faults ", "probes ", "trace hash "]
        {
            assert!(text.contains(&format!("\n{part}")), "{part} is not in {text}");
        }
        assert!(text.ends_with("verdict         held\n"), "{text}");
    }
    let text = printed("run --scenario r1 --seed 7", 0);
    assert!(text.contains("\nleaders "), "{text}");
}

#[test]
fn a_run_has_the_size_and_the_faults_that_are_asked_for() {
    let options = "--scenario r1 --seed 3 --servers 3 --observers 1 --clients 4 --rate 50 --duration 10";
    let plan = json(&format!("plan {options} --faults none"), 0);
    assert_eq!((&plan["ensemble"]["voters"], &plan["ensemble"]["observers"]), (&3.into(), &1.into()));
    assert_eq!((&plan["duration_ms"], &plan["faults"]), (&10_000.into(), &Value::Array(Vec::new())));
    assert_eq!(plan["clients"].as_array().map(Vec::len), Some(4));
    let run = json(&format!("run {options} --faults none --json"), 0);
    assert_eq!(run["counters"]["faults"], Value::Object(serde_json::Map::new()), "nothing breaks");
    let operations = run["counters"]["operations"].as_u64().unwrap_or(0);
    assert!((250..800).contains(&operations), "{operations}");
    let run = json("run --scenario r1 --seed 7 --faults kill,isolate --json", 0);
    let faults = run["counters"]["faults"].as_object().expect("an object");
    assert!(
        !faults.is_empty() && faults.keys().all(|name| name == "kill" || name == "isolate"),
        "{faults:?}"
    );
}

#[test]
fn a_sweep_can_be_asked_for_the_same() {
    let text =
        printed("sweep --scenario r1 --seeds 0..310 --servers 3 --rate 1 --duration 2 --faults none", 0);
    assert!(
        text.starts_with("r1 --servers 3 --rate 1 --duration 2 --faults none: seeds 0..310, 310 of them\n"),
        "{text}"
    );
    assert!(text.contains("\nfaults          none\n") && text.ends_with("verdict         held\n"), "{text}");
    assert!(printed("sweep --scenario rj --seeds 0..2 --rate 1", 2).contains("rj is a fixed scene"));
}

#[test]
fn what_a_scenario_can_not_give_is_refused() {
    for (options, says) in [
        ("--seed 1 --faults kil", "is no fault: all, none, or some of kill, power_loss"),
        ("--seed 1 --faults isolate", "r0 plans only kill"),
        ("--seed 1 --servers 3", "r0 is one server alone"),
        ("--scenario rj --seed 1 --duration 5", "rj is a fixed scene"),
        ("--scenario rr --seed 1 --clients 5", "eight machines"),
        ("--scenario rr --seed 1 --rate 5", "ask for what they like"),
        ("--scenario r1 --seed 1 --servers 9 --observers 1", "more than 9"),
        ("--scenario r1 --seed 1 --servers 10", "from 1 to 9"),
        ("--seed 1 --duration 1", "from 2 to"),
        ("--seed 1 --rate 1000000 --duration 3600", "too many for a plan"),
    ] {
        let text = printed(&format!("run {options}"), 2);
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn a_violation_is_told_with_the_command_that_shows_it_again() {
    let seed = lowest();
    let text = printed(&format!("sweep --scenario {BREAKS} --seeds 0..2000"), 1);
    assert!(text.contains(&format!("\nseed {seed} breaks app_unfenced: ")), "{text}");
    assert!(text.contains(&format!("verdict         1 of {} seeds broke a rule", seed + 1)), "{text}");
    let replay = text.lines().find_map(|line| line.strip_prefix("replay          quorate-sim "));
    let shown = printed(replay.expect("it says how"), 1);
    assert!(shown.contains("violated        app_unfenced"), "{shown}");
    assert!(shown.lines().count() < 60, "{shown}");
}

#[test]
fn what_a_sweep_says_does_not_depend_on_who_ran_what() {
    let to = lowest() + 10;
    for how in ["", " --keep-going", " --twice 100"] {
        let totals = [1, 2, 5].map(|jobs| {
            let mut total =
                json(&format!("sweep --scenario {BREAKS} --seeds 0..{to} --jobs {jobs} --json{how}"), 1);
            total["cpu_ns"] = 0.into();
            for broken in total["broken"].as_array_mut().expect("an array") {
                broken["cpu_ns"] = 0.into();
            }
            total
        });
        assert_eq!(totals[0], totals[1], "{how}");
        assert_eq!(totals[0], totals[2], "{how}");
    }
}

#[test]
fn keep_going_lists_all_that_break() {
    let from = lowest();
    let total =
        json(&format!("sweep --scenario {BREAKS} --seeds {from}..{} --keep-going --json", from + 150), 1);
    assert_eq!((&total["seeds"], &total["left"]), (&150.into(), &0.into()));
    let broken = total["broken"].as_array().expect("an array");
    assert!(broken.len() > 1, "{broken:?}");
    let text = printed(&format!("sweep --scenario {BREAKS} --seeds {from}..{} --keep-going", from + 150), 1);
    for one in broken {
        assert!(
            text.contains(&format!("replay          {}\n", one["replay"].as_str().expect("text"))),
            "{text}"
        );
    }
    let text = printed(
        &format!("sweep --scenario {BREAKS} --seeds {from}..{} --until-violation no_such", from + 150),
        1,
    );
    assert!(text.contains(&format!("verdict         {} of 150 seeds broke a rule", broken.len())), "{text}");
}

#[test]
fn shards_are_the_whole_and_nothing_twice() {
    let (whole, mut hashes) = (file("whole"), Vec::new());
    let total = json(&format!("sweep --seeds 0..20 --json --hashes {}", whole.display()), 0);
    let mut sum = 0u64;
    for shard in 1..=3 {
        let part = file(&format!("part{shard}"));
        let arguments = format!("sweep --seeds 0..20 --shard {shard}/3 --json --hashes {}", part.display());
        let total = json(&arguments, 0);
        let hash = u64::from_str_radix(total["trace_hash"].as_str().expect("text"), 16).expect("a number");
        sum = sum.wrapping_add(hash);
        hashes.extend(std::fs::read_to_string(&part).expect("it is written").lines().map(str::to_string));
    }
    assert_eq!(total["trace_hash"], format!("{sum:016x}"));
    hashes.sort_by_key(|line| line.split(' ').next().and_then(|seed| seed.parse::<u64>().ok()));
    assert_eq!(std::fs::read_to_string(&whole).expect("it is written"), hashes.join("\n") + "\n");
    assert!(hashes[7].starts_with("7 ") && hashes.len() == 20, "{hashes:?}");
    let one = json("run --seed 7 --json", 0);
    assert_eq!(hashes[7], format!("7 {}", one["trace_hash"].as_str().expect("text")));
}

#[test]
fn a_budget_of_time_ends_a_sweep_in_time() {
    let total = json("sweep --scenario r1 --seeds 0..100000 --jobs 1 --time-budget 1s --json", 0);
    let (seeds, left) =
        (total["seeds"].as_u64().expect("a number"), total["left"].as_u64().expect("a number"));
    assert!(seeds > 0 && seeds + left == 100_000, "{seeds} and {left}");
    assert_eq!((&total["short"], &total["done"]), (&"time".into(), &serde_json::json!([[0, seeds]])));
    let text = printed("sweep --scenario r1 --seeds 0..100000 --jobs 1 --time-budget 1s", 0);
    assert!(text.contains("since the time is over\nverdict         held"), "{text}");
}

#[test]
fn a_record_goes_on_where_it_ended() {
    let (record, hashes) = (file("record.json"), file("recorded"));
    let sweep = |seeds: &str, more: &str, code| {
        let files = format!("--resume {} --hashes {}", record.display(), hashes.display());
        json(&format!("sweep --seeds {seeds} {files} --json{more}"), code)
    };
    let first = sweep("0..10", "", 0);
    let second = sweep("5..20", "", 0);
    assert_eq!(std::fs::read_to_string(&hashes).expect("it is written").lines().count(), 10);
    let whole = json("sweep --seeds 0..20 --json", 0);
    assert_eq!(
        (&first["seeds"], &second["seeds"], &second["seeds_before"]),
        (&10.into(), &20.into(), &10.into())
    );
    assert_eq!(second["counters"], whole["counters"]);
    assert_eq!(second["trace_hash"], whole["trace_hash"]);
    assert_eq!(second["twice"], whole["twice"]);
    assert_eq!(second["commits"][0]["held"], serde_json::json!([[0, 20]]));
    // Nothing is left to do, and what there is is told.
    let text = printed(&format!("sweep --seeds 0..20 --resume {}", record.display()), 0);
    assert!(text.contains("0 of them, and 20 of earlier sessions"), "{text}");
    assert!(text.contains(": 20 seeds held (0..20) in ") && text.contains("\ncommit          "), "{text}");
    let refused = |arguments: &str, says: &str| {
        let text = printed(&format!("sweep --seeds 0..20 --resume {} {arguments}", record.display()), 2);
        assert!(text.contains(says), "{text}");
    };
    refused("--scenario r1", "is about scenario r0, not r1");
    refused("--shard 1/2", "is about shard 1/1, not 1/2");
    refused("--faults none", "is about scenario r0, not r0 --faults none");
    refused("--checks invariants", "is about checks all, not invariants");
    let text = std::fs::read_to_string(&record).expect("it is written");
    std::fs::write(&record, text.replace("\"format\":1", "\"format\":99")).expect("there is room");
    refused("--keep-going", "has format 99");
    std::fs::write(&record, "{}").expect("there is room");
    refused("--keep-going", "is no record of a sweep");
    assert!(!record.with_extension("json.new").exists());
}

#[test]
fn a_record_forgets_no_violation() {
    let (record, seed) = (file("broken.json"), lowest());
    let sweep = format!("sweep --scenario {BREAKS} --seeds 0..{} --resume {}", seed + 1, record.display());
    assert!(printed(&sweep, 1).contains(&format!(": {seed} seeds held (0..{seed}) in ")));
    // Again: only the one that broke is left, and breaks.
    let text = printed(&sweep, 1);
    assert!(text.contains(&format!("1 of them, and {seed} of earlier sessions")), "{text}");
    assert!(text.contains("1 broke a rule\nverdict         1 of 1 seeds broke a rule"), "{text}");
}

#[test]
fn a_commit_is_told_beside_those_before_it() {
    let record = file("commits.json");
    printed(&format!("sweep --seeds 0..5 --resume {}", record.display()), 0);
    let text = std::fs::read_to_string(&record).expect("it is written");
    let mut saved: Value = serde_json::from_str(&text).expect("JSON");
    saved["commits"][0]["commit"] = "an-older-one".into();
    std::fs::write(&record, saved.to_string()).expect("there is room");
    let text = printed(&format!("sweep --seeds 0..8 --resume {}", record.display()), 0);
    assert!(text.contains("commit          an-older-one (0.1.0): 5 seeds held (0..5)"), "{text}");
    assert!(text.contains(": 3 seeds held (5..8)"), "{text}");
    assert!(text.contains("3 of them, and 5 of earlier sessions"), "{text}");
}

#[test]
fn a_report_for_ci_has_a_case_for_each_failure() {
    let (report, seed) = (file("report.xml"), lowest());
    printed(
        &format!("sweep --scenario {BREAKS} --seeds {seed}..{} --junit {}", seed + 1, report.display()),
        1,
    );
    let text = std::fs::read_to_string(&report).expect("it is written");
    assert!(text.contains("tests=\"3\" failures=\"2\" errors=\"0\" skipped=\"1\""), "{text}");
    assert!(
        text.contains(&format!("name=\"seed {seed}\"")) && text.contains("type=\"app_unfenced\""),
        "{text}"
    );
    printed(&format!("sweep --seeds 0..3 --junit {}", report.display()), 0);
    let text = std::fs::read_to_string(&report).expect("it is written");
    assert!(text.contains("tests=\"2\" failures=\"0\" errors=\"0\" skipped=\"1\""), "{text}");
    for tag in ["testsuites", "testsuite", "testcase", "properties"] {
        let count = |begin: &str| text.matches(begin).count();
        let begun = count(&format!("<{tag}>")) + count(&format!("<{tag} "));
        assert_eq!(begun, count(&format!("</{tag}>")), "{tag} in {text}");
    }
}

#[test]
fn what_never_happens_in_enough_seeds_is_no_success() {
    let (record, report) = (file("floors.json"), file("floors.xml"));
    let text = printed(&format!("sweep --seeds 0..5 --resume {}", record.display()), 0);
    assert!(text.contains("floors          not looked at"), "{text}");
    // A session that says of itself that it ran enough.
    let text = std::fs::read_to_string(&record).expect("it is written");
    std::fs::write(&record, text.replace("\"seeds\":5", "\"seeds\":300")).expect("there is room");
    let sweep = format!("sweep --seeds 0..6 --resume {} --junit {}", record.display(), report.display());
    let text = printed(&sweep, 1);
    assert!(
        text.contains("\nnever happened  ") && text.contains("verdict         nothing broke, but "),
        "{text}"
    );
    let text = std::fs::read_to_string(&report).expect("it is written");
    assert!(text.contains("tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\""), "{text}");
    assert!(text.contains("<failure type=\"floors\" message=\"never happened: "), "{text}");
}

#[test]
fn a_panic_is_told_with_its_command() {
    let path = file("impossible.json");
    let mut plan = json("plan --seed 1 --duration 5 --rate 1 --faults none", 0);
    // In ns nobody can count so far.
    plan["duration_ms"] = u64::MAX.into();
    std::fs::write(&path, plan.to_string()).expect("there is room");
    let text = printed(&format!("replay {}", path.display()), 1);
    assert!(
        text.contains("breaks no_panic") && text.contains("replay          quorate-sim replay"),
        "{text}"
    );
}
