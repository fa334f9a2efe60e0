//! The one task behind a client's handles: it owns the session machine and the connection, and turns requests into answers.
//!
//! Invariants:
//! - requests reach a server in the order in which they were made, and are answered in that order; only a read whose connection
//!   was lost, and what the driver asks for by itself, may be asked again, in front of what waits;
//! - while there is no connection requests wait here, not in the machine: they have not been sent, and the session's end says so;
//! - every request gets exactly one answer, or its asker is gone;
//! - one turn does a bounded amount of work, so that a busy client is no burden to its runtime.

mod settle;
mod subscribers;

use super::builder::Settings;
use super::live::LiveSender;
use super::runtime::{ByteStream, Lost, Runtime};
use super::session::{
    Attempt, ClientError, ClientInput, ClientOutbox, ClientSession, KeeperState, Reason, RequestId,
};
use super::state::SessionView;
use super::watch::WatchId;
use crate::jute::{AuthPacket, Request, Response};
use crate::vocabulary::{Entropy, Mono, ServerId, Zxid};
use bytes::Bytes;
use futures_channel::{mpsc, oneshot};
use futures_util::Stream;
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll};
use subscribers::Subscribers;
pub(super) use subscribers::{Subscription, WatchKind};

/// So many requests are handed to the machine before what it wants to send is sent.
const REQUESTS_A_BATCH: usize = 256;
/// So often a turn goes round before others get the runtime.
const ROUNDS_A_TURN: usize = 16;
/// With so many pieces that the connection has no room for, no more requests are taken.
const MOST_UNSENT: usize = 64;

/// What came of a request.
pub(super) type Answer = Result<(Response, Zxid), ClientError>;

/// What handles want.
#[derive(Debug)]
pub(super) enum Command {
    Ask(Asked),
    AddAuth(AuthPacket, oneshot::Sender<Answer>),
    Unwatch(WatchId),
    Close,
}

/// A request and who waits for its answer.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) watch: Option<Box<Subscription>>,
    /// None for what the driver asks for by itself: it has to come to pass, whatever becomes of the connection.
    pub(super) answer: Option<oneshot::Sender<Answer>>,
}

impl Asked {
    /// Whether nobody waits for its answer any more.
    fn is_taken_back(&self) -> bool {
        self.answer.as_ref().is_some_and(oneshot::Sender::is_canceled)
    }
}

/// A request with the machine.
#[derive(Debug)]
struct Sent {
    id: RequestId,
    asked: Asked,
}

type Dialling<S> = Pin<Box<dyn Future<Output = Result<S, Lost>> + Send>>;

/// The way to a server.
enum Connection<S> {
    None,
    Dialling(Attempt, Dialling<S>),
    Up(Attempt, S),
}

/// See the module's words.
pub(super) struct Driver<R: Runtime> {
    runtime: R,
    /// When this round of the turn began, or its alarm rang.
    now: Mono,
    settings: Settings,
    session: ClientSession,
    outbox: ClientOutbox,
    /// Which session this is, from 0.
    sessions: u64,
    connection: Connection<R::Stream>,
    unsent: VecDeque<Bytes>,
    commands: mpsc::UnboundedReceiver<Command>,
    /// The end was asked for.
    is_closing: bool,
    /// Nobody can ask for anything any more.
    is_alone: bool,
    /// Made, and not yet handed to the machine.
    waiting: VecDeque<Asked>,
    in_flight: VecDeque<Sent>,
    proving: BTreeMap<RequestId, Option<oneshot::Sender<Answer>>>,
    /// What was accepted or is to be, for a session that replaces this one.
    credentials: Vec<AuthPacket>,
    /// Whether this session has been on a server.
    was_connected: bool,
    next_request: u64,
    subscribers: Subscribers,
    /// Watches that stand by now, though nobody has waited for them.
    unwatched: Vec<WatchId>,
    /// Of all handles, requests without an answer.
    outstanding: Arc<AtomicUsize>,
    state: LiveSender<SessionView>,
    trouble: Option<Arc<str>>,
    sleep: Option<(Mono, Pin<Box<R::Sleep>>)>,
}

/// What a driver shares with its handles.
pub(super) struct Shared {
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) outstanding: Arc<AtomicUsize>,
    pub(super) state: LiveSender<SessionView>,
}

impl<R: Runtime> Driver<R> {
    pub(super) fn new(runtime: R, settings: Settings, shared: Shared) -> Self {
        let mut driver = Driver {
            session: begin(&runtime, &settings, 0),
            now: runtime.now(),
            runtime,
            settings,
            outbox: ClientOutbox::new(),
            sessions: 0,
            connection: Connection::None,
            unsent: VecDeque::new(),
            commands: shared.commands,
            is_closing: false,
            is_alone: false,
            waiting: VecDeque::new(),
            in_flight: VecDeque::new(),
            proving: BTreeMap::new(),
            credentials: Vec::new(),
            was_connected: false,
            next_request: 0,
            subscribers: Subscribers::default(),
            unwatched: Vec::new(),
            outstanding: shared.outstanding,
            state: shared.state,
            trouble: None,
            sleep: None,
        };
        for packet in driver.settings.auth.clone() {
            driver.add_auth(packet, None);
        }
        driver
    }

    fn is_connected(&self) -> bool {
        matches!(self.session.state(), KeeperState::SyncConnected | KeeperState::ConnectedReadOnly)
    }

    fn is_over(&self) -> bool {
        self.session.next_timeout().is_none()
    }

    fn feed(&mut self, input: ClientInput) {
        self.session.handle(self.now, input, &mut self.outbox);
    }

    fn request_id(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(self.next_request)
    }
}

/// The session number `sessions` of this client.
fn begin<R: Runtime>(runtime: &R, settings: &Settings, sessions: u64) -> ClientSession {
    let entropy = Entropy::new(runtime.entropy(), ServerId(0), sessions);
    ClientSession::new(settings.options.clone(), entropy, runtime.now())
}

// What is pinned within stands in boxes.
impl<R: Runtime> Unpin for Driver<R> {}

/// Handles may outlive the runtime that the driver ran in: for them the session is closed. What waits for an answer hears it behind
/// that, since the fields go last.
impl<R: Runtime> Drop for Driver<R> {
    fn drop(&mut self) {
        if !self.is_over() {
            self.trouble = Some(Arc::from("the client's runtime has ended"));
            self.publish(KeeperState::Closed);
            self.subscribers.session_over(false);
        }
    }
}

/// One turn.
impl<R: Runtime> Future for Driver<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        for _ in 0..ROUNDS_A_TURN {
            driver.now = driver.runtime.now();
            let mut moved = driver.poll_commands(context);
            moved |= driver.poll_connection(context);
            moved |= driver.poll_timer(context);
            driver.subscribers.poll_lagged(context);
            if driver.is_alone && driver.is_over() {
                return Poll::Ready(());
            }
            if !moved {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<R: Runtime> Driver<R> {
    /// Takes what the handles want; says whether there was anything.
    fn poll_commands(&mut self, context: &mut Context<'_>) -> bool {
        let mut taken = 0;
        while taken < REQUESTS_A_BATCH && self.unsent.len() < MOST_UNSENT && !self.is_alone {
            match Pin::new(&mut self.commands).poll_next(context) {
                Poll::Ready(Some(command)) => self.obey(command),
                Poll::Ready(None) => {
                    self.is_alone = true;
                    self.obey(Command::Close);
                }
                Poll::Pending => break,
            }
            taken += 1;
        }
        if taken > 0 {
            self.settle();
        }
        taken > 0
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Ask(asked) => self.ask(asked),
            Command::AddAuth(packet, answer) => self.add_auth(packet, Some(answer)),
            Command::Unwatch(id) => {
                if let Some(request) = self.subscribers.remove(id) {
                    self.ask(Asked { request, watch: None, answer: None });
                }
            }
            Command::Close if self.is_closing => {}
            Command::Close => {
                self.is_closing = true;
                self.feed(ClientInput::Close);
            }
        }
    }

    fn ask(&mut self, asked: Asked) {
        if let Some(watch) = &asked.watch {
            self.subscribers.asks(&watch.path);
        }
        if self.is_closing && !self.is_over() {
            return self.answer(asked.watch, asked.answer, Err(ClientError::NotSent(Reason::Closed)));
        }
        if self.waiting.is_empty() && (self.is_connected() || self.is_over()) {
            return self.submit(asked);
        }
        if self.settings.fail_fast && asked.answer.is_some() {
            return self.answer(asked.watch, asked.answer, Err(ClientError::NotSent(Reason::ConnectionLoss)));
        }
        self.waiting.push_back(asked);
        // Often enough, so that what was taken back is not counted among what waits.
        if self.waiting.len().is_power_of_two() {
            self.let_go();
        }
    }

    fn submit(&mut self, asked: Asked) {
        let id = self.request_id();
        self.session.submit(self.now, id, &asked.request, &mut self.outbox);
        self.in_flight.push_back(Sent { id, asked });
    }

    fn add_auth(&mut self, packet: AuthPacket, answer: Option<oneshot::Sender<Answer>>) {
        let id = self.request_id();
        self.credentials.push(packet.clone());
        self.proving.insert(id, answer);
        self.feed(ClientInput::AddAuth(id, packet));
    }

    /// Connects, reads and writes; says whether anything moved.
    fn poll_connection(&mut self, context: &mut Context<'_>) -> bool {
        match &mut self.connection {
            Connection::None => false,
            Connection::Dialling(attempt, dialling) => {
                let attempt = *attempt;
                let Poll::Ready(dialled) = dialling.as_mut().poll(context) else { return false };
                match dialled {
                    Ok(stream) => {
                        self.connection = Connection::Up(attempt, stream);
                        self.feed(ClientInput::Connected(attempt));
                    }
                    Err(lost) => self.lose(attempt, &lost),
                }
                self.settle();
                true
            }
            Connection::Up(attempt, stream) => {
                let attempt = *attempt;
                let written = write(stream, &mut self.unsent, context);
                let read = match written {
                    Ok(()) => stream.poll_read(context),
                    Err(lost) => Poll::Ready(Err(lost)),
                };
                let Poll::Ready(read) = read else { return false };
                match read {
                    Ok(bytes) => self.feed(ClientInput::Bytes(attempt, bytes)),
                    Err(lost) => self.lose(attempt, &lost),
                }
                self.settle();
                true
            }
        }
    }

    fn lose(&mut self, attempt: Attempt, lost: &Lost) {
        self.connection = Connection::None;
        self.unsent.clear();
        self.trouble = Some(Arc::from(lost.0.as_str()));
        if !self.is_connected() {
            self.publish(self.session.state());
        }
        self.feed(ClientInput::ConnectionLost(attempt));
    }

    /// Tells the machine the time when it wants to hear it; says whether it was so.
    fn poll_timer(&mut self, context: &mut Context<'_>) -> bool {
        let Some(due) = self.session.next_timeout() else { return false };
        // What the machine waits for is put off by most messages: an alarm that rings too early costs less than a new one.
        if self.sleep.as_ref().is_none_or(|(at, _)| *at > due) {
            self.sleep = Some((due, Box::pin(self.runtime.sleep_until(due))));
        }
        let Some((_, sleep)) = &mut self.sleep else { return false };
        if sleep.as_mut().poll(context).is_pending() {
            return false;
        }
        self.sleep = None;
        self.now = self.runtime.now();
        if self.now >= due {
            self.feed(ClientInput::Timeout);
            self.settle();
        }
        true
    }
}

/// Writes what there is room for.
fn write<S: ByteStream>(
    stream: &mut S,
    unsent: &mut VecDeque<Bytes>,
    context: &mut Context<'_>,
) -> Result<(), Lost> {
    while let Some(bytes) = unsent.front_mut() {
        match stream.poll_write(context, bytes) {
            Poll::Ready(Ok(())) => unsent.pop_front(),
            Poll::Ready(Err(lost)) => return Err(lost),
            Poll::Pending => break,
        };
    }
    Ok(())
}

/// Whether doing it twice is as good as once.
fn is_read(request: &Request) -> bool {
    matches!(
        request,
        Request::Exists { .. }
            | Request::GetData { .. }
            | Request::GetAcl { .. }
            | Request::GetChildren { .. }
            | Request::GetChildren2 { .. }
            | Request::Sync { .. }
            | Request::MultiRead(_)
            | Request::CheckWatches { .. }
            | Request::GetEphemerals { .. }
            | Request::GetAllChildrenNumber { .. }
            | Request::AddWatch { .. }
            | Request::WhoAmI
    )
}
