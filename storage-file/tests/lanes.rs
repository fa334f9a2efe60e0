//! The lanes call by call: what a batch costs, in which order things become durable, and what a failure leaves.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod support;

use quorate_core::contract::{Lane, StoreOp, StoreSeq};
use quorate_core::vocabulary::Zxid;
use quorate_storage_file::{
    Directory, Disk, Recovery, RecoveryOptions, StdDisk, StdDiskOptions, Step, Storage, StorageOptions,
};
use std::fmt::Write;
use support::calls::CallDisk;
use support::history::{History, recovery_options, storage_options};
use support::scratch;
use tempfile::TempDir;

type Calls = CallDisk<StdDisk>;

/// A storage on an empty database, and the history it is given.
struct Bench {
    _directory: TempDir,
    disk: Calls,
    storage: Storage<<Calls as Disk>::File>,
    history: History,
    seq: [u64; 2],
    transcript: String,
}

impl Bench {
    fn new(options: StorageOptions) -> Self {
        let directory = scratch();
        let mut disk = CallDisk::new(StdDisk::open(&StdDiskOptions::in_directory(directory.path())).unwrap());
        Recovery::new(recovery_options()).run(&mut disk).unwrap();
        disk.take();
        let storage = Storage::new(RecoveryOptions { storage: options, ..recovery_options() }, Zxid::ZERO);
        let (history, transcript) = (History::new(1), String::new());
        Bench { _directory: directory, disk, storage, history, seq: [0; 2], transcript }
    }

    fn queue(&mut self, lane: Lane, op: StoreOp) {
        let seq = &mut self.seq[usize::from(lane == Lane::Snapshot)];
        *seq += 1;
        self.storage.queue(lane, StoreSeq(*seq), op);
    }

    /// Queues creates of nodes with so many bytes of data.
    fn append(&mut self, sizes: &[usize]) {
        writeln!(self.transcript, "> append {sizes:?}").unwrap();
        for size in sizes {
            let path = format!("/n{:x}", self.history.database.last_zxid().next().0);
            let (zxid, txn) = self.history.create_node(&path, &vec![7; *size]);
            self.queue(Lane::Log, StoreOp::Append { zxid, txn });
        }
    }

    fn roll(&mut self) {
        writeln!(self.transcript, "> roll").unwrap();
        self.queue(Lane::Log, StoreOp::Roll);
    }

    fn snapshot(&mut self) {
        writeln!(self.transcript, "> snapshot").unwrap();
        self.queue(Lane::Snapshot, StoreOp::Snapshot(self.history.database.image()));
    }

    fn purge(&mut self, retain: u32) {
        writeln!(self.transcript, "> purge {retain}").unwrap();
        self.queue(Lane::Snapshot, StoreOp::Purge { retain, max_bytes: 0 });
    }

    /// Steps until nothing is left to do; each step makes one call at most.
    fn run(&mut self) -> Vec<Step> {
        let mut outcomes = Vec::new();
        loop {
            let before = self.disk.calls.len();
            let step = self.storage.step(&mut self.disk);
            assert!(
                self.disk.calls.len() <= before + 1,
                "one step, one call: {:?}",
                &self.disk.calls[before..]
            );
            for call in &self.disk.calls[before..] {
                writeln!(self.transcript, "  {call}").unwrap();
            }
            match step {
                Step::Idle => return outcomes,
                Step::Progress => {}
                outcome => {
                    writeln!(self.transcript, "  = {outcome:?}").unwrap();
                    outcomes.push(outcome);
                }
            }
        }
    }

    fn names(&mut self) -> Vec<String> {
        self.disk.inner.list(Directory::Snap).unwrap().into_iter().map(|entry| entry.name).collect()
    }
}

#[test]
fn what_is_queued_together_costs_one_write_and_one_sync() {
    let mut bench = Bench::new(StorageOptions { preallocate: 64 << 10, ..storage_options() });
    bench.append(&[10, 10, 10]);
    bench.run();
    bench.append(&[10, 10]);
    bench.run();
    bench.roll();
    bench.append(&[10]);
    bench.roll();
    bench.append(&[100_000]);
    bench.run();
    insta::assert_snapshot!(bench.transcript);
}

#[test]
fn a_batch_ends_at_its_limit_but_takes_any_single_txn() {
    let options = StorageOptions { batch_bytes: 1000, preallocate: 0, ..storage_options() };
    let mut bench = Bench::new(options);
    bench.append(&[300, 300, 300, 5000, 10, 10]);
    bench.run();
    insta::assert_snapshot!(bench.transcript);
}

#[test]
fn a_file_over_its_limit_is_left() {
    let options = StorageOptions { log_size_limit: 1000, preallocate: 0, ..storage_options() };
    let mut bench = Bench::new(options);
    for _ in 0..3 {
        bench.append(&[600]);
        bench.run();
    }
    assert_eq!(bench.names(), ["log.1", "log.3", "snapshot.0"]);
}

#[test]
fn without_force_sync_a_write_is_enough() {
    let mut bench = Bench::new(StorageOptions { force_sync: false, preallocate: 0, ..storage_options() });
    bench.append(&[10, 10]);
    bench.run();
    assert!(bench.disk.calls.iter().all(|call| !call.contains("sync")), "{:?}", bench.disk.calls);
}

#[test]
fn a_snapshot_is_renamed_after_its_sync_and_read_back_before_it_counts() {
    let mut bench = Bench::new(storage_options());
    bench.append(&[10]);
    bench.snapshot();
    bench.run();
    insta::assert_snapshot!(bench.transcript);
}

#[test]
fn a_snapshot_is_read_back_in_chunks_of_any_size() {
    let mut bench = Bench::new(storage_options());
    bench.append(&[10]);
    bench.snapshot();
    bench.run();
    let length = bench.disk.inner.list(Directory::Snap).unwrap()[2].length as usize;
    for chunk_bytes in [1, 100, length - 1, length, length + 1] {
        let mut options = recovery_options();
        options.storage.chunk_bytes = chunk_bytes;
        let recovered = Recovery::new(options).run(&mut bench.disk).unwrap();
        assert_eq!(recovered.report.snapshot.as_deref(), Some("snapshot.1"), "chunks of {chunk_bytes}");
        assert_eq!(recovered.database.tree.digest(), bench.history.database.tree.digest());
    }
}

#[test]
fn nothing_is_purged_before_a_snapshot_was_written_and_read_back() {
    let mut bench = Bench::new(StorageOptions { preallocate: 0, ..storage_options() });
    bench.append(&[10]);
    bench.roll();
    bench.append(&[10]);
    bench.purge(1);
    bench.run();
    assert_eq!(bench.names(), ["log.1", "log.2", "snapshot.0"]);
    bench.snapshot();
    bench.purge(1);
    bench.run();
    assert_eq!(bench.names(), ["log.2", "snapshot.2"]);
    insta::assert_snapshot!(bench.transcript);
}

#[test]
fn fewer_snapshots_are_kept_than_asked_for_when_they_take_too_much() {
    let mut bench = Bench::new(StorageOptions { preallocate: 0, ..storage_options() });
    for _ in 0..3 {
        bench.append(&[10]);
        bench.roll();
        bench.run();
        bench.snapshot();
    }
    bench.queue(Lane::Snapshot, StoreOp::Purge { retain: 3, max_bytes: 0 });
    bench.run();
    assert_eq!(bench.names(), ["log.1", "log.2", "log.3", "snapshot.1", "snapshot.2", "snapshot.3"]);
    bench.queue(Lane::Snapshot, StoreOp::Purge { retain: 3, max_bytes: 2000 });
    bench.run();
    assert_eq!(bench.names(), ["log.2", "log.3", "snapshot.2", "snapshot.3"]);
    bench.queue(Lane::Snapshot, StoreOp::Purge { retain: 3, max_bytes: 1 });
    bench.run();
    assert_eq!(bench.names(), ["log.3", "snapshot.3"]);
}

#[test]
fn a_txn_that_could_not_be_read_back_is_refused() {
    let mut bench = Bench::new(StorageOptions { max_txn: 1000, ..storage_options() });
    bench.append(&[10, 2000]);
    let outcomes = bench.run();
    let expected = "txn 0x2 of 2087 bytes could not be read back";
    assert!(
        matches!(&outcomes[..], [Step::Failed(Lane::Log, StoreSeq(2), reason)] if reason == expected),
        "{outcomes:?}"
    );
    assert!(bench.storage.is_idle(Lane::Log), "the lane is dead");
}

/// Fails each call of a log's batch in turn: the batch is never confirmed, nothing more is done, and what had been confirmed
/// before is recovered.
#[test]
fn any_failure_of_the_log_is_its_end() {
    for call in 0.. {
        let mut bench = Bench::new(StorageOptions { preallocate: 4096, ..storage_options() });
        bench.append(&[10]);
        bench.roll();
        bench.run();
        bench.disk.take();
        bench.disk.fail = Some(call);
        bench.append(&[10, 10]);
        let outcomes = bench.run();
        if bench.disk.calls.len() <= call {
            let done = matches!(outcomes[..], [Step::Done(Lane::Log, StoreSeq(4))]);
            assert!(done && call == 5, "every call was failed once: {outcomes:?} after {call}");
            return;
        }
        let failed = bench.disk.calls[call].clone();
        let refused = matches!(&outcomes[..], [Step::Failed(Lane::Log, StoreSeq(4), reason)] if reason.contains("planted"));
        assert!(refused && bench.disk.calls.len() == call + 1, "{failed}: {outcomes:?}");
        bench.append(&[10]);
        assert!(bench.run().is_empty(), "{failed}: a dead lane does nothing");
        bench.disk.fail = None;
        let recovered = Recovery::new(recovery_options()).run(&mut bench.disk).unwrap();
        assert!(recovered.database.last_zxid() >= Zxid(1), "{failed}: {}", recovered.report);
    }
}

/// Fails each call of a snapshot in turn: it is reported, the log goes on, nothing is purged, no `.tmp` stays, and the next snapshot
/// succeeds.
#[test]
fn any_failure_of_a_snapshot_is_a_warning() {
    for call in 0.. {
        let mut bench = Bench::new(StorageOptions { preallocate: 0, ..storage_options() });
        bench.append(&[10]);
        bench.run();
        bench.disk.take();
        bench.disk.fail = Some(call);
        bench.snapshot();
        bench.purge(1);
        let outcomes = bench.run();
        if bench.disk.calls.iter().all(|line| !line.contains("FAILS")) {
            assert!(call > 8, "every call was failed once");
            return;
        }
        let failed = bench.disk.calls[call].clone();
        let refusals =
            outcomes.iter().filter(|step| matches!(step, Step::Failed(Lane::Snapshot, ..))).count();
        assert_eq!((refusals, outcomes.len()), (1, 2), "{failed}: {outcomes:?}");
        let names = bench.names();
        assert!(names.iter().all(|name| !name.ends_with(".tmp")), "{failed}: {names:?}");
        if !matches!(outcomes[0], Step::Done(Lane::Snapshot, StoreSeq(1))) {
            assert!(names.contains(&"snapshot.0".to_owned()), "{failed}: purged behind a failure: {names:?}");
        }
        bench.disk.take();
        bench.disk.fail = None;
        bench.append(&[10]);
        bench.snapshot();
        bench.purge(1);
        let outcomes = bench.run();
        assert!(outcomes.iter().all(|step| matches!(step, Step::Done(..))), "{failed}: {outcomes:?}");
        assert_eq!(bench.names(), ["log.1", "snapshot.2"], "{failed}");
    }
}
