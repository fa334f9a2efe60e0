//! `zoo`: brings bugs back one by one, and sees whether the checker finds each that has to.
//!
//! | file | |
//! |---|---|
//! | `bug.rs` | the patches, and which of them |
//! | `forge.rs` | building them |
//! | `table.rs` | `sim/ZOO.md` |
//!
//! A bug counts as caught when the expected checker is the one that finds it, and the same seeds hold without the patch. The smallest plan of
//! each stays in sim/zoo/plans. The rules for patches are in sim/README.md.

mod bug;
mod forge;
mod table;

use super::report;
use bug::Bug;
use clap::Args;
use forge::Forge;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where the table is kept, in the repository.
const TABLE: &str = "sim/ZOO.md";
/// Where the smallest plans are kept, in the repository.
const PLANS: &str = "sim/zoo/plans";
/// The scenario that breaks by itself.
const UNSOUND: &str = "rr-unfenced-mutex";
/// Beyond the slowest catch of a scenario so many seeds hold without any bug.
const MORE_SEEDS: u64 = 100;

#[derive(Args, Debug)]
pub(super) struct ZooArguments {
    /// Which bugs: Z31, Z43 and so on; all by default.
    bugs: Vec<String>,
    /// Only so many of them, another handful on each commit.
    #[arg(long, value_name = "COUNT", conflicts_with = "bugs")]
    handful: Option<usize>,
    /// The seeds that a bug has to show in, from 0.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// Does not look for the smallest plan.
    #[arg(long)]
    no_shrink: bool,
    /// Lists the bugs, and does nothing.
    #[arg(long)]
    list: bool,
    /// Where the rows go [default: sim/ZOO.md of the repository].
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Writes no table, and keeps no plan.
    #[arg(long, conflicts_with = "table")]
    no_table: bool,
    /// Prints one JSON object for each bug.
    #[arg(long)]
    json: bool,
}

/// What became of a bug.
#[derive(Debug)]
struct Row {
    bug: Bug,
    found: String,
    /// What else was found before.
    others: Vec<String>,
    seed: Option<u64>,
    events: u64,
    cpu_s: f64,
    /// What of the plan is left when it is shrunk, and what that cost.
    shrunk: Option<(u64, f64)>,
    commit: String,
    verdict: &'static str,
}

pub(super) fn main(arguments: &ZooArguments) -> ExitCode {
    match zoo(arguments) {
        Ok(is_caught) => ExitCode::from(u8::from(!is_caught)),
        Err(problem) => report::usage(&problem),
    }
}

/// Whether all is as it should be.
fn zoo(arguments: &ZooArguments) -> Result<bool, String> {
    let top = forge::repository()?;
    let all = bug::all(&top.join("sim/zoo"))?;
    let mut bugs = bug::chosen(all, &arguments.bugs)?;
    if arguments.list {
        bugs.iter()
            .for_each(|bug| println!("{:5} {:12} {:22} {}", bug.name, bug.scenario, bug.expected, bug.jira));
        return Ok(true);
    }
    let forge = Forge::new(&top)?;
    if let Some(count) = arguments.handful {
        bugs = bug::handful(bugs, count, &forge.commit);
    }
    let plans = (!arguments.no_table).then(|| top.join(PLANS));
    let table = arguments.table.clone().unwrap_or_else(|| top.join(TABLE));
    let mut is_caught = true;
    // The slowest catch of each scenario.
    let mut slowest: BTreeMap<String, u64> = BTreeMap::new();
    for bug in bugs {
        let row = plant(&forge, bug, arguments, plans.as_deref())?;
        is_caught &= row.verdict == "caught";
        let slow = slowest.entry(row.bug.scenario.clone()).or_default();
        *slow = row.seed.unwrap_or_default().max(*slow);
        show(&row, arguments.json);
        if !arguments.no_table {
            table::write(&table, &[row])?;
        }
    }
    forge.build(None)?;
    for (scenario, seed) in slowest {
        is_caught &= holds(&forge, &scenario, seed + MORE_SEEDS, arguments.json)?;
    }
    Ok(is_caught)
}

/// Builds a bug, sweeps until it is caught, and shrinks the plan.
fn plant(forge: &Forge, bug: Bug, arguments: &ZooArguments, plans: Option<&Path>) -> Result<Row, String> {
    forge.build(Some(&bug))?;
    let seeds = format!("0..{}", arguments.seeds);
    let sweep =
        ["sweep", "--scenario", &bug.scenario, "--seeds", &seeds, "--twice", "0", "--until-violation"];
    let swept = forge.run(&[&sweep[..], &[&bug.expected]].concat())?;
    let broken = broken(&swept);
    let caught = broken.iter().find(|(checker, _)| *checker == bug.expected);
    let seed = caught.map(|(_, seed)| *seed);
    let mut others: Vec<String> = broken.iter().map(|(checker, _)| checker.clone()).collect();
    others.retain(|checker| *checker != bug.expected);
    others.sort_unstable();
    others.dedup();
    let shrunk = match seed {
        Some(seed) if !arguments.no_shrink => Some(shrink(forge, &bug, seed, plans)?),
        _ => None,
    };
    forge.clean()?;
    Ok(Row {
        found: caught.map_or_else(|| "nothing".to_owned(), |(checker, _)| checker.clone()),
        others,
        seed,
        events: number(&swept["counters"]["events"]),
        cpu_s: number(&swept["cpu_ns"]) as f64 / 1e9,
        shrunk,
        commit: forge.commit.clone(),
        verdict: if seed.is_some() { "caught" } else { "MISSED" },
        bug,
    })
}

/// How much of the plan is left, and the CPU seconds that it took. The plan goes among the others, if they are kept.
fn shrink(forge: &Forge, bug: &Bug, seed: u64, plans: Option<&Path>) -> Result<(u64, f64), String> {
    let out = plans.unwrap_or(&forge.target).join(format!("{}.json", bug.name));
    let (seed, file) = (seed.to_string(), out.to_string_lossy().into_owned());
    let shrunk = forge.run(&["shrink", "--scenario", &bug.scenario, "--seed", &seed, "--out", &file])?;
    Ok((number(&shrunk["events_after"]), number(&shrunk["cpu_ns"]) as f64 / 1e9))
}

/// The checkers that found something, and in which seeds, the lowest first.
fn broken(swept: &Value) -> Vec<(String, u64)> {
    let broken = swept["broken"].as_array().map_or(&[][..], Vec::as_slice);
    let mut found: Vec<_> = broken
        .iter()
        .filter_map(|one| Some((one["violation"]["checker"].as_str()?.to_owned(), one["seed"].as_u64()?)))
        .collect();
    found.sort_by_key(|(_, seed)| *seed);
    found
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

/// Whether the seeds that find bugs find none where there is none.
fn holds(forge: &Forge, scenario: &str, seeds: u64, is_json: bool) -> Result<bool, String> {
    let range = format!("0..{seeds}");
    let swept =
        forge.run(&["sweep", "--scenario", scenario, "--seeds", &range, "--twice", "0", "--keep-going"])?;
    // That something never happened in so few seeds proves nothing here.
    let broken = broken(&swept);
    let is_expected = broken.is_empty() || scenario == UNSOUND;
    match is_json {
        true => println!(
            "{}",
            json!({ "bug": bug::NOTHING, "scenario": scenario, "seeds": seeds, "broken": broken })
        ),
        false if broken.is_empty() => {
            println!("{}   {scenario}: {seeds} seeds hold without any bug", bug::NOTHING)
        }
        false => println!("{}   {scenario}: false alarms {broken:?}", bug::NOTHING),
    }
    Ok(is_expected)
}

fn show(row: &Row, is_json: bool) {
    let Row { bug, found, others, seed, events, cpu_s, shrunk, verdict, .. } = row;
    if is_json {
        let shrunk = shrunk.map(|(left, cpu_s)| json!({ "left": left, "cpu_s": cpu_s }));
        println!(
            "{}",
            json!({
                "bug": bug.name, "scenario": bug.scenario, "expected": bug.expected, "found": found, "others": others,
                "seed": seed, "events": events, "cpu_s": cpu_s, "shrunk": shrunk, "verdict": verdict,
            })
        );
        return;
    }
    let seed = seed.map_or_else(|| "no seed".to_owned(), |seed| format!("seed {seed}"));
    let left =
        shrunk.map_or(String::new(), |(left, cpu)| format!(", {left} events left after {cpu:.1} CPU s"));
    println!(
        "{:5} {verdict}: {} by {seed} of {}, {cpu_s:.1} CPU s{left}",
        bug.name, bug.expected, bug.scenario
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_patch_has_a_head_and_a_scenario_that_there_is() {
        let bugs = bug::all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("zoo")).expect("every head is whole");
        assert!(bugs.len() > 60, "{} bugs", bugs.len());
        for bug in bugs {
            let scenario: Result<quorate_sim::Scenario, _> = bug.scenario.parse();
            assert!(scenario.is_ok(), "{}: {:?}", bug.name, bug.scenario);
            assert!(bug.expected != "nothing" && !bug.jira.is_empty(), "{}", bug.name);
        }
    }

    #[test]
    fn what_was_found_is_told_lowest_seed_first() {
        let swept = json!({ "broken": [
            { "seed": 9, "violation": { "checker": "b" } }, { "seed": 4, "violation": { "checker": "a" } },
        ] });
        assert_eq!(broken(&swept), [("a".to_owned(), 4), ("b".to_owned(), 9)]);
        assert_eq!(broken(&json!({})), []);
    }
}
