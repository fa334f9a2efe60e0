//! `quorate check`: what a configuration means here, setting by setting, before anything is started.
//!
//! Exit code 0 when the server would start, 2 when it would refuse, as the server's own is. With a data directory it also
//! looks at what lies there, and changes nothing.

mod directory;

use super::print;
use crate::config::{self, Evaluation, Finding, Given, Origin, Verdict, settings};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// What `quorate check` takes.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The configuration; without one, what the server would use.
    #[arg(value_name = "zoo.cfg")]
    config: Option<PathBuf>,
    /// A data directory to look at too.
    #[arg(value_name = "dataDir")]
    data_dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Print the table of all settings as Markdown, and nothing else.
    #[arg(long)]
    list_settings: bool,
}

/// Prints what was found.
pub(crate) fn main(arguments: &CheckArgs) -> ExitCode {
    if arguments.list_settings {
        print(&settings_as_markdown());
        return ExitCode::SUCCESS;
    }
    let evaluation = match config::evaluate(&Given::with_environment(arguments.config.clone())) {
        Ok(evaluation) => evaluation,
        Err(invalid) => {
            eprintln!("Invalid config, exiting abnormally\n{invalid}");
            return ExitCode::from(2);
        }
    };
    let directory = arguments.data_dir.as_ref().map(|dir| directory::inspect(dir));
    let accepted = evaluation.is_accepted() && directory.as_ref().is_none_or(|found| found.usable());
    if arguments.json {
        let value = json!({
            "accepted": accepted,
            "settings": evaluation.findings.iter().map(finding_as_json).collect::<Vec<_>>(),
            "ignored_jvm_flags": evaluation.foreign,
            "data_dir": directory,
        });
        print(&format!("{value:#}\n"));
    } else {
        print(&findings_as_text(&evaluation));
        if let Some(found) = &directory {
            print(&format!("\n{found}"));
        }
        let verdict = if accepted { "the server would start" } else { "the server would refuse to start" };
        print(&format!("\n{verdict}\n"));
    }
    if accepted { ExitCode::SUCCESS } else { ExitCode::from(2) }
}

/// One line a setting: those that were set first, in the order they stand, then the defaults.
fn findings_as_text(evaluation: &Evaluation) -> String {
    let rows: Vec<[String; 3]> = evaluation
        .findings
        .iter()
        .map(|finding| {
            let value = if finding.value.is_empty() { "(unset)" } else { &finding.value };
            [
                format!("{}={value}", finding.key),
                finding.origin.to_string(),
                verdict_in_words(&finding.verdict),
            ]
        })
        .collect();
    let widest = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).filter(|&n| n <= 60).max().unwrap_or(0)
    };
    let (first, second) = (widest(0), widest(1));
    let mut text = String::new();
    for [setting, origin, verdict] in &rows {
        text += &format!("{setting:first$}  {origin:second$}  {verdict}\n");
    }
    if !evaluation.foreign.is_empty() {
        text += &format!("\nmeant for a Java virtual machine, ignored: {}\n", evaluation.foreign.join(" "));
    }
    text
}

fn verdict_in_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Same => "same".to_owned(),
        Verdict::NoEffect(why) => format!("no effect: {why}"),
        Verdict::Differs(text) => format!("differs: {text}"),
        Verdict::Unknown(text) => text.clone(),
        Verdict::Overridden(by) => format!("overridden: {by}"),
        Verdict::Refused(refusal) => format!("REFUSED: {refusal}"),
    }
}

fn finding_as_json(finding: &Finding) -> serde_json::Value {
    let verdict = match &finding.verdict {
        Verdict::Same => "same",
        Verdict::NoEffect(_) => "no_effect",
        Verdict::Differs(_) => "differs",
        Verdict::Unknown(_) => "unknown",
        Verdict::Overridden(_) => "overridden",
        Verdict::Refused(_) => "refused",
    };
    let line = match &finding.origin {
        Origin::File(_, line) => Some(line),
        _ => None,
    };
    json!({
        "key": finding.key,
        "value": finding.value,
        "source": finding.origin.to_string(),
        "line": line,
        "verdict": verdict,
        "text": verdict_in_words(&finding.verdict),
    })
}

/// The table for the documentation.
fn settings_as_markdown() -> String {
    let mut text =
        "| Key | System property | Values | Default | Effect | Meaning |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for row in settings::all() {
        let property = row.property_name().map_or("–".to_owned(), |name| format!("`-D{name}`"));
        let default = if row.default.is_empty() { "–".to_owned() } else { format!("`{}`", row.default) };
        let (effect, why) = row.effect_in_words();
        let effect = if why.is_empty() { effect.to_owned() } else { format!("{effect}: {why}") };
        let cells =
            [format!("`{}`", row.key), property, row.kind.to_string(), default, effect, row.doc.to_owned()];
        text += &format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
    text
}
