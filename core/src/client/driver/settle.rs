//! What the session machine wants done, and what follows from the state that it is in.

use super::subscribers::{Subscription, WatchKind};
use super::{Answer, Asked, Command, Connection, Driver, Sent, begin, is_read};
use crate::client::builder::OnExpiry;
use crate::client::runtime::Runtime;
use crate::client::session::{ClientError, ClientOutput, KeeperState, Reason, RequestId};
use crate::client::state::{SessionState, SessionView};
use crate::client::watch::Resync;
use crate::jute::{Request, Response, WatcherType};
use crate::vocabulary::{ErrorCode, Zxid};
use futures_channel::oneshot;
use std::sync::atomic::Ordering;
use tracing::{debug, error, info, warn};

impl<R: Runtime> Driver<R> {
    /// Does all of it, until nothing more follows from it.
    pub(super) fn settle(&mut self) {
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
        let assured_until = self.session.assured_until();
        self.state.amend(|view| view.assured_until = assured_until);
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
        let Sent { id: sent, asked } =
            self.in_flight.pop_front().expect("what the machine completes was submitted");
        assert_eq!(sent, id, "requests are completed in the order in which they were sent");
        let is_lost = match &answer {
            Err(ClientError::OutcomeUnknown(Reason::ConnectionLoss)) => true,
            // A watch of the last session is not done with by the end of this one.
            Err(ClientError::OutcomeUnknown(Reason::SessionExpired)) => asked.answer.is_none(),
            _ => false,
        };
        if is_lost && self.may_ask_again(&asked) {
            again.push(asked);
        } else {
            self.answer(asked.watch, asked.answer, answer);
        }
    }

    /// Whether the loss of its connection is no answer.
    fn may_ask_again(&self, asked: &Asked) -> bool {
        asked.answer.is_none() || (!self.settings.fail_fast && is_read(&asked.request))
    }

    /// The end of a request.
    pub(super) fn answer(
        &mut self,
        watch: Option<Box<Subscription>>,
        asker: Option<oneshot::Sender<Answer>>,
        answer: Answer,
    ) {
        if let Some(watch) = watch {
            self.subscribers.answered(&watch.path);
            self.watch_answered(*watch, &answer);
        }
        if let Some(asker) = asker {
            self.outstanding.fetch_sub(1, Ordering::Relaxed);
            // Nobody may wait for it any more.
            let _ = asker.send(answer);
        }
    }

    /// The server has set a watch, or has not.
    fn watch_answered(&mut self, watch: Subscription, answer: &Answer) {
        // exists leaves a watch where there is no node.
        let stands = match answer {
            Ok(_) => true,
            Err(ClientError::Refused(ErrorCode::NoNode)) => watch.kind == WatchKind::Existence,
            Err(_) => false,
        };
        let word = match (stands, watch.is_again) {
            (_, false) => None,
            (true, true) => Some(Resync::NewSession),
            (false, true) => Some(Resync::Over),
        };
        let gone = watch.sender.events.is_closed().then_some(watch.sender.id);
        self.subscribers.add(watch, word, stands);
        self.unwatched.extend(gone);
    }

    fn changed(&mut self, state: KeeperState) {
        if self.is_connected() && std::mem::replace(&mut self.was_connected, true) {
            self.subscribers.reconnected();
        }
        self.publish(state);
    }

    pub(super) fn publish(&self, state: KeeperState) {
        let view = SessionView {
            id: self.session.session(),
            timeout: self.session.timing().session_timeout(),
            state: SessionState::of(state, self.session.assured_until()),
            assured_until: self.session.assured_until(),
            trouble: self.trouble.clone(),
        };
        log(&view);
        self.state.set(view);
    }

    /// What follows from the state that the machine is in now.
    fn go_on(&mut self) {
        if self.is_over() {
            self.go_on_without_session();
        }
        if self.is_connected() && !self.is_closing {
            self.let_go();
            for asked in std::mem::take(&mut self.waiting) {
                self.submit(asked);
            }
        }
        self.tidy();
    }

    /// Everybody who waits is answered, unless another session takes this one's place.
    fn go_on_without_session(&mut self) {
        let is_replaced = self.session.state() == KeeperState::Expired
            && self.settings.on_expiry == OnExpiry::Replace
            && !self.is_closing;
        let mut lost = self.subscribers.session_over(is_replaced);
        for asked in std::mem::take(&mut self.waiting) {
            match asked.watch {
                Some(watch) if is_replaced && watch.is_again => {
                    self.subscribers.answered(&watch.path);
                    lost.push(*watch);
                }
                watch => {
                    let reason = over(self.session.state());
                    self.answer(watch, asked.answer, Err(ClientError::NotSent(reason)));
                }
            }
        }
        if is_replaced {
            self.replace_session(lost);
        }
    }

    /// Whoever has gone before it was sent has taken it back.
    pub(super) fn let_go(&mut self) {
        for asked in std::mem::take(&mut self.waiting) {
            match asked.is_taken_back() {
                true => self.answer(asked.watch, asked.answer, Err(ClientError::NotSent(Reason::Closed))),
                false => self.waiting.push_back(asked),
            }
        }
    }

    /// Takes off the server what nobody listens to.
    fn tidy(&mut self) {
        for path in self.subscribers.left() {
            if self.session.watches().is_watched_for_good(&path) {
                let request = Request::RemoveWatches { path: Some(path), kind: WatcherType::Any as i32 };
                self.ask(Asked { request, watch: None, answer: None });
            }
        }
        for id in std::mem::take(&mut self.unwatched) {
            self.obey(Command::Unwatch(id));
        }
    }

    /// Begins another session, which has what of the last one can be had again.
    fn replace_session(&mut self, watches: Vec<Subscription>) {
        self.sessions += 1;
        let seen = self.session.last_zxid();
        self.session = begin(&self.runtime, &self.settings, self.sessions).not_behind(seen);
        self.was_connected = false;
        self.sleep = None;
        for packet in std::mem::take(&mut self.credentials) {
            self.add_auth(packet, None);
        }
        self.publish(KeeperState::Disconnected);
        for watch in watches {
            let WatchKind::Added(mode) = watch.kind else { continue };
            let request = mode.request(watch.path.clone());
            self.ask(Asked { request, watch: Some(Box::new(watch)), answer: None });
        }
    }
}

/// Why there is no session in this state, which is one of the last.
fn over(state: KeeperState) -> Reason {
    match state {
        KeeperState::Expired => Reason::SessionExpired,
        KeeperState::AuthFailed => Reason::AuthFailed,
        _ => Reason::Closed,
    }
}

/// One line for each step of a session's life.
fn log(view: &SessionView) {
    let (session, timeout_ms) = (tracing::field::debug(view.id), view.timeout.0);
    let trouble = view.trouble.as_deref().unwrap_or("none");
    match view.state {
        SessionState::Connected { read_only } => info!(session, timeout_ms, read_only, "connected"),
        SessionState::Connecting => debug!(session, trouble, "connecting"),
        SessionState::Suspended { .. } => info!(session, trouble, "suspended"),
        SessionState::Expired => warn!(session, trouble, "the session has expired"),
        SessionState::AuthFailed => error!(session, "a server refused the credentials"),
        SessionState::Closed => info!(session, "closed"),
    }
}
