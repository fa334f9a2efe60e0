//! A server process, and what it logs.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Only a broken server takes longer than this for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// See the module's words. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    log: Log,
    pub(crate) address: SocketAddr,
}

#[derive(Clone, Default)]
struct Log(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Log {
    /// Waits for a line behind the first `seen` that `wanted` accepts.
    fn wait(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let (lines, changed) = &*self.0;
        let deadline = Instant::now() + DEADLINE;
        let mut lines = lines.lock().unwrap();
        loop {
            if let Some(line) = lines.iter().find(|line| wanted(line)) {
                return Some(line.clone());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            lines = changed.wait_timeout(lines, left).unwrap().0;
        }
    }
}

/// From here on this thread, and those that it starts, are on other machines, as far as one machine can pretend that: they get a
/// processor when nobody else wants it.
pub(crate) fn stand_back() {
    assert!(schedule(["--idle", "0"]), "chrt is part of every system");
}

/// From here on this thread measures: it hears an answer when that is there, not when a processor is free. That needs root.
pub(crate) fn go_first() {
    schedule(["--fifo", "1"]);
}

/// Gives this thread a policy and a priority.
fn schedule([policy, priority]: [&str; 2]) -> bool {
    let thread = std::fs::read_link("/proc/thread-self").unwrap();
    let mut command = Command::new("chrt");
    command.args([policy, "--pid", priority]).arg(thread.file_name().unwrap()).stderr(Stdio::null());
    command.status().unwrap().success()
}

/// A server's command; `settings` as zoo.cfg spells them. Every four-letter word is answered.
pub(crate) fn command(data: &Path, settings: &[&str]) -> Command {
    command_after("", data, settings)
}

/// The same, after a line of shell in its process.
pub(crate) fn command_after(line: &str, data: &Path, settings: &[&str]) -> Command {
    let server = env!("CARGO_BIN_EXE_quorate");
    let mut command = if line.is_empty() {
        Command::new(server)
    } else {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("{line}; exec \"$@\""), "sh", server]);
        shell
    };
    command.arg("server").args(["--port", "0", "--address", "127.0.0.1"]).arg("--data-dir").arg(data);
    // Small files: a test has no use for 64 MB of zeros.
    for setting in ["4lw.commands.whitelist=*", "preAllocSize=64"].iter().chain(settings) {
        command.args(["--set", setting]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.env_remove("RUST_LOG").env_remove("NOTIFY_SOCKET");
    command
}

impl Server {
    /// Starts one and waits until it listens.
    pub(crate) fn start(data: &Path, settings: &[&str]) -> Self {
        Self::spawn(&mut command(data, settings))
    }

    /// Starts one whose log grows as an operator's does: a file that grows at every turn makes each sync one of the file system's.
    pub(crate) fn start_with_large_log(data: &Path, settings: &[&str]) -> Self {
        Self::start(data, &[&["preAllocSize=65536"], settings].concat())
    }

    /// Starts a command and waits until it listens.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let log = Log::default();
        let (theirs, stderr) = (log.clone(), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let (lines, changed) = &*theirs.0;
                lines.lock().unwrap().push(line.unwrap_or_default());
                changed.notify_all();
            }
        });
        let mut server = Server { child, log, address: SocketAddr::from(([0; 4], 0)) };
        let line = server.logged("event=listening");
        let address = line.split("address=").nth(1).unwrap().split(' ').next().unwrap();
        server.address = address.parse().unwrap();
        server
    }

    /// Waits for a line with `text` in it.
    pub(crate) fn logged(&self, text: &str) -> String {
        let line = self.log.wait(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("never logged {text:?}:\n{}", self.all_lines().join("\n")))
    }

    /// How many lines so far have `text` in them.
    pub(crate) fn count_logged(&self, text: &str) -> usize {
        self.all_lines().iter().filter(|line| line.contains(text)).count()
    }

    pub(crate) fn all_lines(&self) -> Vec<String> {
        self.log.0.0.lock().unwrap().clone()
    }

    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for its end; how long it took.
    pub(crate) fn wait(&mut self) -> (ExitStatus, Duration) {
        let begin = Instant::now();
        let mut status = None;
        poll_until("the server ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        (status.unwrap(), begin.elapsed())
    }

    /// SIGTERM, and success.
    pub(crate) fn stop(&mut self) -> Duration {
        self.signal(rustix::process::Signal::TERM);
        let (status, took) = self.wait();
        assert!(status.success(), "{status}:\n{}", self.all_lines().join("\n"));
        took
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Polls until `condition` holds.
pub(crate) fn poll_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "it never came to pass that {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Lets this process have `count` descriptors open.
pub(crate) fn raise_descriptor_limit(count: usize) {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    if limit.maximum.is_some_and(|maximum| maximum < count as u64) {
        panic!("this needs {count} descriptors: raise the hard limit");
    }
}
