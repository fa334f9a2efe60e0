//! What the log's lane does to the past: truncations and replacements in their turn, whatever else is under way, and whenever the
//! power goes.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod support;

use bytes::Bytes;
use quorate_core::contract::{EpochKind, Lane, LoadId, StoreOp, StoreSeq};
use quorate_core::vocabulary::{Epoch, Zxid};
use quorate_storage_file::{
    Directory, Disk, FileName, OpenMode, Recovered, Recovery, RecoveryStep, StdDisk, StdDiskOptions, Step,
    Storage, Wanted,
};
use std::collections::BTreeSet;
use support::calls::CallDisk;
use support::history::{History, recovery_options};
use support::power::{Image, PowerDisk, lay_out};
use support::{Dice, scratch};
use tempfile::TempDir;

type Power = PowerDisk<CallDisk<StdDisk>>;

/// A storage on an empty database, and the histories it is given.
struct Bench {
    _directory: TempDir,
    disk: Power,
    storage: Storage<<Power as Disk>::File>,
    seq: [u64; 3],
}

impl Bench {
    fn new() -> Self {
        let directory = scratch();
        let disk = CallDisk::new(StdDisk::open(&StdDiskOptions::in_directory(directory.path())).unwrap());
        let mut disk = PowerDisk::new(disk);
        Recovery::new(recovery_options()).run(&mut disk).unwrap();
        let storage = Storage::new(recovery_options(), Zxid::ZERO);
        Bench { _directory: directory, disk, storage, seq: [0; 3] }
    }

    fn queue(&mut self, lane: Lane, op: StoreOp) -> StoreSeq {
        let seq = &mut self.seq[lane as usize];
        *seq += 1;
        self.storage.queue(lane, StoreSeq(*seq), op);
        StoreSeq(*seq)
    }

    fn append(&mut self, txns: Vec<(Zxid, Bytes)>) {
        for (zxid, txn) in txns {
            self.queue(Lane::Log, StoreOp::Append { zxid, txn });
        }
    }

    /// Writes txns, in logs of two or three, and a snapshot behind each log but the last.
    fn write(&mut self, history: &mut History, logs: usize) {
        for log in 0..logs {
            if log > 0 {
                let image = history.database.image();
                self.queue(Lane::Snapshot, StoreOp::Snapshot(image));
                self.run();
                self.queue(Lane::Log, StoreOp::Roll);
            }
            let txns = history.create_nodes(2 + log % 2);
            self.append(txns);
            self.run();
        }
    }

    /// Steps until nothing is left to do; returns what came of it.
    fn run(&mut self) -> Vec<Step> {
        let mut outcomes = Vec::new();
        loop {
            match self.step() {
                Step::Idle => return outcomes,
                Step::Progress => {}
                outcome => outcomes.push(outcome),
            }
        }
    }

    fn step(&mut self) -> Step {
        let before = self.disk.inner.calls.len();
        let step = self.storage.step(&mut self.disk);
        let calls = &self.disk.inner.calls[before..];
        assert!(calls.len() <= 1, "one step, one call: {calls:?}");
        step
    }

    fn names(&mut self) -> Vec<String> {
        self.disk.list(Directory::Snap).unwrap().into_iter().map(|entry| entry.name).collect()
    }
}

fn recover(image: &Image) -> Recovered {
    let left = scratch();
    let mut disk = lay_out(image, left.path());
    let recovered = Recovery::new(recovery_options()).run(&mut disk).unwrap();
    let again = Recovery::new(recovery_options()).run(&mut disk).unwrap();
    assert_eq!(again.database.tree.digest(), recovered.database.tree.digest());
    assert!(again.report.repairs.is_empty(), "{}\n--\n{}", recovered.report, again.report);
    recovered
}

fn is_at(recovered: &Recovered, history: &History) -> bool {
    let last = recovered.database.last_zxid();
    history.digests.get(&last) == Some(&recovered.database.tree.digest())
}

/// A leader's history: it has the first `shared` txns, and then goes on in the next epoch.
fn fork(old: &History, shared: i64, count: usize) -> History {
    let mut history = History::new(1);
    (0..shared).for_each(|_| drop(history.create_nodes(1)));
    assert_eq!(history.digests.get(&Zxid(shared)), old.digests.get(&Zxid(shared)), "the same txns");
    history.create_node_at(Zxid::new(Epoch(1), 1), "/other");
    history.create_nodes(count);
    history
}

#[test]
fn a_truncation_waits_for_its_turn_and_reads_everything_anew() {
    let mut bench = Bench::new();
    let mut history = History::new(1);
    bench.write(&mut history, 3);
    let txns = history.create_nodes(2);
    bench.append(txns);
    let seq = bench.queue(Lane::Log, StoreOp::Truncate { to: Zxid(4) });
    let mut history = History::new(1);
    let kept = history.create_nodes(4);
    // What the leader has instead is queued before the truncation is done.
    let other = history.create_node_at(Zxid::new(Epoch(1), 1), "/other");
    bench.append(vec![other]);
    let outcomes = bench.run();
    let [Step::Done(Lane::Log, StoreSeq(_)), Step::Truncated(truncated, left), Step::Done(Lane::Log, _)] =
        &outcomes[..]
    else {
        panic!("{outcomes:?}");
    };
    assert_eq!((*truncated, left.database.last_zxid()), (seq, Zxid(4)));
    assert_eq!(Some(&left.database.tree.digest()), history.digests.get(&Zxid(4)));
    assert_eq!(Vec::from(left.recent.clone()), kept[2..], "the snapshot of 2 was begun from");
    assert_eq!(bench.names(), ["log.1", "log.100000001", "log.3", "snapshot.0", "snapshot.2"]);
    let image = bench.disk.image(&mut Dice(0));
    let recovered = recover(&image);
    assert!(is_at(&recovered, &history) && recovered.database.last_zxid() == Zxid::new(Epoch(1), 1));
}

#[test]
fn a_refused_truncation_changes_nothing_and_makes_void_what_stands_behind_it() {
    let mut bench = Bench::new();
    let mut history = History::new(1);
    bench.write(&mut history, 1);
    bench.queue(Lane::Log, StoreOp::Truncate { to: Zxid(5) });
    let void = History::new(1).create_node_at(Zxid::new(Epoch(1), 1), "/void");
    bench.append(vec![void]);
    let outcomes = bench.run();
    let [Step::Failed(Lane::Log, StoreSeq(3), reason)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!(reason, "the log has no 0x5");
    // The peer goes on with what it had.
    let roll = bench.queue(Lane::Log, StoreOp::Roll);
    let txns = history.create_nodes(1);
    bench.append(txns);
    let outcomes = bench.run();
    assert!(
        matches!(outcomes[..], [Step::Done(Lane::Log, seq), Step::Done(..)] if seq == roll),
        "{outcomes:?}"
    );
    let recovered = recover(&bench.disk.image(&mut Dice(0)));
    assert!(is_at(&recovered, &history) && recovered.database.last_zxid() == Zxid(3), "{}", recovered.report);
    // Or with what the leader has.
    bench.queue(Lane::Log, StoreOp::Truncate { to: Zxid(9) });
    let other = fork(&history, 2, 1);
    bench.queue(Lane::Log, StoreOp::Replace(other.database.image()));
    let outcomes = bench.run();
    assert!(matches!(outcomes[..], [Step::Failed(..), Step::Done(..)]), "{outcomes:?}");
    assert_eq!(bench.names(), ["snapshot.100000002"]);
}

/// Fails each call of a truncation in turn: whatever is left recovers, and only a replacement leads on.
#[test]
fn a_truncation_that_breaks_off_is_mended_by_a_replacement_only() {
    let mut seen = BTreeSet::new();
    for call in 0.. {
        let mut bench = Bench::new();
        let mut history = History::new(1);
        bench.write(&mut history, 3);
        bench.queue(Lane::Log, StoreOp::Truncate { to: Zxid(3) });
        bench.disk.inner.take();
        bench.disk.inner.fail = Some(call);
        let outcomes = bench.run();
        let failed = bench.disk.inner.calls.iter().find(|line| line.ends_with("FAILS")).cloned();
        let Some(failed) = failed else {
            assert!(call > 15 && seen.len() == 2, "each call was failed once: {call}, {seen:?}");
            return;
        };
        bench.disk.inner.fail = None;
        if let [Step::Truncated(..)] = outcomes[..] {
            // A snapshot that can't be read is passed over.
            continue;
        }
        assert!(matches!(outcomes[..], [Step::Failed(Lane::Log, ..)]), "{failed}: {outcomes:?}");
        let recovered = recover(&bench.disk.image(&mut Dice(call as u64)));
        assert!(is_at(&recovered, &history) && recovered.database.last_zxid() >= Zxid(3), "{failed}");
        let mut second = bench.storage.clone();
        second.queue(Lane::Log, StoreSeq(99), StoreOp::Roll);
        let resumed = matches!(second.step(&mut bench.disk), Step::Progress);
        seen.insert(resumed);
        let untouched = recovered.database.last_zxid() == history.database.last_zxid();
        assert!(!resumed || untouched, "{failed}: it goes on with a history that was cut");
        let other = fork(&history, 2, 3);
        bench.queue(Lane::Log, StoreOp::Replace(other.database.image()));
        let outcomes = bench.run();
        assert!(matches!(outcomes[..], [Step::Done(Lane::Log, _)]), "{failed}: {outcomes:?}");
        let recovered = recover(&bench.disk.image(&mut Dice(call as u64)));
        assert!(is_at(&recovered, &other), "{failed}: {}", recovered.report);
    }
}

/// Takes images behind each call of a replacement: they recover to the old history, whole, or to the new one; behind its
/// confirmation only to the new one, however the log then goes on.
#[test]
fn a_replacement_is_all_or_nothing_whenever_the_power_goes() {
    // Of a history ahead, of one that diverged, and of one that is behind.
    for (shared, count) in [(7, 4), (3, 1), (0, 0)] {
        let (mut old_ones, mut new_ones, mut over_after) = (0, 0, None);
        for steps in 0.. {
            let mut bench = Bench::new();
            let mut history = History::new(1);
            bench.write(&mut history, 3);
            let mut new =
                if (shared, count) == (0, 0) { History::new(1) } else { fork(&history, shared, count) };
            if shared == 0 {
                new.create_nodes(4);
            }
            bench.queue(Lane::Log, StoreOp::Replace(new.database.image()));
            let replaced = new.database.last_zxid();
            let txns = vec![new.create_node_at(Zxid::new(Epoch(2), 1), "/behind")];
            bench.append(txns);
            let mut confirmed = Zxid::ZERO;
            for _ in 0..steps {
                match bench.step() {
                    Step::Done(Lane::Log, StoreSeq(9)) => confirmed = Zxid::new(Epoch(2), 1),
                    Step::Done(Lane::Log, _) => confirmed = confirmed.max(Zxid(1)),
                    Step::Failed(_, _, reason) => panic!("{reason}"),
                    Step::Idle => over_after = Some(steps),
                    _ => {}
                }
            }
            for seed in 0..8 {
                let mut dice = Dice(seed * 1000 + steps);
                let image = interrupted(bench.disk.image(&mut dice), &mut dice);
                let recovered = recover(&image);
                let last = recovered.database.last_zxid();
                let is_old = is_at(&recovered, &history) && last == history.database.last_zxid();
                let is_new = is_at(&recovered, &new) && (last == replaced || last == Zxid::new(Epoch(2), 1));
                assert!(
                    is_new || (is_old && confirmed == Zxid::ZERO),
                    "{steps}: {last}\n{}",
                    recovered.report
                );
                assert!(confirmed <= Zxid(1) || last == confirmed, "{steps}: {last} after {confirmed}");
                if is_new { new_ones += 1 } else { old_ones += 1 }
            }
            if over_after.is_some() {
                assert!(old_ones > 40 && new_ones > 40, "both outcomes are met: {old_ones}, {new_ones}");
                assert_eq!(bench.names().len(), 2, "{:?}", bench.names());
                break;
            }
        }
    }
}

/// What is left when recovery itself loses power, half of the times.
fn interrupted(image: Image, dice: &mut Dice) -> Image {
    if dice.once_in(2) {
        return image;
    }
    let directory = scratch();
    let mut disk = PowerDisk::new(lay_out(&image, directory.path()));
    let mut recovery = Recovery::new(recovery_options());
    for _ in 0..dice.below(30) {
        if let RecoveryStep::Done(_) = recovery.step(&mut disk).unwrap() {
            break;
        }
    }
    disk.image(dice)
}

/// Whatever the snapshots' lane was doing when the log is cut or replaced, nothing of it is the newest afterwards.
#[test]
fn a_snapshot_under_way_is_given_up_when_the_history_is_rewritten() {
    let mut outcomes_seen = BTreeSet::new();
    for replace in [false, true] {
        for steps in 0..14 {
            let mut bench = Bench::new();
            let mut history = History::new(1);
            bench.write(&mut history, 2);
            let other = fork(&history, 2, 0);
            bench.queue(Lane::Snapshot, StoreOp::Snapshot(history.database.image()));
            bench.queue(Lane::Snapshot, StoreOp::Purge { retain: 1, max_bytes: 0 });
            for _ in 0..steps {
                bench.storage.step_lane(Lane::Snapshot, &mut bench.disk);
            }
            let op = match replace {
                true => StoreOp::Replace(other.database.image()),
                false => StoreOp::Truncate { to: Zxid(3) },
            };
            bench.queue(Lane::Log, op);
            // The lanes take turns, as threads do.
            let mut dice = Dice(steps);
            let mut log_is_done = false;
            while !(bench.storage.is_idle(Lane::Log) && bench.storage.is_idle(Lane::Snapshot)) {
                let lane = if dice.once_in(2) { Lane::Log } else { Lane::Snapshot };
                match bench.storage.step_lane(lane, &mut bench.disk) {
                    Step::Failed(Lane::Log, _, reason) => {
                        // The purge was done before: there is nothing to begin from.
                        outcomes_seen.insert(reason);
                        log_is_done = true;
                    }
                    Step::Failed(_, _, reason) => drop(outcomes_seen.insert(reason)),
                    Step::Truncated(..) | Step::Done(Lane::Log, _) => log_is_done = true,
                    _ => {}
                }
            }
            assert!(log_is_done);
            let recovered = recover(&bench.disk.image(&mut dice));
            if replace {
                assert!(is_at(&recovered, &other), "{steps}: {}", recovered.report);
                assert_eq!(bench.names(), ["snapshot.100000001"], "{steps}");
            } else {
                assert!(is_at(&recovered, &history), "{steps}: {}", recovered.report);
                assert!(bench.names().iter().all(|name| !name.ends_with(".tmp")));
                assert!(
                    recovered.database.last_zxid() == Zxid(3)
                        || outcomes_seen.iter().any(|reason| reason.contains("started from"))
                );
            }
        }
    }
    assert!(outcomes_seen.iter().any(|reason| reason.contains("replaced or cut off")), "{outcomes_seen:?}");
}

#[test]
fn epochs_have_a_lane_of_their_own() {
    let mut bench = Bench::new();
    let mut history = History::new(1);
    let txns = history.create_nodes(1);
    bench.append(txns);
    bench.queue(Lane::Epoch, StoreOp::Epoch { kind: EpochKind::Accepted, epoch: Epoch(3) });
    bench.queue(Lane::Epoch, StoreOp::Epoch { kind: EpochKind::Current, epoch: Epoch(2) });
    let outcomes = bench.run();
    let expected = matches!(
        outcomes[..],
        [
            Step::Done(Lane::Epoch, StoreSeq(1)),
            Step::Done(Lane::Epoch, StoreSeq(2)),
            Step::Done(Lane::Log, StoreSeq(1))
        ]
    );
    assert!(expected, "{outcomes:?}");
    assert_eq!(bench.names(), ["acceptedEpoch", "currentEpoch", "log.1", "snapshot.0"]);
    bench.disk.inner.take();
    bench.disk.inner.fail = Some(2);
    bench.queue(Lane::Epoch, StoreOp::Epoch { kind: EpochKind::Accepted, epoch: Epoch(4) });
    bench.queue(Lane::Epoch, StoreOp::Epoch { kind: EpochKind::Current, epoch: Epoch(4) });
    let outcomes = bench.run();
    assert!(matches!(outcomes[..], [Step::Failed(Lane::Epoch, StoreSeq(3), _)]), "{outcomes:?}");
}

fn load(bench: &mut Bench, after: Zxid, up_to: Zxid, max_bytes: u64) -> Option<usize> {
    bench.storage.load(LoadId(1), Wanted { after, up_to, max_bytes });
    let outcomes = bench.run();
    match &outcomes[..] {
        [Step::Loaded(LoadId(1), txns)] => txns.as_ref().map(Vec::len),
        other => panic!("{other:?}"),
    }
}

#[test]
fn old_txns_are_loaded_all_or_none() {
    let mut bench = Bench::new();
    let mut history = History::new(1);
    bench.write(&mut history, 3);
    assert_eq!(load(&mut bench, Zxid(0), Zxid(7), 1 << 20), Some(7), "a snapshot ends at 0");
    assert_eq!(load(&mut bench, Zxid(3), Zxid(6), 1 << 20), Some(3), "across files");
    assert_eq!(load(&mut bench, Zxid(3), Zxid(6), 100), None, "they are too long");
    assert_eq!(load(&mut bench, Zxid(3), Zxid(8), 1 << 20), None, "there is no 8");
    let txns = history.create_nodes(1);
    bench.append(txns);
    bench.append(vec![history.create_node_at(Zxid::new(Epoch(2), 1), "/two")]);
    bench.run();
    assert_eq!(load(&mut bench, Zxid(7), Zxid::new(Epoch(2), 1), 1 << 20), Some(2), "across epochs");
    assert_eq!(
        load(&mut bench, Zxid::new(Epoch(1), 1), Zxid::new(Epoch(2), 1), 1 << 20),
        None,
        "another history"
    );
    bench.queue(Lane::Snapshot, StoreOp::Snapshot(history.database.image()));
    bench.queue(Lane::Snapshot, StoreOp::Purge { retain: 1, max_bytes: 0 });
    bench.run();
    assert_eq!(load(&mut bench, Zxid(0), Zxid(8), 1 << 20), None, "purged");
    assert_eq!(load(&mut bench, Zxid(5), Zxid(8), 1 << 20), None, "nothing shows that 6 is the next");
    assert_eq!(load(&mut bench, Zxid(6), Zxid::new(Epoch(2), 1), 1 << 20), Some(3));
}

#[test]
fn nothing_is_loaded_across_a_snapshot_that_the_log_does_not_pass() {
    let mut bench = Bench::new();
    let mut history = History::new(1);
    bench.write(&mut history, 1);
    // As Java leaves it when a leader of epoch 1 has sent a snapshot: what it holds of that epoch is in no log.
    let mut elsewhere = fork(&history, 2, 5);
    let image = elsewhere.database.image();
    bench.queue(Lane::Snapshot, StoreOp::Snapshot(image));
    bench.queue(Lane::Log, StoreOp::Roll);
    bench.append(vec![elsewhere.create_node_at(Zxid::new(Epoch(2), 1), "/two")]);
    bench.run();
    assert_eq!(load(&mut bench, Zxid(1), Zxid::new(Epoch(2), 1), 1 << 20), None);
    assert_eq!(load(&mut bench, Zxid::new(Epoch(1), 6), Zxid::new(Epoch(2), 1), 1 << 20), Some(1));
    let replacement = elsewhere.database.image();
    bench.queue(Lane::Log, StoreOp::Replace(replacement));
    bench.append(vec![elsewhere.create_node_at(Zxid::new(Epoch(3), 1), "/three")]);
    bench.run();
    assert_eq!(load(&mut bench, Zxid::new(Epoch(1), 6), Zxid::new(Epoch(3), 1), 1 << 20), None);
    assert_eq!(load(&mut bench, Zxid::new(Epoch(2), 1), Zxid::new(Epoch(3), 1), 1 << 20), Some(1));
}

#[test]
fn nothing_is_loaded_across_damage_in_front_of_an_epoch() {
    let mut bench = Bench::new();
    let mut history = History::new(1);
    bench.write(&mut history, 1);
    let up_to = Zxid::new(Epoch(2), 1);
    bench.queue(Lane::Log, StoreOp::Roll);
    bench.append(vec![history.create_node_at(up_to, "/two")]);
    bench.run();
    assert_eq!(load(&mut bench, Zxid(0), up_to, 1 << 20), Some(3));
    // In the last txn of epoch 0.
    let log = bench.disk.open(&FileName::log("log.1"), OpenMode::Write).unwrap();
    bench.disk.write(&log, 190, b"?").unwrap();
    assert_eq!(load(&mut bench, Zxid(0), up_to, 1 << 20), None);
}

#[test]
fn a_purge_takes_nothing_from_who_reads() {
    let mut bench = Bench::new();
    let mut history = History::new(1);
    bench.write(&mut history, 4);
    bench.storage.load(LoadId(1), Wanted { after: Zxid(0), up_to: Zxid(9), max_bytes: 1 << 20 });
    // Two listings, and four logs: then all of them are open.
    for _ in 0..6 {
        assert!(matches!(bench.storage.step_load(&mut bench.disk), Step::Progress));
    }
    bench.queue(Lane::Snapshot, StoreOp::Purge { retain: 1, max_bytes: 0 });
    while !bench.storage.is_idle(Lane::Snapshot) {
        bench.storage.step_lane(Lane::Snapshot, &mut bench.disk);
    }
    assert_eq!(bench.names(), ["log.6", "log.8", "snapshot.7"]);
    let outcomes = bench.run();
    assert!(matches!(&outcomes[..], [Step::Loaded(_, Some(txns))] if txns.len() == 9), "{outcomes:?}");
}

#[test]
fn the_newest_txns_of_the_log_are_kept_up_to_limits() {
    let mut bench = Bench::new();
    let mut history = History::new(1);
    bench.write(&mut history, 2);
    let txns = history.create_nodes(6);
    let sizes: Vec<usize> = txns.iter().map(|(_, txn)| txn.len()).collect();
    bench.append(txns.clone());
    bench.run();
    let mut recent = |recent_txns, recent_bytes| {
        let mut options = recovery_options();
        (options.recent_txns, options.recent_bytes) = (recent_txns, recent_bytes);
        Vec::from(Recovery::new(options).run(&mut bench.disk).unwrap().recent)
    };
    assert_eq!(recent(4, usize::MAX), txns[2..]);
    assert_eq!(recent(100, sizes[4] + sizes[5]), txns[4..]);
    assert_eq!(recent(0, usize::MAX), []);
    let all = recent(100, usize::MAX);
    assert_eq!(all.first().map(|(zxid, _)| *zxid), Some(Zxid(3)), "not what lies below the snapshot");
}
