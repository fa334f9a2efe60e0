//! `judge`: a recorded history, by its zxids, without them, and, where the servers' txns are in it, by those.

use super::report;
use clap::Args;
use quorate_sim::history::{self, Found, Operations, Options, Search, WitnessCounts};
use quorate_sim::{RecordedCounts, RecordedHistory, Violation, judge_recorded};
use serde_json::{Value, json};
use std::fmt::Debug;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct JudgeArguments {
    /// The history, one JSON object a line (sim/HISTORY.md says what they are).
    file: PathBuf,
    /// So many places the search may look at for each group of paths before it gives up.
    #[arg(long, default_value_t = Options::default().budget)]
    budget: u64,
    /// A sync may miss what was committed while leaders changed, as Java's may.
    #[arg(long)]
    weak_sync: bool,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// What all checks say.
struct Judgement {
    operations: usize,
    witness: Result<WitnessCounts, Violation>,
    search: Search,
    /// Nanoseconds of a processor that each of them took.
    witness_ns: u64,
    search_ns: u64,
    /// None where the history has no txns.
    txns: Option<Result<RecordedCounts, Violation>>,
}

fn judge(recorded: &RecordedHistory, arguments: &JudgeArguments) -> Result<Judgement, Violation> {
    let options = Options { budget: arguments.budget, weak_sync: arguments.weak_sync };
    let operations = Operations::of(recorded)?;
    let begin = report::cpu_nanos();
    let witness = history::witness(&operations, &options);
    let between = report::cpu_nanos();
    let search = history::search(&operations, &options);
    let end = report::cpu_nanos();
    Ok(Judgement {
        operations: operations.len(),
        witness,
        search,
        witness_ns: between - begin,
        search_ns: end - between,
        txns: (!recorded.txns.is_empty()).then(|| judge_recorded(recorded)),
    })
}

impl Judgement {
    fn holds(&self) -> bool {
        let is_explained = !matches!(self.search.found, Found::NotLinearizable(_));
        self.witness.is_ok() && is_explained && !matches!(self.txns, Some(Err(_)))
    }

    fn json(&self) -> Value {
        json!({
            "held": self.holds(),
            "operations": self.operations,
            "witness": in_json(&self.witness, |counts| json!(counts)),
            "search": self.search,
            "witness_cpu_ns": self.witness_ns,
            "search_cpu_ns": self.search_ns,
            "txns": self.txns.as_ref().map(|txns| in_json(txns, |counts| json!(format!("{counts:?}")))),
        })
    }

    fn print(&self) {
        println!("operations      {}", self.operations);
        println!("by zxids        {}", in_words(&self.witness));
        println!("                in {} CPU ms", self.witness_ns / 1_000_000);
        let Search { found, components, operations, places } = &self.search;
        let found = match found {
            Found::Linearizable => "linearizable".to_owned(),
            Found::GaveUp(paths) => format!("gave up over {}: --budget is how far it looks", paths.join(" ")),
            Found::NotLinearizable(window) => format!(
                "NOT linearizable, {}, between {} and {} ns\n  {}",
                window.paths.join(" "),
                window.from,
                window.to,
                report::shortened(&window.detail)
            ),
        };
        println!("without zxids   {found}");
        println!(
            "                {operations} operations in {components} groups of paths, {places} places, {} CPU ms",
            self.search_ns / 1_000_000
        );
        if let Some(txns) = &self.txns {
            println!("by txns         {}", in_words(txns));
        }
        println!("verdict         {}", if self.holds() { "held" } else { "broken" });
    }
}

fn in_json<T>(result: &Result<T, Violation>, counts: impl Fn(&T) -> Value) -> Value {
    match result {
        Ok(seen) => json!({ "held": true, "counts": counts(seen) }),
        Err(violation) => json!({ "held": false, "violation": violation }),
    }
}

fn in_words<T: Debug>(result: &Result<T, Violation>) -> String {
    match result {
        Ok(counts) => format!("held: {counts:?}"),
        Err(violation) => {
            format!("{} is broken\n  {}", violation.checker, report::shortened(&violation.detail))
        }
    }
}

pub(super) fn main(arguments: &JudgeArguments) -> ExitCode {
    let shown = arguments.file.display();
    let text = match std::fs::read_to_string(&arguments.file) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{shown} can't be read: {error}");
            return ExitCode::from(2);
        }
    };
    let recorded = match history::read(&text) {
        Ok(recorded) => recorded,
        Err(error) => {
            eprintln!("{shown} is no history: {error}");
            return ExitCode::from(2);
        }
    };
    let judgement = match judge(&recorded, arguments) {
        Ok(judgement) => judgement,
        Err(violation) if arguments.json => {
            println!("{}", json!({ "held": false, "violation": violation }));
            return ExitCode::FAILURE;
        }
        Err(violation) => {
            println!("{} is broken\n  {}\nverdict         broken", violation.checker, violation.detail);
            return ExitCode::FAILURE;
        }
    };
    if arguments.json {
        println!("{}", judgement.json());
    } else {
        judgement.print();
    }
    ExitCode::from(u8::from(!judgement.holds()))
}
