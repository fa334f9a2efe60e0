//! Commands about the shell itself: `history`, `redo`, `printwatches`, `connect`, `close`, `version`, `help`.

use super::Shell;
use super::commands;
use super::failure::{Failure, Result};
use super::flags::{Flags, free};
use super::line::{self, Word, text};
use super::output::complain;
use super::session::Session;
use serde_json::json;

/// So many lines before the last are listed.
const LISTED: usize = 10;

static NONE: Flags = free(&[]);

/// The last lines, this one too.
pub(super) fn history(shell: &mut Shell) {
    let now = shell.line_number();
    for number in now.saturating_sub(LISTED)..=now {
        let line = shell.lines.get(number).map_or("null".to_owned(), |line| text(line));
        shell.out.show(
            || format!("{number} - {line}\n"),
            || json!({ "command": "history", "number": number, "line": line }),
        );
    }
}

/// The words of the line that is to be done again. It takes this one's place in the history.
pub(super) fn line_to_redo(shell: &mut Shell, number: &[u8]) -> Result<Vec<Word>> {
    let number = text(number);
    let out_of_range = || Failure::usage("Command index out of range");
    let index: usize = number
        .parse::<i64>()
        .map_err(|_| Failure::usage(format!("redo: {number} is no number of a command")))?
        .try_into()
        .map_err(|_| out_of_range())?;
    let now = shell.line_number();
    let again = shell.lines.get(index).filter(|_| index < now).ok_or_else(out_of_range)?.clone();
    let words = line::words(&again);
    if words.first().is_some_and(|word| word == b"redo") {
        return Err(Failure::usage("No redoing redos"));
    }
    shell.lines[now] = again;
    Ok(words)
}

pub(super) fn print_watches(shell: &mut Shell, words: &[Word]) {
    match words.get(1) {
        Some(word) => shell.prints_watches = word == b"on",
        None => {
            let state = if shell.prints_watches { "on" } else { "off" };
            let object = || json!({ "command": "printwatches", "on": state == "on" });
            shell.out.show(|| format!("printwatches is {state}\n"), object);
        }
    }
}

/// Another session takes this one's place; without a host, with the same servers.
pub(super) async fn connect(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let host = words.get(1).map_or(shell.session.host.clone(), |word| text(word));
    let next = Session::begin(&host, &shell.connecting)?;
    if shell.session.is_alive() {
        close(shell).await?;
    }
    shell.session = next;
    shell.session_changed();
    Ok(())
}

pub(super) async fn close(shell: &mut Shell) -> Result<()> {
    shell.session.close().await;
    shell.tell_happenings();
    Ok(())
}

pub(super) fn version(shell: &mut Shell, words: &[Word]) -> Result<()> {
    let parsed = shell.parse("version", &NONE, words, 1)?;
    if parsed.words.len() > 1 {
        return Err(shell.usage("version"));
    }
    let version = crate::server::version::FULL_VERSION;
    shell.out.show(
        || format!("ZooKeeper CLI version: {version}\n"),
        || json!({ "command": "version", "version": version }),
    );
    Ok(())
}

pub(super) fn help() {
    complain(commands::usage().trim_end());
}
