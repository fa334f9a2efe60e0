//! `view`: a run as a page that opens from disk.

use super::report;
use super::source::Source;
use clap::Args;
use quorate_sim::Checks;
use quorate_sim::view::{self, MOST_EVENTS, Shown, Window};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct ViewArguments {
    #[command(flatten)]
    source: Source,
    /// What is checked: all, or invariants, those that the core and each client check by themselves.
    #[arg(long, default_value = "all")]
    checks: Checks,
    /// Where the page goes.
    #[arg(long, value_name = "PAGE")]
    out: PathBuf,
    /// Nothing before this second of the run.
    #[arg(long, value_name = "SECONDS")]
    from: Option<f64>,
    /// Nothing behind this second of the run.
    #[arg(long, value_name = "SECONDS")]
    to: Option<f64>,
    /// At most so many events, the last ones.
    #[arg(long, value_name = "EVENTS", default_value_t = MOST_EVENTS)]
    events: usize,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

fn nanos(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e9) as u64
}

pub(super) fn main(arguments: &ViewArguments) -> ExitCode {
    match write(arguments) {
        Ok(is_broken) => ExitCode::from(u8::from(is_broken)),
        Err(problem) => report::usage(&problem),
    }
}

/// Runs the plan and writes its page; says whether a rule was broken.
fn write(arguments: &ViewArguments) -> Result<bool, String> {
    let (plan, replay) = arguments.source.plan(arguments.checks)?;
    report::now_running_command(plan.seed, replay.clone());
    let (outcome, timeline) = view::record(&plan, arguments.checks).map_err(|error| error.to_string())?;
    let window = Window {
        from_ns: arguments.from.map(nanos),
        until_ns: arguments.to.map(nanos),
        most: arguments.events.max(1),
    };
    let shown = Shown { replay: format!("quorate-sim {replay} --trace"), window };
    let page = view::page((&plan, &outcome), &timeline, &shown);
    let out = arguments.out.display();
    std::fs::write(&arguments.out, &page).map_err(|error| format!("{out} can't be written: {error}"))?;
    if arguments.json {
        let result = json!({
            "page": arguments.out, "bytes": page.len(), "seed": plan.seed, "scenario": plan.scenario,
            "trace_hash": format!("{:016x}", outcome.trace_hash), "events": timeline.noted(),
            "violation": outcome.violation,
        });
        println!("{result}");
    } else {
        let verdict = match &outcome.violation {
            Some(violation) => format!("violated {}", violation.checker),
            None => "held".to_string(),
        };
        println!("page            {out}, {} KiB", page.len() / 1024);
        println!("events          {}", timeline.noted());
        println!("trace hash      {:016x}", outcome.trace_hash);
        println!("verdict         {verdict}");
    }
    Ok(outcome.violation.is_some())
}
