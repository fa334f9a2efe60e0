//! The verbs of `zkServer.sh`, for a binary that is called so through a symlink (`operations.md` §8.1).
//!
//! What init scripts and people rely on is kept: the lines, the exit codes, the pid file, the environment variables. There is
//! no JVM to describe, so nothing is said of JAVA_HOME, and `print-cmd` prints this binary's command line.

use super::server::{self, ServerArgs};
use crate::config::{self, Given, StorageConfig};
use crate::tools;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const VERBS: &str = "{start|start-foreground|stop|version|restart|status|print-cmd}";

/// What the script was called with.
struct Script {
    /// `zoo.cfg`, with its directory.
    config: PathBuf,
    /// The directory above the script's own, which `conf` and `logs` lie in.
    prefix: PathBuf,
    /// Settings that the environment asks for.
    set: Vec<String>,
}

/// Does what `zkServer.sh` would do with these arguments.
pub(super) fn main(arguments: Vec<String>) -> ExitCode {
    let mut words = arguments.into_iter().peekable();
    let mut config_dir = None;
    if words.next_if(|word| word == "--config").is_some() {
        config_dir = words.next().map(PathBuf::from);
    }
    let verb = words.next().unwrap_or_default();
    let prefix = prefix();
    let mut script =
        Script { config: config_path(config_dir, words.next(), &prefix), prefix, set: Vec::new() };
    eprintln!("ZooKeeper JMX enabled by default\nUsing config: {}", script.config.display());
    if variable("ZOO_DATADIR_AUTOCREATE_DISABLE").is_some() {
        if let Some(missing) = script.missing_directory() {
            println!("{missing} fix the path or run initialize");
            return ExitCode::FAILURE;
        }
        script.set.push("datadir.autocreate=false".to_owned());
    }
    match verb.as_str() {
        "start" => script.start(),
        "start-foreground" => server::main(ServerArgs::for_file(&script.config, script.set)),
        "stop" => script.stop(),
        "restart" => {
            script.stop();
            script.start()
        }
        "status" => tools::status::ask_as_configured(&script.config),
        "version" => {
            println!("{}", super::version());
            ExitCode::SUCCESS
        }
        "print-cmd" => script.print_command(),
        _ => {
            eprintln!("Usage: zkServer.sh [--config <conf-dir>] {VERBS}");
            ExitCode::SUCCESS
        }
    }
}

/// The directory above the one that the script lies in: of the name it was called by, found through PATH like any command,
/// or of the first symlink on the way to this binary that has a `conf` beside its directory.
fn prefix() -> PathBuf {
    let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    let mut script = match called.components().count() {
        1 => find_in_path(&called).unwrap_or(called),
        _ => called,
    };
    let above = |script: &Path| {
        let directory = script.parent().filter(|parent| !parent.as_os_str().is_empty());
        std::path::absolute(directory.unwrap_or(Path::new("."))).unwrap_or_default().join("..")
    };
    let first = above(&script);
    loop {
        let prefix = above(&script);
        if prefix.join("conf").is_dir() {
            return prefix;
        }
        // A binary that runs was reached, so the links end.
        let Ok(target) = fs::read_link(&script) else { return first };
        script = script.parent().unwrap_or(Path::new("")).join(target);
    }
}

fn find_in_path(name: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// The file: an argument with a slash as it stands, otherwise by name (or ZOOCFG, or zoo.cfg) in `--config`, ZOOCFGDIR, the
/// `conf` beside the script's directory, `/etc/zookeeper/conf` or `/etc/zookeeper`.
fn config_path(config_dir: Option<PathBuf>, argument: Option<String>, prefix: &Path) -> PathBuf {
    let name = argument.or_else(|| variable("ZOOCFG")).unwrap_or("zoo.cfg".to_owned());
    if Path::new(&name).components().count() > 1 {
        return PathBuf::from(name);
    }
    let named = config_dir.or_else(|| variable("ZOOCFGDIR").map(PathBuf::from));
    let usual = || {
        let places = [prefix.join("conf"), PathBuf::from("/etc/zookeeper/conf")];
        places.into_iter().find(|place| place.is_dir()).unwrap_or(PathBuf::from("/etc/zookeeper"))
    };
    named.unwrap_or_else(usual).join(name)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Script {
    /// Where the configuration says that data lies; `None` when it does not say.
    fn storage(&self) -> Option<StorageConfig> {
        let given = Given { file: Some(self.config.clone()), ..Given::default() };
        let evaluation = config::evaluate(&given).ok()?;
        Some(evaluation.storage().clone()).filter(|storage| !storage.data_dir.as_os_str().is_empty())
    }

    /// The directory that is not there, when nobody may make it: behind a volume that is not mounted lies no new database.
    fn missing_directory(&self) -> Option<String> {
        let storage = self.storage()?;
        let places = [("data", storage.data_dir), ("txnlog", storage.data_log_dir)];
        let missing = places.into_iter().find(|(_, dir)| !dir.join("version-2").is_dir());
        missing.map(|(what, dir)| format!("ZooKeeper {what} directory is missing at {}", dir.display()))
    }

    /// ZOOPIDFILE, or `zookeeper_server.pid` in the data directory.
    fn pid_file(&self) -> Option<PathBuf> {
        let named = variable("ZOOPIDFILE").map(PathBuf::from);
        named.or_else(|| self.storage().map(|storage| storage.data_dir.join("zookeeper_server.pid")))
    }

    /// Where a server in the background writes what it would have written to a terminal.
    fn log_file(&self) -> PathBuf {
        let dir = variable("ZOO_LOG_DIR").map_or_else(|| self.prefix.join("logs"), PathBuf::from);
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        dir.join(format!("quorate-server-{host}.out"))
    }

    fn command(&self) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("server").arg(&self.config);
        for assignment in &self.set {
            command.args(["--set", assignment]);
        }
        Ok(command)
    }

    fn print_command(&self) -> ExitCode {
        match self.command() {
            Ok(command) => {
                let words = std::iter::once(command.get_program()).chain(command.get_args());
                let words: Vec<String> =
                    words.map(|word| format!("\"{}\"", word.to_string_lossy())).collect();
                println!("{} > \"{}\" 2>&1 < /dev/null", words.join(" "), self.log_file().display());
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error.to_string()),
        }
    }

    fn start(&self) -> ExitCode {
        print!("Starting zookeeper ... ");
        if !self.config.exists() {
            return failed(&format!("{} file is missing", self.config.display()));
        }
        let Some(pid_file) = self.pid_file() else {
            return failed(&format!("{} names no data directory for a pid file", self.config.display()));
        };
        if let Some(pid) = read_pid(&pid_file).filter(|&pid| test_kill_process(pid).is_ok()) {
            println!("already running as process {}.", pid.as_raw_nonzero());
            return ExitCode::FAILURE;
        }
        match self.spawn(&pid_file) {
            Ok(()) => {
                println!("STARTED");
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error.to_string()),
        }
    }

    /// Starts the server in a session of its own and writes the pid file. A server that ends at once did not start.
    fn spawn(&self, pid_file: &Path) -> io::Result<()> {
        let log_file = self.log_file();
        for path in [pid_file, &log_file] {
            path.parent().map_or(Ok(()), fs::create_dir_all).map_err(|error| about(path, &error))?;
        }
        let log = File::options()
            .create(true)
            .append(true)
            .open(&log_file)
            .map_err(|error| about(&log_file, &error))?;
        let mut command = self.command()?;
        command.arg("--detached").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut child = command.spawn()?;
        fs::write(pid_file, child.id().to_string()).map_err(|error| about(pid_file, &error))?;
        let deadline = Instant::now() + Duration::from_secs(1);
        while Instant::now() < deadline {
            if let Some(status) = child.try_wait()? {
                let _ = fs::remove_file(pid_file);
                return Err(io::Error::other(format!("it ended with {status}; see {}", log_file.display())));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn stop(&self) -> ExitCode {
        print!("Stopping zookeeper ... ");
        let pid_file = self.pid_file();
        let Some((pid_file, pid)) = pid_file.as_ref().and_then(|path| Some((path, read_pid(path)?))) else {
            let path = pid_file.map_or("none".to_owned(), |path| path.display().to_string());
            println!("no zookeeper to stop (could not find file {path})");
            return ExitCode::SUCCESS;
        };
        if kill_process(pid, Signal::TERM).is_ok() {
            let deadline = Instant::now() + Duration::from_secs(10);
            while test_kill_process(pid).is_ok() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let _ = fs::remove_file(pid_file);
        println!("STOPPED");
        ExitCode::SUCCESS
    }
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn read_pid(path: &Path) -> Option<Pid> {
    Pid::from_raw(fs::read_to_string(path).ok()?.trim().parse().ok().filter(|&pid| pid > 0)?)
}

fn failed(reason: &str) -> ExitCode {
    println!("FAILED TO START");
    eprintln!("{reason}");
    ExitCode::FAILURE
}
