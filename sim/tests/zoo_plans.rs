//! The smallest plan of each bug of the zoo: what breaks with the bug in it holds without.

use quorate_sim::{Plan, run};
use std::collections::BTreeSet;
use std::path::PathBuf;

fn zoo() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("zoo")
}

/// Names of files, without their ending.
fn names(directory: PathBuf, ending: &str) -> BTreeSet<String> {
    let entries =
        std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let names = entries.map(|entry| entry.expect("the directory is readable").file_name());
    let names = names.filter_map(|name| Some(name.to_str()?.strip_suffix(ending)?.to_owned()));
    names.collect()
}

#[test]
fn each_bug_has_its_smallest_plan_which_holds_without_it() {
    let mut bugs = names(zoo(), ".patch");
    // The one that changes nothing.
    bugs.remove("Z00");
    let plans = names(zoo().join("plans"), ".json");
    assert_eq!(bugs, plans, "bugs and plans: `quorate-sim zoo Zxx` writes that of Zxx");
    for name in plans {
        let text =
            std::fs::read_to_string(zoo().join("plans").join(format!("{name}.json"))).expect("it is there");
        let plan = Plan::from_json(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let outcome = run(&plan, None);
        assert_eq!(outcome.violation, None, "{name}: {}", plan.summary());
    }
}
