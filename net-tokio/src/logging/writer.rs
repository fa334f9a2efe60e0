//! A bounded queue in front of standard error, and the thread that empties it.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

/// Lines that may wait.
const CAPACITY: usize = 8192;
/// How long [`Queue::flush`] waits for a terminal that does not read.
const PATIENCE: Duration = Duration::from_millis(500);

enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// One end of the queue; clones are the same queue.
#[derive(Clone)]
pub(super) struct Queue {
    sender: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

impl Queue {
    /// A queue with its thread, which lives as long as the process.
    pub(super) fn to_stderr() -> Self {
        let (sender, receiver) = sync_channel(CAPACITY);
        let spawned =
            std::thread::Builder::new().name("quorate-log".to_owned()).spawn(move || write(&receiver));
        if let Err(error) = spawned {
            eprintln!("cannot start the log's thread: {error}");
        }
        Queue { sender, lost: Arc::default() }
    }

    /// How many lines found no room since the last call.
    pub(super) fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }

    /// Waits for everything queued so far, at most for [`PATIENCE`].
    pub(super) fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.sender.try_send(Message::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(PATIENCE);
        }
    }
}

fn write(receiver: &Receiver<Message>) {
    let mut stderr = io::stderr();
    while let Ok(message) = receiver.recv() {
        match message {
            // There is nobody left to tell that standard error is closed.
            Message::Line(line) => drop(stderr.write_all(&line)),
            Message::Flush(done) => drop(done.try_send(())),
        }
    }
}

impl Write for Queue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.sender.try_send(Message::Line(bytes.to_vec())) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
