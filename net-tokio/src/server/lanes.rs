//! The threads that own the files: one for the log, one for snapshots, so that a large snapshot never stands in the way of a
//! txn.
//!
//! While one sync runs the next batch gathers in the inbox; what is confirmed reaches the owner of the peer through its
//! mailbox, with the time that it took.

use super::mailbox::Mailbox;
use super::owner::Message;
use quorate_core::contract::{Input, Lane, StoreOp, StoreSeq};
use quorate_core::vocabulary::Millis;
use quorate_storage_file::{LogLane, LogOp, SnapshotLane, SnapshotOp, StdDisk, StdFile, Step, Storage};
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The owner's end of both threads.
#[derive(Debug)]
pub(super) struct Lanes {
    log: Outgoing<LogOp>,
    snapshot: Outgoing<SnapshotOp>,
}

#[derive(Debug)]
struct Outgoing<Op> {
    batch: Vec<(StoreSeq, Op)>,
    inbox: Arc<Inbox<Op>>,
}

#[derive(Debug)]
struct Inbox<Op> {
    queue: Mutex<Vec<(StoreSeq, Op)>>,
    filled: Condvar,
}

impl Lanes {
    /// Starts both threads. They live as long as the process.
    ///
    /// # Errors
    /// When a thread can't be started.
    pub(super) fn start(
        storage: Storage<StdFile>,
        disk: &StdDisk,
        mailbox: &Arc<Mailbox<Message>>,
        fsync_warning: Millis,
    ) -> io::Result<Self> {
        let (log, snapshot) = storage.into_lanes();
        let log = LogWork { lane: log, warning: Duration::from_millis(fsync_warning.0), synced: None };
        Ok(Lanes {
            log: Outgoing::start("quorate-log-lane", log, disk.clone(), Arc::clone(mailbox))?,
            snapshot: Outgoing::start(
                "quorate-snap",
                SnapshotWork { lane: snapshot, began: None },
                disk.clone(),
                Arc::clone(mailbox),
            )?,
        })
    }

    /// Adds an op to the batch.
    pub(super) fn queue(&mut self, lane: Lane, seq: StoreSeq, op: StoreOp) {
        match (lane, op) {
            (Lane::Log, StoreOp::Append { zxid, txn }) => {
                self.log.batch.push((seq, LogOp::Append { zxid, txn }));
            }
            (Lane::Log, StoreOp::Roll) => self.log.batch.push((seq, LogOp::Roll)),
            (Lane::Snapshot, StoreOp::Snapshot(image)) => {
                self.snapshot.batch.push((seq, SnapshotOp::Snapshot(image)));
            }
            (Lane::Snapshot, StoreOp::Purge { retain }) => {
                self.snapshot.batch.push((seq, SnapshotOp::Purge { retain }));
            }
            (lane, op) => panic!("{op:?} does not belong into the lane {lane:?}"),
        }
    }

    /// Hands the batch over.
    pub(super) fn send(&mut self) {
        self.log.send();
        self.snapshot.send();
    }
}

impl<Op: Send + 'static> Outgoing<Op> {
    fn start(
        name: &str,
        work: impl Work<Op = Op>,
        disk: StdDisk,
        mailbox: Arc<Mailbox<Message>>,
    ) -> io::Result<Self> {
        let inbox = Arc::new(Inbox { queue: Mutex::default(), filled: Condvar::new() });
        let theirs = Arc::clone(&inbox);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || theirs.run(work, disk, &mailbox))?;
        Ok(Outgoing { batch: Vec::new(), inbox })
    }

    fn send(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let mut queue = self.inbox.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = queue.is_empty();
        queue.append(&mut self.batch);
        drop(queue);
        if was_empty {
            self.inbox.filled.notify_one();
        }
    }
}

impl<Op> Inbox<Op> {
    fn run(&self, mut work: impl Work<Op = Op>, mut disk: StdDisk, mailbox: &Mailbox<Message>) {
        let mut taken = Vec::new();
        loop {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            while queue.is_empty() && work.is_idle() {
                queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::swap(&mut *queue, &mut taken);
            drop(queue);
            taken.drain(..).for_each(|(seq, op)| work.queue(seq, op));
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
        }
    }
}

/// A lane, and what is measured of it.
trait Work: Send + 'static {
    type Op;
    fn queue(&mut self, seq: StoreSeq, op: Self::Op);
    fn is_idle(&self) -> bool;
    /// Goes on by one call; the message is for the owner.
    fn step(&mut self, disk: &mut StdDisk) -> Option<Message>;
}

struct LogWork {
    lane: LogLane<StdFile>,
    warning: Duration,
    /// How long the sync took that the next confirmation is of.
    synced: Option<Duration>,
}

impl Work for LogWork {
    type Op = LogOp;

    fn queue(&mut self, seq: StoreSeq, op: LogOp) {
        self.lane.queue(seq, op);
    }

    fn is_idle(&self) -> bool {
        self.lane.is_idle()
    }

    fn step(&mut self, disk: &mut StdDisk) -> Option<Message> {
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
        message(step, &mut self.synced)
    }
}

struct SnapshotWork {
    lane: SnapshotLane<StdFile>,
    began: Option<Instant>,
}

impl Work for SnapshotWork {
    type Op = SnapshotOp;

    fn queue(&mut self, seq: StoreSeq, op: SnapshotOp) {
        self.lane.queue(seq, op);
    }

    fn is_idle(&self) -> bool {
        self.lane.is_idle()
    }

    fn step(&mut self, disk: &mut StdDisk) -> Option<Message> {
        let began = *self.began.get_or_insert_with(Instant::now);
        let step = self.lane.step(disk);
        let mut took = None;
        if !matches!(step, Step::Progress) {
            self.began = None;
            took = Some(began.elapsed());
        }
        message(step, &mut took)
    }
}

fn message(step: Step, took: &mut Option<Duration>) -> Option<Message> {
    let input: Input = step.into_input()?;
    Some(Message::Storage { input, took: took.take() })
}
