//! What the session machine wants done, and what follows from the state that it is in.

use super::subscribers::{Subscription, WatchKind};
use super::{Answer, Asked, Connection, Driver, begin};
use crate::client::builder::OnExpiry;
use crate::client::runtime::Runtime;
use crate::client::session::{ClientError, ClientOutput, KeeperState, Reason, RequestId};
use crate::client::state::{SessionState, SessionView};
use crate::client::watch::{Resync, WatchEvent};
use crate::jute::Response;
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
    pub(super) fn answer(
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
