//! The verbs of `zkServer.sh`, for a binary that is called so through a symlink (`operations.md` §8.1).
//!
//! What init scripts and people rely on is kept: the lines, the exit codes, the pid file, the environment variables. There is
//! no JVM to describe, so nothing is said of JAVA_HOME, and `print-cmd` prints this binary's command line.

use super::server::{self, ServerArgs};
use crate::config::{self, Given};
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
}

/// Does what `zkServer.sh` would do with these arguments.
pub(super) fn main(arguments: Vec<String>) -> ExitCode {
    let mut words = arguments.into_iter().peekable();
    let mut config_dir = None;
    if words.next_if(|word| word == "--config").is_some() {
        config_dir = words.next().map(PathBuf::from);
    }
    let verb = words.next().unwrap_or_default();
    let script = Script { config: config_path(config_dir, words.next()) };
    eprintln!("ZooKeeper JMX enabled by default\nUsing config: {}", script.config.display());
    match verb.as_str() {
        "start" => script.start(),
        "start-foreground" => server::main(ServerArgs::for_file(&script.config)),
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

/// The file: an argument with a slash as it stands, otherwise by name (or ZOOCFG, or zoo.cfg) in `--config`, ZOOCFGDIR, the
/// `conf` beside the script's directory, or `/etc/zookeeper`.
fn config_path(config_dir: Option<PathBuf>, argument: Option<String>) -> PathBuf {
    let name = argument.or_else(|| variable("ZOOCFG")).unwrap_or("zoo.cfg".to_owned());
    if Path::new(&name).components().count() > 1 {
        return PathBuf::from(name);
    }
    let beside = || {
        let script = std::env::args_os().next().map(PathBuf::from)?;
        let conf = script.parent()?.parent()?.join("conf");
        conf.is_dir().then_some(conf)
    };
    let dir = config_dir.or_else(|| variable("ZOOCFGDIR").map(PathBuf::from)).or_else(beside);
    dir.unwrap_or(PathBuf::from("/etc/zookeeper")).join(name)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Script {
    /// ZOOPIDFILE, or `zookeeper_server.pid` in the data directory.
    fn pid_file(&self) -> Option<PathBuf> {
        if let Some(path) = variable("ZOOPIDFILE") {
            return Some(PathBuf::from(path));
        }
        let given = Given { file: Some(self.config.clone()), ..Given::default() };
        let evaluation = config::evaluate(&given).ok()?;
        let dir = evaluation.storage().data_dir.clone();
        (!dir.as_os_str().is_empty()).then(|| dir.join("zookeeper_server.pid"))
    }

    /// Where a server in the background writes what it would have written to a terminal.
    fn log_file(&self) -> PathBuf {
        let dir = variable("ZOO_LOG_DIR").map_or_else(|| PathBuf::from("logs"), PathBuf::from);
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        dir.join(format!("quorate-server-{host}.out"))
    }

    fn command(&self) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("server").arg(&self.config);
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
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
        }
        let log = File::options().create(true).append(true).open(&log_file)?;
        let mut command = self.command()?;
        command.arg("--detached").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut child = command.spawn()?;
        fs::write(pid_file, child.id().to_string())?;
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

fn read_pid(path: &Path) -> Option<Pid> {
    Pid::from_raw(fs::read_to_string(path).ok()?.trim().parse().ok().filter(|&pid| pid > 0)?)
}

fn failed(reason: &str) -> ExitCode {
    println!("FAILED TO START");
    eprintln!("{reason}");
    ExitCode::FAILURE
}
