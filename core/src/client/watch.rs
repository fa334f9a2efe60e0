//! Watches as streams of events.
//!
//! One-shot watches end behind their event; persistent ones go on over reconnects, and say [`WatchEvent::Resync`] wherever
//! changes may have gone by unseen: then the watched state has to be read anew. A read that is made behind a `Resync` sees
//! whatever went by, and later changes are told again.

use super::driver::Command;
use super::session::Chroot;
use crate::jute::EventType;
use crate::vocabulary::Zxid;
use futures_channel::mpsc;
use futures_util::Stream;
use std::pin::Pin;
use std::task::{Context, Poll};

/// So many events wait for a slow reader; those that find no room are given up for one `Resync` behind them.
pub(super) const WATCH_CAPACITY: usize = 1024;

/// How an added watch behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchMode {
    /// Every change of the node itself, its list of children among it.
    Persistent,
    /// Creation, deletion and data of the node and of all nodes below it.
    Recursive,
}

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// A node has changed.
    Node {
        /// How.
        kind: EventType,
        /// Which, below the client's chroot.
        path: String,
        /// The change's txn. None from servers before 3.9, and for what happened while there was no connection.
        zxid: Option<Zxid>,
    },
    /// Changes may have gone by unseen.
    Resync(Resync),
}

/// Why changes may have gone by unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resync {
    /// There was no connection for a while; the watch stands again.
    Reconnected,
    /// The reader was too slow.
    Lagged,
    /// The session expired and was replaced; the watch stands again in the new one.
    NewSession,
    /// The session is over, or the watch could not be set again. Nothing follows.
    Over,
}

/// Which stream a subscription belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WatchId(pub(super) u64);

/// A watch. Dropping it removes the watch from the server, unless another of this client's needs it.
#[derive(Debug)]
pub struct Watch {
    id: WatchId,
    chroot: Chroot,
    events: mpsc::Receiver<WatchEvent>,
    commands: mpsc::UnboundedSender<Command>,
}

/// The driver's end of a [`Watch`].
#[derive(Debug)]
pub(super) struct WatchSender {
    pub(super) id: WatchId,
    pub(super) events: mpsc::Sender<WatchEvent>,
}

impl Watch {
    pub(super) fn new(
        id: WatchId,
        chroot: Chroot,
        commands: mpsc::UnboundedSender<Command>,
    ) -> (Self, WatchSender) {
        let (sender, events) = mpsc::channel(WATCH_CAPACITY);
        (Watch { id, chroot, events, commands }, WatchSender { id, events: sender })
    }

    /// The next event; None behind the last, of a reader that was too slow perhaps without [`Resync::Over`]. Dropping the
    /// future loses nothing.
    pub async fn next(&mut self) -> Option<WatchEvent> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for Watch {
    type Item = WatchEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        Pin::new(&mut self.events).poll_next(context).map(|event| {
            event.map(|event| match event {
                WatchEvent::Node { kind, path, zxid } => {
                    WatchEvent::Node { kind, path: self.chroot.to_client(path), zxid }
                }
                resync => resync,
            })
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Without a driver there is no watch either.
        let _ = self.commands.unbounded_send(Command::Unwatch(self.id));
    }
}
