//! Where bugs are built: one scratch worktree with one target directory, so that each build compiles what differs and no more.

use super::bug::Bug;
use serde_json::Value;
use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

#[expect(clippy::disallowed_types, reason = "it is no durability: it keeps others out while it is open")]
type File = std::fs::File;

/// Made for this: see Cargo.toml.
const PROFILE: &str = "zoo";

/// See the module's words.
#[derive(Debug)]
pub(super) struct Forge {
    worktree: PathBuf,
    pub(super) target: PathBuf,
    /// Held for as long as this is: two at once would build each other's bugs.
    _lock: File,
    /// What the worktree is at.
    pub(super) commit: String,
}

/// The repository around the working directory.
pub(super) fn repository() -> Result<PathBuf, String> {
    let top = git(Path::new("."), &["rev-parse", "--show-toplevel"])
        .map_err(|_| "the zoo is run within a clone of Quorate: here is none".to_owned())?;
    let top = PathBuf::from(top);
    match top.join("sim/zoo").is_dir() {
        true => Ok(top),
        false => Err(format!("{} has no sim/zoo: is it a clone of Quorate?", top.display())),
    }
}

impl Forge {
    /// The worktree of a repository, at its commit.
    pub(super) fn new(top: &Path) -> Result<Forge, String> {
        let commit = git(top, &["rev-parse", "--short", "HEAD"])?;
        let (worktree, target) = (top.join("target/zoo-worktree"), top.join("target/zoo-target"));
        let lock = lock(&target)?;
        if !worktree.join(".git").exists() {
            git(top, &["worktree", "prune"])?;
            git(top, &["worktree", "add", "--quiet", "--detach", &worktree.to_string_lossy(), &commit])?;
        }
        let forge = Forge { worktree, target, _lock: lock, commit };
        forge.clean()?;
        git(&forge.worktree, &["checkout", "--quiet", "--detach", &forge.commit])?;
        Ok(forge)
    }

    /// Takes a bug away again.
    pub(super) fn clean(&self) -> Result<(), String> {
        git(&self.worktree, &["checkout", "--quiet", "--", "."]).map(drop)
    }

    /// Builds the simulator with this bug in it, or without any.
    pub(super) fn build(&self, bug: Option<&Bug>) -> Result<(), String> {
        self.clean()?;
        if let Some(bug) = bug {
            git(&self.worktree, &["apply", &bug.patch.to_string_lossy()])?;
        }
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--quiet", "--locked", "--profile", PROFILE, "-p", "quorate-sim"])
            .current_dir(&self.worktree)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_INCREMENTAL", "1");
        done("cargo build", &mut cargo).map(drop)
    }

    /// Runs what was built last, and answers the JSON object that it prints; a violation is an answer, too.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<Value, String> {
        let mut command = Command::new(self.target.join(PROFILE).join("quorate-sim"));
        command.args(arguments).arg("--json").stdin(Stdio::null());
        let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().last().unwrap_or_default();
        serde_json::from_str(line).map_err(|_| failed(&format!("{command:?}"), &output))
    }
}

/// Nobody else has it, or may take it, while the file is open.
fn lock(target: &Path) -> Result<File, String> {
    let path = target.join("zoo.lock");
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    std::fs::create_dir_all(target).map_err(failed)?;
    let file = File::create(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format!(
            "another zoo runs in this clone, since {} is locked: wait for its end",
            path.display()
        )),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn git(directory: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut git = Command::new("git");
    git.arg("-C").arg(directory).args(arguments);
    let name = format!("git {}", arguments.join(" "));
    let output = done(&name, &mut git)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn done(name: &str, command: &mut Command) -> Result<Output, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() { Ok(output) } else { Err(failed(name, &output)) }
}

fn failed(name: &str, output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{name} failed ({}):\n{}{}", output.status, out, err)
}
