//! Completion at the prompt: names of commands, and paths of nodes that there are.

use super::commands::COMMANDS;
use quorate_client::Client;
use quorate_core::tree::path;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

/// Whoever has pressed a key does not wait longer for a server.
const PATIENCE: Duration = Duration::from_secs(2);

/// Completes words of a line; paths by asking the server.
pub(super) struct Completion {
    runtime: Handle,
    clients: watch::Receiver<Client>,
}

impl Completion {
    pub(super) fn new(runtime: Handle, clients: watch::Receiver<Client>) -> Self {
        Completion { runtime, clients }
    }

    /// The nodes whose paths begin so, none if the server does not say.
    fn nodes(&self, begun: &str) -> Vec<String> {
        let Some((parent, name)) = begun.rsplit_once('/') else { return Vec::new() };
        let parent = if parent.is_empty() { "/" } else { parent };
        let client = self.clients.borrow().clone();
        if !client.session().latest().state.is_connected() {
            return Vec::new();
        }
        let asked = async { timeout(PATIENCE, client.children(parent)).await };
        let Ok(Ok((names, _))) = self.runtime.block_on(asked) else { return Vec::new() };
        let fitting = names.iter().filter(|child| child.starts_with(name));
        fitting.map(|child| path::join(parent, child)).collect()
    }
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(&self, line: &str, place: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let (start, word) = word_at(line, place);
        let mut candidates = match word.starts_with('/') {
            true => self.nodes(word),
            false if line[..start].trim().is_empty() => commands(word),
            false => Vec::new(),
        };
        candidates.sort();
        Ok((start, candidates))
    }
}

impl Helper for Completion {}
impl Highlighter for Completion {}
impl Hinter for Completion {
    type Hint = String;
}
impl Validator for Completion {}

/// The word that ends at `place`, and where it begins.
fn word_at(line: &str, place: usize) -> (usize, &str) {
    let before = &line[..place];
    let start = before.rfind(|letter: char| letter.is_ascii_whitespace() || matches!(letter, '"' | '\''));
    let start = start.map_or(0, |blank| blank + 1);
    (start, &before[start..])
}

fn commands(begun: &str) -> Vec<String> {
    COMMANDS
        .iter()
        .map(|command| command.name)
        .filter(|name| name.starts_with(begun))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_before_the_cursor_is_completed() {
        assert_eq!(word_at("get -s /a/b rest", 11), (7, "/a/b"));
        assert_eq!(word_at("ge", 2), (0, "ge"));
        assert_eq!(word_at("set \"/a b", 9), (8, "b"));
        assert_eq!(word_at("ls ", 3), (3, ""));
    }

    #[test]
    fn commands_are_completed_by_their_beginning() {
        assert_eq!(commands("getA"), ["getAcl", "getAllChildrenNumber"]);
    }
}
