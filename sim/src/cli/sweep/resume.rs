//! The record of a sweep that goes on for sessions: which seeds held at which commit, and what they came to.
//!
//! One file is about one scenario, one way of checking and one shard, and one process at a time writes it. It is replaced as a whole, so
//! that whoever dies leaves the last one or the next. Seeds that broke a rule are told and are not done: they run again in the next session.

use super::super::report;
use super::seeds::Ranges;
use super::task::{Done, Task};
use super::total::{Earlier, share};
use quorate_sim::Counters;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Changes with what is written.
const FORMAT: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Saved {
    format: u32,
    scenario: String,
    checks: String,
    shard: String,
    commits: Vec<Commit>,
}

/// What one build has done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Commit {
    version: String,
    commit: String,
    /// Seeds that held, those of other shards between them.
    held: Ranges,
    seeds: u64,
    twice: u64,
    cpu_ns: u64,
    /// The hashes of their traces in one.
    trace_hash: u64,
    counters: Counters,
    /// Seeds that broke a rule, by the checker that found it.
    broken: Vec<(u64, String)>,
}

/// See the module's words.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    saved: Saved,
}

impl Record {
    /// Reads the file, or begins one.
    pub(super) fn open(path: &Path, task: &Task, shard: &str) -> Result<Record, String> {
        let shown = path.display();
        let (scenario, checks) = (task.name(), task.checks.to_string());
        let new = Saved { format: FORMAT, scenario, checks, shard: shard.to_string(), commits: Vec::new() };
        let mut saved = match std::fs::read_to_string(path) {
            Ok(text) => {
                let format = serde_json::from_str::<serde_json::Value>(&text).ok();
                let format = format.as_ref().and_then(|value| value.get("format")?.as_u64());
                let format =
                    format.ok_or_else(|| format!("{shown} is no record of a sweep: give another name"))?;
                if format != u64::from(FORMAT) {
                    return Err(format!(
                        "{shown} has format {format}, this program goes on with {FORMAT} only"
                    ));
                }
                serde_json::from_str(&text)
                    .map_err(|error| format!("{shown} is no record of a sweep: {error}"))?
            }
            Err(error) if error.kind() == ErrorKind::NotFound => new.clone(),
            Err(error) => return Err(format!("{shown} can't be read: {error}")),
        };
        for (what, has, wants) in [
            ("scenario", &saved.scenario, &new.scenario),
            ("checks", &saved.checks, &new.checks),
            ("shard", &saved.shard, &new.shard),
        ] {
            if has != wants {
                return Err(format!("{shown} is about {what} {has}, not {wants}: give another name"));
            }
        }
        saved.mine();
        let record = Record { path: path.to_path_buf(), saved };
        record.save()?;
        Ok(record)
    }

    /// All seeds that need not run again.
    pub(super) fn held(&self) -> Ranges {
        let mut all = Ranges::default();
        self.saved.commits.iter().for_each(|commit| all.insert_all(&commit.held));
        all
    }

    pub(super) fn earlier(&self) -> Earlier {
        let mut all = Earlier::default();
        for commit in &self.saved.commits {
            all.seeds += commit.seeds;
            all.twice += commit.twice;
            all.cpu_ns += commit.cpu_ns;
            all.hash = all.hash.wrapping_add(commit.trace_hash);
            all.counters.merge(&commit.counters);
        }
        all
    }

    /// Writes down a seed, which stands for all up to `end` that are not another shard's.
    pub(super) fn add(&mut self, done: &Done, end: u64) {
        let mine = self.saved.mine();
        if let Some(found) = &done.found {
            let entry = (done.seed, found.checker.clone());
            if !mine.broken.contains(&entry) {
                mine.broken.push(entry);
            }
            return;
        }
        mine.broken.retain(|(seed, _)| *seed != done.seed);
        mine.held.insert(done.seed, end);
        mine.seeds += 1;
        mine.twice += u64::from(done.is_twice);
        mine.cpu_ns += done.cpu_ns;
        mine.trace_hash = mine.trace_hash.wrapping_add(share(done.seed, done.trace_hash));
        mine.counters.merge(&done.counters);
    }

    /// Replaces the file.
    pub(super) fn save(&self) -> Result<(), String> {
        let problem =
            |error: &dyn std::fmt::Display| format!("{} can't be written: {error}", self.path.display());
        let text = serde_json::to_string(&self.saved).map_err(|error| problem(&error))?;
        let mut name = self.path.clone().into_os_string();
        name.push(".new");
        let write = || {
            let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).open(&name)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&name, &self.path)
        };
        write().map_err(|error| problem(&error))
    }

    /// What each commit has done, as it is written down.
    pub(super) fn commits(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(&self.saved.commits)
    }

    /// The same in words, a line each.
    pub(super) fn words(&self) -> String {
        let mut text = String::new();
        let busy = self.saved.commits.iter().filter(|commit| commit.seeds > 0 || !commit.broken.is_empty());
        for Commit { version, commit, seeds, held, broken, cpu_ns, .. } in busy {
            let _ = write!(text, "commit          {commit} ({version}): {seeds} seeds held ({held})");
            let _ = writeln!(text, " in {} CPU s, {} broke a rule", cpu_ns / 1_000_000_000, broken.len());
        }
        text
    }
}

impl Saved {
    /// The part of this build, the last one.
    fn mine(&mut self) -> &mut Commit {
        let is_mine =
            |commit: &Commit| (&*commit.version, &*commit.commit) == (report::VERSION, report::COMMIT);
        let index = self.commits.iter().position(is_mine).unwrap_or_else(|| {
            let (version, commit) = (report::VERSION.to_string(), report::COMMIT.to_string());
            self.commits.push(Commit { version, commit, ..Commit::default() });
            self.commits.len() - 1
        });
        &mut self.commits[index]
    }
}
