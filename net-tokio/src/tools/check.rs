//! `quorate check`: what a configuration means here, setting by setting, before anything is started.
//!
//! Exit code 0 is a promise that the server would start, once what the warnings name has been seen to; 2 means that it would
//! refuse. For that a start is rehearsed over the directories that the configuration names, and nothing is changed.
//!
//! ```text
//! directory        what lies in a data directory
//! rehearsal        ports and recovery, tried
//! pretended_disk   a disk on which recovery changes nothing
//! ```

mod directory;
mod pretended_disk;
mod rehearsal;

use super::print;
use crate::config::{self, Evaluation, Finding, Given, Origin, Verdict, settings};
use clap::Args;
use directory::Directory;
use rehearsal::Rehearsal;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What `quorate check` takes.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The configuration; without one, what the server would use.
    #[arg(value_name = "zoo.cfg")]
    config: Option<PathBuf>,
    /// A data directory to look at instead of the configured one.
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
    let (directories, rehearsal) = look_at_data(&evaluation, arguments.data_dir.as_deref());
    let usable = directories.iter().all(Directory::usable) && rehearsal.problems.is_empty();
    let accepted = evaluation.is_accepted() && usable;
    if arguments.json {
        let value = json!({
            "accepted": accepted,
            "settings": evaluation.findings.iter().map(finding_as_json).collect::<Vec<_>>(),
            "ignored_jvm_flags": evaluation.foreign,
            "directories": directories,
            "rehearsal": {
                "findings": rehearsal.findings,
                "problems": rehearsal.problems,
                "warnings": rehearsal.warnings,
            },
        });
        print(&format!("{value:#}\n"));
    } else {
        print(&findings_as_text(&evaluation));
        directories.iter().for_each(|found| print(&format!("\n{found}")));
        print(&rehearsal_as_text(&rehearsal));
        let verdict = if accepted { "the server would start" } else { "the server would refuse to start" };
        print(&format!("\n{verdict}\n"));
    }
    if accepted { ExitCode::SUCCESS } else { ExitCode::from(2) }
}

/// Looks at the directories that are configured, or at `instead` of them; and if nothing stands against it, rehearses a start.
fn look_at_data(evaluation: &Evaluation, instead: Option<&Path>) -> (Vec<Directory>, Rehearsal) {
    let mut storage = evaluation.storage().clone();
    if let Some(dir) = instead {
        if storage.data_log_dir == storage.data_dir {
            storage.data_log_dir = dir.to_owned();
        }
        storage.data_dir = dir.to_owned();
    }
    let mut places = vec![&storage.data_dir, &storage.data_log_dir];
    places.dedup();
    places.retain(|place| !place.as_os_str().is_empty());
    let look = |place: &PathBuf| {
        directory::inspect(place, storage.datadir_autocreate, instead == Some(place.as_path()))
    };
    let directories: Vec<Directory> = places.into_iter().map(look).collect();
    let mut rehearsal = Rehearsal::default();
    if let Ok(mut config) = evaluation.clone().accept()
        && directories.iter().all(Directory::usable)
    {
        config.storage = storage.clone();
        let running = directories.iter().find(|found| found.locked());
        rehearsal = rehearsal::rehearse(&config, running.is_none());
        rehearsal.warnings.extend(running.map(|found| {
            let path = found.path().display();
            format!("{path}: a server is running on it, so its data was not read: stop it before this one is started")
        }));
    }
    (directories, rehearsal)
}

fn rehearsal_as_text(rehearsal: &Rehearsal) -> String {
    let lines = |head: &str, lines: &[String]| {
        lines.iter().map(|line| format!("  {head}{line}\n")).collect::<String>()
    };
    let mut text = lines("", &rehearsal.findings);
    if !text.is_empty() {
        text.insert_str(0, "\na start would do this, and nothing of it was done:\n");
    }
    let said = lines("warning: ", &rehearsal.warnings) + &lines("REFUSED: ", &rehearsal.problems);
    if said.is_empty() { text } else { format!("{text}\nbeyond that:\n{said}") }
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
