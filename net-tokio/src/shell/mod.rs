//! `quorate cli`: ZooKeeper's shell, zkCli, and what it lacks.
//!
//! Scripts that were written for zkCli keep working: its commands, options, words, standard output and error, exit codes. The
//! differences are a checked-in list, `tests/interop/zkcli-allowed.json`. Beyond it: `watch`, `--json`, values of any
//! bytes, `-R` on more commands, completion of paths, a history that is kept.
//!
//! ```text
//! options      what stands before the command
//! line         words of a line            flags      options of a command
//! commands     which there are            builtins   those about the shell itself
//! read, write, quota, watching            the others
//! session      connecting, watches, what happens meanwhile
//! lines        where lines come from: pipe, file, or somebody who types
//! output       text and JSON              failure    messages and exit codes
//! paths, acl, walk                        paths, ACLs, subtrees
//! ```
//!
//! Invariants:
//! - all of it is one task, so that an event and a result never mix on a line; only lines are read elsewhere, since that blocks;
//! - the exit code is the last command's; `quit` leaves it as it was;
//! - a session is closed at the end, unless ephemeral nodes live by it: zkCli leaves every session to expire, and a script may
//!   look for what it has created.
//!
//! Absent: reconfig, TLS, SASL; local time zones, times are UTC.

mod acl;
mod builtins;
mod commands;
mod completion;
mod failure;
mod flags;
mod line;
mod lines;
mod options;
mod output;
mod paths;
mod quota;
mod read;
mod session;
mod walk;
mod watching;
mod write;

use failure::{Failure, INTERRUPTED, Result};
use flags::{Flags, Parsed};
use line::{Word, text};
use lines::{Line, Lines};
use options::Options;
use output::{Output, complain};
use quorate_client::{Client, SessionState, Zxid};
use serde_json::json;
use session::{Connecting, Happening, Session};
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What `quorate cli --help` prints.
const HELP: &str = "\
ZooKeeper's shell: zkCli's commands, options, output and exit codes; also when called as zkCli.sh.

Usage: quorate cli [options] [command [words]]

Without a command, lines are read: from whoever types, from a pipe, or from a file.

Options:
  -server HOST:PORT[,…][/CHROOT]   servers, any of which will do [localhost:2181]
  -timeout MS                      session timeout to ask for [30000]
  -r                               take a server that only reads, too
  -waitforconnection               do nothing before there is a session
  -client-configuration FILE       a Java client's properties; they must not ask for TLS
  -f, --file FILE                  read lines from FILE
      --json                       one JSON object a line: a result, a failure, or an event
  -h, --help                       print this

Exit codes: 0 done, 1 failed, 127 no such command, 130 interrupted; of many commands, the last one's.

Commands:
";

/// Runs a shell.
pub(crate) fn main(arguments: Vec<OsString>) -> ExitCode {
    let options = match options::check_environment().and_then(|()| Options::parse(arguments)) {
        Ok(options) => options,
        Err(failure) => {
            complain(&failure.message);
            return ExitCode::from(failure.exit);
        }
    };
    if options.help {
        crate::tools::print(&format!("{HELP}{}", commands::usage().split_once('\n').unwrap_or_default().1));
        return ExitCode::SUCCESS;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    ExitCode::from(runtime.block_on(run(options)))
}

/// Everything up to the exit code.
async fn run(options: Options) -> u8 {
    for skipped in &options.skipped {
        complain(&format!("{skipped} is no option of quorate cli: skipped"));
    }
    let mut shell = match Shell::connect(&options) {
        Ok(shell) => shell,
        Err(failure) => {
            complain(&failure.message);
            return failure.exit;
        }
    };
    if options.wait_for_connection
        && let Err(failure) = shell.session.connected(None).await
    {
        shell.out.failure("connect", &failure);
        return failure.exit;
    }
    shell.tell_happenings();
    if !options.command.is_empty() {
        shell.execute(&options.command).await;
    } else if let Err(failure) = shell.read_lines(&options).await {
        complain(&failure.message);
        shell.exit = failure.exit;
    }
    shell.leave().await;
    shell.exit
}

/// Ready when there was an interrupt.
async fn heard(interrupts: &mut Option<Signal>) {
    match interrupts {
        Some(interrupts) => drop(interrupts.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether anything follows a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Goes,
    Quits,
}

/// A session, and who uses it.
struct Shell {
    connecting: Connecting,
    session: Session,
    out: Output,
    /// Where lines come from, unless there is one command.
    input: Option<Lines>,
    /// The lines so far; `redo` puts what it does in its own place.
    lines: Vec<Word>,
    /// The number of the one that is being done.
    number: usize,
    prints_watches: bool,
    exit: u8,
    /// Heard from the beginning, so that none is lost that comes between two waits; a command has it while it runs.
    interrupts: Option<Signal>,
}

impl Shell {
    fn connect(options: &Options) -> Result<Self> {
        let mut out = Output::new(options.json);
        out.remark(&format!("Connecting to {}", options.server));
        let connecting = Connecting { timeout: options.timeout, read_only: options.read_only };
        let session = Session::begin(&options.server, &connecting)?;
        let interrupts = signal(SignalKind::interrupt())
            .map_err(|error| Failure::new(format!("Interrupts can't be heard: {error}")))?;
        Ok(Shell {
            connecting,
            session,
            out,
            input: None,
            lines: Vec::new(),
            number: 0,
            prints_watches: true,
            exit: 0,
            interrupts: Some(interrupts),
        })
    }

    /// Whether somebody types.
    fn is_interactive(&self) -> bool {
        self.input.as_ref().is_some_and(Lines::is_typed)
    }

    fn line_number(&self) -> usize {
        self.number
    }

    async fn read_lines(&mut self, options: &Options) -> Result<()> {
        let lines = match &options.file {
            Some(file) => Lines::of_file(file)?,
            None if std::io::stdin().is_terminal() => {
                let (lines, printer) = Lines::typed(self.session.client.clone()).await?;
                self.out.use_terminal(printer);
                lines
            }
            None => Lines::of_stdin(),
        };
        self.out.remark("Welcome to ZooKeeper!");
        self.input = Some(lines);
        loop {
            let line = match self.next_line(None).await {
                Line::Text(line) => line,
                Line::Interrupted if self.is_interactive() => continue,
                Line::Interrupted => return Err(Failure::interrupted()),
                Line::End => {
                    if self.input.as_ref().is_some_and(Lines::is_pipe) {
                        // The prompt's line is open.
                        self.out.remark("");
                    }
                    return Ok(());
                }
                Line::Broken(reason) => return Err(Failure::new(reason)),
            };
            if !line.is_empty() && self.execute_line(&line).await == Flow::Quits {
                return Ok(());
            }
        }
    }

    /// The next line; what happens meanwhile is told.
    async fn next_line(&mut self, question: Option<&str>) -> Line {
        self.tell_happenings();
        let prompt = question.map_or_else(|| self.prompt(), str::to_owned);
        if let Some(input) = &self.input {
            if input.is_pipe() && !self.out.is_json() {
                self.out.bytes(prompt.as_bytes());
            }
            input.ask(prompt);
        }
        loop {
            let Some(input) = &mut self.input else { return Line::End };
            let is_typed = input.is_typed();
            let happening = tokio::select! {
                biased;
                () = heard(&mut self.interrupts), if !is_typed => return Line::Interrupted,
                line = input.next() => return line,
                happening = self.session.next() => happening,
            };
            self.tell(&happening);
        }
    }

    fn prompt(&self) -> String {
        format!("[zk: {}({}) {}] ", self.session.host, self.session.prompt_state(), self.lines.len())
    }

    async fn execute_line(&mut self, line: &[u8]) -> Flow {
        self.number = self.lines.len();
        self.lines.push(line.to_vec());
        let words = line::words(line);
        self.execute(&words).await
    }

    /// Does a command, tells what comes of it, and keeps its exit code.
    async fn execute(&mut self, words: &[Word]) -> Flow {
        let mut interrupts = self.interrupts.take();
        let result = tokio::select! {
            biased;
            result = self.process(words) => result,
            () = heard(&mut interrupts) => Err(Failure::interrupted()),
        };
        self.interrupts = interrupts;
        self.tell_happenings();
        match result {
            Ok(Flow::Goes) => self.exit = 0,
            Ok(Flow::Quits) => return Flow::Quits,
            Err(failure) => {
                self.exit = failure.exit;
                let name = words.first().map(|name| text(name)).unwrap_or_default();
                self.out.failure(&name, &failure);
                if failure.exit == INTERRUPTED && !self.is_interactive() {
                    return Flow::Quits;
                }
            }
        }
        Flow::Goes
    }

    async fn process(&mut self, words: &[Word]) -> Result<Flow> {
        let name =
            words.first().map(|name| text(name)).ok_or_else(|| Failure::usage("No command entered"))?;
        if commands::find(&name).is_none() {
            self.out.note(commands::usage().trim_end());
            return Err(Failure::not_found(&name));
        }
        match name.as_str() {
            "quit" | "exit" => {
                builtins::close(self).await?;
                return Ok(Flow::Quits);
            }
            "redo" if words.len() >= 2 => {
                let again = builtins::line_to_redo(self, &words[1])?;
                if Box::pin(self.execute(&again)).await == Flow::Quits {
                    return Ok(Flow::Quits);
                }
            }
            "history" => builtins::history(self),
            "printwatches" => builtins::print_watches(self, words),
            "connect" => builtins::connect(self, words).await?,
            "help" => {
                builtins::help();
                return Ok(Flow::Goes);
            }
            _ => {}
        }
        if self.session.is_alive() {
            commands::run(self, &name, words).await?;
        } else {
            self.out.show(
                || "Not connected\n".to_owned(),
                || json!({ "command": name, "error": "NotConnected" }),
            );
        }
        Ok(Flow::Goes)
    }

    /// Ends the session as far as nothing lives by it, without a word, as zkCli goes.
    async fn leave(&mut self) {
        let state = self.session.client.session().latest().state;
        if state.is_connected() && !self.session.has_ephemerals {
            self.session.close().await;
        }
    }

    /// Completion of paths asks the new session.
    fn session_changed(&mut self) {
        if let Some(input) = &self.input {
            input.use_client(self.session.client.clone());
        }
    }
}

/// What commands use.
impl Shell {
    /// The client, once it is connected. `about` is the path that is asked for.
    async fn client(&mut self, about: &str) -> Result<Client> {
        self.session.connected(Some(about).filter(|about| !about.is_empty())).await?;
        self.tell_happenings();
        Ok(self.session.client.clone())
    }

    /// The words of a command; there have to be so many, its name among them.
    fn parse(
        &self,
        name: &'static str,
        flags: &'static Flags,
        words: &[Word],
        least: usize,
    ) -> Result<Parsed> {
        let parsed = flags.parse(words)?;
        if parsed.words.len() < least { Err(self.usage(name)) } else { Ok(parsed) }
    }

    /// How the command is to be called, as a failure.
    fn usage(&self, name: &'static str) -> Failure {
        let takes = commands::find(name).map_or("", |command| command.takes);
        let options = match name {
            "get" => format!("\n{}", read::GET.help()),
            "set" => format!("\n{}", write::SET.help()),
            _ => String::new(),
        };
        Failure::usage(format!("{name} {takes}{options}"))
    }

    /// Asks whoever types whether this is meant; scripts mean what they say.
    async fn confirm(&mut self, question: &str) -> Result<()> {
        if !self.is_interactive() {
            return Ok(());
        }
        match self.next_line(Some(&format!("{question} [y/N] "))).await {
            Line::Text(answer) if matches!(answer.trim_ascii(), b"y" | b"Y" | b"yes") => Ok(()),
            _ => Err(Failure::new("Left as it was")),
        }
    }

    /// Tells what has happened by now.
    fn tell_happenings(&mut self) {
        while let Some(happening) = self.session.happened() {
            self.tell(&happening);
        }
    }

    fn tell(&mut self, happening: &Happening) {
        match happening {
            Happening::State(state) => {
                let is_usual = matches!(state, SessionState::Connected { .. } | SessionState::Closed);
                if !(self.out.is_json() && is_usual) {
                    self.tell_event(session::name(*state), "None", None, None);
                }
            }
            Happening::Node { kind, path, zxid } => {
                self.tell_event("SyncConnected", &format!("{kind:?}"), Some(path), *zxid);
            }
            Happening::Lost => self.out.happened(
                "Events came too fast, and some are lost: read again",
                || json!({ "event": "Lost" }),
            ),
        }
    }

    /// An event as zkCli's watcher prints it.
    fn tell_event(&mut self, state: &str, kind: &str, path: Option<&str>, zxid: Option<Zxid>) {
        if !self.prints_watches {
            return;
        }
        let number = zxid.map_or("-1".to_owned(), |zxid| zxid.0.to_string());
        let shown = path.unwrap_or("null");
        self.out.happened(&format!("WatchedEvent state:{state} type:{kind} path:{shown} zxid: {number}"), || {
            json!({ "event": kind, "state": state, "path": path, "zxid": zxid.map(|zxid| zxid.to_string()) })
        });
    }
}
