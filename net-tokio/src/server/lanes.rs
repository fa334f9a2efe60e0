//! The threads that own the files: one for the log, one for epochs, one for snapshots and one that reads old txns back, so that
//! nothing large ever stands in the way of a txn.
//!
//! While one sync runs the next batch gathers in the inbox; what is confirmed reaches the owner of the peer through its
//! mailbox, with the time that it took.
//!
//! Clients that wait for one write after the other would share syncs badly: those who were answered by one sync would always just miss
//! the next. So a slow log waits a moment for as many ops as were just confirmed and wait already, never longer than half
//! the time that a sync takes, and not at all when a batch is large anyway. In an ensemble an answer waits for other servers' logs, and
//! those who were answered come back later: any log waits for them there, up to three times as long as a sync takes. Measured with
//! 12 such clients at three servers on two processors: a fifth less CPU for each write, the median of the times to the answer as it was.

use super::mailbox::Mailbox;
use super::owner::Message;
use quorate_core::contract::{Input, Lane, LoadId, StoreOp, StoreSeq};
use quorate_core::vocabulary::Millis;
use quorate_storage_file::{
    Disk, EpochLane, EpochOp, LaneOp, Loader, LogLane, LogOp, RemovedFile, Rewrites, SnapshotLane,
    SnapshotOp, Sorter, Step, Storage, Wanted,
};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Batches from this size on wait for nothing: a sync costs each of their ops little.
const LARGE_BATCH: usize = 64;
/// Of a server alone, syncs faster than this are not worth sharing: a disk that waits for clients then costs more than a sync.
const SLOW_SYNC: Duration = Duration::from_micros(500);
/// How long a batch waits at most, however long a sync takes.
const LONGEST_GATHERING: Duration = Duration::from_millis(1);

/// A disk that the threads share, each with a clone of its own.
pub trait ServerDisk: Disk<File: Send> + Clone + Send + 'static {}

impl<D: Disk<File: Send> + Clone + Send + 'static> ServerDisk for D {}

/// Whom confirmations go to, and how soon those who were answered ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    /// The clients themselves.
    Alone,
    /// Other servers of an ensemble.
    Member,
}

/// The owner's end of the threads.
#[derive(Debug)]
pub(super) struct Lanes {
    sorter: Sorter,
    log: Outgoing<(StoreSeq, LogOp)>,
    epoch: Outgoing<(StoreSeq, EpochOp)>,
    snapshot: Outgoing<(StoreSeq, u64, SnapshotOp)>,
    loader: Outgoing<(LoadId, Wanted)>,
}

#[derive(Debug)]
struct Outgoing<Op> {
    batch: Vec<Op>,
    inbox: Arc<Inbox<Op>>,
}

#[derive(Debug)]
struct Inbox<Op> {
    waiting: Mutex<Waiting<Op>>,
    filled: Condvar,
    company: Company,
}

#[derive(Debug)]
struct Waiting<Op> {
    ops: Vec<Op>,
    /// The thread sleeps until there are so many; 0 while it works.
    wanted: usize,
}

/// How long the thread waits for how many ops.
#[derive(Clone, Copy, Debug)]
struct Gathering {
    wanted: usize,
    until: Instant,
}

impl Lanes {
    /// Starts the threads. They live as long as the process.
    ///
    /// # Errors
    /// When a thread can't be started.
    pub(super) fn start<D: ServerDisk>(
        storage: Storage<D::File>,
        disk: &D,
        mailbox: &Arc<Mailbox<Message>>,
        (company, fsync_warning): (Company, Millis),
    ) -> io::Result<Self> {
        let (sorter, lanes) = storage.into_lanes();
        let gate = Arc::new(Gate::default());
        let log = LogWork {
            lane: lanes.log,
            warning: Duration::from_millis(fsync_warning.0),
            synced: None,
            gate: Arc::clone(&gate),
            told: Rewrites::default(),
        };
        let snapshot =
            SnapshotWork { lane: lanes.snapshot, began: None, snapshot: None, gate: Arc::clone(&gate) };
        let loader = LoadWork { loader: lanes.loader, gate };
        let start = (disk, mailbox, company);
        Ok(Lanes {
            sorter,
            log: Outgoing::start("quorate-log-lane", log, start)?,
            epoch: Outgoing::start("quorate-epochs", lanes.epoch, start)?,
            snapshot: Outgoing::start("quorate-snap", snapshot, start)?,
            loader: Outgoing::start("quorate-load", loader, start)?,
        })
    }

    /// Adds an op to the batch.
    pub(super) fn queue(&mut self, lane: Lane, seq: StoreSeq, op: StoreOp) {
        match self.sorter.sort(lane, op) {
            LaneOp::Log(op) => self.log.batch.push((seq, op)),
            LaneOp::Epoch(op) => self.epoch.batch.push((seq, op)),
            LaneOp::Snapshot(rewrites, op) => self.snapshot.batch.push((seq, rewrites, op)),
        }
    }

    /// Adds a request for old txns to the batch.
    pub(super) fn load(&mut self, id: LoadId, wanted: Wanted) {
        self.loader.batch.push((id, wanted));
    }

    /// Hands the batch over.
    pub(super) fn send(&mut self) {
        self.log.send();
        self.epoch.send();
        self.snapshot.send();
        self.loader.send();
    }
}

impl<Op: Send + 'static> Outgoing<Op> {
    fn start<D: ServerDisk>(
        name: &str,
        work: impl Work<D, Op = Op>,
        (disk, mailbox, company): (&D, &Arc<Mailbox<Message>>, Company),
    ) -> io::Result<Self> {
        let (disk, mailbox) = (disk.clone(), Arc::clone(mailbox));
        let waiting = Waiting { ops: Vec::new(), wanted: 0 };
        let inbox = Arc::new(Inbox { waiting: Mutex::new(waiting), filled: Condvar::new(), company });
        let theirs = Arc::clone(&inbox);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || theirs.run(work, disk, &mailbox))?;
        Ok(Outgoing { batch: Vec::new(), inbox })
    }

    fn send(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let mut waiting = self.inbox.lock();
        waiting.ops.append(&mut self.batch);
        let wake = waiting.wanted > 0 && waiting.ops.len() >= waiting.wanted;
        if wake {
            waiting.wanted = 0;
        }
        drop(waiting);
        if wake {
            self.inbox.filled.notify_one();
        }
    }
}

impl<Op> Inbox<Op> {
    fn lock(&self) -> MutexGuard<'_, Waiting<Op>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run<D: ServerDisk>(&self, mut work: impl Work<D, Op = Op>, mut disk: D, mailbox: &Mailbox<Message>) {
        let mut taken = Vec::new();
        let mut gathering = Gathering { wanted: 1, until: Instant::now() };
        loop {
            if work.is_idle() {
                self.take(gathering, &mut taken);
            } else {
                std::mem::swap(&mut self.lock().ops, &mut taken);
            }
            let (begin, count) = (Instant::now(), taken.len());
            taken.drain(..).for_each(|op| work.queue(op));
            // Until something is confirmed nobody waits for what came meanwhile; then it is the next batch.
            loop {
                match work.step(&mut disk) {
                    Some(message) => {
                        mailbox.send(message);
                        break;
                    }
                    None if work.is_idle() => break,
                    None => {}
                }
            }
            gathering = self.gathering(count, begin.elapsed());
        }
    }

    /// Exchanges what waits for `taken`, which is empty: at once when it is as much as is wanted, else when the time is over and
    /// there is anything.
    fn take(&self, gathering: Gathering, taken: &mut Vec<Op>) {
        let mut waiting = self.lock();
        while waiting.ops.len() < gathering.wanted {
            let left = gathering.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            waiting.wanted = gathering.wanted;
            let waited = self.filled.wait_timeout(waiting, left);
            (waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        while waiting.ops.is_empty() {
            waiting.wanted = 1;
            waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.wanted = 0;
        std::mem::swap(&mut waiting.ops, taken);
    }

    /// What is worth waiting for behind a batch of so many ops that took so long: those that were answered ask again, and join
    /// those that wait already.
    fn gathering(&self, count: usize, took: Duration) -> Gathering {
        let wanted = count + self.lock().ops.len();
        Gathering { wanted, until: Instant::now() + patience(self.company, wanted, took) }
    }
}

/// How long a batch of `wanted` ops is worth waiting for when writing one takes so long.
fn patience(company: Company, wanted: usize, took: Duration) -> Duration {
    let worth = match company {
        _ if !(2..LARGE_BATCH).contains(&wanted) => Duration::ZERO,
        Company::Alone if took < SLOW_SYNC => Duration::ZERO,
        Company::Alone => took / 2,
        Company::Member => took * 3,
    };
    worth.min(LONGEST_GATHERING)
}

/// A lane, and what is measured of it.
trait Work<D>: Send + 'static {
    type Op;
    fn queue(&mut self, op: Self::Op);
    fn is_idle(&self) -> bool;
    /// Goes on by one call; the message is for the owner.
    fn step(&mut self, disk: &mut D) -> Option<Message>;
}

/// What the log's thread tells the others of its rewrites. They keep it locked during each of their calls, so that none of them is
/// in the middle of one when a rewrite begins; the log waits for that once a rewrite.
#[derive(Debug, Default)]
struct Gate(Mutex<Rewrites>);

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Rewrites> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct LogWork<F> {
    lane: LogLane<F>,
    warning: Duration,
    /// How long the sync took that the next confirmation is of.
    synced: Option<Duration>,
    gate: Arc<Gate>,
    /// What the others were told.
    told: Rewrites,
}

impl<D: ServerDisk> Work<D> for LogWork<D::File> {
    type Op = (StoreSeq, LogOp);

    fn queue(&mut self, (seq, op): Self::Op) {
        self.lane.queue(seq, op);
    }

    fn is_idle(&self) -> bool {
        self.lane.is_idle()
    }

    fn step(&mut self, disk: &mut D) -> Option<Message> {
        let is_sync = self.lane.next_is_sync();
        let begin = is_sync.then(Instant::now);
        let step = self.lane.step(disk);
        if let Some(begin) = begin {
            let took = begin.elapsed();
            *self.synced.get_or_insert_default() += took;
            if took >= self.warning {
                let file = self.lane.file_name().unwrap_or_default();
                tracing::warn!(
                    name: "fsync_slow",
                    took_ms = took.as_millis() as u64,
                    file,
                    "syncing the transaction log took long, which will slow down every write"
                );
            }
        }
        if self.lane.rewrites() != self.told {
            self.told = self.lane.rewrites();
            *self.gate.lock() = self.told;
        }
        message(step, &mut self.synced)
    }
}

impl<D: ServerDisk> Work<D> for EpochLane<D::File> {
    type Op = (StoreSeq, EpochOp);

    fn queue(&mut self, (seq, op): Self::Op) {
        EpochLane::queue(self, seq, op);
    }

    fn is_idle(&self) -> bool {
        EpochLane::is_idle(self)
    }

    fn step(&mut self, disk: &mut D) -> Option<Message> {
        message(EpochLane::step(self, disk), &mut None)
    }
}

struct LoadWork<F> {
    loader: Loader<F>,
    gate: Arc<Gate>,
}

impl<D: ServerDisk> Work<D> for LoadWork<D::File> {
    type Op = (LoadId, Wanted);

    fn queue(&mut self, (id, wanted): Self::Op) {
        self.loader.queue(id, wanted);
    }

    fn is_idle(&self) -> bool {
        self.loader.is_idle()
    }

    fn step(&mut self, disk: &mut D) -> Option<Message> {
        let rewrites = self.gate.lock();
        message(self.loader.step(disk, *rewrites), &mut None)
    }
}

struct SnapshotWork<F> {
    lane: SnapshotLane<F>,
    began: Option<Instant>,
    /// The snapshot that is to be written; what else the lane does is not measured.
    snapshot: Option<StoreSeq>,
    gate: Arc<Gate>,
}

impl<D: ServerDisk> Work<D> for SnapshotWork<D::File> {
    type Op = (StoreSeq, u64, SnapshotOp);

    fn queue(&mut self, (seq, rewrites, op): Self::Op) {
        if let SnapshotOp::Snapshot(_) = op {
            self.snapshot = Some(seq);
        }
        self.lane.queue(seq, rewrites, op);
    }

    fn is_idle(&self) -> bool {
        self.lane.is_idle()
    }

    fn step(&mut self, disk: &mut D) -> Option<Message> {
        let began = *self.began.get_or_insert_with(Instant::now);
        let rewrites = self.gate.lock();
        let step = self.lane.step(disk, *rewrites);
        drop(rewrites);
        let mut took = None;
        if !matches!(step, Step::Progress) {
            self.began = None;
            if let Step::Done(_, seq) = step {
                took = self.snapshot.take_if(|snapshot| *snapshot == seq).map(|_| began.elapsed());
            }
        }
        for RemovedFile { name, length } in self.lane.take_removed() {
            tracing::info!(name: "purged", file = %name, bytes = length, "newer snapshots make it superfluous");
        }
        message(step, &mut took)
    }
}

fn message(step: Step, took: &mut Option<Duration>) -> Option<Message> {
    let input: Input = step.into_input()?;
    Some(Message::Storage { input, took: took.take() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const NEVER: Duration = Duration::from_secs(3600);
    /// Only a broken inbox takes longer for anything.
    const DEADLINE: Duration = Duration::from_secs(30);

    fn inbox(company: Company) -> Outgoing<u32> {
        let waiting = Waiting { ops: Vec::new(), wanted: 0 };
        let inbox = Arc::new(Inbox { waiting: Mutex::new(waiting), filled: Condvar::new(), company });
        Outgoing { batch: Vec::new(), inbox }
    }

    fn send(outgoing: &mut Outgoing<u32>, op: u32) {
        outgoing.batch.push(op);
        outgoing.send();
    }

    /// What a thread of its own takes.
    struct Taken(mpsc::Receiver<Vec<u32>>);

    impl Taken {
        fn wait(self) -> Vec<u32> {
            self.0.recv_timeout(DEADLINE).expect("a batch is taken in time")
        }
    }

    fn take(outgoing: &Outgoing<u32>, wanted: usize, patience: Duration) -> Taken {
        let inbox = Arc::clone(&outgoing.inbox);
        let gathering = Gathering { wanted, until: Instant::now() + patience };
        let (tell, taken) = mpsc::channel();
        std::thread::spawn(move || {
            let mut batch = Vec::new();
            inbox.take(gathering, &mut batch);
            // Whoever waited for it may have given up.
            let _ = tell.send(batch);
        });
        Taken(taken)
    }

    /// How many ops it sleeps for, once it sleeps.
    fn asleep_for(outgoing: &Outgoing<u32>) -> usize {
        loop {
            match outgoing.inbox.lock().wanted {
                0 => std::thread::yield_now(),
                wanted => return wanted,
            }
        }
    }

    #[test]
    fn a_batch_waits_for_as_many_ops_as_are_wanted() {
        let mut outgoing = inbox(Company::Alone);
        let thread = take(&outgoing, 3, NEVER);
        for op in 1..=3 {
            assert_eq!(asleep_for(&outgoing), 3);
            send(&mut outgoing, op);
        }
        assert_eq!(thread.wait(), [1, 2, 3]);
    }

    #[test]
    fn what_is_there_is_a_batch_when_the_time_is_over() {
        let mut outgoing = inbox(Company::Alone);
        send(&mut outgoing, 1);
        assert_eq!(take(&outgoing, 3, Duration::ZERO).wait(), [1]);
    }

    #[test]
    fn nothing_is_no_batch_however_long_it_takes() {
        let mut outgoing = inbox(Company::Alone);
        let thread = take(&outgoing, 3, Duration::ZERO);
        assert_eq!(asleep_for(&outgoing), 1);
        send(&mut outgoing, 1);
        assert_eq!(thread.wait(), [1]);
    }

    #[test]
    fn only_small_batches_behind_slow_syncs_are_worth_waiting_for() {
        let (slow, fast) = (Duration::from_micros(1500), Duration::from_micros(499));
        assert_eq!(patience(Company::Alone, 2, slow), slow / 2);
        assert_eq!(patience(Company::Alone, LARGE_BATCH - 1, NEVER), LONGEST_GATHERING);
        for (wanted, took) in [(1, slow), (LARGE_BATCH, slow), (2, fast)] {
            assert_eq!(patience(Company::Alone, wanted, took), Duration::ZERO, "{wanted} ops, {took:?}");
        }
    }

    #[test]
    fn among_other_servers_small_batches_behind_any_sync_are() {
        let fast = Duration::from_micros(130);
        assert_eq!(patience(Company::Member, 2, fast), fast * 3);
        assert_eq!(patience(Company::Member, 2, NEVER), LONGEST_GATHERING);
        assert_eq!(patience(Company::Member, 1, fast), Duration::ZERO);
    }

    #[test]
    fn those_who_were_answered_are_expected_beside_those_who_wait() {
        let mut outgoing = inbox(Company::Alone);
        send(&mut outgoing, 1);
        assert_eq!(outgoing.inbox.gathering(4, NEVER).wanted, 5);
    }
    #[test]
    fn the_log_of_a_member_waits_by_its_rule_and_not_longer() {
        let (fast, slow) = (Duration::from_micros(130), NEVER);
        for (took, worth) in [(fast, fast * 3), (slow, LONGEST_GATHERING)] {
            let before = Instant::now();
            let until = inbox(Company::Member).inbox.gathering(2, took).until;
            assert!(before + worth <= until && until <= Instant::now() + worth, "behind {took:?}");
        }
    }
}
