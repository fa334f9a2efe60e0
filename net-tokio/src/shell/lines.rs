//! Where lines come from: a pipe, a file, or somebody who types.
//!
//! Reading blocks, so a thread does it; it reads a line when it is asked for one, and never ahead of what has been asked. It ends
//! with the process.

use super::completion::Completion;
use super::failure::{Failure, Result};
use quorate_client::Client;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor, ExternalPrinter};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::mpsc as blocking;
use tokio::sync::{mpsc, oneshot, watch};

/// So many lines are kept for the next shell.
const KEPT: usize = 1000;

/// What came of asking for a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// One, without its end.
    Text(Vec<u8>),
    /// Ctrl-C.
    Interrupted,
    /// There are no more.
    End,
    /// They can't be read, for this reason.
    Broken(String),
}

/// Printing above the line that is being typed.
pub(super) type Printer = Box<dyn ExternalPrinter + Send>;

/// See the module's words.
pub(super) struct Lines {
    ask: blocking::Sender<String>,
    answers: mpsc::UnboundedReceiver<Line>,
    /// Whom completion asks; None where nobody types.
    client: Option<watch::Sender<Client>>,
    is_pipe: bool,
}

impl Lines {
    pub(super) fn of_stdin() -> Self {
        let lines = Lines::read_by(|| read(&mut std::io::stdin().lock(), "standard input"));
        Lines { is_pipe: true, ..lines }
    }

    pub(super) fn of_file(path: &Path) -> Result<Self> {
        let failed = |error| Failure::new(format!("{}: {error}", path.display()));
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        let name = path.display().to_string();
        Ok(Lines::read_by(move || read(&mut file, &name)))
    }

    fn read_by(mut read: impl FnMut() -> Line + Send + 'static) -> Self {
        Lines::answered_by(None, move |asked, answers| {
            // Whoever does not ask any more is gone.
            while asked.recv().is_ok() && answers.send(read()).is_ok() {}
        })
    }

    /// Lines that are typed, and how to print meanwhile.
    pub(super) async fn typed(client: Client) -> Result<(Self, Printer)> {
        let (sender, clients) = watch::channel(client);
        let (ready, printer) = oneshot::channel();
        let runtime = tokio::runtime::Handle::current();
        let lines = Lines::answered_by(Some(sender), move |asked, answers| {
            match typist(Completion::new(runtime, clients)) {
                Ok((mut editor, printer)) => {
                    let file = history_file();
                    if let Some(file) = &file {
                        // There is none at first, and what can't be read is no loss.
                        let _ = editor.load_history(file);
                    }
                    let _ = ready.send(Ok(printer));
                    while let Ok(prompt) = asked.recv() {
                        if answers.send(type_line(&mut editor, &prompt, file.as_deref())).is_err() {
                            break;
                        }
                    }
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
        let printer = printer.await.map_err(|_| Failure::new("the terminal's thread has ended"))?;
        Ok((lines, printer.map_err(|error| Failure::new(format!("the terminal: {error}")))?))
    }

    fn answered_by(
        client: Option<watch::Sender<Client>>,
        answer: impl FnOnce(&blocking::Receiver<String>, &mpsc::UnboundedSender<Line>) + Send + 'static,
    ) -> Self {
        let (ask, asked) = blocking::channel();
        let (sender, answers) = mpsc::unbounded_channel();
        std::thread::spawn(move || answer(&asked, &sender));
        Lines { ask, answers, client, is_pipe: false }
    }

    /// Whether somebody types.
    pub(super) fn is_typed(&self) -> bool {
        self.client.is_some()
    }

    /// Whether zkCli would print its prompts into what comes out of a pipe.
    pub(super) fn is_pipe(&self) -> bool {
        self.is_pipe
    }

    /// From now on completion asks this one.
    pub(super) fn use_client(&self, client: Client) {
        if let Some(sender) = &self.client {
            sender.send_replace(client);
        }
    }

    /// Asks for a line; the prompt is for who types it.
    pub(super) fn ask(&self, prompt: String) {
        // A thread that has ended answers with the end.
        let _ = self.ask.send(prompt);
    }

    /// The line that was asked for. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Line {
        self.answers.recv().await.unwrap_or(Line::End)
    }
}

/// The next line of a pipe or a file.
fn read(source: &mut impl BufRead, name: &str) -> Line {
    let mut line = Vec::new();
    match source.read_until(b'\n', &mut line) {
        Ok(0) => Line::End,
        Ok(_) => {
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            Line::Text(line.strip_suffix(b"\r").unwrap_or(line).to_vec())
        }
        Err(error) => Line::Broken(format!("{name}: {error}")),
    }
}

type Typist = Editor<Completion, FileHistory>;

fn typist(completion: Completion) -> rustyline::Result<(Typist, Printer)> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .history_ignore_space(true)
        .max_history_size(KEPT)?
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(completion));
    let printer = editor.create_external_printer()?;
    Ok((editor, Box::new(printer)))
}

fn type_line(editor: &mut Typist, prompt: &str, history: Option<&Path>) -> Line {
    match editor.readline(prompt) {
        Ok(line) => {
            // Passwords are not for files, nor are answers to questions.
            let is_kept = prompt.starts_with("[zk: ") && !line.trim_start().starts_with("addauth");
            if is_kept
                && editor.add_history_entry(line.as_str()).is_ok_and(|added| added)
                && let Some(file) = history
            {
                // A history that can't be written is as good as none.
                let _ = editor.append_history(file);
            }
            Line::Text(line.into_bytes())
        }
        Err(ReadlineError::Interrupted) => Line::Interrupted,
        Err(ReadlineError::Eof) => Line::End,
        Err(error) => Line::Broken(format!("the terminal: {error}")),
    }
}

/// `quorate/cli_history` where the user's programs keep their state; its directory is there behind this.
fn history_file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))?;
    let directory = state.join("quorate");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("cli_history"))
}
