//! What lies in a data directory, looked at without changing anything (`disk-format.md`: names of files).

use crate::server::with_access;
use quorate_storage_file::LOCK_FILE;
use rustix::fs::{Access, FlockOperation};
use serde::Serialize;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct Directory {
    path: PathBuf,
    /// `None` when it is not there, or can't be read.
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

    /// Whether a server uses it now.
    pub(super) fn locked(&self) -> bool {
        self.contents.as_ref().is_some_and(|contents| contents.locked)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Looks at `dir`, the directory above `version-2`. What the server makes when it is missing (`autocreate`) need not be
/// there, unless it is `asked_for` by name.
pub(super) fn inspect(dir: &Path, autocreate: bool, asked_for: bool) -> Directory {
    let mut found = Directory { path: dir.to_owned(), contents: None, problems: Vec::new() };
    let version = dir.join("version-2");
    for place in [dir, &version] {
        match place.metadata() {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => found.problems.push(format!("{} is not a directory", place.display())),
            Err(_) if autocreate && !(asked_for && place == dir) => {}
            Err(error) => found.problems.push(format!("{}: {error}", place.display())),
        }
    }
    if found.problems.is_empty() {
        found.problems.extend(not_writable(dir));
        found.problems.extend(not_writable(&version));
        found.problems.dedup();
    }
    if !dir.is_dir() {
        return found;
    }
    let mut contents = Contents { myid: first_line(&dir.join("myid")), ..Contents::default() };
    contents.locked = is_locked(dir);
    // Who names a directory wants to know whether it can be used now; who names none may well ask about a running server.
    if contents.locked && asked_for {
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

/// A running server holds a lock on a file there.
fn is_locked(dir: &Path) -> bool {
    File::open(dir.join(LOCK_FILE)).is_ok_and(|file| {
        let free = rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared).is_ok();
        !free
    })
}

/// Why this user can't write there, or make it, if so.
fn not_writable(dir: &Path) -> Option<String> {
    let nearest = dir.ancestors().find(|place| place.exists())?;
    let allowed = rustix::fs::access(nearest, Access::WRITE_OK | Access::EXEC_OK);
    let error = std::io::Error::from(allowed.err()?);
    Some(with_access(&format!("cannot write in {}: {error}", nearest.display()), nearest))
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
        if self.contents.is_none() && self.problems.is_empty() {
            writeln!(f, "  it is not there yet, and the server would make it")?;
        }
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
