//! What lies in a data directory, looked at without changing anything (`disk-format.md`: names of files).

use quorate_storage_file::LOCK_FILE;
use rustix::fs::FlockOperation;
use serde::Serialize;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct Directory {
    path: PathBuf,
    /// `None` when it can't be read.
    contents: Option<Contents>,
    /// Why it can't be used.
    problems: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
struct Contents {
    myid: Option<String>,
    locked: bool,
    newest_snapshot: Option<String>,
    snapshots: usize,
    newest_log: Option<String>,
    logs: usize,
    unexpected: Vec<String>,
}

impl Directory {
    /// Whether a server could use it.
    pub(super) fn usable(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Looks at `dir`, the directory above `version-2`.
pub(super) fn inspect(dir: &Path) -> Directory {
    let mut found = Directory { path: dir.to_owned(), contents: None, problems: Vec::new() };
    if !dir.is_dir() {
        found
            .problems
            .push(if dir.exists() { "it is not a directory" } else { "it does not exist" }.to_owned());
        return found;
    }
    let mut contents = Contents { myid: first_line(&dir.join("myid")), ..Contents::default() };
    let version = dir.join("version-2");
    contents.locked = is_locked(dir) || is_locked(&version);
    if contents.locked {
        found.problems.push("another server has it open".to_owned());
    }
    if let Some(myid) = contents.myid.as_ref().filter(|text| text.parse::<i64>().is_err()) {
        found.problems.push(format!("serverid {myid} is not a number"));
    }
    match fs::read_dir(&version) {
        Ok(entries) => {
            let mut names: Vec<String> = entries
                .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
                .collect();
            names.sort();
            sort_names(&names, &mut contents);
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => found.problems.push(format!("{} can't be read: {error}", version.display())),
    }
    found.contents = Some(contents);
    found
}

fn first_line(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.lines().next().unwrap_or("null").to_owned())
}

/// A running server holds a lock on a file named `lock` or `.lock`.
fn is_locked(dir: &Path) -> bool {
    [LOCK_FILE].iter().any(|name| {
        File::open(dir.join(name)).is_ok_and(|file| {
            let free = rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared).is_ok();
            !free
        })
    })
}

fn sort_names(names: &[String], contents: &mut Contents) {
    let zxid = |name: &str, prefix: &str| {
        let digits = name.strip_prefix(prefix)?.trim_end_matches(".gz").trim_end_matches(".snappy");
        u64::from_str_radix(digits, 16).ok()
    };
    let newest = |prefix: &str| {
        let found: Vec<(u64, &String)> =
            names.iter().filter_map(|name| Some((zxid(name, prefix)?, name))).collect();
        (found.len(), found.into_iter().max().map(|(_, name)| name.clone()))
    };
    (contents.snapshots, contents.newest_snapshot) = newest("snapshot.");
    (contents.logs, contents.newest_log) = newest("log.");
    let expected = ["acceptedEpoch", "currentEpoch", LOCK_FILE];
    let is_expected = |name: &&String| {
        zxid(name, "snapshot.").is_some() || zxid(name, "log.").is_some() || expected.contains(&name.as_str())
    };
    contents.unexpected = names.iter().filter(|name| !is_expected(name)).cloned().collect();
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:", self.path.display())?;
        if let Some(contents) = &self.contents {
            let or_none = |name: &Option<String>| name.clone().unwrap_or("none".to_owned());
            writeln!(f, "  myid             {}", or_none(&contents.myid))?;
            writeln!(f, "  in use           {}", if contents.locked { "yes" } else { "no" })?;
            writeln!(
                f,
                "  newest snapshot  {} (of {})",
                or_none(&contents.newest_snapshot),
                contents.snapshots
            )?;
            writeln!(f, "  newest log       {} (of {})", or_none(&contents.newest_log), contents.logs)?;
            for name in &contents.unexpected {
                writeln!(f, "  not understood   {name}")?;
            }
        }
        self.problems.iter().try_for_each(|problem| writeln!(f, "  REFUSED: {problem}"))
    }
}
