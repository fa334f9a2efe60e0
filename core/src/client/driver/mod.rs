//! The one task behind a client's handles: it owns the session machine and the connection, and turns requests into answers.
//!
//! Invariants:
//! - requests reach a server in the order in which they were made, and are answered in that order; only a read whose connection
//!   was lost may be asked again, in front of what waits;
//! - while there is no connection requests wait here, not in the machine: they have not been sent, and the session's end says so;
//! - every request gets exactly one answer, or its asker is gone;
//! - one turn does a bounded amount of work, so that a busy client is no burden to its runtime.

mod subscribers;

use super::builder::{OnExpiry, Settings};
use super::live::LiveSender;
use super::runtime::{ByteStream, Lost, Runtime};
use super::session::{
    Attempt, ClientError, ClientInput, ClientOutbox, ClientOutput, ClientSession, KeeperState, Reason,
    RequestId,
};
use super::state::{SessionState, SessionView};
use super::watch::{Resync, WatchEvent, WatchId};
use crate::jute::{AuthPacket, Request, Response};
use crate::vocabulary::{Entropy, ErrorCode, Mono, ServerId, Zxid};
use bytes::Bytes;
use futures_channel::{mpsc, oneshot};
use futures_util::Stream;
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    pub(super) watch: Option<Subscription>,
    pub(super) answer: Option<oneshot::Sender<Answer>>,
}

/// A request with the machine.
#[derive(Debug)]
struct Sent {
    id: RequestId,
    /// The request once more, if it may be asked again.
    again: Option<Request>,
    watch: Option<Subscription>,
    answer: Option<oneshot::Sender<Answer>>,
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
        self.session.handle(self.runtime.now(), input, &mut self.outbox);
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

/// One turn.
impl<R: Runtime> Future for Driver<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        for _ in 0..ROUNDS_A_TURN {
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
        match self.settings.fail_fast {
            true => self.answer(asked.watch, asked.answer, Err(ClientError::NotSent(Reason::ConnectionLoss))),
            false => self.waiting.push_back(asked),
        }
    }

    fn submit(&mut self, asked: Asked) {
        let id = self.request_id();
        let Asked { request, watch, answer } = asked;
        let again = (!self.settings.fail_fast && is_read(&request)).then(|| request.clone());
        self.in_flight.push_back(Sent { id, again, watch, answer });
        self.feed(ClientInput::Submit(id, request));
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
        if self.runtime.now() >= due {
            self.feed(ClientInput::Timeout);
            self.settle();
        }
        true
    }
}

/// What the machine wants done.
impl<R: Runtime> Driver<R> {
    /// Does all of it, until nothing more follows from it.
    fn settle(&mut self) {
        while !self.outbox.is_empty() {
            let mut outbox = std::mem::take(&mut self.outbox);
            let mut again = Vec::new();
            for output in outbox.drain() {
                self.carry_out(output, &mut again);
            }
            assert!(self.outbox.is_empty(), "what is carried out is not fed back");
            self.outbox = outbox;
            for asked in again.into_iter().rev() {
                self.waiting.push_front(asked);
            }
            self.go_on();
        }
    }

    fn carry_out(&mut self, output: ClientOutput, again: &mut Vec<Asked>) {
        match output {
            ClientOutput::Connect(attempt, host) => {
                let dialling = Box::pin(self.runtime.connect(&host));
                self.connection = Connection::Dialling(attempt, dialling);
            }
            ClientOutput::Send(_, bytes) => self.unsent.push_back(bytes),
            ClientOutput::Disconnect(_) => {
                self.connection = Connection::None;
                self.unsent.clear();
            }
            ClientOutput::Completed { id, zxid, result } => self.completed(id, zxid, result, again),
            ClientOutput::Event(event, zxid) => self.subscribers.tell(&event, zxid),
            ClientOutput::StateChanged(state) => self.changed(state),
        }
    }

    fn completed(
        &mut self,
        id: RequestId,
        zxid: Option<Zxid>,
        result: Result<Response, ClientError>,
        again: &mut Vec<Asked>,
    ) {
        let answer = result.map(|response| (response, zxid.unwrap_or(Zxid::ZERO)));
        if let Some(asker) = self.proving.remove(&id) {
            if let Some(asker) = asker {
                // Nobody may wait for it any more.
                let _ = asker.send(answer);
            }
            return;
        }
        let sent = self.in_flight.pop_front().expect("what the machine completes was submitted");
        assert_eq!(sent.id, id, "requests are completed in the order in which they were sent");
        match (sent.again, &answer) {
            (Some(request), Err(ClientError::OutcomeUnknown(Reason::ConnectionLoss))) => {
                again.push(Asked { request, watch: sent.watch, answer: sent.answer });
            }
            _ => self.answer(sent.watch, sent.answer, answer),
        }
    }

    /// The end of a request.
    fn answer(
        &mut self,
        watch: Option<Subscription>,
        asker: Option<oneshot::Sender<Answer>>,
        answer: Answer,
    ) {
        if let Some(watch) = watch {
            self.subscribers.answered(&watch.path);
            self.watch_answered(watch, &answer);
        }
        if let Some(asker) = asker {
            self.outstanding.fetch_sub(1, Ordering::Relaxed);
            // Nobody may wait for it any more.
            let _ = asker.send(answer);
        }
    }

    /// The server has set a watch, or has not.
    fn watch_answered(&mut self, mut watch: Subscription, answer: &Answer) {
        // exists leaves a watch where there is no node.
        let stands = match answer {
            Ok(_) => true,
            Err(ClientError::Refused(ErrorCode::NoNode)) => watch.kind == WatchKind::Data,
            Err(_) => false,
        };
        let word = match (stands, watch.is_again) {
            (_, false) => None,
            (true, true) => Some(Resync::NewSession),
            (false, true) => Some(Resync::Over),
        };
        if let Some(word) = word {
            watch.is_again = false;
            // Whoever has gone needs no word; whoever is full learns by it that it lags.
            let _ = watch.sender.events.try_send(WatchEvent::Resync(word));
        }
        if stands {
            self.subscribers.add(watch);
        }
    }

    fn changed(&mut self, state: KeeperState) {
        if self.is_connected() && std::mem::replace(&mut self.was_connected, true) {
            self.subscribers.reconnected();
        }
        self.publish(state);
    }

    fn publish(&self, state: KeeperState) {
        self.state.set(SessionView {
            id: self.session.session(),
            timeout: self.session.timing().session_timeout(),
            state: SessionState::of(state, self.session.assured_until()),
            trouble: self.trouble.clone(),
        });
    }

    /// What follows from the state that the machine is in now.
    fn go_on(&mut self) {
        if self.is_over() {
            let is_replaced = self.session.state() == KeeperState::Expired
                && self.settings.on_expiry == OnExpiry::Replace
                && !self.is_closing;
            let lost = self.subscribers.session_over(is_replaced);
            for asked in std::mem::take(&mut self.waiting) {
                let reason = over(self.session.state());
                self.answer(asked.watch, asked.answer, Err(ClientError::NotSent(reason)));
            }
            if is_replaced {
                self.replace_session(lost);
            }
        }
        if self.is_connected() && !self.is_closing {
            for asked in std::mem::take(&mut self.waiting) {
                // Whoever has gone before it was sent has taken it back.
                match asked.answer.as_ref().is_some_and(oneshot::Sender::is_canceled) {
                    true => self.answer(asked.watch, asked.answer, Err(ClientError::NotSent(Reason::Closed))),
                    false => self.submit(asked),
                }
            }
        }
    }

    /// Begins another session, which has what of the last one can be had again.
    fn replace_session(&mut self, watches: Vec<Subscription>) {
        self.sessions += 1;
        self.session = begin(&self.runtime, &self.settings, self.sessions);
        self.was_connected = false;
        self.sleep = None;
        for packet in std::mem::take(&mut self.credentials) {
            self.add_auth(packet, None);
        }
        self.publish(KeeperState::Disconnected);
        for watch in watches {
            let WatchKind::Added(mode) = watch.kind else { continue };
            self.ask(Asked { request: mode.request(watch.path.clone()), watch: Some(watch), answer: None });
        }
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

/// Why there is no session in this state, which is one of the last.
fn over(state: KeeperState) -> Reason {
    match state {
        KeeperState::Expired => Reason::SessionExpired,
        KeeperState::AuthFailed => Reason::AuthFailed,
        _ => Reason::Closed,
    }
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
