//! Scripts that make a data directory, damage it and recover it; each command is echoed above what it printed.
//!
//! Commands, one a line; a file's offsets count from its end when negative:
//! - `log N [COUNT]`: a log of the next COUNT txns of the history, named after the first; N is only checked against it.
//! - `skip COUNT`: the history goes on, and nothing is written.  `epoch E`: it goes on in epoch E.
//! - `snapshot [gz|snappy]`: written by this crate, at the end of the history.
//! - `pad FILE COUNT`, `cut FILE OFFSET`, `flip FILE OFFSET`, `zero FILE OFFSET COUNT`, `write FILE OFFSET HEX`,
//!   `append FILE HEX`, `touch FILE`, `copy FROM TO`, `remove FILE`.
//! - `put FILE TEXT`: a file with this content.
//! - `recover [OPTION…]`: a recovery; `no-autocreate`, `trust-empty`, `limit=BYTES` and `member` are its options.
//! - `ls`: names and lengths.   `purge RETAIN [BYTES]`, `truncate ZXID`: those jobs.

use super::history::{History, recovery_options, storage_options};
use bytes::BytesMut;
use quorate_core::contract::Epochs;
use quorate_core::vocabulary::{Epoch, Zxid};
use quorate_storage_file::log_format::{write_log_entry, write_log_header};
use quorate_storage_file::{
    Compression, Directory, Disk, JobStep, PurgeJob, Recovery, SnapshotJob, StdDisk, StdDiskOptions,
    StorageOptions, TruncateJob,
};
use std::fmt::Write;
use std::path::PathBuf;
use tempfile::TempDir;

/// Runs a script and returns its transcript.
pub(crate) fn run(script: &str) -> String {
    let mut world = World::new();
    let mut transcript = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        writeln!(transcript, "{}{line}", if line.starts_with('#') { "" } else { "> " }).unwrap();
        if !line.starts_with('#') {
            let output = world.command(line);
            if !output.is_empty() {
                writeln!(transcript, "{}", output.trim_end()).unwrap();
            }
        }
    }
    transcript
}

/// A data directory, and the history that is written there.
pub(crate) struct World {
    directory: TempDir,
    pub(crate) disk: StdDisk,
    pub(crate) history: History,
    next_epoch: Option<Epoch>,
}

impl World {
    pub(crate) fn new() -> Self {
        let directory = super::scratch();
        let disk = StdDisk::open(&StdDiskOptions::in_directory(directory.path())).unwrap();
        World { directory, disk, history: History::new(1), next_epoch: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        match name {
            "initialize" => self.directory.path().join(name),
            _ => self.disk.directory(Directory::Snap).join(name),
        }
    }

    /// Does one line; returns what it has to say.
    pub(crate) fn command(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["log", name] => self.log(name, 0),
            ["log", name, count] => self.log(name, count.parse().unwrap()),
            ["skip", count] => (0..count.parse().unwrap()).for_each(|_| drop(self.next_txn())),
            ["epoch", epoch] => self.next_epoch = Some(Epoch(epoch.parse().unwrap())),
            ["snapshot"] => self.snapshot(Compression::None),
            ["snapshot", "gz"] => self.snapshot(Compression::Gzip),
            ["snapshot", "snappy"] => self.snapshot(Compression::Snappy),
            ["recover", ref options @ ..] => return self.recover(options),
            ["purge", retain] => return self.purge(retain.parse().unwrap(), 0),
            ["purge", retain, bytes] => return self.purge(retain.parse().unwrap(), bytes.parse().unwrap()),
            ["truncate", zxid] => return self.truncate(zxid.parse().unwrap()),
            ["ls"] => return self.list(),
            ["touch", name] => std::fs::write(self.path(name), b"").unwrap(),
            ["put", name, text] => std::fs::write(self.path(name), text).unwrap(),
            ["remove", name] => std::fs::remove_file(self.path(name)).unwrap(),
            ["copy", from, to] => drop(std::fs::copy(self.path(from), self.path(to)).unwrap()),
            _ => self.damage(&words),
        }
        String::new()
    }

    fn next_txn(&mut self) -> (Zxid, bytes::Bytes) {
        let zxid = match self.next_epoch.take() {
            Some(epoch) => Zxid::new(epoch, 1),
            None => self.history.database.last_zxid().next(),
        };
        self.history.create_node_at(zxid, &format!("/n{:x}", zxid.0))
    }

    fn log(&mut self, name: &str, count: u64) {
        let mut bytes = BytesMut::new();
        write_log_header(&mut bytes);
        for index in 0..count {
            let (zxid, txn) = self.next_txn();
            assert!(index > 0 || format!("log.{:x}", zxid.0) == name, "{name} begins with {zxid}");
            write_log_entry(&mut bytes, &txn);
        }
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn snapshot(&mut self, compression: Compression) {
        let options = StorageOptions { compression, ..storage_options() };
        let mut job = SnapshotJob::new(self.history.database.image(), &options);
        while job.step(&mut self.disk) != JobStep::Done {}
    }

    fn damage(&mut self, words: &[&str]) {
        let path = self.path(words[1]);
        let mut content = std::fs::read(&path).unwrap();
        let at = |word: &str| {
            let offset: i64 = word.parse().unwrap();
            (if offset < 0 { content.len() as i64 + offset } else { offset }) as usize
        };
        match words[..] {
            ["pad", _, count] => content.resize(content.len() + count.parse::<usize>().unwrap(), 0),
            ["cut", _, offset] => content.truncate(at(offset)),
            ["flip", _, offset] => {
                let at = at(offset);
                content[at] ^= 0x40;
            }
            ["zero", _, offset, count] => {
                let at = at(offset);
                content[at..at + count.parse::<usize>().unwrap()].fill(0);
            }
            ["write", _, offset, hex] => {
                let (at, bytes) = (at(offset), bytes_of(hex));
                content[at..at + bytes.len()].copy_from_slice(&bytes);
            }
            ["append", _, hex] => content.extend(bytes_of(hex)),
            _ => panic!("no such command: {words:?}"),
        }
        std::fs::write(path, content).unwrap();
    }

    fn recover(&mut self, words: &[&str]) -> String {
        let mut options = recovery_options();
        options.db_autocreate = !words.contains(&"no-autocreate");
        options.trust_empty = words.contains(&"trust-empty");
        options.member = words.contains(&"member");
        if let Some(limit) = words.iter().find_map(|word| word.strip_prefix("limit=")) {
            options.storage.max_txn = limit.parse().unwrap();
        }
        match Recovery::new(options).run(&mut self.disk) {
            Ok(recovered) => {
                recovered.database.check_full().unwrap();
                let last = recovered.database.last_zxid();
                let as_it_was = self.history.digests.get(&last) == Some(&recovered.database.tree.digest());
                let verdict = if as_it_was { "" } else { "\nNOT THE TREE THAT WAS" };
                let Epochs { accepted, current } = recovered.epochs;
                let epochs = if words.contains(&"member") {
                    format!("\nacceptedEpoch {}, currentEpoch {}", accepted.0, current.0)
                } else {
                    String::new()
                };
                format!("{}{epochs}{verdict}", recovered.report)
            }
            Err(error) => {
                format!("refused: {error}").replace(&self.directory.path().display().to_string(), "DIR")
            }
        }
    }

    fn purge(&mut self, retain: u32, max_bytes: u64) -> String {
        let mut job = PurgeJob::new(retain, max_bytes, 4096, Default::default());
        loop {
            match job.step(&mut self.disk) {
                JobStep::Progress => {}
                JobStep::Done => break,
                JobStep::Failed(reason) => return format!("failed: {reason}"),
            }
        }
        job.removed().iter().map(|file| format!("removed {}\n", file.name)).collect()
    }

    fn truncate(&mut self, zxid: i64) -> String {
        let mut job = TruncateJob::new(Zxid(zxid), 4096);
        loop {
            match job.step(&mut self.disk) {
                JobStep::Progress => {}
                JobStep::Done => return String::new(),
                JobStep::Failed(reason) => return format!("refused: {reason}"),
            }
        }
    }

    fn list(&mut self) -> String {
        let mut names: Vec<String> = self
            .disk
            .list(Directory::Snap)
            .unwrap()
            .into_iter()
            // How well gzip packs is its own affair.
            .map(|entry| match entry.name.ends_with(".gz") {
                true => entry.name,
                false => format!("{} {}", entry.name, entry.length),
            })
            .collect();
        if self.path("initialize").exists() {
            names.push("initialize".to_owned());
        }
        names.join("\n")
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
