//! The session that a shell has, its watches, and what happens in it.
//!
//! Invariants: a node's event is told once, however many watches stand for it, since zkCli has one watcher for all; a state is
//! told when it differs from the one told before. Absent: `removewatches` asking the server. All watches of this session are
//! this shell's, so that it knows which there are; dropping one takes it off the server.

use super::failure::{Failure, Result};
use quorate_client::{
    Client, ConnectString, EventType, Live, Millis, OnExpiry, Resync, SessionState, SessionView, Watch,
    WatchEvent, Zxid,
};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How long the server may take to end a session before it is left to expire.
const CLOSING: Duration = Duration::from_secs(2);

/// How a shell connects.
#[derive(Clone, Debug)]
pub(super) struct Connecting {
    pub(super) timeout: Duration,
    pub(super) read_only: bool,
}

/// What a watch waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaits {
    /// The node's data or existence.
    Data,
    /// Its list of children.
    Children,
    /// All of it, for good.
    Persistent,
    /// All of it and of what is below, for good.
    Recursive,
}

struct Standing {
    number: u64,
    awaits: Awaits,
    path: String,
    watch: Watch,
}

/// Something that a shell tells without having been asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// The session is in another state.
    State(SessionState),
    /// A node has changed.
    Node { kind: EventType, path: String, zxid: Option<Zxid> },
    /// Events came faster than they were taken.
    Lost,
}

/// See the module's words.
pub(super) struct Session {
    /// Where it is, as it was written.
    pub(super) host: String,
    pub(super) client: Client,
    /// Whether nodes live by it.
    pub(super) has_ephemerals: bool,
    hosts: usize,
    patience: Duration,
    view: Live<SessionView>,
    told: &'static str,
    standing: Vec<Standing>,
    /// So many watches have been set.
    watches: u64,
    /// The last event, and the number of the watch it came from.
    last: Option<(Happening, u64)>,
}

impl Session {
    /// A session with one of the servers of `host`, which connects by itself.
    ///
    /// # Errors
    /// When that is no connect string.
    pub(super) fn begin(host: &str, connecting: &Connecting) -> Result<Self> {
        let connect: ConnectString =
            host.parse().map_err(|error| Failure::usage(format!("{host}: {error}")))?;
        let milliseconds = u64::try_from(connecting.timeout.as_millis()).unwrap_or(u64::MAX);
        let builder =
            quorate_client::builder(host).map_err(|error| Failure::usage(format!("{host}: {error}")))?;
        let client = builder
            .session_timeout(Millis(milliseconds))
            .read_only(connecting.read_only)
            .on_expiry(OnExpiry::Stop)
            .fail_fast(true)
            .start();
        Ok(Session {
            host: host.to_owned(),
            view: client.session(),
            client,
            has_ephemerals: false,
            hosts: connect.hosts.len(),
            patience: connecting.timeout,
            told: name(SessionState::Connecting),
            standing: Vec::new(),
            watches: 0,
            last: None,
        })
    }

    /// Whether it has not ended.
    pub(super) fn is_alive(&self) -> bool {
        !self.client.session().latest().state.is_over()
    }

    /// As zkCli's prompt shows it.
    pub(super) fn prompt_state(&self) -> &'static str {
        match self.client.session().latest().state {
            SessionState::Connected { read_only: false } => "CONNECTED",
            SessionState::Connected { read_only: true } => "CONNECTEDREADONLY",
            SessionState::Connecting | SessionState::Suspended { .. } => "CONNECTING",
            SessionState::AuthFailed => "AUTH_FAILED",
            SessionState::Expired | SessionState::Closed => "CLOSED",
        }
    }

    /// Waits for a connection, as long as there is a server that has not been tried.
    ///
    /// # Errors
    /// None of them answers, or none within the session's timeout.
    pub(super) async fn connected(&mut self, about: Option<&str>) -> Result<()> {
        let deadline = Instant::now() + self.patience;
        let mut view = self.client.session();
        let mut latest = view.latest();
        // What has failed before does not count.
        while let Poll::Ready(Some(_)) = now(view.changed()) {}
        let mut failed = 0;
        loop {
            if latest.state.is_connected() {
                return Ok(());
            }
            let trouble = latest.trouble.as_deref();
            if failed >= self.hosts || latest.state.is_over() {
                return Err(Failure::connection_loss(about, trouble));
            }
            match timeout_at(deadline, view.changed()).await {
                Ok(Some(next)) => latest = next,
                Ok(None) => return Err(Failure::connection_loss(about, trouble)),
                Err(_) => return Err(Failure::connection_loss(about, trouble.or(Some("no server answers")))),
            }
            failed += usize::from(!latest.state.is_connected() && latest.trouble.is_some());
        }
    }

    /// Ends the session, its ephemeral nodes with it.
    pub(super) async fn close(&mut self) {
        self.standing.clear();
        // A server that does not answer ends it by itself, later.
        let _ = timeout(CLOSING, self.client.close()).await;
    }

    /// From now on, what happens there is told.
    pub(super) fn watch(&mut self, awaits: Awaits, path: &str, watch: Watch) {
        // Of two alike one suffices; the new one stands already, so that nothing is missed in between.
        self.standing.retain(|standing| standing.awaits != awaits || standing.path != path);
        self.watches += 1;
        self.standing.push(Standing { number: self.watches, awaits, path: path.to_owned(), watch });
    }

    /// Takes watches away; which there were.
    pub(super) fn unwatch(&mut self, path: &str, wanted: impl Fn(Awaits) -> bool) -> Vec<Awaits> {
        let (gone, kept) = std::mem::take(&mut self.standing)
            .into_iter()
            .partition::<Vec<_>, _>(|standing| standing.path == path && wanted(standing.awaits));
        self.standing = kept;
        gone.iter().map(|standing| standing.awaits).collect()
    }

    /// The next thing that happens. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Happening {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    /// What has happened already.
    pub(super) fn happened(&mut self) -> Option<Happening> {
        match now(self.next()) {
            Poll::Ready(happening) => Some(happening),
            Poll::Pending => None,
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Happening> {
        while let Poll::Ready(Some(view)) = pin!(self.view.changed()).poll(context) {
            if std::mem::replace(&mut self.told, name(view.state)) != name(view.state) {
                return Poll::Ready(Happening::State(view.state));
            }
        }
        let mut place = 0;
        while let Some(standing) = self.standing.get_mut(place) {
            let number = standing.number;
            let polled = pin!(standing.watch.next()).poll(context);
            match polled {
                Poll::Pending => place += 1,
                Poll::Ready(None) => drop(self.standing.remove(place)),
                Poll::Ready(Some(event)) => {
                    if let Some(happening) =
                        happening(event).filter(|happening| !self.is_told(happening, number))
                    {
                        self.last = Some((happening.clone(), number));
                        return Poll::Ready(happening);
                    }
                }
            }
        }
        Poll::Pending
    }

    /// Whether another watch has told this event already.
    fn is_told(&self, happening: &Happening, number: u64) -> bool {
        self.last.as_ref().is_some_and(|(last, from)| last == happening && *from != number)
    }
}

/// What a future says without being waited for.
fn now<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn happening(event: WatchEvent) -> Option<Happening> {
    match event {
        WatchEvent::Node { kind, path, zxid } => Some(Happening::Node { kind, path, zxid }),
        WatchEvent::Resync(Resync::Lagged) => Some(Happening::Lost),
        // The session's state tells it.
        WatchEvent::Resync(_) => None,
    }
}

/// ZooKeeper's name for a state, in events.
pub(super) fn name(state: SessionState) -> &'static str {
    match state {
        SessionState::Connecting | SessionState::Suspended { .. } => "Disconnected",
        SessionState::Connected { read_only: false } => "SyncConnected",
        SessionState::Connected { read_only: true } => "ConnectedReadOnly",
        SessionState::Expired => "Expired",
        SessionState::Closed => "Closed",
        SessionState::AuthFailed => "AuthFailed",
    }
}
